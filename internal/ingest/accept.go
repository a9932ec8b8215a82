package ingest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const (
	maxBatch = 200
	maxWait  = 2 * time.Millisecond
)

// errStopped says that the server is shutting down; the caller may try again elsewhere.
var errStopped = millrace.Errorf(millrace.KindUnavailable, "the server is stopping")

// Accepter stores events that callers send, several in one commit.
type Accepter struct {
	db       *store.DB
	requests chan *request
	mu       sync.RWMutex // guards stopped and, with it, sends on requests
	stopped  bool
	done     sync.WaitGroup
	waiting  atomic.Int64 // callers that have no answer yet
}

type request struct {
	event *millrace.Event
	err   error
	done  chan struct{}
}

// NewAccepter starts to accept events, with as many commits at once as committers says.
func NewAccepter(db *store.DB, committers int) *Accepter {
	a := &Accepter{db: db, requests: make(chan *request, maxBatch)}
	for range max(committers, 1) {
		a.done.Go(a.run)
	}
	return a
}

// Stop commits what has been handed over and ends.
func (a *Accepter) Stop() {
	a.mu.Lock()
	if !a.stopped {
		a.stopped = true
		close(a.requests)
	}
	a.mu.Unlock()
	a.done.Wait()
}

// Accept returns once the event is durable, with its id and time filled in. With an idempotency key that was used
// before, the event becomes the earlier one. A caller that gives up cannot know whether the event was stored.
func (a *Accepter) Accept(ctx context.Context, e *millrace.Event) error {
	a.waiting.Add(1)
	defer a.waiting.Add(-1)
	r := &request{event: e, done: make(chan struct{})}
	a.mu.RLock()
	if a.stopped {
		a.mu.RUnlock()
		return errStopped
	}
	a.requests <- r
	a.mu.RUnlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *Accepter) run() {
	for first := range a.requests {
		a.commit(a.collect(first))
	}
}

// collect adds what arrives within maxWait to the first request. It waits no longer than until every caller is in.
func (a *Accepter) collect(first *request) []*request {
	batch := []*request{first}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	for len(batch) < maxBatch && int64(len(batch)) < a.waiting.Load() {
		select {
		case r, ok := <-a.requests:
			if !ok {
				return batch
			}
			batch = append(batch, r)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// commit stores a batch. When it fails, its events are stored one by one, so that a bad one fails alone.
func (a *Accepter) commit(batch []*request) {
	err := a.store(batch)
	for _, r := range batch {
		r.err = err
		if err != nil && len(batch) > 1 && !errors.Is(err, context.Canceled) {
			r.err = a.store([]*request{r})
		}
		close(r.done)
	}
}

// store works on copies: the transaction may run more than once.
func (a *Accepter) store(batch []*request) error {
	ctx := context.Background() // the commit serves many callers; none may cancel it
	stored := make([]*millrace.Event, len(batch))
	err := a.db.Update(ctx, func(tx *store.Tx) error {
		for i, r := range batch {
			e := *r.event
			stored[i] = &e
		}
		return EmitTx(ctx, tx, stored...)
	})
	if err != nil {
		return err
	}
	for i, r := range batch {
		*r.event = *stored[i]
	}
	return nil
}
