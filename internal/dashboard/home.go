package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
	"time"

	"github.com/millrace/millrace/internal/dashboard/picture"
	"github.com/millrace/millrace/internal/dashboard/show"
	"github.com/millrace/millrace/internal/dashboard/tour"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/views"
)

// home is what needs attention, and what happened in the last hour.
type home struct {
	Accounts     []views.TroubledAccount
	Webhooks     []views.TroubledWebhook
	Runs         []views.TroubledRun
	WorkflowRuns []views.TroubledWorkflowRun
	Fires        []views.MissedFire
	Strips       []strip
	Backlog      views.Number
	Open         views.Number
	Waiting      views.Number
	Steps        []tour.Step // what has to be done first
	Tour         *tour.Tour  // what happened, for who has not seen it; nil: they have, or nothing did
}

// Trouble reports whether something needs attention.
func (v *home) Trouble() bool {
	return len(v.Accounts)+len(v.Webhooks)+len(v.Runs)+len(v.WorkflowRuns)+len(v.Fires) > 0
}

// strip is how often something happened in the last hour.
type strip struct {
	Name, Count, Href string
	Picture           template.HTML
}

const (
	troubleShown = 8
	troubleTime  = 24 * time.Hour
)

func (h *Handler) home(r *request) (*view, error) {
	v := new(home)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env, q := r.Context(), r.env.ID, store.ViewsOf(tx)
		since := r.now.Add(-troubleTime)
		var err error
		if v.Accounts, err = q.TroubledAccounts(ctx, env, troubleShown+1); err != nil {
			return err
		}
		if v.Webhooks, err = q.TroubledWebhooks(ctx, env, troubleShown+1); err != nil {
			return err
		}
		if v.Runs, err = q.TroubledRuns(ctx, env, since, troubleShown+1); err != nil {
			return err
		}
		if v.WorkflowRuns, err = q.TroubledWorkflowRuns(ctx, env, since, troubleShown+1); err != nil {
			return err
		}
		if v.Fires, err = q.MissedFires(ctx, env, since, troubleShown+1); err != nil {
			return err
		}
		if v.Backlog, err = q.Backlog(ctx, env); err != nil {
			return err
		}
		if v.Open, v.Waiting, err = q.OpenRuns(ctx, env); err != nil {
			return err
		}
		if v.Strips, err = lastHour(r, q); err != nil {
			return err
		}
		if v.Steps, err = tour.Steps(ctx, tx, env); err == nil && r.who.TouredAt == 0 {
			v.Tour, err = tour.Read(ctx, tx, env)
		}
		return err
	})
	return &view{name: "home", title: "Home", body: v, live: true}, err
}

// lastHour counts what happened.
func lastHour(r *request, q store.Views) ([]strip, error) {
	const hour = time.Hour
	now := r.now.Std()
	var out []strip
	for _, s := range []struct {
		what       views.What
		name, href string
	}{
		{views.InboundHooks, "Inbound hooks", "inbound-hooks"},
		{views.Events, "Events", "events"},
		{views.WorkflowRuns, "Workflow runs", "workflow-runs"},
		{views.SyncJobRuns, "Sync job runs", "runs"},
		{views.Deliveries, "Deliveries", "deliveries"},
	} {
		lately, err := q.Lately(r.Context(), r.env.ID, s.what, r.now.Add(-hour))
		if err != nil {
			return nil, err
		}
		count, from := strconv.Itoa(len(lately.Times)), time.Time{}
		if lately.More {
			from = lately.Times[len(lately.Times)-1].Std()
			count = fmt.Sprintf("%d in %s", len(lately.Times), show.Rough(now.Sub(from)))
		}
		times := make([]time.Time, len(lately.Times))
		for i, at := range lately.Times {
			times[i] = at.Std()
		}
		title := s.name + " in the last hour: " + count
		out = append(out, strip{s.name, count, r.path(s.href), picture.Strip(times, now, hour, from, title)})
	}
	return out, nil
}
