package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/internal/store/sqldb"

	"github.com/millrace/millrace"
)

const (
	maxGrouped = 200
	// maxGroupedBytes bounds a commit of items that have a size.
	maxGroupedBytes = 2 << 20
	groupedWait     = 2 * time.Millisecond
)

// errStopped says that the server is shutting down; the caller may try again elsewhere.
var errStopped = millrace.Errorf(millrace.KindUnavailable, "the server is stopping")

// Group stores what many callers bring in few commits, because a commit costs more than a row: what arrives within
// groupedWait, or while a commit is under way, is stored together.
type Group[T any] struct {
	store    func(ctx context.Context, items []T) error
	requests chan *grouped[T]
	mu       sync.RWMutex // guards stopped and, with it, sends on requests
	stopped  bool
	done     sync.WaitGroup
	size     func(T) int  // bytes of an item; nil: they do not matter
	waiting  atomic.Int64 // callers that have no response yet
}

type grouped[T any] struct {
	item T
	err  error
	done chan struct{}
}

// NewGroup starts to store, with as many commits at once as committers says. store must store all items or none. When it
// fails, and not because the database does, it is called again for each of them, so that a bad one fails alone. What may have
// been stored is store's to find out: an ErrUnknownOutcome goes to all callers.
func NewGroup[T any](store func(ctx context.Context, items []T) error, committers int) *Group[T] {
	return NewSizedGroup(store, committers, nil)
}

// NewSizedGroup is NewGroup for items that may be large: a commit ends with the one that makes it maxGroupedBytes, so that
// small items do not wait for many large ones.
func NewSizedGroup[T any](store func(ctx context.Context, items []T) error, committers int, size func(T) int) *Group[T] {
	g := &Group[T]{store: store, size: size, requests: make(chan *grouped[T], maxGrouped)}
	for range max(committers, 1) {
		g.done.Go(g.run)
	}
	return g
}

// Stop commits what has been handed over and ends.
func (g *Group[T]) Stop() {
	g.mu.Lock()
	if !g.stopped {
		g.stopped = true
		close(g.requests)
	}
	g.mu.Unlock()
	g.done.Wait()
}

// Add returns once the item is durable. A caller that gives up cannot know whether it was stored, and must not look at
// the item any more.
func (g *Group[T]) Add(ctx context.Context, item T) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	r := &grouped[T]{item: item, done: make(chan struct{})}
	g.mu.RLock()
	if g.stopped {
		g.mu.RUnlock()
		return errStopped
	}
	select {
	case g.requests <- r:
		g.mu.RUnlock()
	case <-ctx.Done():
		g.mu.RUnlock()
		return context.Cause(ctx)
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return sqldb.UnknownOutcome(context.Cause(ctx)) // it is in a batch, or will be
	}
}

func (g *Group[T]) run() {
	for first := range g.requests {
		g.commit(g.collect(first))
	}
}

// collect adds what arrives within groupedWait to the first request. It waits no longer than until every caller is in.
func (g *Group[T]) collect(first *grouped[T]) []*grouped[T] {
	batch := []*grouped[T]{first}
	timer := time.NewTimer(groupedWait)
	defer timer.Stop()
	bytes := g.sizeOf(first)
	for len(batch) < maxGrouped && bytes < maxGroupedBytes && int64(len(batch)) < g.waiting.Load() {
		select {
		case r, ok := <-g.requests:
			if !ok {
				return batch
			}
			batch = append(batch, r)
			bytes += g.sizeOf(r)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

func (g *Group[T]) sizeOf(r *grouped[T]) int {
	if g.size == nil {
		return 0
	}
	return g.size(r.item)
}

func (g *Group[T]) commit(batch []*grouped[T]) {
	ctx := context.Background() // the commit serves many callers; none may cancel it
	items := make([]T, len(batch))
	for i, r := range batch {
		items[i] = r.item
	}
	err := g.store(ctx, items)
	for _, r := range batch {
		r.err = err
		if err != nil && len(batch) > 1 && !errors.Is(err, context.Canceled) && !errors.Is(err, sqldb.ErrOutage) {
			r.err = g.store(ctx, []T{r.item})
		}
		close(r.done)
	}
}
