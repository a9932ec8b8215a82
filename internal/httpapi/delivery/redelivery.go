package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// Descriptions of the routes of redeliveries.
const (
	PreviewNote = "Nothing is changed. The response says how many deliveries a redelivery with the same body would take, and through, to start it with."
	StartNote   = "Takes what was given up, in the order in which it was queued, and puts it behind what the backlog holds; every delivery keeps " +
		"its id. It is work of the server: it goes on after a restart, waits while 5000 deliveries wait for the webhook, and can be stopped. " +
		"Deliveries that were queued after through are not taken, so the same request takes none twice. " +
		"One is running for a webhook at a time: the same request while it is running responds with it, another one gets 409."
	StopNote = "What it has queued stays in the backlog. One that has ended stays as it is."
)

// redeliveryView is a redelivery on the wire.
type redeliveryView struct {
	store.Redelivery
	Filter store.RedeliveryFilter `json:"filter" doc:"What it takes."`
}

func viewRedelivery(v *store.Redelivery) redeliveryView { return redeliveryView{*v, v.Takes()} }

// redeliveryBody is the body of a redelivery.
type redeliveryBody struct {
	WebhookID string                 `json:"webhook_id" format:"uuid" doc:"The webhook whose deliveries are sent again."`
	Filter    store.RedeliveryFilter `json:"filter,omitzero" doc:"Which of its deliveries; those that failed when absent."`
	Through   int64                  `json:"through,omitempty" minimum:"0" doc:"From a preview; all until now when absent."`
}

func (*redeliveryBody) Example() string {
	return `{"webhook_id":"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f","filter":{"event":["integrated_account:active"],"created_at":{"gte":"2026-11-25T00:00:00.000Z"}}}`
}

func (b *redeliveryBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	out := checkNames("filter.event", b.Filter.Event)
	for i, s := range b.Filter.Status {
		if s != millrace.DeliveryFailed && s != millrace.DeliveryCancelled {
			out = append(out, millrace.Failure{Path: fmt.Sprintf("filter.status[%d]", i), Message: fmt.Sprintf("%q is not failed or cancelled", millrace.Shorten(string(s)))})
		}
	}
	return out
}

// row returns the redelivery that the body asks for.
func (b *redeliveryBody) row(env millrace.EnvironmentID) (*store.Redelivery, error) {
	f := b.Filter
	f.IntegratedAccountID = millrace.IntegratedAccountID(strings.ToLower(string(f.IntegratedAccountID)))
	filter, err := json.Marshal(f)
	return &store.Redelivery{EnvironmentID: env, WebhookID: millrace.WebhookID(strings.ToLower(b.WebhookID)), Filter: filter, Through: b.Through}, err
}

type redeliveries struct {
	*rest.Resource[store.RedeliveryID, store.Redelivery, redeliveryView]
}

// Redeliveries are the handlers of redeliveries.
func (h *Handlers) Redeliveries() redeliveries {
	return redeliveries{rest.NewResource(h.DB, rest.RowsOf(store.RedeliveriesOf, nil), rest.Each(viewRedelivery))}
}

// Preview says what a redelivery would take.
func (n redeliveries) Preview(ctx context.Context, in *rest.CreateIn[redeliveryBody]) (*rest.Reply[store.RedeliveryPreview], error) {
	v, err := in.Data.row(in.Environment)
	if err != nil {
		return nil, err
	}
	out := &rest.Reply[store.RedeliveryPreview]{}
	err = n.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		out.Body, err = store.RedeliveriesOf(tx).Preview(ctx, v)
		return err
	})
	return out, rest.At("webhook_id", err)
}

// Create begins a redelivery.
func (n redeliveries) Create(ctx context.Context, in *rest.CreateIn[redeliveryBody]) (*rest.Reply[redeliveryView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*store.Redelivery, error) {
		v, err := in.Data.row(in.Environment)
		if err != nil {
			return nil, err
		}
		started, err := store.RedeliveriesOf(tx).Start(ctx, v)
		if millrace.KindOf(err) == millrace.KindNotFound {
			err = rest.At("webhook_id", err)
		}
		return started, err
	})
}

// Stop ends a redelivery.
func (n redeliveries) Stop(ctx context.Context, in *rest.GetIn[store.RedeliveryID]) (*rest.Reply[redeliveryView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*store.Redelivery, error) {
		return store.RedeliveriesOf(tx).Stop(ctx, in.Environment, in.ID)
	})
}
