package dashboard

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/timeline"
	"github.com/millrace/millrace/internal/store"
)

// webhookLine is a webhook with what waits for it.
type webhookLine struct {
	millrace.Webhook
	Backlog millrace.Backlog
}

// State is what a webhook is in one word.
func (v *webhookLine) State() string {
	switch {
	case !v.IsActive:
		return "inactive"
	case v.FailingSince != 0:
		return "failing"
	}
	return "active"
}

// Types are the events that a webhook gets.
func (v *webhookLine) Types() []string {
	var types []string
	if json.Unmarshal(v.EventTypes, &types) != nil || len(types) == 0 {
		return []string{"all"}
	}
	return types
}

func (h *Handler) webhooks(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[webhookLine], error) {
		page, err := tx.Webhooks().List(ctx, r.env.ID, q)
		out := millrace.Page[webhookLine]{NextCursor: page.NextCursor}
		if err != nil {
			return out, err
		}
		for i := range page.Result {
			backlog, err := tx.Deliveries().CountBacklog(ctx, &page.Result[i])
			if err != nil {
				return out, err
			}
			out.Result = append(out.Result, webhookLine{page.Result[i], backlog})
		}
		return out, nil
	})
	return &view{name: "webhooks", title: "Webhooks", body: l, live: true}, err
}

// webhookPage is one webhook with its last deliveries.
type webhookPage struct {
	Webhook webhookLine
	Last    []millrace.Delivery
	Failed  []millrace.Delivery
	Why     *millrace.Attempt // the last for the first delivery that was tried in vain; nil: there is none
	Events  []string
}

const deliveriesShown = 25

func (h *Handler) webhook(r *request) (*view, error) {
	id := millrace.WebhookID(strings.ToLower(r.PathValue("id")))
	v := new(webhookPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		row, err := tx.Webhooks().Get(ctx, env, id)
		if err != nil {
			return err
		}
		v.Webhook.Webhook = *row
		if v.Webhook.Backlog, err = tx.Deliveries().CountBacklog(ctx, row); err != nil {
			return err
		}
		of := millrace.Filter{Field: "webhook_id", Op: millrace.OpEq, Values: []string{string(id)}}
		last, err := tx.Deliveries().Backlog(ctx, row, deliveriesShown)
		if err != nil {
			return err
		}
		v.Last = last
		failed, err := tx.Deliveries().List(ctx, env, millrace.Query{
			Limit: deliveriesShown, Filters: []millrace.Filter{of, {Field: "status", Op: millrace.OpEq, Values: []string{string(millrace.DeliveryFailed)}}},
		})
		v.Failed, v.Events = failed.Result, millrace.EventNames()
		if err != nil || row.FailingSince == 0 {
			return err
		}
		v.Why, err = lastAttempt(ctx, tx, slices.Concat(last, failed.Result))
		return err
	})
	return &view{name: "webhook", title: "Webhook", body: v, live: true}, err
}

// lastAttempt returns the last attempt for the first delivery that was tried; nil: there is none.
func lastAttempt(ctx context.Context, tx *store.Tx, of []millrace.Delivery) (*millrace.Attempt, error) {
	for i := range of {
		if of[i].Attempts == 0 {
			continue
		}
		tries, err := tx.Deliveries().Attempts(ctx, of[i].EnvironmentID, of[i].ID)
		if err != nil || len(tries) == 0 {
			return nil, err
		}
		return &tries[len(tries)-1], nil
	}
	return nil, nil
}

func (h *Handler) deliveries(r *request) (*view, error) {
	l, err := h.deliveryList(r)
	if err != nil {
		return nil, err
	}
	l.Filters = choices(r, "status", millrace.DeliveryStatuses())
	err = labels(h, r, l, "webhook", func(v *millrace.Delivery) string { return string(v.WebhookID) })
	return &view{name: "deliveries", title: "Deliveries", body: l, live: true}, err
}

// deliveryList reads a page of deliveries. Those that wait, those of a run and those of an event are found without reading others.
func (h *Handler) deliveryList(r *request) (*list[millrace.Delivery], error) {
	get := func(ctx context.Context, tx *store.Tx, id millrace.DeliveryID) (*millrace.Delivery, error) {
		return tx.Deliveries().Get(ctx, r.env.ID, id)
	}
	q := r.URL.Query()
	if run := q.Get("sync_job_run_id"); run != "" {
		return picked(h, r, "The first 200.", func(ctx context.Context, tx *store.Tx) ([]millrace.DeliveryID, error) {
			return store.ViewsOf(tx).DeliveriesOfRun(ctx, r.env.ID, millrace.SyncJobRunID(run), 4*perPage)
		}, get)
	}
	if id := q.Get("event_id"); id != "" {
		return picked(h, r, "", func(ctx context.Context, tx *store.Tx) ([]millrace.DeliveryID, error) {
			return deliveriesOfEvent(ctx, tx, r.env.ID, millrace.EventID(id))
		}, get)
	}
	if q.Get("status") == string(millrace.DeliveryPending) {
		return picked(h, r, "The last 50; the page of a webhook has its oldest.", func(ctx context.Context, tx *store.Tx) ([]millrace.DeliveryID, error) {
			return store.ViewsOf(tx).Waiting(ctx, r.env.ID, perPage)
		}, get)
	}
	return listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.Delivery], error) {
		return tx.Deliveries().List(ctx, r.env.ID, q)
	}, "status", "webhook_id")
}

// deliveriesOfEvent returns the ids that the deliveries of an event to the webhooks of today would have.
func deliveriesOfEvent(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.EventID) ([]millrace.DeliveryID, error) {
	const webhooks = 500
	page, err := tx.Webhooks().List(ctx, env, millrace.Query{Limit: webhooks})
	ids := make([]millrace.DeliveryID, len(page.Result))
	for i := range page.Result {
		ids[i] = millrace.EventDeliveryID(&millrace.Event{ID: id, EnvironmentID: env}, &page.Result[i])
	}
	return ids, err
}

// deliveryPage is one delivery with everything that was tried for it.
type deliveryPage struct {
	Delivery *millrace.Delivery
	Webhook  *millrace.Webhook // nil: it was deleted
	Attempts []millrace.Attempt
}

// OK reports whether the receiver took it.
func (deliveryPage) OK(a *millrace.Attempt) bool { return timeline.Delivered(a) }

func (h *Handler) delivery(r *request) (*view, error) {
	id := millrace.DeliveryID(strings.ToLower(r.PathValue("id")))
	v := new(deliveryPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		var err error
		if v.Delivery, err = tx.Deliveries().Get(ctx, env, id); err != nil {
			return err
		}
		if v.Webhook, err = absent(tx.Webhooks().Get(ctx, env, v.Delivery.WebhookID)); err != nil {
			return err
		}
		v.Attempts, err = tx.Deliveries().Attempts(ctx, env, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &view{name: "delivery", title: "Delivery of " + v.Delivery.Event, body: v, live: v.Delivery.Status == millrace.DeliveryPending}, nil
}
