package syncjobs

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
	"github.com/millrace/millrace/internal/store/workflows"

	"github.com/millrace/millrace"
)

// Lock returns a run and keeps others from changing it, and the line that it stands in, until the transaction
// ends.
func (h SyncJobRuns) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	seen, err := h.Get(ctx, env, id)
	if err != nil {
		return nil, err
	}
	if err := h.LockMutex(ctx, seen); err != nil {
		return nil, err
	}
	return syncJobRunTable().Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForUpdate())
}

// Update writes status, times and error of a run that was locked in the same transaction. When it has ended,
// the run that waits for it moves up.
func (h SyncJobRuns) Update(ctx context.Context, v *millrace.SyncJobRun) error {
	v.UpdatedAt = h.tx.Now()
	ahead := v.WaitingFor
	if v.Status.Finished() {
		v.WaitingFor, v.WaitReason = "", ""
	}
	if err := syncJobRunTable().Watch(ctx, h.tx, v.EnvironmentID, string(v.ID)); err != nil {
		return err
	}
	guard := syncJobRunTable().Status
	n, err := h.tx.Exec(ctx, `UPDATE sync_job_run SET status = $3, error = $4, started_at = $5, finished_at = $6, retry_at = $7, waiting_for = $8,
updated_at = $9, wait_reason = $10 WHERE id = $1 AND environment_id = $2 AND `+guard.May("status", "CAST($3 AS TEXT)"), string(v.ID), string(v.EnvironmentID), string(v.Status), string(v.Error), int64(v.StartedAt),
		int64(v.FinishedAt), int64(v.RetryAt), string(v.WaitingFor), int64(v.UpdatedAt), v.WaitReason)
	if err := guard.Changed(ctx, h.tx, n, err, v.EnvironmentID, string(v.ID), string(v.Status)); err != nil {
		return err
	}
	if err := h.leaveLine(ctx, v, ahead); err != nil {
		return err
	}
	return workflows.NewFlow(h.tx).WakeStarter(ctx, v)
}

// OfStep returns the run that a step of a workflow run started, or nil.
func (h SyncJobRuns) OfStep(ctx context.Context, env millrace.EnvironmentID, run millrace.WorkflowRunID, step int64) (*millrace.SyncJobRun, error) {
	return syncJobRunTable().Find(ctx, h.tx, "environment_id = $1 AND workflow_run_id = $2 AND workflow_run_id <> '' AND step_index = $3", string(env), string(run), step)
}

// LastClean returns the latest completed run of a job for an account in which nothing failed, or nil.
func (h SyncJobRuns) LastClean(ctx context.Context, env millrace.EnvironmentID, job millrace.SyncJobID, account millrace.IntegratedAccountID) (*millrace.SyncJobRun, error) {
	return syncJobRunTable().Find(ctx, h.tx, "environment_id = $1 AND sync_job_id = $2 AND integrated_account_id = $3 AND status = 'completed' AND error_count = 0 ORDER BY started_at DESC, id LIMIT 1",
		string(env), string(job), string(account))
}

// Claim takes over the progress of a run: it raises the epoch, so that its owner before cannot write
// any more. It returns nil when there is no such run.
func (h SyncJobRuns) Claim(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	of := []any{string(id), string(env)}
	if _, err := h.tx.Exec(ctx, "UPDATE sync_job_run SET epoch = epoch + 1 WHERE id = $1 AND environment_id = $2", of...); err != nil {
		return nil, fmt.Errorf("claim sync job run: %w", err)
	}
	v, err := syncJobRunTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2", of...)
	if err != nil || v == nil {
		return nil, err
	}
	var packed []byte
	if _, err := h.tx.One(ctx, "SELECT checkpoint FROM sync_job_run WHERE id = $1 AND environment_id = $2", of, &packed); err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	if len(packed) > 0 {
		if v.Checkpoint, err = sqldb.Unpack(packed); err != nil {
			return nil, fmt.Errorf("read checkpoint: %w", err)
		}
	}
	return v, nil
}

// Save writes the progress of a claimed run. When it has ended with it, the run that waits for it starts. It
// returns an error of KindConflict when another slice has claimed it since or when it was finished meanwhile.
func (h SyncJobRuns) Save(ctx context.Context, v *millrace.SyncJobRun) error {
	v.UpdatedAt = h.tx.Now()
	guard := syncJobRunTable().Status
	n, err := h.tx.Exec(ctx, `UPDATE sync_job_run SET status = $3, resource_stats = $4, error = $5, retry_at = $6, parked_since = $7,
sequence = $8, checkpoint = $9, started_at = $10, finished_at = $11, updated_at = $12, error_count = $14, first_error = $15, is_partial = $16,
wait_reason = $17, waits_for_account = $18
WHERE id = $1 AND epoch = $2 AND environment_id = $13 AND status `+table.OpenRun+" AND "+guard.May("status", "CAST($3 AS TEXT)"),
		string(v.ID), v.Epoch, string(v.Status), string(v.ResourceStats), string(v.Error), int64(v.RetryAt), int64(v.ParkedSince),
		v.Sequence, h.tx.Pack(v.Checkpoint), int64(v.StartedAt), int64(v.FinishedAt), int64(v.UpdatedAt), string(v.EnvironmentID),
		v.ErrorCount, string(v.FirstError), v.IsPartial, v.WaitReason, string(v.WaitsForAccount))
	if err == nil && n == 0 {
		err = h.fault(ctx, v)
	}
	if err := table.Fenced(n, err, "sync job run", string(v.ID)); err != nil {
		return err
	}
	if err := h.leaveLine(ctx, v, ""); err != nil {
		return err
	}
	return workflows.NewFlow(h.tx).WakeStarter(ctx, v)
}

// fault tells a status that its own slice may not write from a run that another has claimed or ended: the slice would leave quietly,
// and the next one do the same.
func (h SyncJobRuns) fault(ctx context.Context, v *millrace.SyncJobRun) error {
	now, err := syncJobRunTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2", string(v.ID), string(v.EnvironmentID))
	if err != nil || now == nil || now.Epoch != v.Epoch || now.Status.Finished() {
		return err
	}
	return syncJobRunTable().Status.Fault(string(v.ID), string(now.Status), string(v.Status))
}

// SaveProgress is Save for a run that was running and still is, and in which nothing has failed since it was saved. It
// leaves alone what stays the same then, and with it the index of open runs.
func (h SyncJobRuns) SaveProgress(ctx context.Context, v *millrace.SyncJobRun) error {
	v.UpdatedAt = h.tx.Now()
	n, err := h.tx.Exec(ctx, `UPDATE sync_job_run SET resource_stats = $3, retry_at = $4, parked_since = $5, sequence = $6, checkpoint = $7, updated_at = $8, wait_reason = $10, waits_for_account = $11
WHERE id = $1 AND epoch = $2 AND environment_id = $9 AND status = 'running'`,
		string(v.ID), v.Epoch, string(v.ResourceStats), int64(v.RetryAt), int64(v.ParkedSince), v.Sequence, h.tx.Pack(v.Checkpoint), int64(v.UpdatedAt), string(v.EnvironmentID), v.WaitReason,
		string(v.WaitsForAccount))
	return table.Fenced(n, err, "sync job run", string(v.ID))
}
