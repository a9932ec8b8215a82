package store

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// Runs with the same mutex_key stand in line. The first one runs; waiting_for of every other names the run in front of
// it, so the order is that in which they were stored, and no run is named twice. Whoever joins or leaves a line holds its
// lock, and a unique index of the database keeps two runs from being the first.

// lastInLine finds the run that nobody waits for.
const lastInLine = `SELECT r.id FROM sync_job_run AS r WHERE r.environment_id = $1 AND r.mutex_key = $2 AND r.mutex_key <> '' AND r.force = FALSE
AND r.status IN ('created', 'running', 'rate_limited')
AND NOT EXISTS (SELECT 1 FROM sync_job_run AS w WHERE w.waiting_for = r.id AND w.environment_id = r.environment_id AND w.waiting_for <> '')`

func inLine(run *millrace.SyncJobRun) bool { return run.MutexKey != "" && !run.Force }

// LockMutex keeps the line of a run's mutex_key as it is until the transaction ends. Whoever ends a run takes it before it
// touches the run's row: the one in front takes the line first, too, and then the row of the one behind it.
func (tx *Tx) LockMutex(ctx context.Context, run *millrace.SyncJobRun) error {
	lock := tx.db.dialect.lockText()
	if lock == "" || !inLine(run) {
		return nil
	}
	if _, err := tx.exec(ctx, lock, string(run.EnvironmentID)+" "+run.MutexKey); err != nil {
		return fmt.Errorf("lock mutex: %w", err)
	}
	return nil
}

// joinLine finds the run that a new one waits for, if there is one.
func (tx *Tx) joinLine(ctx context.Context, run *millrace.SyncJobRun) error {
	run.WaitingFor = ""
	if !inLine(run) {
		return nil
	}
	if err := tx.LockMutex(ctx, run); err != nil {
		return err
	}
	_, err := tx.one(ctx, lastInLine, []any{string(run.EnvironmentID), run.MutexKey}, (*string)(&run.WaitingFor))
	if err != nil {
		return fmt.Errorf("join line: %w", err)
	}
	return nil
}

// leaveLine closes the line behind a run whose row has ended in the same transaction. The run behind it moves up: it
// starts when the one that ended was the first, and otherwise waits for the one in front of that.
func (tx *Tx) leaveLine(ctx context.Context, run *millrace.SyncJobRun, ahead millrace.SyncJobRunID) error {
	if !inLine(run) || !run.Status.Finished() {
		return nil
	}
	if err := tx.LockMutex(ctx, run); err != nil {
		return err
	}
	next := millrace.SyncJobRun{EnvironmentID: run.EnvironmentID}
	found, err := tx.one(ctx, `UPDATE sync_job_run SET waiting_for = $2, updated_at = $3
WHERE waiting_for = $1 AND waiting_for <> '' AND environment_id = $4 RETURNING id, integrated_account_id`,
		[]any{string(run.ID), string(ahead), int64(tx.Now()), string(run.EnvironmentID)}, (*string)(&next.ID), (*string)(&next.IntegratedAccountID))
	if err != nil {
		return fmt.Errorf("leave line: %w", err)
	}
	if !found || ahead != "" {
		return nil
	}
	return tx.Enqueue(ctx, millrace.SliceTask(&next))
}
