package syncjobs

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/table"
)

// Runs with the same mutex_key stand in line. The first one runs; waiting_for of every other names the run in front of
// it, so the order is that in which they were stored, and no run is named twice. A transaction that joins or leaves a line holds its
// lock, and a unique index of the database keeps two runs from being the first.

// lastInLine finds the run that no other waits for.
const lastInLine = `SELECT r.id FROM sync_job_run AS r WHERE r.environment_id = $1 AND r.mutex_key = $2 AND r.mutex_key <> '' AND r.force = FALSE
AND r.status ` + table.OpenRun + `
AND NOT EXISTS (SELECT 1 FROM sync_job_run AS w WHERE w.waiting_for = r.id AND w.environment_id = r.environment_id AND w.waiting_for <> '')`

func inLine(run *millrace.SyncJobRun) bool { return run.MutexKey != "" && !run.Force }

// LockMutex locks the line of a run's mutex_key until the transaction ends. A transaction that ends a run takes it before it
// touches the run's row: the one in front takes the line first, too, and then the row of the one behind it.
func (h SyncJobRuns) LockMutex(ctx context.Context, run *millrace.SyncJobRun) error {
	lock := h.tx.Dialect().LockText()
	if lock == "" || !inLine(run) {
		return nil
	}
	if _, err := h.tx.Exec(ctx, lock, string(run.EnvironmentID)+" "+run.MutexKey); err != nil {
		return fmt.Errorf("lock mutex: %w", err)
	}
	return nil
}

// joinLine finds the run that a new one waits for, if there is one.
func (h SyncJobRuns) joinLine(ctx context.Context, run *millrace.SyncJobRun) error {
	run.WaitingFor = ""
	if !inLine(run) {
		return nil
	}
	if err := h.LockMutex(ctx, run); err != nil {
		return err
	}
	_, err := h.tx.One(ctx, lastInLine, []any{string(run.EnvironmentID), run.MutexKey}, (*string)(&run.WaitingFor))
	if err != nil {
		return fmt.Errorf("join line: %w", err)
	}
	run.WaitReason = waitInLine(run.WaitingFor)
	return nil
}

// waitInLine says why a run waits that has another one ahead; empty: none.
func waitInLine(ahead millrace.SyncJobRunID) string {
	if ahead == "" {
		return ""
	}
	return "the run " + string(ahead) + " has the same mutex_key and is ahead"
}

// leaveLine closes the line behind a run whose row has ended in the same transaction. The run behind it moves up: it
// starts when the one that ended was the first, and otherwise waits for the one in front of that.
func (h SyncJobRuns) leaveLine(ctx context.Context, run *millrace.SyncJobRun, ahead millrace.SyncJobRunID) error {
	if !inLine(run) || !run.Status.Finished() {
		return nil
	}
	if err := h.LockMutex(ctx, run); err != nil {
		return err
	}
	next := millrace.SyncJobRun{EnvironmentID: run.EnvironmentID}
	found, err := h.tx.One(ctx, `UPDATE sync_job_run SET waiting_for = $2, updated_at = $3, wait_reason = $5
WHERE waiting_for = $1 AND waiting_for <> '' AND environment_id = $4 RETURNING id, integrated_account_id, traceparent`,
		[]any{string(run.ID), string(ahead), int64(h.tx.Now()), string(run.EnvironmentID), waitInLine(ahead)},
		(*string)(&next.ID), (*string)(&next.IntegratedAccountID), &next.Traceparent)
	if err != nil {
		return fmt.Errorf("leave line: %w", err)
	}
	if !found || ahead != "" {
		return nil
	}
	return h.tx.Enqueue(ctx, millrace.SliceTask(&next))
}
