// Package ingest accepts events: the first hop of the data.
//
// An event is stored once, in the transaction of what it tells about. In the same transaction it is queued for every
// webhook that subscribes to it, and one match task is left for all events that were stored together; the next stage
// (trigger) takes it from there. A caller gets its answer after the commit: what was answered is never lost, what was
// not answered did not happen and may be sent again, with an idempotency key if twice would matter.
//
// Events that callers send themselves share commits: those that arrive within 2 ms, or while a commit is under way,
// are stored together, because a commit costs more than an event.
package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// EmitTx stores events in the caller's transaction, for webhooks and workflows. An event whose idempotency key was
// used before is replaced by the earlier event and has no effect.
func EmitTx(ctx context.Context, tx *store.Tx, events ...*millrace.Event) error {
	return EmitExceptTx(ctx, tx, "", events...)
}

// EmitExceptTx is EmitTx for events that one webhook gets in another way.
func EmitExceptTx(ctx context.Context, tx *store.Tx, except millrace.WebhookID, events ...*millrace.Event) error {
	b := batch{
		id: millrace.NewID[millrace.BatchID](), except: except,
		webhooks: map[millrace.EnvironmentID][]millrace.Webhook{}, wakes: map[trigger]bool{},
	}
	for env, some := range byEnvironment(events) {
		if err := b.add(ctx, tx, env, some); err != nil {
			return fmt.Errorf("store events: %w", err)
		}
	}
	return b.finish(ctx, tx)
}

// byEnvironment yields runs of events of one environment.
func byEnvironment(events []*millrace.Event) iter.Seq2[millrace.EnvironmentID, []*millrace.Event] {
	return func(yield func(millrace.EnvironmentID, []*millrace.Event) bool) {
		for len(events) > 0 {
			env, n := events[0].EnvironmentID, 1
			for n < len(events) && events[n].EnvironmentID == env {
				n++
			}
			if !yield(env, events[:n]) {
				return
			}
			events = events[n:]
		}
	}
}

// trigger is what workflows are found by.
type trigger struct {
	env   millrace.EnvironmentID
	event string
}

// batch is the events of one transaction and what was looked up for them.
type batch struct {
	id       millrace.BatchID
	except   millrace.WebhookID
	webhooks map[millrace.EnvironmentID][]millrace.Webhook
	wakes    map[trigger]bool
	match    bool
}

func (b *batch) add(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, events []*millrace.Event) error {
	for _, e := range events {
		if len(e.Payload) == 0 {
			e.Payload = json.RawMessage("{}")
		}
		wakes, err := b.wakesWorkflows(ctx, tx, trigger{env, e.Name})
		if err != nil {
			return err
		}
		if wakes {
			e.BatchID = b.id
		}
	}
	fresh, err := tx.InsertEvents(ctx, events)
	if err != nil {
		return err
	}
	for _, e := range fresh {
		b.match = b.match || e.BatchID == b.id
	}
	return b.deliver(ctx, tx, env, fresh)
}

// wakesWorkflows reports whether any workflow listens, so that events nobody listens to cost no task.
func (b *batch) wakesWorkflows(ctx context.Context, tx *store.Tx, t trigger) (bool, error) {
	wakes, known := b.wakes[t]
	if known {
		return wakes, nil
	}
	wakes, err := tx.HasWorkflow(ctx, t.env, t.event)
	b.wakes[t] = wakes
	return wakes, err
}

func (b *batch) deliver(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, events []*millrace.Event) error {
	// Records go to the webhooks that their run names, in its own sequence.
	events = slices.DeleteFunc(slices.Clone(events), func(e *millrace.Event) bool {
		return e.Name == millrace.EventRunRecord || e.Name == millrace.EventRunRecordError
	})
	if len(events) == 0 {
		return nil
	}
	webhooks, known := b.webhooks[env]
	if !known {
		var err error
		if webhooks, err = tx.SubscribedWebhooks(ctx, env); err != nil {
			return err
		}
		b.webhooks[env] = webhooks
	}
	for i := range webhooks {
		w := &webhooks[i]
		if w.ID == b.except {
			continue
		}
		var wanted []*millrace.Event
		for _, e := range events {
			if w.Wants(e.Name) && !w.Ignores(e) {
				wanted = append(wanted, e)
			}
		}
		if err := tx.QueueDeliveries(ctx, w, wanted...); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) finish(ctx context.Context, tx *store.Tx) error {
	if !b.match {
		return nil
	}
	if err := tx.InsertBatch(ctx, b.id); err != nil {
		return fmt.Errorf("store batch: %w", err)
	}
	return tx.Enqueue(ctx, millrace.Task{Kind: millrace.TaskMatch, Key: string(b.id)})
}
