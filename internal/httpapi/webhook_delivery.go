package httpapi

import (
	"context"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const redeliverNote = "The delivery keeps its id and its bytes and goes to the end of the webhook's backlog; one that waits there for " +
	"its next attempt is tried at once. 409 when there is nothing left to send: the event was removed, the webhook was deleted, " +
	"or a sync job run sent it, which keeps no records."

// deliveryView is a delivery on the wire: what it does not have is null.
type deliveryView struct {
	millrace.Delivery
	EventID             *millrace.EventID             `json:"event_id" doc:"null: a sync job run made it."`
	SyncJobRunID        *millrace.SyncJobRunID        `json:"sync_job_run_id" doc:"The run that sends it itself."`
	IntegratedAccountID *millrace.IntegratedAccountID `json:"integrated_account_id" doc:"The account that it is about."`
}

func showDelivery(v *millrace.Delivery) deliveryView {
	return deliveryView{*v, nullable(v.EventID), nullable(v.SyncJobRunID), nullable(v.IntegratedAccountID)}
}

// attemptView is one request on the wire.
type attemptView struct {
	millrace.Attempt
	StatusCode *int64  `json:"status_code" doc:"null: there was no answer."`
	ErrorClass *string `json:"error_class" doc:"Why there was no answer, or none that counts; null when the status says it all."`
}

// deliveryDetailView is a delivery with all that happened to it.
type deliveryDetailView struct {
	deliveryView
	RequestBody *string       `json:"request_body" doc:"The body that is sent; null once it can no longer be made, and when there are files in it."`
	Attempts    []attemptView `json:"attempts" doc:"Every request, the first first."`
}

type deliveries struct {
	*noun[millrace.DeliveryID, millrace.Delivery, deliveryView]
}

func (a *api) deliveries() deliveries {
	return deliveries{&noun[millrace.DeliveryID, millrace.Delivery, deliveryView]{
		api: a, one: (*store.Tx).Delivery, many: (*store.Tx).ListDeliveries, show: each(showDelivery),
	}}
}

func (n deliveries) getWithAttempts(ctx context.Context, in *getIn[millrace.DeliveryID]) (*reply[deliveryDetailView], error) {
	out := &reply[deliveryDetailView]{}
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		d, err := tx.Delivery(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		attempts, err := tx.AttemptsOf(ctx, in.Environment, d.ID)
		if err != nil {
			return err
		}
		body, err := deliveryBody(ctx, tx, d)
		if err != nil {
			return err
		}
		out.Body = deliveryDetailView{deliveryView: showDelivery(d), RequestBody: body, Attempts: make([]attemptView, len(attempts))}
		for i, a := range attempts {
			out.Body.Attempts[i] = attemptView{a, nullable(a.StatusCode), nullable(a.ErrorClass)}
		}
		return nil
	})
	return out, err
}

// deliveryBody returns the bytes of a delivery, or nil when they can no longer be made.
func deliveryBody(ctx context.Context, tx *store.Tx, d *millrace.Delivery) (*string, error) {
	if d.SyncJobRunID != "" {
		frozen, err := tx.FrozenDeliveries(ctx, d.EnvironmentID, d.SyncJobRunID)
		for _, f := range frozen {
			if f.ID == d.ID && utf8.Valid(f.Body) {
				return new(string(f.Body)), nil
			}
		}
		return nil, err
	}
	e, err := tx.Event(ctx, d.EnvironmentID, d.EventID)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	if err != nil {
		return nil, err
	}
	return new(string(e.Body(d.WebhookID))), nil
}

func (n deliveries) redeliver(ctx context.Context, in *getIn[millrace.DeliveryID]) (*reply[deliveryView], error) {
	return n.update(ctx, func(tx *store.Tx) (*millrace.Delivery, error) { return tx.Redeliver(ctx, in.Environment, in.ID) })
}
