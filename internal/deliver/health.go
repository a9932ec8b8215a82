package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Emitter tells workflows and the other webhooks what has become of a webhook, in the transaction in which it happens.
// The webhook named by except gets none of the events.
type Emitter interface {
	EmitTx(ctx context.Context, tx *store.Tx, except millrace.WebhookID, events ...*millrace.Event) error
}

// HealthConfig is what a Health needs. DB and Clock are required.
type HealthConfig struct {
	DB      *store.DB
	Clock   func() time.Time
	Emitter Emitter      // nil: nobody is told
	Logger  *slog.Logger // nil: none
	// Prolonged is how long a webhook may fail before it is set inactive; 0: 5 days.
	Prolonged time.Duration
}

// Health judges webhooks by how long they have been failing: without a success in between, whatever was sent by whom. At
// shares of the time that a webhook may fail it tells the others, and at the end it sets the webhook inactive. What was
// told is stored with the webhook in the transaction of the event, so it is told once, by whatever process.
type Health struct {
	db        *store.DB
	clock     func() time.Time
	emitter   Emitter
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
	h := &Health{db: c.DB, clock: c.Clock, emitter: c.Emitter, logger: c.Logger, prolonged: c.Prolonged}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.prolonged == 0 {
		h.prolonged = Prolonged
	}
	return h, nil
}

// alarm is what the others are to hear about a webhook.
type alarm struct {
	percent int64
	reason  millrace.DisableReason // empty: it still is active
	last    millrace.WebhookError
}

// failed takes note of a failure in the webhook, which may become inactive by it, and returns what is to be told, or nil.
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
	case a.percent <= w.FailingTold:
		return nil
	}
	w.FailingTold = a.percent
	w.IsActive = w.IsActive && a.reason == ""
	return a
}

// lock takes the locks that telling needs, in the order in which everybody takes them; the transaction must not have a
// webhook's lock yet. It returns the webhook as it is, nil when it is not active any more: then there is nothing to tell.
func (a *alarm) lock(ctx context.Context, tx *store.Tx, w *millrace.Webhook) (*millrace.Webhook, error) {
	locked, err := tx.LockWebhooks(ctx, w.EnvironmentID)
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
	backlog, err := tx.BacklogOf(ctx, w)
	if err != nil {
		return err
	}
	tx.AfterCommit(func() { h.log(context.WithoutCancel(ctx), *w, *a, backlog) })
	if h.emitter == nil {
		return nil
	}
	e, err := millrace.NewEvent(w.EnvironmentID, name, millrace.WebhookPayload{
		Webhook: w, FailingPercent: a.percent, InactiveAt: w.FailingSince.Add(h.prolonged),
		Reason: a.reason, LastError: &a.last, Backlog: backlog,
	})
	if err != nil {
		return err
	}
	return h.emitter.EmitTx(ctx, tx, w.ID, e)
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
			return tx.ClearWebhookFailure(ctx, w.EnvironmentID, w.ID)
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
			return tx.SaveWebhookFailure(ctx, &next)
		}
		current, err := a.lock(ctx, tx, &next)
		if err != nil || current == nil || current.FailingTold >= a.percent || current.FailingSince != seen.FailingSince {
			return err // told, or what was seen of its failure is not true any more
		}
		if err := tx.SaveWebhookFailure(ctx, &next); err != nil {
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
