package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/store"
)

// HealthConfig is what a Health needs. DB and Clock are required.
type HealthConfig struct {
	DB     *store.DB
	Clock  func() time.Time
	Logger *slog.Logger // nil: none
	// Prolonged is how long a webhook may fail before it is set inactive; 0: 5 days.
	Prolonged time.Duration
}

// Health judges webhooks by how long they have been failing: without a success in between, of a pump or of a run. At
// shares of the time that a webhook may fail it notifies the other webhooks, and at the end it sets the webhook inactive.
// The share is stored with the webhook in the transaction of the event, so each is notified once, by one process.
type Health struct {
	db        *store.DB
	clock     func() time.Time
	logger    *slog.Logger
	prolonged time.Duration
}

// NewHealth returns a Health.
func NewHealth(c HealthConfig) (*Health, error) {
	if c.DB == nil || c.Clock == nil {
		return nil, errors.New("deliver: the health of webhooks needs a database and a clock")
	}
	if c.Prolonged < 0 {
		return nil, errors.New("deliver: how long a webhook may fail cannot be negative")
	}
	h := &Health{db: c.DB, clock: c.Clock, logger: c.Logger, prolonged: c.Prolonged}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.prolonged == 0 {
		h.prolonged = Prolonged
	}
	return h, nil
}

// alarm is what the other webhooks are notified of.
type alarm struct {
	percent int64
	reason  millrace.DisableReason // empty: it still is active
	last    millrace.WebhookError
}

// failed takes note of a failure in the webhook, which may become inactive by it, and returns the alarm, or nil.
func (h *Health) failed(w *millrace.Webhook, event string, o Outcome) *alarm {
	now := millrace.TimeOf(h.clock())
	if w.FailingSince == 0 {
		w.FailingSince = now
	}
	a := &alarm{percent: w.FailingPercent(now, h.prolonged), last: millrace.WebhookError{
		Event: event, StatusCode: int64(o.Status), ErrorClass: o.ErrorClass, At: now,
	}}
	switch {
	case o.Kind == Gone:
		a.percent, a.reason = millrace.FailureOver, millrace.DisabledGone
	case a.percent >= millrace.FailureOver:
		a.reason = millrace.DisabledProlonged
	case a.percent <= w.NotifiedPercent:
		return nil
	}
	w.NotifiedPercent = a.percent
	w.IsActive = w.IsActive && a.reason == ""
	return a
}

// lock takes the locks that emitting needs, in the one order in which all transactions take them; this one must not have a
// webhook's lock yet. It returns the stored webhook, nil when it is not active any more: then there is no alarm.
func (a *alarm) lock(ctx context.Context, tx *store.Tx, w *millrace.Webhook) (*millrace.Webhook, error) {
	locked, err := tx.Webhooks().LockAll(ctx, w.EnvironmentID)
	for i := range locked {
		if locked[i].ID == w.ID {
			return &locked[i], nil
		}
	}
	return nil, err
}

// tell emits the event of an alarm about a webhook whose state is stored.
func (h *Health) tell(ctx context.Context, tx *store.Tx, w *millrace.Webhook, a *alarm) error {
	name := millrace.EventWebhookFailing
	if a.reason != "" {
		name = millrace.EventWebhookDisabled
	}
	backlog, err := tx.Deliveries().CountBacklog(ctx, w)
	if err != nil {
		return err
	}
	tx.AfterCommit(func() { h.log(context.WithoutCancel(ctx), *w, *a, backlog) })
	e, err := millrace.NewEvent(w.EnvironmentID, name, millrace.WebhookPayload{
		Webhook: w, FailingPercent: a.percent, InactiveAt: w.FailingSince.Add(h.prolonged),
		Reason: a.reason, LastError: &a.last, Backlog: backlog,
	})
	if err != nil {
		return err
	}
	return event.EmitExcept(ctx, tx, w.ID, e)
}

func (h *Health) log(ctx context.Context, w millrace.Webhook, a alarm, backlog millrace.Backlog) {
	attrs := []slog.Attr{
		slog.String("environment_id", string(w.EnvironmentID)),
		slog.String("webhook_id", string(w.ID)),
		slog.Int64("failing_percent", a.percent),
		slog.String("reason", string(a.reason)),
		slog.String("failing_since", w.FailingSince.String()),
		slog.Int64("status_code", a.last.StatusCode),
		slog.String("error_class", a.last.ErrorClass),
		slog.Int64("pending", backlog.Pending),
		slog.Int64("parked_runs", backlog.ParkedRuns),
	}
	if a.reason != "" {
		h.logger.LogAttrs(ctx, slog.LevelWarn, "webhook set inactive", attrs...)
		return
	}
	h.logger.LogAttrs(ctx, slog.LevelWarn, "webhook keeps failing", attrs...)
}

// Judge takes note of the outcome of a delivery that was not sent by the webhook's pump. The webhook is as it was read before;
// Judge reports whether it has changed since.
func (h *Health) Judge(ctx context.Context, w *millrace.Webhook, event string, o Outcome) (bool, error) {
	switch o.Kind {
	case Delivered:
		if w.FailingSince == 0 {
			return false, nil
		}
		return true, h.update(ctx, func(ctx context.Context, tx *store.Tx) error {
			return tx.Webhooks().ClearFailure(ctx, w.EnvironmentID, w.ID)
		})
	case Retry, Gone:
		return h.fail(ctx, w, event, o)
	case Cancel, Interrupted:
	}
	return false, nil
}

// fail stores a failure, if that changes anything.
func (h *Health) fail(ctx context.Context, seen *millrace.Webhook, event string, o Outcome) (bool, error) {
	next := *seen
	a := h.failed(&next, event, o)
	if a == nil && seen.FailingSince != 0 {
		return false, nil
	}
	err := h.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if a == nil {
			return tx.Webhooks().SaveFailure(ctx, &next)
		}
		current, err := a.lock(ctx, tx, &next)
		if err != nil || current == nil || current.NotifiedPercent >= a.percent || current.FailingSince != seen.FailingSince {
			return err // notified already, or its failure has ended meanwhile
		}
		if err := tx.Webhooks().SaveFailure(ctx, &next); err != nil {
			return err
		}
		return h.tell(ctx, tx, &next, a)
	})
	return true, err
}

func (h *Health) update(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return h.db.Update(ctx, func(tx *store.Tx) error { return fn(ctx, tx) })
}
