package inbound

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// maxLooks bounds how often hooks are stored again whose commit may have happened.
const maxLooks = 4

// pending is a hook that waits for a commit.
type pending struct {
	hook   *millrace.InboundHook
	window time.Duration // in which its replay key counts
	key    string        // of its endpoint
	counts millrace.InboundHookID
}

// commit stores hooks that came together, with one task for those of an environment. Their order is that of their replay keys, so
// that two commits at once do not wait for each other.
func (r *Receiver) commit(ctx context.Context, items []*pending) error {
	ordered := slices.SortedStableFunc(slices.Values(items), func(a, b *pending) int { return cmp.Compare(a.hook.ReplayKey, b.hook.ReplayKey) })
	counts, err := r.insert(ctx, ordered)
	for try := 0; errors.Is(err, store.ErrUnknownOutcome) && try < maxLooks; try++ {
		counts, err = r.insert(ctx, ordered) // what is there already is not stored twice
	}
	if err != nil {
		return err
	}
	for i, item := range ordered {
		item.counts = counts[i]
	}
	return nil
}

// insert stores hooks and returns the ids of those that count.
func (r *Receiver) insert(ctx context.Context, ordered []*pending) ([]millrace.InboundHookID, error) {
	return store.Compute(ctx, r.cfg.DB, func(tx *store.Tx) ([]millrace.InboundHookID, error) {
		batches, due := map[millrace.EnvironmentID]millrace.BatchID{}, map[millrace.EnvironmentID]bool{}
		hooks, windows := make([]*millrace.InboundHook, len(ordered)), make([]time.Duration, len(ordered))
		for i, item := range ordered {
			v := *item.hook
			if batches[v.EnvironmentID] == "" {
				batches[v.EnvironmentID] = millrace.NewID[millrace.BatchID]()
			}
			v.BatchID = batches[v.EnvironmentID]
			hooks[i], windows[i] = &v, item.window
		}
		counts, err := tx.Hooks().CreateAll(ctx, hooks, windows)
		if err != nil {
			return nil, err
		}
		for i, v := range hooks {
			if counts[i] == v.ID {
				due[v.EnvironmentID] = due[v.EnvironmentID] || v.Status == millrace.InboundAccepted
			} else if err := r.duplicate(ctx, tx, ordered[i], counts[i]); err != nil {
				return nil, err
			}
		}
		var tasks []millrace.Task
		for env, some := range due {
			if some {
				tasks = append(tasks, millrace.Task{Kind: millrace.TaskInbound, Key: string(batches[env]), Environment: env})
			}
		}
		return counts, tx.Enqueue(ctx, tasks...)
	})
}

// duplicate leaves a trace of a delivery that was accepted before.
func (r *Receiver) duplicate(ctx context.Context, tx *store.Tx, item *pending, earlier millrace.InboundHookID) error {
	if !r.traces.take(item.key) {
		return nil
	}
	v := *item.hook
	v.Status, v.DuplicateOf, v.ReplayKey, v.Body = millrace.InboundDuplicate, earlier, "", nil
	_, err := tx.Hooks().CreateAll(ctx, []*millrace.InboundHook{&v}, []time.Duration{0}) // it is there already after a commit without a response
	return err
}
