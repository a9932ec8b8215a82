package dashboard

import (
	"context"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/dashboard/show"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trigger"
)

func (h *Handler) events(r *request) (*view, error) {
	if name := r.URL.Query().Get("event"); name != "" {
		l, err := picked(h, r, "The last 50 of the last 20,000 events of all names.", func(ctx context.Context, tx *store.Tx) ([]millrace.EventID, error) {
			return store.ViewsOf(tx).LastOfName(ctx, r.env.ID, name, perPage)
		}, func(ctx context.Context, tx *store.Tx, id millrace.EventID) (*millrace.Event, error) {
			return tx.Events().Get(ctx, r.env.ID, id)
		})
		return &view{name: "events", title: "Events", body: l, live: true}, err
	}
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.Event], error) {
		return tx.Events().List(ctx, r.env.ID, q)
	})
	return &view{name: "events", title: "Events", body: l, live: true}, err
}

// eventPage is an event with what every workflow made of it.
type eventPage struct {
	Event     *millrace.Event
	Account   millrace.IntegratedAccountID
	Decisions []decision
	Deaf      []millrace.Workflow // that listen to something else
	Condition string              // that is tried
	Tried     *tried
}

// decision is what was decided about a workflow, and how its condition looks now.
type decision struct {
	millrace.Decision
	Workflow *millrace.Workflow // as it was then; nil: it was deleted
	Now      *trigger.Explanation
	Failure  *show.Failure
	Advice   string
}

// tried is what a condition comes to for this event and for the last ones like it.
type tried struct {
	*trigger.Explanation
	*editor.Tried
}

const deafShown = 50

func (h *Handler) event(r *request) (*view, error) {
	id := millrace.EventID(strings.ToLower(r.PathValue("id")))
	var past *editor.Past
	v := new(eventPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		var err error
		if v.Event, err = tx.Events().Get(ctx, env, id); err != nil {
			return err
		}
		v.Account = v.Event.Account()
		if err := v.readDecisions(ctx, tx); err != nil {
			return err
		}
		name := ""
		if v.Condition = r.URL.Query().Get("condition"); v.Condition != "" {
			name = v.Event.Name
		}
		past, err = editor.ReadPast(ctx, tx, env, name, *v.Event)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !r.sees() {
		return &view{name: "event", title: v.Event.Name, body: v}, nil // conditions show what they saw
	}
	return &view{name: "event", title: v.Event.Name, body: v}, v.explain(r.Context(), past)
}

func (v *eventPage) readDecisions(ctx context.Context, tx *store.Tx) error {
	decisions, err := tx.Decisions().OfEvent(ctx, v.Event.EnvironmentID, v.Event.ID)
	if err != nil {
		return err
	}
	heard := map[millrace.WorkflowID]bool{}
	for _, d := range decisions {
		w, err := absent(tx.Workflows().GetVersion(ctx, d.EnvironmentID, d.WorkflowID, d.WorkflowVersion))
		if err != nil {
			return err
		}
		heard[d.WorkflowID] = true
		v.Decisions = append(v.Decisions, decision{Decision: d, Workflow: w, Failure: show.FailureOf(d.Error), Advice: show.Advice(d.Outcome)})
	}
	page, err := tx.Workflows().List(ctx, v.Event.EnvironmentID, millrace.Query{Limit: deafShown})
	for _, w := range page.Result {
		if !heard[w.ID] {
			v.Deaf = append(v.Deaf, w)
		}
	}
	return err
}

// explain evaluates the conditions again, outside of the transaction.
func (v *eventPage) explain(ctx context.Context, past *editor.Past) error {
	for i := range v.Decisions {
		d := &v.Decisions[i]
		if d.Workflow == nil || d.Workflow.Config.RunIf == "" {
			continue
		}
		var err error
		if d.Now, err = past.Explain(ctx, d.Workflow.Config.RunIf, v.Event); err != nil {
			return err
		}
	}
	if v.Condition == "" {
		return nil
	}
	v.Tried = &tried{}
	var err error
	if v.Tried.Tried, err = past.Try(ctx, v.Condition, 1); err != nil {
		return err
	}
	v.Tried.Explanation, err = past.Explain(ctx, v.Condition, v.Event)
	return err
}
