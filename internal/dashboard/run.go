package dashboard

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/show"
	"github.com/millrace/millrace/internal/dashboard/timeline"
	"github.com/millrace/millrace/internal/store"
)

func (h *Handler) runs(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.SyncJobRun], error) {
		if r.URL.Query().Get("is_partial") != "" {
			q.Filters = append(q.Filters, millrace.Filter{Field: "is_partial", Op: millrace.OpEq, Values: []string{"true"}})
		}
		return tx.SyncJobRuns().List(ctx, r.env.ID, q)
	}, "status", "sync_job_id", "integrated_account_id", "webhook_id")
	if err != nil {
		return nil, err
	}
	if err := labels(h, r, l, "sync_job", func(v *millrace.SyncJobRun) string { return string(v.SyncJobID) }); err != nil {
		return nil, err
	}
	if err := labels(h, r, l, "integrated_account", func(v *millrace.SyncJobRun) string { return string(v.IntegratedAccountID) }); err != nil {
		return nil, err
	}
	l.Filters = append(choices(r, "status", millrace.RunStatuses()), filter{"partial", r.URL.Path + "?is_partial=true", r.URL.Query().Get("is_partial") != ""})
	return &view{name: "runs", title: "Sync job runs", body: l, live: true}, nil
}

// runPage is one sync job run with everything that led to it and that it led to.
type runPage struct {
	Run       *millrace.SyncJobRun
	Job       *millrace.SyncJob           // nil: it was deleted
	Account   *millrace.IntegratedAccount // nil: there is none, or it was deleted
	Trail     *timeline.Trail
	Rows      []timeline.Row
	Stats     []stat
	Log       []millrace.RunLogEntry
	More      bool // the log is longer
	Errors    []millrace.RunLog
	Events    []millrace.Event
	Waiting   *millrace.SyncJobRun // the run that it waits for
	ErrorCode *show.Failure
	First     *show.Failure
}

// Open reports whether the run has not ended.
func (v *runPage) Open() bool { return !v.Run.Status.Finished() }

// stat counts what a method of a resource has fetched.
type stat struct {
	Resource, Method                  string
	Pages, Fetched, Persisted, Failed int64
}

const logShown = 100

func (h *Handler) run(r *request) (*view, error) {
	id := millrace.SyncJobRunID(strings.ToLower(r.PathValue("id")))
	v := new(runPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error { return v.read(r, tx, id) })
	if err != nil {
		return nil, err
	}
	return &view{name: "run", title: "Sync job run", body: v, live: v.Open()}, nil
}

// absent returns nothing in place of an error of KindNotFound.
func absent[T any](v *T, err error) (*T, error) {
	if err != nil && millrace.KindOf(err) == millrace.KindNotFound {
		return nil, nil //nolint:nilnil // it is absent
	}
	return v, err
}

func (v *runPage) read(r *request, tx *store.Tx, id millrace.SyncJobRunID) error {
	ctx, env := r.Context(), r.env.ID
	var err error
	if v.Run, err = tx.SyncJobRuns().Get(ctx, env, id); err != nil {
		return err
	}
	if v.Job, err = absent(tx.SyncJobs().Get(ctx, env, v.Run.SyncJobID)); err != nil {
		return err
	}
	if v.Run.IntegratedAccountID != "" {
		if v.Account, err = absent(tx.Accounts().Get(ctx, env, v.Run.IntegratedAccountID)); err != nil {
			return err
		}
	}
	if v.Run.WaitingFor != "" {
		if v.Waiting, err = absent(tx.SyncJobRuns().Get(ctx, env, v.Run.WaitingFor)); err != nil {
			return err
		}
	}
	if v.Trail, err = trailOf(ctx, tx, v.Run); err != nil {
		return err
	}
	log, err := tx.SyncJobRuns().ListLog(ctx, env, millrace.LogQuery{Filters: map[string]string{"sync_job_run_id": string(id)}, Limit: logShown})
	if err != nil {
		return err
	}
	v.Log, v.More = log.Result, log.NextCursor != nil
	slices.SortStableFunc(v.Log, func(a, b millrace.RunLogEntry) int { return int(a.CreatedAt - b.CreatedAt) })
	if v.Events, err = store.ViewsOf(tx).EventsOfRun(ctx, env, id, logShown); err != nil {
		return err
	}
	for i := range v.Log {
		for _, line := range v.Log[i].Lines {
			if line.Level == millrace.LogError {
				v.Errors = append(v.Errors, line)
			}
		}
	}
	v.Stats = statsOf(v.Run.ResourceStats)
	v.ErrorCode, v.First = show.FailureOf(v.Run.Error), show.FailureOf(v.Run.FirstError)
	v.Rows = timeline.OfRun(r.path, r.now, v.Trail, v.Run, v.Log)
	return nil
}

// trailOf reads what led to a run.
func trailOf(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) (*timeline.Trail, error) {
	t, env := &timeline.Trail{}, run.EnvironmentID
	var err error
	if run.SyncJobCronTriggerID != "" {
		if t.Schedule, err = absent(tx.Schedules().Get(ctx, env, run.SyncJobCronTriggerID)); err != nil {
			return nil, err
		}
	}
	if run.WorkflowRunID == "" {
		return t, nil
	}
	if t.WorkflowRun, err = absent(tx.WorkflowRuns().Get(ctx, env, run.WorkflowRunID)); err != nil || t.WorkflowRun == nil {
		return t, err
	}
	return t, readWorkflow(ctx, tx, t)
}

// readWorkflow reads what led to the workflow run of a trail.
func readWorkflow(ctx context.Context, tx *store.Tx, t *timeline.Trail) error {
	env := t.WorkflowRun.EnvironmentID
	var err error
	if t.Workflow, err = absent(tx.Workflows().Get(ctx, env, t.WorkflowRun.WorkflowID)); err != nil {
		return err
	}
	if t.Event, err = absent(tx.Events().Get(ctx, env, t.WorkflowRun.EventID)); err != nil {
		return err
	}
	decisions, err := tx.Decisions().OfEvent(ctx, env, t.WorkflowRun.EventID)
	for i := range decisions {
		if decisions[i].WorkflowID == t.WorkflowRun.WorkflowID {
			t.Decision = &decisions[i]
		}
	}
	return err
}

// statsOf reads { resource: { method: counts } }.
func statsOf(raw json.RawMessage) []stat {
	var byResource map[string]map[string]struct{ Pages, Fetched, Persisted, Failed int64 }
	if json.Unmarshal(raw, &byResource) != nil {
		return nil
	}
	var out []stat
	for _, resource := range slices.Sorted(maps.Keys(byResource)) {
		for _, method := range slices.Sorted(maps.Keys(byResource[resource])) {
			n := byResource[resource][method]
			out = append(out, stat{resource, method, n.Pages, n.Fetched, n.Persisted, n.Failed})
		}
	}
	return out
}
