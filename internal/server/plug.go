package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob"
)

// emitter plugs event into the stages that emit events.
type emitter struct{}

// EmitTx stores events in the caller's transaction.
func (emitter) EmitTx(ctx context.Context, tx *store.Tx, events ...*millrace.Event) error {
	return event.Emit(ctx, tx, events...)
}

// exceptEmitter plugs event into sync job runs.
type exceptEmitter struct{}

// EmitTx stores events in the caller's transaction; the webhook except gets them in another way.
func (exceptEmitter) EmitTx(ctx context.Context, tx *store.Tx, except millrace.WebhookID, events ...*millrace.Event) error {
	return event.EmitExcept(ctx, tx, except, events...)
}

// tester plugs deliver into POST /webhook/test.
type tester struct{ sender *deliver.Sender }

// Test sends the test event once and says how the endpoint answered.
func (t tester) Test(ctx context.Context, w *millrace.Webhook, e *millrace.Event) (int, string, bool) {
	o := t.sender.Test(ctx, w, e)
	switch {
	case o.Kind == deliver.Delivered:
		return o.Status, "", true
	case o.ErrorClass == deliver.ClassMail:
		return o.Status, o.Response, false // what a mail server answers has no other words
	case o.Status != 0:
		return o.Status, http.StatusText(o.Status), false
	}
	return 0, "no answer: " + o.ErrorClass, false
}

// webhookSender plugs deliver into sync job runs.
type webhookSender struct {
	db       *store.DB
	sender   *deliver.Sender
	health   *deliver.Health
	webhooks *briefly[webhookKey, *millrace.Webhook]
}

// webhookKey names a webhook among those of all environments: its id is unique in its own only.
type webhookKey struct {
	env millrace.EnvironmentID
	id  millrace.WebhookID
}

func newWebhookSender(db *store.DB, sender *deliver.Sender, health *deliver.Health, clock func() time.Time) *webhookSender {
	return &webhookSender{db: db, sender: sender, health: health, webhooks: newBriefly[webhookKey, *millrace.Webhook](clock)}
}

// Send makes one delivery of a run, with its quick retries.
func (s *webhookSender) Send(ctx context.Context, req syncjob.SendRequest) (syncjob.SendResult, error) {
	w, err := s.webhooks.get(webhookKey{req.EnvironmentID, req.WebhookID}, func() (*millrace.Webhook, error) { return s.load(ctx, req) })
	if millrace.KindOf(err) == millrace.KindNotFound {
		return syncjob.SendResult{Outcome: syncjob.SendGone}, nil
	}
	if err != nil {
		return syncjob.SendResult{}, err
	}
	if !w.IsActive {
		return syncjob.SendResult{Outcome: syncjob.SendRetry, ChangedAt: w.UpdatedAt}, nil // parked until it is activated
	}
	o, attempts := s.sender.Deliver(ctx, deliver.Message{
		ID: req.DeliveryID, Webhook: w, Body: req.Body, Event: req.Event, Attempt: req.Attempts + 1,
	})
	// The pump does not see what runs send, and some webhooks get nothing else.
	changed, err := s.health.Judge(ctx, w, req.Event, o)
	if changed || o.Kind == deliver.Retry {
		s.webhooks.forget(webhookKey{w.EnvironmentID, w.ID})
	}
	if err != nil {
		return syncjob.SendResult{}, err
	}
	return syncjob.SendResult{
		Outcome: sendOutcome(o.Kind), RetryAfter: o.RetryAfter, QuickRetry: o.QuickRetry, Attempts: attempts,
		ChangedAt: w.UpdatedAt,
	}, nil
}

func (s *webhookSender) load(ctx context.Context, req syncjob.SendRequest) (*millrace.Webhook, error) {
	var w *millrace.Webhook
	err := s.db.View(ctx, func(tx *store.Tx) error {
		var err error
		w, err = tx.Webhook(ctx, req.EnvironmentID, req.WebhookID)
		return err
	})
	return w, err
}

func sendOutcome(k deliver.Kind) syncjob.SendOutcome {
	switch k {
	case deliver.Delivered:
		return syncjob.SendDelivered
	case deliver.Cancel:
		return syncjob.SendCancel
	case deliver.Gone:
		return syncjob.SendGone
	case deliver.Interrupted:
		return syncjob.SendInterrupted
	case deliver.Retry:
	}
	return syncjob.SendRetry
}

// checkConfig plugs fetch into POST and PATCH /integration.
func checkConfig(raw json.RawMessage) error {
	_, err := fetch.ParseConfig(raw)
	return err
}

// onBehalf lets what a handler stores take turns with what the handlers of other environments store.
func onBehalf(handle queue.Handler) queue.Handler {
	return func(ctx context.Context, task millrace.Task) error {
		return handle(store.OnBehalfOf(ctx, task.Environment), task)
	}
}
