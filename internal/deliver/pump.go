package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const defaultSlice = 8 * time.Second

// PumpConfig is what a Pump needs. DB and Sender are required.
type PumpConfig struct {
	DB     *store.DB
	Sender *Sender
	Logger *slog.Logger // nil: none
	// Slice is how long a pump works before it lets others have its worker; 0: 8 s. With the timeout of an attempt it
	// must stay below the time that the queue gives a task.
	Slice time.Duration
	// Health judges the webhooks; nil: they may fail for 5 days and no one is notified.
	Health *Health
	// SlowAtOnce is how many slow webhooks are called at a time; 0: defaultSlow. An environment has half of those that the others leave.
	// It must be smaller than the number of workers.
	SlowAtOnce int
}

// Pump sends the backlogs of webhooks, each in order. Between two tasks it keeps nothing in memory but which webhooks were
// slow.
type Pump struct {
	db       *store.DB
	sender   *Sender
	logger   *slog.Logger
	length   time.Duration
	health   *Health
	bulkhead *bulkhead
}

// NewPump returns a Pump.
func NewPump(c PumpConfig) (*Pump, error) {
	if c.DB == nil || c.Sender == nil {
		return nil, errors.New("deliver: a pump needs a database and a sender")
	}
	if c.Slice < 0 || c.SlowAtOnce < 0 {
		return nil, errors.New("deliver: the limits of a pump cannot be negative")
	}
	p := &Pump{db: c.DB, sender: c.Sender, logger: c.Logger, length: c.Slice, health: c.Health}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	if p.length == 0 {
		p.length = defaultSlice
	}
	if p.health == nil {
		var err error
		if p.health, err = NewHealth(HealthConfig{DB: c.DB, Clock: c.Sender.clock, Logger: c.Logger}); err != nil {
			return nil, err
		}
	}
	if c.SlowAtOnce == 0 {
		c.SlowAtOnce = defaultSlow
	}
	p.bulkhead = newBulkhead(c.SlowAtOnce)
	return p, nil
}

// Handle works on a task of kind pump, whose key is the webhook. It returns nil when the task was completed: because
// the backlog is empty, or the webhook is inactive or gone. Otherwise the returned error says when to call it again: at once when its
// slice is over, later when the receiver does not take the head of the backlog. An error of KindConflict says that
// another pump has taken over.
func (p *Pump) Handle(ctx context.Context, task millrace.Task) error {
	env, id := millrace.ParseTaskKey[millrace.WebhookID](task.Key)
	leave, entered := p.bulkhead.enter(env, task.Key)
	if !entered {
		return millrace.RetryAfter(bulkheadWait, nil)
	}
	defer leave()
	w, deferred, err := p.claim(ctx, env, id)
	if err != nil {
		return fmt.Errorf("claim webhook: %w", err)
	}
	if w == nil {
		return nil
	}
	now := p.sender.clock()
	if d := w.NotBefore.Std().Sub(now); d > 0 {
		return millrace.RetryAfter(d, nil)
	}
	s := &slice{pump: p, webhook: *w, deferred: deferred, until: now.Add(p.length)}
	err = s.run(ctx)
	if s.begun {
		p.bulkhead.remember(task.Key, s.slow)
	}
	if err != nil {
		if _, ok := errors.AsType[*millrace.RetryError](err); ok {
			return err
		}
		return fmt.Errorf("pump webhook: %w", err)
	}
	return nil
}

// claim takes over the webhook, or completes the task and returns nil when there is nothing to take over. It also reports
// whether there are deferred deliveries: only the pump defers them.
func (p *Pump) claim(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, bool, error) {
	got, err := store.Compute(ctx, p.db, func(tx *store.Tx) (claimed, error) {
		if env == "" {
			return claimed{}, tx.Tasks().Rescope(ctx, millrace.TaskPump, string(id))
		}
		w, err := tx.Webhooks().Claim(ctx, env, id)
		if err != nil {
			return claimed{}, err
		}
		if w == nil {
			return claimed{}, tx.Finish(ctx)
		}
		if !w.IsActive {
			forgetFailures(w)
			if _, err := tx.Webhooks().SaveProgress(ctx, w); err != nil {
				return claimed{}, err
			}
			return claimed{}, tx.Finish(ctx)
		}
		standing, err := tx.Deliveries().Deferred(ctx, w, math.MaxInt64, 1)
		return claimed{w, len(standing) > 0}, err
	})
	return got.webhook, got.deferred, err
}

// claimed is a webhook that a pump has taken over.
type claimed struct {
	webhook  *millrace.Webhook
	deferred bool // deliveries are deferred
}

// forgetFailures makes an inactive webhook start afresh once it is activated again. Since when it failed stays, for
// people to see.
func forgetFailures(w *millrace.Webhook) { w.Attempt, w.DeferredInRow, w.NotBefore = 0, 0, 0 }
