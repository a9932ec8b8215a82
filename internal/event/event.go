// Package event accepts events: the first hop of the data.
//
// An event is stored once, in the transaction of what it tells about. In the same transaction it is queued for every
// webhook that subscribes to it, and one match task is left for all events of an environment that were stored together; the
// next stage (trigger) takes it from there. A caller gets its response after the commit: an event that was accepted is never
// lost. Without a response an event may be sent again, with an idempotency key if twice would matter.
//
// Events that callers send themselves share commits: see [store.Group].
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trace"
)

// Emit stores events in the caller's transaction, for webhooks and workflows. An event whose idempotency key was
// used before is replaced by the earlier event and has no effect.
func Emit(ctx context.Context, tx *store.Tx, events ...*millrace.Event) error {
	return EmitExcept(ctx, tx, "", events...)
}

// EmitExcept is Emit for events that one webhook gets in another way.
func EmitExcept(ctx context.Context, tx *store.Tx, except millrace.WebhookID, events ...*millrace.Event) error {
	of := map[millrace.EnvironmentID][]*millrace.Event{}
	for _, e := range events {
		of[e.EnvironmentID] = append(of[e.EnvironmentID], e)
	}
	// In one order, or two transactions that lock the same rows might wait for each other.
	for _, env := range slices.Sorted(maps.Keys(of)) {
		b := batch{env: env, except: except, wakes: map[string]bool{}}
		if err := b.add(ctx, tx, of[env]); err != nil {
			return fmt.Errorf("store events: %w", err)
		}
	}
	return nil
}

// maxBatchBytes bounds the payloads of a batch, all of which the task that matches it holds in memory. An event that is
// larger has a batch of its own.
const maxBatchBytes = 4 << 20

// batch is the events of one environment and one transaction, and what was looked up for them.
type batch struct {
	env    millrace.EnvironmentID
	except millrace.WebhookID
	wakes  map[string]bool // whether any workflow listens, by name
}

func (b *batch) add(ctx context.Context, tx *store.Tx, events []*millrace.Event) error {
	var id millrace.BatchID
	size := 0
	for _, e := range events {
		if len(e.Payload) == 0 {
			e.Payload = json.RawMessage("{}") //commit:allow callers emit events that they made in the transaction
		}
		if e.Traceparent == "" {
			e.Traceparent = trace.From(ctx) //commit:allow callers emit events that they made in the transaction
		}
		wakes, err := b.wakesWorkflows(ctx, tx, e.Name)
		if err != nil {
			return err
		}
		if !wakes {
			continue
		}
		if size += len(e.Payload); id == "" || size > maxBatchBytes {
			id, size = millrace.NewID[millrace.BatchID](), len(e.Payload)
		}
		e.BatchID = id //commit:allow callers emit events that they made in the transaction
	}
	fresh, err := tx.Events().CreateAll(ctx, events)
	if err != nil {
		return err
	}
	if err := b.match(ctx, tx, fresh); err != nil {
		return err
	}
	return b.deliver(ctx, tx, fresh)
}

// wakesWorkflows reports whether any workflow listens, so that events without a listener cost no task.
func (b *batch) wakesWorkflows(ctx context.Context, tx *store.Tx, event string) (bool, error) {
	wakes, known := b.wakes[event]
	if known {
		return wakes, nil
	}
	wakes, err := tx.Workflows().Exist(ctx, b.env, event)
	b.wakes[event] = wakes //commit:allow the batch is of the same transaction
	return wakes, err
}

// match leaves a task for each batch of the events that were added.
func (b *batch) match(ctx context.Context, tx *store.Tx, fresh []*millrace.Event) error {
	var tasks []millrace.Task
	for _, e := range fresh {
		if e.BatchID == "" {
			continue
		}
		if n := len(tasks) - 1; n >= 0 && tasks[n].Key == string(e.BatchID) {
			if tasks[n].Traceparent != e.Traceparent {
				tasks[n].Traceparent = "" // of several requests
			}
			continue
		}
		if err := tx.Events().CreateBatch(ctx, b.env, e.BatchID); err != nil {
			return fmt.Errorf("store batch: %w", err)
		}
		tasks = append(tasks, millrace.Task{Kind: millrace.TaskMatch, Key: string(e.BatchID), Environment: b.env, Traceparent: e.Traceparent})
	}
	return tx.Enqueue(ctx, tasks...)
}

func (b *batch) deliver(ctx context.Context, tx *store.Tx, events []*millrace.Event) error {
	// Records go to the webhooks that their run names, in its own sequence.
	events = slices.DeleteFunc(slices.Clone(events), func(e *millrace.Event) bool {
		return e.Name == millrace.EventRunRecord || e.Name == millrace.EventRunRecordError
	})
	if len(events) == 0 {
		return nil
	}
	webhooks, err := tx.Webhooks().Subscribed(ctx, b.env)
	if err != nil {
		return err
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
		if err := tx.Deliveries().Queue(ctx, w, wanted...); err != nil {
			return err
		}
	}
	return nil
}
