package inbound

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// pending is a hook that waits for a commit.
type pending struct {
	hook   *millrace.InboundHook
	window time.Duration // in which its replay key counts
	key    string        // of its endpoint
	counts millrace.InboundHookID
}

// commit stores hooks that came together, with one task for all of them. Their order is that of their replay keys, so
// that two commits at once do not wait for each other.
func (r *Receiver) commit(ctx context.Context, items []*pending) error {
	ordered := slices.SortedStableFunc(slices.Values(items), func(a, b *pending) int { return cmp.Compare(a.hook.ReplayKey, b.hook.ReplayKey) })
	counts := make([]millrace.InboundHookID, len(ordered))
	err := r.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		batch, due := millrace.NewID[millrace.BatchID](), false
		for i, item := range ordered {
			v := *item.hook
			v.BatchID = batch
			earlier, err := tx.InsertInboundHook(ctx, &v, item.window)
			if err != nil {
				return err
			}
			counts[i] = cmp.Or(earlier, v.ID)
			if earlier != "" {
				if err := r.duplicate(ctx, tx, item, earlier); err != nil {
					return err
				}
				continue
			}
			due = due || v.Status == millrace.InboundAccepted
		}
		if !due {
			return nil
		}
		return tx.Enqueue(ctx, millrace.Task{Kind: millrace.TaskInbound, Key: string(batch)})
	})
	if err != nil {
		return err
	}
	for i, item := range ordered {
		item.counts = counts[i]
	}
	return nil
}

// duplicate leaves a trace of a delivery that was accepted before.
func (r *Receiver) duplicate(ctx context.Context, tx *store.Tx, item *pending, earlier millrace.InboundHookID) error {
	if !r.traces.take(item.key) {
		return nil
	}
	v := *item.hook
	v.Status, v.DuplicateOf, v.ReplayKey, v.Body = millrace.InboundDuplicate, earlier, "", nil
	_, err := tx.InsertInboundHook(ctx, &v, 0)
	return err
}
