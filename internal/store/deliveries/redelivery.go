package deliveries

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/store/table"
	"github.com/millrace/millrace/internal/store/workflows"

	"github.com/millrace/millrace"
)

// Redeliver puts a delivery at the end of its webhook's backlog, with the id that it has; one that is in the backlog
// already is tried as soon as it may be. It returns an error of KindConflict when there is nothing left to send, and of
// KindNotFound when the environment has no such delivery.
func (h Deliveries) Redeliver(ctx context.Context, env millrace.EnvironmentID, id millrace.DeliveryID) (*millrace.Delivery, error) {
	d, err := h.Get(ctx, env, id)
	if err != nil {
		return nil, err
	}
	if _, err := NewWebhooks(h.tx).LockEndpoint(ctx, env, d.WebhookID); millrace.KindOf(err) == millrace.KindNotFound {
		return nil, millrace.Errorf(millrace.KindConflict, "the webhook of this delivery was deleted")
	} else if err != nil {
		return nil, err
	}
	if d, err = h.Get(ctx, env, id); err != nil { // again, under the lock
		return nil, err
	}
	if err := h.redeliverable(ctx, d); err != nil {
		return nil, err
	}
	entry := &table.AuditEntry{EnvironmentID: env, Resource: "webhook_delivery", ResourceID: string(d.ID), Action: "redelivered"}
	if err := table.Record(ctx, h.tx, entry); err != nil {
		return nil, err
	}
	if d.Status == millrace.DeliveryPending {
		return d, h.hasten(ctx, d)
	}
	next, _, err := NewWebhooks(h.tx).takeSequence(ctx, d.EnvironmentID, d.WebhookID, 1)
	if err != nil {
		return nil, err
	}
	requeue(d, next)
	return d, h.Update(ctx, d)
}

func requeue(d *millrace.Delivery, sequence int64) {
	d.Sequence, d.Status, d.Failures, d.NextAttemptAt, d.DeliveredAt = sequence, millrace.DeliveryPending, 0, 0, 0
}

func (h Deliveries) redeliverable(ctx context.Context, d *millrace.Delivery) error {
	switch {
	case d.SyncJobRunID != "" && d.Status == millrace.DeliveryPending:
		return millrace.Errorf(millrace.KindConflict, "sync job run %s sends this delivery itself, in order, as soon as the webhook responds", d.SyncJobRunID)
	case d.SyncJobRunID != "":
		return millrace.Errorf(millrace.KindConflict, "what sync job run %s sent is not kept; start a run of the sync job to get its records again", d.SyncJobRunID)
	}
	_, err := workflows.NewEvents(h.tx).Get(ctx, d.EnvironmentID, d.EventID)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return millrace.Errorf(millrace.KindConflict, "event %s of this delivery was removed: there is nothing left to send", d.EventID)
	}
	return err
}

// hasten lets a delivery of the backlog that waits for its next attempt be tried now.
func (h Deliveries) hasten(ctx context.Context, d *millrace.Delivery) error {
	if _, err := h.tx.Exec(ctx, "UPDATE webhook SET not_before = 0 WHERE id = $1 AND environment_id = $2", string(d.WebhookID), string(d.EnvironmentID)); err != nil {
		return fmt.Errorf("wake webhook: %w", err)
	}
	if d.NextAttemptAt > 0 {
		d.NextAttemptAt = h.tx.Now()
		if err := h.Update(ctx, d); err != nil {
			return err
		}
	}
	return h.tx.Enqueue(ctx, millrace.Task{Kind: millrace.TaskPump, Key: millrace.TaskKey(d.EnvironmentID, d.WebhookID), Wake: true, Environment: d.EnvironmentID})
}

// Redeliverable returns the deliveries of a webhook's events that meet the filters, are not in its backlog, and whose
// event is still there, in the order in which they were queued: at most limit.
func (h Deliveries) Redeliverable(ctx context.Context, w *millrace.Webhook, filters []millrace.Filter, limit int) ([]millrace.DeliveryID, error) {
	c := &table.Clause{}
	c.Conditions = append(c.Conditions, "t.environment_id = "+c.Bind(string(w.EnvironmentID)), "t.webhook_id = "+c.Bind(string(w.ID)),
		"t.sync_job_run_id = '' AND t.status <> 'pending' AND EXISTS (SELECT 1 FROM event WHERE event.id = t.event_id AND event.environment_id = t.environment_id)")
	for _, f := range filters {
		if err := deliveryTable().Filter(h.tx.Dialect(), c, f); err != nil {
			return nil, err
		}
	}
	query := fmt.Sprintf("SELECT t.id FROM delivery AS t WHERE %s ORDER BY t.sequence LIMIT %d", strings.Join(c.Conditions, " AND "), limit)
	out, err := table.ReadIDs[millrace.DeliveryID](ctx, h.tx, query, c.Args...)
	if err != nil {
		return nil, fmt.Errorf("find deliveries to repeat: %w", err)
	}
	return out, nil
}

// RedeliverAll puts deliveries of a webhook at the end of its backlog, in this order, but for those that are in it already or
// gone. It returns how many it put there, and an error of KindNotFound when the webhook was deleted.
func (h Deliveries) RedeliverAll(ctx context.Context, w *millrace.Webhook, ids []millrace.DeliveryID) (int, error) {
	if _, err := NewWebhooks(h.tx).Lock(ctx, w.EnvironmentID, w.ID); err != nil {
		return 0, err
	}
	n, err := h.requeueAll(ctx, w, ids)
	if err != nil || n == 0 {
		return n, err
	}
	return n, table.Record(ctx, h.tx, &table.AuditEntry{
		EnvironmentID: w.EnvironmentID, Resource: "webhook", ResourceID: string(w.ID), Action: "redelivered",
		After: json.RawMessage(fmt.Sprintf(`{"deliveries":%d}`, n)),
	})
}

// requeueAll puts deliveries at the end of the backlog of a webhook that is locked, in this order, but for those that are in it already
// or gone. It returns how many it put there.
func (h Deliveries) requeueAll(ctx context.Context, w *millrace.Webhook, ids []millrace.DeliveryID) (int, error) {
	var found []*millrace.Delivery
	for _, id := range ids {
		d, err := h.Get(ctx, w.EnvironmentID, id)
		if millrace.KindOf(err) == millrace.KindNotFound {
			continue
		}
		if err != nil {
			return 0, err
		}
		if d.Status != millrace.DeliveryPending {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		return 0, nil
	}
	next, _, err := NewWebhooks(h.tx).takeSequence(ctx, w.EnvironmentID, w.ID, int64(len(found)))
	if err != nil {
		return 0, err
	}
	for i, d := range found {
		requeue(d, next+int64(i))
		if err := h.Update(ctx, d); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}
