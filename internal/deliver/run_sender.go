package deliver

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/cache"
	"github.com/millrace/millrace/internal/store"
)

const (
	// knownFor is how long the webhook of a run is not read again.
	knownFor = time.Second
	// maxKnown bounds how many webhooks are remembered.
	maxKnown = 10_000
)

// RunSender makes the deliveries of sync job runs, which do not go through the pump: a run waits for the response to each.
type RunSender struct {
	db       *store.DB
	sender   *Sender
	health   *Health
	webhooks *cache.Cache[webhookKey, *millrace.Webhook]
}

// webhookKey names a webhook among those of all environments: its id is unique in its own only.
type webhookKey struct {
	env millrace.EnvironmentID
	id  millrace.WebhookID
}

// NewRunSender returns a sender for runs. A change of a webhook may go unnoticed for a second.
func NewRunSender(db *store.DB, sender *Sender, health *Health, clock func() time.Time) *RunSender {
	return &RunSender{
		db: db, sender: sender, health: health,
		webhooks: cache.New[webhookKey, *millrace.Webhook](maxKnown, knownFor, clock),
	}
}

// Send makes one delivery of a run, with its quick retries.
func (s *RunSender) Send(ctx context.Context, req Request) (Result, error) {
	w, err := s.webhooks.Load(webhookKey{req.EnvironmentID, req.WebhookID}, func() (*millrace.Webhook, error) { return s.load(ctx, req) })
	if millrace.KindOf(err) == millrace.KindNotFound {
		return Result{Outcome: Outcome{Kind: Gone}}, nil
	}
	if err != nil {
		return Result{}, err
	}
	if !w.IsActive {
		return Result{Outcome: Outcome{Kind: Retry}, ChangedAt: w.UpdatedAt}, nil // parked until it is activated
	}
	o, attempts := s.sender.Deliver(ctx, Message{
		ID: req.DeliveryID, Webhook: w, Body: req.Body, Event: req.Event, Attempt: req.Attempts + 1,
	})
	// The pump does not see what runs send, and some webhooks get nothing else.
	changed, err := s.health.Judge(ctx, w, req.Event, o)
	if changed || o.Kind == Retry {
		s.webhooks.Delete(webhookKey{w.EnvironmentID, w.ID})
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Outcome: o, Attempts: attempts, ChangedAt: w.UpdatedAt}, nil
}

func (s *RunSender) load(ctx context.Context, req Request) (*millrace.Webhook, error) {
	var w *millrace.Webhook
	err := s.db.View(ctx, func(tx *store.Tx) error {
		var err error
		w, err = tx.Webhooks().Get(ctx, req.EnvironmentID, req.WebhookID)
		return err
	})
	return w, err
}
