package steer

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/store"
)

// AgainPage is where deliveries that were given up are chosen, to be sent again.
type AgainPage struct {
	Webhooks []editor.Word
	Choice   Choice
	Statuses []string
	Preview  *store.RedeliveryPreview // nil: no webhook is chosen, or the choice is rejected
	Rejected *Rejection
	Last     []store.Redelivery // of the webhook
}

// Choice is what is chosen, as it stands in the form.
type Choice struct{ Webhook, Status, Event, From, To, Account string }

const (
	webhooksOffered   = 500
	redeliveriesShown = 10
	bothStatuses      = "failed or cancelled"
)

func choiceOf(q url.Values) Choice {
	return Choice{
		Webhook: q.Get("webhook_id"), Status: q.Get("status"), Event: strings.TrimSpace(q.Get("event")), From: q.Get("from"), To: q.Get("to"),
		Account: strings.TrimSpace(q.Get("integrated_account_id")),
	}
}

// body returns the request to the API, and what of the choice cannot be one.
func (c *Choice) body() (map[string]any, *Rejection) {
	filter := map[string]any{}
	switch c.Status {
	case bothStatuses:
		filter["status"] = []millrace.DeliveryStatus{millrace.DeliveryFailed, millrace.DeliveryCancelled}
	case string(millrace.DeliveryCancelled):
		filter["status"] = []millrace.DeliveryStatus{millrace.DeliveryCancelled}
	}
	if c.Event != "" {
		filter["event"] = []string{c.Event}
	}
	if c.Account != "" {
		filter["integrated_account_id"] = c.Account
	}
	span := map[string]any{}
	for _, end := range []struct{ name, op, text string }{{"from", "gte", c.From}, {"to", "lt", c.To}} {
		if end.text == "" {
			continue
		}
		at, err := parseTime(end.text)
		if err != nil {
			f := millrace.Failure{Path: end.name, Message: "must be a time such as 2026-11-25T18:30, in UTC"}
			return nil, &Rejection{"the form is not valid", []millrace.Failure{f}}
		}
		span[end.op] = millrace.TimeOf(at)
	}
	if len(span) > 0 {
		filter["created_at"] = span
	}
	return map[string]any{"webhook_id": c.Webhook, "filter": filter}, nil
}

// parseTime reads a time as browsers write it in a form.
func parseTime(text string) (time.Time, error) {
	at, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05", text)
	}
	return at, err
}

// choose shows what a choice would take.
func choose(r *editor.Request) (*editor.Page, error) {
	p := &AgainPage{Choice: choiceOf(r.URL.Query())}
	if err := p.read(r); err != nil || p.Choice.Webhook == "" {
		return p.shown(0), err
	}
	body, rejected := p.Choice.body()
	if p.Rejected = rejected; rejected != nil {
		return p.shown(http.StatusBadRequest), nil
	}
	preview := new(store.RedeliveryPreview)
	rejected, status, err := ask(r, http.MethodPost, "/webhook-redelivery/preview", body, preview)
	if p.Rejected = rejected; rejected == nil {
		p.Preview = preview
	}
	return p.shown(status), err
}

func (p *AgainPage) shown(status int) *editor.Page {
	return &editor.Page{Name: "again", Title: "Deliver again", Body: p, Status: status}
}

// read reads what the form offers.
func (p *AgainPage) read(r *editor.Request) error {
	p.Statuses = []string{string(millrace.DeliveryFailed), string(millrace.DeliveryCancelled), bothStatuses}
	return r.DB.View(r.Context(), func(tx *store.Tx) error {
		hooks, err := tx.Webhooks().List(r.Context(), r.Env, millrace.Query{Limit: webhooksOffered, MaxBytes: millrace.MaxPageBytes})
		if err != nil {
			return err
		}
		for i := range hooks.Result {
			p.Webhooks = append(p.Webhooks, editor.Word{string(hooks.Result[i].ID), hooks.Result[i].TargetURL})
		}
		q := millrace.Query{Limit: redeliveriesShown}
		if p.Choice.Webhook != "" {
			q.Filters = []millrace.Filter{{Field: "webhook_id", Op: millrace.OpEq, Values: []string{strings.ToLower(p.Choice.Webhook)}}}
		}
		last, err := store.RedeliveriesOf(tx).List(r.Context(), r.Env, q)
		p.Last = last.Result
		return err
	})
}

// begin starts the redelivery of a choice that was previewed.
func begin(r *editor.Request) (*editor.Page, error) {
	form, err := r.Sent()
	if err != nil {
		return nil, err
	}
	p := &AgainPage{Choice: choiceOf(form)}
	body, rejected := p.Choice.body()
	status := http.StatusBadRequest
	var made struct {
		ID string `json:"id"`
	}
	if rejected == nil {
		through, err := strconv.ParseInt(form.Get("through"), 10, 64)
		if err != nil {
			return nil, millrace.Invalid("through", "is missing: look at what is sent again first")
		}
		body["through"] = through
		if rejected, status, err = ask(r, http.MethodPost, "/webhook-redelivery", body, &made); err != nil {
			return nil, err
		}
	}
	if rejected == nil {
		return &editor.Page{To: r.Base + "/deliveries/redeliveries/" + url.PathEscape(made.ID)}, nil
	}
	p.Rejected = rejected
	return p.shown(status), p.read(r)
}

// RedeliveryPage is a redelivery with how far it has come.
type RedeliveryPage struct {
	*store.Redelivery
	Takes   store.RedeliveryFilter
	Webhook *millrace.Webhook // nil: it was deleted
	Backlog millrace.Backlog
}

func progress(r *editor.Request) (*editor.Page, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	p := &RedeliveryPage{}
	err = r.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx := r.Context()
		var err error
		if p.Redelivery, err = store.RedeliveriesOf(tx).Get(ctx, r.Env, store.RedeliveryID(id)); err != nil {
			return err
		}
		p.Takes = p.Redelivery.Takes()
		p.Webhook, err = tx.Webhooks().Get(ctx, r.Env, p.WebhookID)
		if millrace.KindOf(err) == millrace.KindNotFound {
			return nil
		}
		if err == nil {
			p.Backlog, err = tx.Deliveries().CountBacklog(ctx, p.Webhook)
		}
		return err
	})
	return &editor.Page{Name: "redelivery", Title: "Redelivery", Body: p, Live: true}, err
}

func stop(r *editor.Request) (*editor.Page, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	_, err = r.Call(r.Context(), &editor.Call{Method: http.MethodPost, Path: "/webhook-redelivery/" + id + "/stop"})
	return &editor.Page{To: r.Base + "/deliveries/redeliveries/" + id + "?done=halted"}, err
}
