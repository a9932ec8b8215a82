package workflows

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// WorkflowRuns are the workflow runs with the results of their steps.
type WorkflowRuns struct{ tx *sqldb.Tx }

// NewWorkflowRuns returns the handle of the workflow runs with the results of their steps.
func NewWorkflowRuns(tx *sqldb.Tx) WorkflowRuns { return WorkflowRuns{tx} }

var workflowRunTable = sync.OnceValue(func() *table.Table[millrace.WorkflowRun] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.WorkflowRun
	return &table.Table[row]{
		Name: "workflow_run", What: "workflow run",
		Audit: &table.Audit[row]{Without: []string{
			"waiting", "run_at", "cancelled_by", "result", "error", "retry_attempt", "started_at", "finished_at", // what it was, not what was in it
		}},
		Status: table.NewMachine("workflow_run", "workflow run", millrace.WorkflowRunStatuses()),
		Open:   table.OpenWorkflowRun,
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.WorkflowRunID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("workflow_id", func(v *row) *millrace.WorkflowID { return &v.WorkflowID }),
			table.Number("workflow_version", func(v *row) *int64 { return &v.WorkflowVersion }),
			table.Text("event_id", func(v *row) *millrace.EventID { return &v.EventID }),
			table.Text("status", func(v *row) *millrace.WorkflowRunStatus { return &v.Status }),
			table.Text("waiting", func(v *row) *millrace.WaitReason { return &v.Waiting }),
			table.Stamp("run_at", func(v *row) *millrace.Time { return &v.RunAt }),
			table.Text("cancelled_by", func(v *row) *millrace.WorkflowRunID { return &v.CancelledBy }),
			table.Document("result", func(v *row) *json.RawMessage { return &v.Result }),
			table.Document("error", func(v *row) *json.RawMessage { return &v.Error }),
			table.Number("retry_attempt", func(v *row) *int64 { return &v.RetryAttempt }),
			table.Stamp("started_at", func(v *row) *millrace.Time { return &v.StartedAt }),
			table.Stamp("finished_at", func(v *row) *millrace.Time { return &v.FinishedAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			table.Hidden(table.Text("debounce_key", func(v *row) *string { return &v.DebounceKey })),
			table.Hidden(table.Stamp("run_before", func(v *row) *millrace.Time { return &v.RunBefore })),
			table.Hidden(table.Text("rate_key", func(v *row) *string { return &v.RateKey })),
			table.Hidden(table.Stamp("rate_at", func(v *row) *millrace.Time { return &v.RateAt })),
			table.Hidden(table.Text("concurrency_key", func(v *row) *string { return &v.ConcurrencyKey })),
			table.Hidden(table.Number("slot", func(v *row) *int64 { return (*int64)(&v.Slot) })),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds a workflow run and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (h WorkflowRuns) Create(ctx context.Context, v *millrace.WorkflowRun) error {
	return workflowRunTable().Insert(ctx, h.tx, v)
}

// Get returns a workflow run of the environment, or an error of KindNotFound.
func (h WorkflowRuns) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID) (*millrace.WorkflowRun, error) {
	return workflowRunTable().Get(ctx, h.tx, env, string(id), "")
}

// List returns one page of the environment's workflow runs. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h WorkflowRuns) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.WorkflowRun], error) {
	return workflowRunTable().List(ctx, h.tx, env, q)
}

// Update writes how far a workflow run has come. It returns an error of KindNotFound when the run was deleted,
// and also when it has ended: a process that was paused may come back long after another has done the rest.
func (h WorkflowRuns) Update(ctx context.Context, v *millrace.WorkflowRun) error {
	v.UpdatedAt = h.tx.Now()
	guard := workflowRunTable().Status
	n, err := h.tx.Exec(ctx, `UPDATE workflow_run SET status = $3, result = $4, error = $5, retry_attempt = $6, started_at = $7, finished_at = $8,
updated_at = $9 WHERE id = $1 AND environment_id = $2 AND status `+table.OpenWorkflowRun+` AND `+guard.May("status", "CAST($3 AS TEXT)"), string(v.ID), string(v.EnvironmentID), string(v.Status),
		string(v.Result), string(v.Error), v.RetryAttempt, int64(v.StartedAt), int64(v.FinishedAt), int64(v.UpdatedAt))
	return table.Changed(n, err, "workflow run", string(v.ID))
}

// Delete removes a workflow run with the results of its steps, or returns an error of KindNotFound. Its slot is
// free then, whatever it has started.
func (h WorkflowRuns) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID) error {
	t := workflowRunTable()
	run, err := t.Get(ctx, h.tx, env, string(id), "")
	if err != nil {
		return err
	}
	if run.ConcurrencyKey != "" {
		if err := NewFlow(h.tx).Lock(ctx, FlowLocks(run.EnvironmentID, run.WorkflowID, run.ConcurrencyKey)); err != nil {
			return err
		}
	}
	if err := t.Remove(ctx, h.tx, env, string(id)); err != nil {
		return err
	}
	if err := table.RemoveParts(ctx, h.tx, env, []table.Part{{Table: "workflow_step", Column: "workflow_run_id"}}, []string{string(run.ID)}); err != nil {
		return err
	}
	if run.ConcurrencyKey == "" {
		return nil
	}
	return NewFlow(h.tx).WakeFirst(ctx, run)
}

// StepResults returns the results that a workflow run has so far, in the order of its steps.
func (h WorkflowRuns) StepResults(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID) ([]millrace.StepResult, error) {
	var out []millrace.StepResult
	err := h.tx.Each(ctx, "SELECT result FROM workflow_step WHERE workflow_run_id = $1 AND environment_id = $2 ORDER BY step_index",
		[]any{string(id), string(env)}, func(r sqldb.Rows) error {
			var text string
			if err := r.Scan(&text); err != nil {
				return err
			}
			var s millrace.StepResult
			err := json.Unmarshal([]byte(text), &s)
			out = append(out, s)
			return err
		})
	return out, err
}

// AddStepResult adds the result of a step and reports whether it was not there yet: run and index are the key that
// keeps a step from taking effect twice.
func (h WorkflowRuns) AddStepResult(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID, index int, s millrace.StepResult) (bool, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return false, err
	}
	n, err := h.tx.Exec(ctx, "INSERT INTO workflow_step (workflow_run_id, step_index, environment_id, result) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		string(id), index, string(env), string(text))
	return n > 0, err
}

// CreateNew adds runs but for those of events that have already woken the workflow, and returns the ones that it
// added.
func (h WorkflowRuns) CreateNew(ctx context.Context, runs []*millrace.WorkflowRun) ([]*millrace.WorkflowRun, error) {
	added, err := workflowRunTable().InsertAllNew(ctx, h.tx, runs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r *millrace.WorkflowRun) bool { return !added[string(r.ID)] }), nil
}

// Work reports whether an event, or a sync job run that the workflows on it have started, is still being worked on.
func (h WorkflowRuns) Work(ctx context.Context, env millrace.EnvironmentID, id millrace.EventID) (bool, error) {
	for _, query := range []string{
		"SELECT 1 FROM event AS e JOIN event_batch AS b ON b.id = e.batch_id WHERE e.id = $1 AND e.environment_id = $2 LIMIT 1",
		`SELECT 1 FROM decision AS d JOIN workflow_run AS w ON w.id = d.workflow_run_id AND w.environment_id = d.environment_id
WHERE d.event_id = $1 AND d.environment_id = $2 AND d.workflow_run_id <> '' AND (w.status ` + table.OpenWorkflowRun + `
OR EXISTS (SELECT 1 FROM sync_job_run AS s WHERE s.workflow_run_id = w.id AND s.workflow_run_id <> '' AND s.status ` + table.OpenRun + `)) LIMIT 1`,
	} {
		var one int64
		found, err := h.tx.One(ctx, query, []any{string(id), string(env)}, &one)
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// Verdict is what workflows have made of an event so far.
type Verdict struct {
	Open       bool // some of them have not ended; not said of a rejection
	WorkflowID millrace.WorkflowID
	Status     string // of a rejection: failed, cancelled, or the outcome of a decision that could not be made; empty: there is none
	Error      string // a millrace.Failure
}

// Judge returns what the workflows on an event have made of it, without the sync job runs that they have started: it is rejected by a run
// that has failed or was cancelled, and by a decision that could not be made.
func (h WorkflowRuns) Judge(ctx context.Context, env millrace.EnvironmentID, id millrace.EventID) (Verdict, error) {
	// The batch first: what is decided is seen by the second statement once the batch is gone.
	matching, err := h.tx.One(ctx, "SELECT 1 FROM event AS e JOIN event_batch AS b ON b.id = e.batch_id WHERE e.id = $1 AND e.environment_id = $2 LIMIT 1",
		[]any{string(id), string(env)}, new(int64))
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{}
	var open bool
	found, err := h.tx.One(ctx, `SELECT d.workflow_id, COALESCE(w.status, d.outcome), COALESCE(w.error, d.error), COALESCE(w.status `+table.OpenWorkflowRun+`, FALSE)
FROM decision AS d LEFT JOIN workflow_run AS w ON w.id = d.workflow_run_id AND w.environment_id = d.environment_id AND d.workflow_run_id <> ''
WHERE d.event_id = $1 AND d.environment_id = $2 AND (d.outcome IN ('error', 'limit') OR w.status IN ('created', 'running', 'failed', 'cancelled'))
ORDER BY CASE WHEN w.status `+table.OpenWorkflowRun+` THEN 1 ELSE 0 END, d.workflow_id LIMIT 1`,
		[]any{string(id), string(env)}, (*string)(&v.WorkflowID), &v.Status, &v.Error, &open)
	switch {
	case err != nil:
		return Verdict{}, err
	case found && !open:
		return v, nil
	}
	return Verdict{Open: matching || open}, nil
}

// ByID returns a run of whatever environment, or nil. It is for tasks, which know only ids.
func (h WorkflowRuns) ByID(ctx context.Context, id millrace.WorkflowRunID) (*millrace.WorkflowRun, error) {
	return workflowRunTable().Find(ctx, h.tx, "id = $1", string(id))
}
