package dashboard

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/show"
	"github.com/millrace/millrace/internal/dashboard/timeline"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/views"
)

func (h *Handler) workflowRuns(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.WorkflowRun], error) {
		return tx.WorkflowRuns().List(ctx, r.env.ID, q)
	}, "status", "workflow_id")
	if err != nil {
		return nil, err
	}
	l.Filters = choices(r, "status", millrace.WorkflowRunStatuses())
	err = labels(h, r, l, "workflow", func(v *millrace.WorkflowRun) string { return string(v.WorkflowID) })
	return &view{name: "workflow-runs", title: "Workflow runs", body: l, live: true}, err
}

// workflowRunPage is one workflow run with its steps.
type workflowRunPage struct {
	Trail *timeline.Trail
	Steps []stepShown
	Rows  []timeline.Row
	Error *show.Failure
}

// stepShown is a step as it was defined, and what it came to.
type stepShown struct {
	Index  int
	Step   millrace.Step
	Config json.RawMessage
	Result *millrace.StepResult // nil: it has not been reached
	Run    *views.RunLine
}

func (h *Handler) workflowRun(r *request) (*view, error) {
	id := millrace.WorkflowRunID(strings.ToLower(r.PathValue("id")))
	v := new(workflowRunPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		run, err := tx.WorkflowRuns().Get(r.Context(), r.env.ID, id)
		if err != nil {
			return err
		}
		v.Trail = &timeline.Trail{WorkflowRun: run}
		if err := readWorkflow(r.Context(), tx, v.Trail); err != nil {
			return err
		}
		started, err := store.ViewsOf(tx).RunsOfWorkflowRun(r.Context(), r.env.ID, id)
		if err != nil {
			return err
		}
		version, err := absent(tx.Workflows().GetVersion(r.Context(), r.env.ID, run.WorkflowID, run.WorkflowVersion))
		if err != nil {
			return err
		}
		v.Steps, v.Error = stepsOf(run, version, started), show.FailureOf(run.Error)
		v.Rows = timeline.OfWorkflowRun(r.path, r.now, v.Trail, started)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &view{name: "workflow-run", title: "Workflow run", body: v, live: !v.Trail.WorkflowRun.Status.Finished()}, nil
}

// stepsOf puts the steps of a version beside what they came to.
func stepsOf(run *millrace.WorkflowRun, version *millrace.Workflow, started []views.RunLine) []stepShown {
	var result millrace.WorkflowResult
	if len(run.Result) > 0 {
		_ = json.Unmarshal(run.Result, &result) // what is not there is not shown
	}
	var out []stepShown
	if version != nil {
		for i := range version.Config.Steps {
			out = append(out, stepShown{Index: i, Step: version.Config.Steps[i], Config: version.Config.Steps[i].Config})
		}
	}
	for i := range result.Steps {
		for len(out) <= i {
			out = append(out, stepShown{Index: len(out)})
		}
		out[i].Result = &result.Steps[i]
	}
	for i := range started {
		if n := int(started[i].Step); n < len(out) {
			out[n].Run = &started[i]
		}
	}
	return out
}
