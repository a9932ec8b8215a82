package store

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/millrace/millrace"
)

func workflowRunTable(db *DB) *table[millrace.WorkflowRun] {
	type row = millrace.WorkflowRun
	return &table[row]{
		name: "workflow_run", what: "workflow run", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.WorkflowRunID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("workflow_id", func(v *row) *millrace.WorkflowID { return &v.WorkflowID }),
			number("workflow_version", func(v *row) *int64 { return &v.WorkflowVersion }),
			text("event_id", func(v *row) *millrace.EventID { return &v.EventID }),
			text("status", func(v *row) *millrace.WorkflowRunStatus { return &v.Status }),
			text("waiting", func(v *row) *millrace.WaitReason { return &v.Waiting }),
			stamp("run_at", func(v *row) *millrace.Time { return &v.RunAt }),
			text("cancelled_by", func(v *row) *millrace.WorkflowRunID { return &v.CancelledBy }),
			document("result", func(v *row) *json.RawMessage { return &v.Result }),
			document("error", func(v *row) *json.RawMessage { return &v.Error }),
			number("retry_attempt", func(v *row) *int64 { return &v.RetryAttempt }),
			stamp("started_at", func(v *row) *millrace.Time { return &v.StartedAt }),
			stamp("finished_at", func(v *row) *millrace.Time { return &v.FinishedAt }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			hidden(text("debounce_key", func(v *row) *string { return &v.DebounceKey })),
			hidden(stamp("run_before", func(v *row) *millrace.Time { return &v.RunBefore })),
			hidden(text("rate_key", func(v *row) *string { return &v.RateKey })),
			hidden(stamp("rate_at", func(v *row) *millrace.Time { return &v.RateAt })),
			hidden(text("concurrency_key", func(v *row) *string { return &v.ConcurrencyKey })),
			hidden(number("slot", func(v *row) *int64 { return (*int64)(&v.Slot) })),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertWorkflowRun adds a workflow run and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertWorkflowRun(ctx context.Context, v *millrace.WorkflowRun) error {
	return tx.db.tables.workflowRun.insert(ctx, tx, v)
}

// WorkflowRun returns a workflow run of the environment, or an error of KindNotFound.
func (tx *Tx) WorkflowRun(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID) (*millrace.WorkflowRun, error) {
	return tx.db.tables.workflowRun.get(ctx, tx, env, string(id), "")
}

// ListWorkflowRuns returns one page of the environment's workflow runs. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListWorkflowRuns(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.WorkflowRun], error) {
	return tx.db.tables.workflowRun.list(ctx, tx, env, q)
}

// UpdateWorkflowRun writes how far a workflow run has come. It returns an error of KindNotFound when the run was deleted,
// and also when it has ended: a process that was paused may come back long after another has done the rest.
func (tx *Tx) UpdateWorkflowRun(ctx context.Context, v *millrace.WorkflowRun) error {
	v.UpdatedAt = tx.Now()
	n, err := tx.exec(ctx, `UPDATE workflow_run SET status = $3, result = $4, error = $5, retry_attempt = $6, started_at = $7, finished_at = $8,
updated_at = $9 WHERE id = $1 AND environment_id = $2 AND status IN ('created', 'running')`, string(v.ID), string(v.EnvironmentID), string(v.Status),
		string(v.Result), string(v.Error), v.RetryAttempt, int64(v.StartedAt), int64(v.FinishedAt), int64(v.UpdatedAt))
	return changed(n, err, "workflow run", string(v.ID))
}

// DeleteWorkflowRun removes a workflow run with the results of its steps, or returns an error of KindNotFound. Its slot is
// free then, whatever it has started.
func (tx *Tx) DeleteWorkflowRun(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID) error {
	t := tx.db.tables.workflowRun
	run, err := t.get(ctx, tx, env, string(id), "")
	if err != nil {
		return err
	}
	if run.ConcurrencyKey != "" {
		if err := tx.LockFlow(ctx, FlowLocks(run.EnvironmentID, run.WorkflowID, run.ConcurrencyKey)); err != nil {
			return err
		}
	}
	if err := t.remove(ctx, tx, env, string(id)); err != nil {
		return err
	}
	if err := tx.removeParts(ctx, env, []part{{table: "workflow_step", column: "workflow_run_id"}}, []string{string(run.ID)}); err != nil {
		return err
	}
	if run.ConcurrencyKey == "" {
		return nil
	}
	return tx.wakeFirst(ctx, run)
}

// StepResults returns the results that a workflow run has so far, in the order of its steps.
func (tx *Tx) StepResults(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID) ([]millrace.StepResult, error) {
	var out []millrace.StepResult
	err := tx.each(ctx, "SELECT result FROM workflow_step WHERE workflow_run_id = $1 AND environment_id = $2 ORDER BY step_index",
		[]any{string(id), string(env)}, func(r rows) error {
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

// InsertStepResult adds the result of a step and reports whether it was not there yet: run and index are the key that
// keeps a step from taking effect twice.
func (tx *Tx) InsertStepResult(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID, index int, s millrace.StepResult) (bool, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return false, err
	}
	n, err := tx.exec(ctx, "INSERT INTO workflow_step (workflow_run_id, step_index, environment_id, result) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		string(id), index, string(env), string(text))
	return n > 0, err
}

// InsertNewWorkflowRuns adds runs but for those of events that have already woken the workflow, and returns the ones that it
// added.
func (tx *Tx) InsertNewWorkflowRuns(ctx context.Context, runs []*millrace.WorkflowRun) ([]*millrace.WorkflowRun, error) {
	added, err := tx.db.tables.workflowRun.insertAllNew(ctx, tx, runs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r *millrace.WorkflowRun) bool { return !added[string(r.ID)] }), nil
}

// WorkflowRunByID returns a run of whatever environment, or nil. It is for tasks, which know only ids.
func (tx *Tx) WorkflowRunByID(ctx context.Context, id millrace.WorkflowRunID) (*millrace.WorkflowRun, error) {
	return tx.db.tables.workflowRun.find(ctx, tx, "id = $1", string(id))
}
