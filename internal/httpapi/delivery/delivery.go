package delivery

import (
	"context"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// RedeliverNote is the description of POST /webhook-delivery/{id}/redeliver.
const RedeliverNote = "The delivery keeps its id and its bytes and goes to the end of the webhook's backlog; one that waits there for " +
	"its next attempt is tried at once. 409 when there is nothing left to send: the event was removed, the webhook was deleted, " +
	"or a sync job run sent it, which keeps no records."

// DeliveryView is a delivery on the wire: what it does not have is null.
type DeliveryView struct { //nolint:revive // the document names its schema after it
	millrace.Delivery
	EventID             *millrace.EventID             `json:"event_id" doc:"null: a sync job run made it."`
	SyncJobRunID        *millrace.SyncJobRunID        `json:"sync_job_run_id" doc:"The run that sends it itself."`
	IntegratedAccountID *millrace.IntegratedAccountID `json:"integrated_account_id" doc:"The account that it is about."`
}

func viewDelivery(v *millrace.Delivery) DeliveryView {
	return DeliveryView{*v, rest.Nullable(v.EventID), rest.Nullable(v.SyncJobRunID), rest.Nullable(v.IntegratedAccountID)}
}

// attemptView is one request on the wire.
type attemptView struct {
	millrace.Attempt
	StatusCode *int64  `json:"status_code" doc:"null: there was no response."`
	ErrorClass *string `json:"error_class" doc:"Why there was no response, or none that counts; null when the status says it all."`
}

// deliveryDetailView is a delivery with all that happened to it.
type deliveryDetailView struct {
	DeliveryView
	RequestBody *string       `json:"request_body" doc:"The body that is sent; null once it can no longer be made, and when there are files in it."`
	Attempts    []attemptView `json:"attempts" doc:"Every request, the first first."`
}

type deliveries struct {
	*rest.Resource[millrace.DeliveryID, millrace.Delivery, DeliveryView]
}

// Deliveries are the handlers of deliveries.
func (h *Handlers) Deliveries() deliveries {
	return deliveries{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Deliveries, nil), rest.Each(viewDelivery))}
}

func (n deliveries) GetWithAttempts(ctx context.Context, in *rest.GetIn[millrace.DeliveryID]) (*rest.Reply[deliveryDetailView], error) {
	out := &rest.Reply[deliveryDetailView]{}
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		d, err := tx.Deliveries().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		attempts, err := tx.Deliveries().Attempts(ctx, in.Environment, d.ID)
		if err != nil {
			return err
		}
		body, err := deliveryBody(ctx, tx, d)
		if err != nil {
			return err
		}
		out.Body = deliveryDetailView{DeliveryView: viewDelivery(d), RequestBody: body, Attempts: make([]attemptView, len(attempts))}
		for i, a := range attempts {
			out.Body.Attempts[i] = attemptView{a, rest.Nullable(a.StatusCode), rest.Nullable(a.ErrorClass)}
		}
		return nil
	})
	return out, err
}

// deliveryBody returns the bytes of a delivery, or nil when they can no longer be made.
func deliveryBody(ctx context.Context, tx *store.Tx, d *millrace.Delivery) (*string, error) {
	if d.SyncJobRunID != "" {
		frozen, err := tx.Deliveries().Frozen(ctx, d.EnvironmentID, d.SyncJobRunID)
		for _, f := range frozen {
			if f.ID == d.ID && utf8.Valid(f.Body) {
				return new(string(f.Body)), nil
			}
		}
		return nil, err
	}
	e, err := tx.Events().Get(ctx, d.EnvironmentID, d.EventID)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil, nil //nolint:nilnil // none is a valid result
	}
	if err != nil {
		return nil, err
	}
	return new(string(e.Body(d.WebhookID))), nil
}

func (n deliveries) Redeliver(ctx context.Context, in *rest.GetIn[millrace.DeliveryID]) (*rest.Reply[DeliveryView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.Delivery, error) {
		return tx.Deliveries().Redeliver(ctx, in.Environment, in.ID)
	})
}
