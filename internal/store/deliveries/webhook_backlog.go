package deliveries

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Lock returns a webhook and keeps others from changing it until the transaction ends.
func (h Webhooks) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return webhookTable().Get(ctx, h.tx, env, string(id), ordinary+h.tx.Dialect().ForUpdate())
}

// LockEndpoint is Lock for notification destinations as well.
func (h Webhooks) LockEndpoint(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return webhookTable().Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForUpdate())
}

// Update writes what clients may change about a webhook, or returns an error of KindNotFound. The progress of
// its pump is left alone.
func (h Webhooks) Update(ctx context.Context, v *millrace.Webhook) error {
	v.UpdatedAt = h.tx.Now()
	secret, err := h.tx.Seal([]byte(v.Secret), []byte("webhook.secret"))
	if err != nil {
		return err
	}
	previous, err := h.tx.Seal([]byte(v.PreviousSecret), []byte("webhook.previous_secret"))
	if err != nil {
		return err
	}
	config, err := h.tx.Seal(v.Config, []byte("webhook.config"))
	if err != nil {
		return err
	}
	if err := webhookTable().Watch(ctx, h.tx, v.EnvironmentID, string(v.ID)); err != nil {
		return err
	}
	n, err := h.tx.Exec(ctx, `UPDATE webhook SET target_url = $3, is_active = $4, event_types = $5, secret = $6, previous_secret = $7,
previous_secret_expires_at = $8, signature_encoding = $9, updated_at = $10, ordering = $11, concurrency = $12, rate_limit = $13, rate_period = $14,
label = $15, config = $16 WHERE id = $1 AND environment_id = $2`, string(v.ID), string(v.EnvironmentID), v.TargetURL, v.IsActive, string(v.EventTypes), secret,
		previous, int64(v.PreviousExpiresAt), v.SignatureEncoding, int64(v.UpdatedAt), string(v.Ordering), v.Concurrency, v.RateLimit, v.RatePeriod,
		v.Label, config)
	return table.Changed(n, err, "webhook", string(v.ID))
}

// Subscribed returns the active webhooks of an environment. In an Update they are locked, always in the order
// of their ids, because a delivery's sequence number is taken under that lock.
func (h Webhooks) Subscribed(ctx context.Context, env millrace.EnvironmentID) ([]millrace.Webhook, error) {
	return webhookTable().All(ctx, h.tx, "environment_id = $1 AND is_active = TRUE ORDER BY id", string(env))
}

// Wanted reports whether any active webhook of an environment subscribes to an event.
func (h Webhooks) Wanted(ctx context.Context, env millrace.EnvironmentID, event string) (bool, error) {
	wanted := false
	err := h.tx.Each(ctx, "SELECT DISTINCT event_types FROM webhook WHERE environment_id = $1 AND is_active = TRUE", []any{string(env)}, func(r sqldb.Rows) error {
		var types string
		if err := r.Scan(&types); err != nil {
			return err
		}
		w := millrace.Webhook{IsActive: true, EventTypes: json.RawMessage(types)}
		wanted = wanted || w.Wants(event)
		return nil
	})
	return wanted, err
}

// Queue puts events at the end of a webhook's backlog and wakes the pump when the backlog was empty. The
// sequence numbers are taken under the lock of the webhook's row, so the order of numbers is the order of commits.
func (h Deliveries) Queue(ctx context.Context, w *millrace.Webhook, events ...*millrace.Event) error {
	if len(events) == 0 {
		return nil
	}
	next, found, err := NewWebhooks(h.tx).takeSequence(ctx, w.EnvironmentID, w.ID, int64(len(events)))
	if err != nil || !found {
		return err
	}
	deliveries := make([]*millrace.Delivery, len(events))
	for i, e := range events {
		deliveries[i] = &millrace.Delivery{
			ID:            millrace.EventDeliveryID(e, w),
			EnvironmentID: w.EnvironmentID, WebhookID: w.ID, EventID: e.ID, IntegratedAccountID: e.Account(),
			Sequence: next + int64(i), Event: e.Name, Status: millrace.DeliveryPending, CreatedAt: e.CreatedAt, // retention finds it by that
		}
	}
	return deliveryTable().InsertAll(ctx, h.tx, deliveries)
}

// takeSequence makes room for n deliveries at the end of a webhook's backlog, returns the first of their sequence numbers,
// and wakes the pump when the backlog was empty. It reports false when the webhook was deleted meanwhile.
func (h Webhooks) takeSequence(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID, n int64) (int64, bool, error) {
	var next, sent int64
	found, err := h.tx.One(ctx, "UPDATE webhook SET next_sequence = next_sequence + $3 WHERE id = $1 AND environment_id = $2 RETURNING next_sequence, sent_sequence",
		[]any{string(id), string(env), n}, &next, &sent)
	if err != nil {
		return 0, false, fmt.Errorf("take sequence number: %w", err)
	}
	if !found || next-n != sent {
		return next - n + 1, found, nil // a pump is at work or scheduled
	}
	// The pump may be scheduled for later, when the next of the deferred deliveries is due.
	return sent + 1, true, h.tx.Enqueue(ctx, millrace.Task{Kind: millrace.TaskPump, Key: millrace.TaskKey(env, id), Wake: true, Environment: env})
}

// Backlog returns the first deliveries of a webhook that are not finished, in order.
func (h Deliveries) Backlog(ctx context.Context, w *millrace.Webhook, limit int) ([]millrace.Delivery, error) {
	return h.BacklogAfter(ctx, w, 0, limit)
}

// BacklogAfter returns the first deliveries of a webhook behind a sequence number that are not finished, in order.
func (h Deliveries) BacklogAfter(ctx context.Context, w *millrace.Webhook, sequence int64, limit int) ([]millrace.Delivery, error) {
	// The literal comes first, so that SQLite does not look into the parameter, and plan anew, to see whether a partial index fits.
	return deliveryTable().All(ctx, h.tx, "webhook_id = $1 AND environment_id = $2 AND status = 'pending' AND sequence > 0 AND sequence > $3 AND sync_job_run_id = '' ORDER BY sequence LIMIT $4",
		string(w.ID), string(w.EnvironmentID), sequence, limit)
}

// Deferred returns the first deliveries of a webhook that have failed and whose next attempt is due before a time,
// the earliest first.
func (h Deliveries) Deferred(ctx context.Context, w *millrace.Webhook, before millrace.Time, limit int) ([]millrace.Delivery, error) {
	return deliveryTable().All(ctx, h.tx, `webhook_id = $1 AND environment_id = $2 AND status = 'pending' AND next_attempt_at > 0 AND next_attempt_at <= $3 AND sequence <= $4
ORDER BY next_attempt_at, sequence LIMIT $5`, string(w.ID), string(w.EnvironmentID), int64(before), w.SentSequence, limit)
}

// CountBacklog returns how much waits for a webhook and since when. All of it is read from indexes of what is unfinished.
func (h Deliveries) CountBacklog(ctx context.Context, w *millrace.Webhook) (millrace.Backlog, error) {
	var b millrace.Backlog
	var waiting, first int64
	const pending = "FROM delivery WHERE webhook_id = $1 AND environment_id = $2 AND status = 'pending' AND "
	of := []any{string(w.ID), string(w.EnvironmentID)}
	if _, err := h.tx.One(ctx, "SELECT COUNT(*) "+pending+"sequence > 0", of, &b.Pending); err != nil {
		return b, fmt.Errorf("count backlog: %w", err)
	}
	_, err := h.tx.One(ctx, "SELECT COUNT(*), COALESCE(MIN(next_attempt_at), 0) "+pending+"next_attempt_at > 0", of, &waiting, &first)
	if err != nil {
		return b, fmt.Errorf("count deliveries that wait: %w", err)
	}
	// With a plain environment_id SQLite would read all runs of the environment.
	_, err = h.tx.One(ctx, `SELECT COUNT(*) FROM sync_job_run
WHERE status `+table.OpenRun+` AND webhook_id = $1 AND environment_id || '' = $2 AND parked_since > 0`, of, &b.ParkedRuns)
	if err != nil {
		return b, fmt.Errorf("count parked runs: %w", err)
	}
	head, err := h.Backlog(ctx, w, 1)
	if err != nil || len(head) == 0 {
		return b, err
	}
	b.OldestPendingAt = head[0].CreatedAt
	if !w.IsActive {
		return b, nil
	}
	b.NextAttemptAt = w.NotBefore
	if waiting == b.Pending {
		b.NextAttemptAt = max(b.NextAttemptAt, millrace.Time(first))
	}
	return b, nil
}

// Create adds a delivery that is not part of a webhook's backlog, or does nothing when it is there.
func (h Deliveries) Create(ctx context.Context, v *millrace.Delivery) error {
	_, err := deliveryTable().InsertNew(ctx, h.tx, v)
	return err
}

// Claim takes over a webhook's backlog: it raises the epoch, so that its owner before cannot write any
// more. It returns nil when there is no such webhook.
func (h Webhooks) Claim(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	if _, err := h.tx.Exec(ctx, "UPDATE webhook SET epoch = epoch + 1 WHERE id = $1 AND environment_id = $2", string(id), string(env)); err != nil {
		return nil, fmt.Errorf("claim webhook: %w", err)
	}
	return webhookTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2", string(id), string(env))
}

// SaveProgress writes how far a claimed backlog has come and whether the webhook is still active. It reports whether
// clients have changed the webhook since it was read: its attempts since then may have failed because of what was changed. It
// returns an error of KindConflict when another pump has claimed it since.
func (h Webhooks) SaveProgress(ctx context.Context, v *millrace.Webhook) (bool, error) {
	var updated int64
	found, err := h.tx.One(ctx, `UPDATE webhook SET sent_sequence = $3, attempt = $4, not_before = $5, failing_since = $6, is_active = is_active AND $7,
put_aside = $8, rate_used_until = $9, failing_told = CASE WHEN CAST($6 AS BIGINT) = 0 THEN 0 WHEN failing_told < $10 THEN $10 ELSE failing_told END
WHERE id = $1 AND epoch = $2 AND environment_id = $11 RETURNING updated_at`, []any{
		string(v.ID), v.Epoch, v.SentSequence, v.Attempt, int64(v.NotBefore), int64(v.FailingSince), v.IsActive, v.DeferredInRow,
		int64(v.RateUsedUntil), v.NotifiedPercent, string(v.EnvironmentID),
	}, &updated)
	n := int64(0)
	if found {
		n = 1
	}
	return found && millrace.Time(updated) != v.UpdatedAt, table.Fenced(n, err, "webhook", string(v.ID))
}

// Wake lets what waits for a webhook try again now: its backlog and the runs that are parked on it. It is for
// webhooks that were just activated or got another address; that they have failed is forgotten.
func (h Webhooks) Wake(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) error {
	if _, err := h.tx.Exec(ctx, `UPDATE webhook SET not_before = 0, attempt = 0, put_aside = 0, failing_since = 0, failing_told = 0
WHERE id = $1 AND environment_id = $2`, string(id), string(env)); err != nil {
		return fmt.Errorf("wake webhook: %w", err)
	}
	_, err := h.tx.Exec(ctx, "UPDATE delivery SET next_attempt_at = $3 WHERE webhook_id = $1 AND environment_id = $2 AND status = 'pending' AND next_attempt_at > $3",
		string(id), string(env), int64(h.tx.Now()))
	if err != nil {
		return fmt.Errorf("wake deliveries: %w", err)
	}
	tasks, err := table.WakeRuns(ctx, h.tx, env, "webhook_id = $1 AND environment_id = $2 AND status = 'running' AND parked_since > 0", string(id), string(env))
	if err != nil {
		return err
	}
	tasks = append([]millrace.Task{{Kind: millrace.TaskPump, Key: millrace.TaskKey(env, id), Wake: true, Environment: env}}, tasks...)
	return h.tx.Enqueue(ctx, tasks...)
}
