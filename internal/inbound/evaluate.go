package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trace"
)

// outcome is what an evaluation does, once for all accounts of a hook.
type outcome struct {
	events  []*millrace.Event
	updates []update
	report  millrace.InboundEvaluation
	failure *millrace.Failure
}

// update is a change of an account's context.
type update struct {
	account millrace.IntegratedAccountID
	patch   json.RawMessage
}

// The bounds of one task: it saves what it has evaluated before it holds more than this, yields after a while, and gives
// up a hook that takes too long by itself.
const (
	maxAtOnce       = 100
	maxBytesAtOnce  = 4 << 20
	maxEventsAtOnce = 200
	sliceTime       = 250 * time.Millisecond
	hookTime        = 10 * time.Second
)

// evaluated is a hook with what its evaluation does.
type evaluated struct {
	hook    *millrace.InboundHook
	outcome *outcome
}

// Handle evaluates the hooks of the batch that a task names, in the order in which they came.
func (r *Receiver) Handle(ctx context.Context, task millrace.Task) error {
	var due []millrace.InboundHookID
	err := r.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		due, err = tx.Hooks().OpenOf(ctx, millrace.BatchID(task.Key))
		return err
	})
	if err != nil {
		return err
	}
	began := r.cfg.Clock()
	for len(due) > 0 {
		s, err := r.some(ctx, due, began)
		if err != nil {
			return err
		}
		due = due[s.looked:]
		if len(s.done) > 0 || len(due) == 0 {
			if err := r.saveAll(ctx, s.done, len(due) == 0); err != nil {
				return err
			}
		}
		if len(due) > 0 && (s.wait > 0 || r.cfg.Clock().Sub(began) > sliceTime) {
			return millrace.RetryAfter(s.wait, nil)
		}
	}
	return nil
}

// evaluation is some hooks of a batch that were evaluated.
type evaluation struct {
	done   []evaluated
	looked int           // how many hooks were looked at
	wait   time.Duration // how long their environment has to wait for the next
}

// some evaluates the first of the hooks that are due.
func (r *Receiver) some(ctx context.Context, due []millrace.InboundHookID, began time.Time) (evaluation, error) {
	s := evaluation{looked: min(len(due), maxAtOnce)}
	size, events := int64(0), 0
	for i, id := range due[:s.looked] {
		if i > 0 && (size > maxBytesAtOnce || events >= maxEventsAtOnce || r.cfg.Clock().Sub(began) > sliceTime) {
			s.looked = i
			return s, nil
		}
		var hook *millrace.InboundHook
		err := r.cfg.DB.View(ctx, func(tx *store.Tx) error {
			var err error
			hook, err = tx.Hooks().GetOpen(ctx, id)
			return err
		})
		if err != nil {
			return evaluation{}, err
		}
		if hook == nil {
			continue
		}
		if s.wait = r.cfg.Budget.Wait(hook.EnvironmentID); s.wait > 0 {
			s.looked = i
			return s, nil
		}
		o, err := r.evaluate(ctx, hook)
		if err != nil {
			return evaluation{}, err
		}
		size, events = size+hook.Size, events+len(o.events)
		s.done = append(s.done, evaluated{hook, o})
	}
	return s, nil
}

// saveAll stores what evaluations do. When that fails, each is stored by itself, so that a bad one fails alone.
func (r *Receiver) saveAll(ctx context.Context, done []evaluated, last bool) error {
	save := func(some []evaluated, last bool) error {
		err := r.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			if err := r.save(ctx, tx, some); err != nil {
				return err
			}
			if !last {
				return nil
			}
			return tx.Finish(ctx)
		})
		if err != nil {
			return err
		}
		for _, e := range some {
			status := millrace.InboundProcessed
			if e.outcome.failure != nil {
				status = millrace.InboundFailed
			}
			r.became(ctx, status)
		}
		return nil
	}
	err := save(done, last)
	if err == nil || len(done) < 2 {
		return err
	}
	var errs []error
	for i := range done {
		errs = append(errs, save(done[i:i+1], false))
	}
	return errors.Join(errs...)
}

// evaluate evaluates a hook for each of its accounts, with the config of each.
func (r *Receiver) evaluate(ctx context.Context, hook *millrace.InboundHook) (*outcome, error) {
	req, err := requestOf(hook)
	if err != nil {
		return nil, millrace.Permanent(err)
	}
	var ids []millrace.IntegratedAccountID
	if err := json.Unmarshal(hook.AccountIDs, &ids); err != nil {
		return nil, millrace.Permanent(fmt.Errorf("decode accounts: %w", err))
	}
	o := &outcome{}
	m := memory.Measure(hook.Body)
	if m.Values() > maxHookValues {
		o.failure = &millrace.Failure{Path: "body", Message: fmt.Sprintf("has more than %d values", maxHookValues)}
		return o, nil
	}
	lease, err := r.reserve(ctx, string(hook.EnvironmentID), m)
	if millrace.KindOf(err) == millrace.KindUnavailable && err != nil {
		return nil, millrace.RetryAfter(time.Second, err)
	}
	if err != nil {
		return nil, err
	}
	defer lease.Release()
	within, cancel := context.WithTimeout(ctx, hookTime)
	defer cancel()
	for _, id := range ids {
		e, err := r.cfg.Directory.Account(ctx, hook.EnvironmentID, id)
		if millrace.KindOf(err) == millrace.KindNotFound {
			o.failure = &millrace.Failure{Path: "integrated_account_id", Message: "the account " + string(id) + " was deleted"}
			return o, nil
		}
		if err != nil {
			return nil, err
		}
		var s *sight
		var failure *millrace.Failure
		r.cfg.Budget.Use(e.EnvironmentID, func() { s, failure = r.look(within, e, req, expr.LimitsTransform()) })
		if err := context.Cause(ctx); err != nil {
			return nil, err // we were stopped; that says nothing about the expression
		}
		if failure == nil && s.kind == kindVerify {
			failure = &millrace.Failure{Path: handlePath, Message: "this is a handshake that got no response: the expression took too long in the request"}
		}
		if failure != nil {
			o.failure = failure
			return o, nil
		}
		o.add(e, hook.ID, s)
	}
	return o, nil
}

func (o *outcome) add(e *Endpoint, hook millrace.InboundHookID, s *sight) {
	events, skipped := eventsOf(e, hook, s)
	o.events = append(o.events, events...)
	o.report.Type = s.kind
	o.report.Elements += len(elementsOf(s.payload))
	o.report.Skipped = append(o.report.Skipped, skipped[:min(len(skipped), maxSkipped)]...)
	if s.update != nil {
		o.updates = append(o.updates, update{e.AccountID, s.update})
	}
}

// maxSkipped bounds how many elements without an event are described.
const maxSkipped = 20

// requestOf is the request that a hook was.
func requestOf(hook *millrace.InboundHook) (*millrace.InboundRequest, error) {
	req := &millrace.InboundRequest{Method: hook.Method, ContentType: hook.ContentType, Query: hook.Query, Body: hook.Body}
	if err := json.Unmarshal(hook.Header, &req.Header); err != nil {
		return nil, fmt.Errorf("decode headers: %w", err)
	}
	return req, nil
}

// save stores what evaluations do, if their hooks still are due. Events are stored together up to the next change of a context,
// which may make events, too.
func (r *Receiver) save(ctx context.Context, tx *store.Tx, done []evaluated) error {
	var waiting []*millrace.Event
	made, changed := make([][]*millrace.Event, len(done)), make([]bool, len(done)) // by each
	for i, e := range done {
		if e.outcome.failure != nil {
			continue
		}
		for k, u := range e.outcome.updates {
			if k == 0 {
				if err := event.Emit(ctx, tx, waiting...); err != nil {
					return err
				}
				waiting = nil
			}
			some, err := r.cfg.Contexts.MergeTx(trace.With(ctx, e.hook.Traceparent), tx, e.hook.EnvironmentID, u.account, u.patch)
			if err != nil {
				return err
			}
			changed[i] = changed[i] || some
		}
		for _, v := range e.outcome.events {
			copied := *v // the transaction may run more than once
			copied.Traceparent = e.hook.Traceparent
			made[i] = append(made[i], &copied)
		}
		waiting = append(waiting, made[i]...)
	}
	if err := event.Emit(ctx, tx, waiting...); err != nil {
		return err
	}
	for i, e := range done {
		if err := finish(ctx, tx, *e.hook, e.outcome, made[i], changed[i]); err != nil {
			return err
		}
	}
	return nil
}

// finish stores the outcome of a hook. One that made no event gives its replay key back: once its integration is fixed, the
// provider may send it again.
func finish(ctx context.Context, tx *store.Tx, hook millrace.InboundHook, o *outcome, events []*millrace.Event, changed bool) error {
	hook.Status = millrace.InboundProcessed
	ids := []millrace.EventID{}
	if o.failure != nil {
		hook.Status = millrace.InboundFailed
		hook.Error, _ = json.Marshal(o.failure) // always encodes
	} else {
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		report := o.report
		report.ContextUpdated = report.ContextUpdated || changed
		hook.Evaluation, _ = json.Marshal(report) // always encodes
	}
	hook.EventCount = int64(len(ids))
	hook.EventIDs, _ = json.Marshal(ids) // always encodes
	if len(ids) == 0 {
		hook.ReplayKey = ""
	}
	still, err := tx.Hooks().Finish(ctx, &hook)
	if err == nil && !still {
		err = millrace.Errorf(millrace.KindConflict, "the inbound hook %s was evaluated by another worker", hook.ID)
	}
	return err
}
