package trigger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// listener is what workflows are found by.
type listener struct {
	Environment millrace.EnvironmentID `json:"environment_id"`
	Event       string                 `json:"event"`
}

func (l listener) compare(other listener) int {
	return cmp.Or(cmp.Compare(l.Environment, other.Environment), cmp.Compare(l.Event, other.Event))
}

// mark is a place among rows that are ordered by age.
type mark struct {
	At int64  `json:"at"` // in microseconds: a time's own text has only milliseconds
	ID string `json:"id"`
}

func (m mark) compare(other mark) int {
	return cmp.Or(cmp.Compare(m.At, other.At), cmp.Compare(m.ID, other.ID))
}

// position names the last decision about a batch that is stored; the zero position: none is. Decisions are made listener by
// listener, there workflow by workflow, there event by event.
type position struct {
	listener
	Workflow mark `json:"workflow"`
	Last     mark `json:"last"`
	// Until is soon after the batch began to be matched. A workflow that was created later decides about none of its events, so that
	// matching comes to an end.
	Until int64 `json:"until"`
}

// pair is an event and a workflow that listens to it.
type pair struct {
	listener
	workflow *millrace.Workflow
	event    *millrace.Event
}

func (p *pair) position(until int64) position {
	return position{p.listener, workflowMark(p.workflow), eventMark(p.event), until}
}

func workflowMark(w *millrace.Workflow) mark { return mark{int64(w.CreatedAt), string(w.ID)} }

func eventMark(e *millrace.Event) mark { return mark{int64(e.CreatedAt), string(e.ID)} }

const (
	pageRows  = 100
	pageBytes = 4 << 20
	// clocksDiffer is how much later than here it may be on a node that has created a workflow before the event.
	clocksDiffer = time.Minute
)

// page is the workflows of a listener from one on.
type page struct {
	listener
	from, to  mark
	whole     bool // the workflow at from is among them
	workflows []millrace.Workflow
	more      bool
}

// has reports whether a page has the workflows behind one, or from it on.
func (p *page) has(l listener, from mark, whole bool) bool {
	if p == nil || p.listener != l {
		return false
	}
	begins, ends := from.compare(p.from), from.compare(p.to)
	return (begins > 0 || begins == 0 && (p.whole || !whole)) && (ends < 0 || ends == 0 && whole)
}

// matching is a batch while a task works on it.
type matching struct {
	*Matcher
	batch     *store.Batch
	at        position
	listeners []listener
	events    map[listener][]*millrace.Event
	page      *page
	rows      int // how many workflows the next page may have
	room      int // how much the next chunk may weigh
	scopes    *scopes
	spent     map[millrace.EventID]bool            // events that have caused as many runs as they may
	limits    map[millrace.EventID]json.RawMessage // why an event wakes nothing any more
}

// open reads a batch and how far it has come. It returns nil when nothing is left.
func (m *Matcher) open(ctx context.Context, id millrace.BatchID) (*matching, error) {
	w := &matching{
		Matcher: m, events: map[listener][]*millrace.Event{}, rows: pageRows, room: maxRoom,
		spent: map[millrace.EventID]bool{}, limits: map[millrace.EventID]json.RawMessage{},
	}
	err := m.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		if w.batch, err = tx.Events().OpenBatch(ctx, id); err != nil || w.batch == nil {
			return err
		}
		w.at.Until = int64(tx.Now().Add(clocksDiffer))
		if w.batch.Progress != "" {
			if err := json.Unmarshal([]byte(w.batch.Progress), &w.at); err != nil {
				return fmt.Errorf("decode progress of batch %s: %w", id, err)
			}
		}
		return w.readSpent(ctx, tx)
	})
	if err != nil || w.batch == nil {
		return nil, err
	}
	w.scopes = newScopes(m)
	for i := range w.batch.Events {
		e := &w.batch.Events[i]
		l := listener{e.EnvironmentID, e.Name}
		if w.events[l] == nil {
			w.listeners = append(w.listeners, l)
		}
		w.events[l] = append(w.events[l], e)
	}
	slices.SortFunc(w.listeners, listener.compare)
	return w, nil
}

// pending yields what is still to be decided, in order.
func (w *matching) pending(ctx context.Context) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		for _, l := range w.listeners {
			var from, after mark
			switch order := l.compare(w.at.listener); {
			case order < 0:
				continue
			case order == 0:
				from, after = w.at.Workflow, w.at.Last
			}
			if !w.pendingOf(ctx, l, from, after, yield) {
				return
			}
		}
	}
}

// pendingOf yields what is to be decided for a listener, from a workflow on, which has decided about the events up to one. It
// reports whether to go on.
func (w *matching) pendingOf(ctx context.Context, l listener, from, after mark, yield func(pair, error) bool) bool {
	events := w.events[l]
	last := eventMark(events[len(events)-1])
	for more := true; more; {
		p, err := w.workflows(ctx, l, from, after.compare(last) < 0)
		if err != nil {
			yield(pair{}, err)
			return false
		}
		for i := range p.workflows {
			flow := &p.workflows[i]
			order := workflowMark(flow).compare(from)
			for _, e := range events {
				if order < 0 || order == 0 && eventMark(e).compare(after) <= 0 {
					continue
				}
				if !yield(pair{l, flow, e}, nil) {
					return false
				}
			}
		}
		from, after, more = p.to, last, p.more
	}
	return true
}

// workflows returns a page of the workflows of a listener that has those behind a place, or from it on.
func (w *matching) workflows(ctx context.Context, l listener, from mark, whole bool) (*page, error) {
	if w.page.has(l, from, whole) {
		return w.page, nil
	}
	p := &page{listener: l, from: from, to: from, whole: whole}
	err := w.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		p.workflows, p.more, err = tx.Workflows().ByEvent(ctx, store.WorkflowPage{
			EnvironmentID: l.Environment, Event: l.Event, From: store.Mark{At: millrace.Time(from.At), ID: from.ID}, Whole: whole,
			Until: millrace.Time(w.at.Until), Most: w.rows, MostBytes: pageBytes,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if n := len(p.workflows); n > 0 {
		p.to = workflowMark(&p.workflows[n-1])
		if p.more {
			w.rows = n // when they are large, no more of them are requested than are read
		}
	}
	w.page = p
	return p, nil
}
