package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
)

// Runs of one concurrency key share slots. A run wants one from its arrival, holds one from its beginning, and leaves it
// when it and the sync job runs that its steps started have ended: what a workflow is for is those. Who waits for a slot
// has no task; whoever leaves one, or takes one, wakes the first in line, and the pass that wakes open work does so too.

// slotHolder is the condition of a run that counts.
const slotHolder = "concurrency_key = $1 AND environment_id = $2 AND slot > 0"

// join lets a run want a slot. It returns the run because of which it may not; on cancel_running, the oldest make way.
func (tx *Tx) join(ctx context.Context, c *millrace.Concurrency, run *millrace.WorkflowRun, p *placed) (millrace.WorkflowRunID, error) {
	run.Slot = millrace.SlotWant
	if c.OnConflict == millrace.ConflictQueue {
		return "", nil
	}
	open, err := tx.db.tables.workflowRun.all(ctx, tx, slotHolder+" AND id <> $3 AND cancelled_by = '' ORDER BY created_at, id",
		run.ConcurrencyKey, string(run.EnvironmentID), string(run.ID))
	if err != nil {
		return "", err
	}
	over := len(open) - int(c.Limit) + 1
	if over <= 0 {
		return "", nil
	}
	if c.OnConflict == millrace.ConflictSkip {
		run.Slot = millrace.SlotNone
		return open[0].ID, nil
	}
	for i := range open[:over] {
		task, err := tx.supersede(ctx, &open[i], run.ID)
		if err != nil {
			return "", err
		}
		p.tasks = append(p.tasks, task)
	}
	return "", nil
}

// supersede cancels a run in favour of another. Its task stops the sync job runs that it has started, and then leaves
// its slot.
func (tx *Tx) supersede(ctx context.Context, run *millrace.WorkflowRun, by millrace.WorkflowRunID) (millrace.Task, error) {
	run.CancelledBy = by
	var err error
	if run.Status.Finished() { // what it has started has not ended
		_, err = tx.db.tables.workflowRun.update(ctx, tx, run, "")
	} else {
		err = tx.cancelRun(ctx, run, "superseded", fmt.Sprintf("run %s took its place", by))
	}
	if err != nil {
		return millrace.Task{}, err
	}
	_, err = tx.exec(ctx, "UPDATE decision SET outcome = 'cancelled', cancelled_by = $3 WHERE event_id = $1 AND workflow_id = $2 AND environment_id = $4",
		string(run.EventID), string(run.WorkflowID), string(by), string(run.EnvironmentID))
	if err != nil {
		return millrace.Task{}, fmt.Errorf("mark decision cancelled: %w", err)
	}
	return millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), Wake: true, Environment: run.EnvironmentID}, nil
}

// cancelRun ends a run that has not ended. One that has not begun leaves the line.
func (tx *Tx) cancelRun(ctx context.Context, run *millrace.WorkflowRun, code, message string) error {
	var err error
	if run.Error, err = json.Marshal(millrace.Failure{Code: code, Message: message}); err != nil {
		return err
	}
	if run.Slot == millrace.SlotWant {
		run.Slot = millrace.SlotNone
	}
	run.Status, run.Waiting, run.FinishedAt = millrace.WorkflowRunCancelled, millrace.WaitNone, tx.Now()
	_, err = tx.db.tables.workflowRun.update(ctx, tx, run, "")
	return err
}

// takeSlot lets a run hold a slot, unless none is free or another run is before it in line.
func (tx *Tx) takeSlot(ctx context.Context, c *millrace.Concurrency, run *millrace.WorkflowRun) (bool, error) {
	var held, before int64
	_, err := tx.one(ctx, "SELECT COUNT(*) FROM workflow_run WHERE "+slotHolder+" AND slot = 2 AND id <> $3",
		[]any{run.ConcurrencyKey, string(run.EnvironmentID), string(run.ID)}, &held)
	if err != nil {
		return false, fmt.Errorf("count slots: %w", err)
	}
	if held >= c.Limit {
		return false, nil
	}
	_, err = tx.one(ctx, "SELECT 1 FROM workflow_run WHERE "+slotHolder+` AND slot = 1 AND waiting = 'concurrency'
AND (created_at < $3 OR created_at = $3 AND id < $4) LIMIT 1`, []any{run.ConcurrencyKey, string(run.EnvironmentID), int64(run.CreatedAt), string(run.ID)}, &before)
	if err != nil {
		return false, fmt.Errorf("look ahead in line: %w", err)
	}
	return before == 0, nil
}

// wakeFirst gives the first run in the line of a run its task.
func (tx *Tx) wakeFirst(ctx context.Context, run *millrace.WorkflowRun) error {
	next := millrace.Task{Kind: millrace.TaskWorkflow, Wake: true}
	found, err := tx.one(ctx, "SELECT id, environment_id FROM workflow_run WHERE "+slotHolder+" AND slot = 1 AND waiting = 'concurrency' ORDER BY created_at, id LIMIT 1",
		[]any{run.ConcurrencyKey, string(run.EnvironmentID)}, &next.Key, (*string)(&next.Environment))
	if err != nil {
		return fmt.Errorf("find first in line: %w", err)
	}
	if !found {
		return nil
	}
	return tx.Enqueue(ctx, next)
}

// LeaveSlot frees the slot of a run that has ended, unless a sync job run that it started has not. It takes the lock of
// its key.
func (tx *Tx) LeaveSlot(ctx context.Context, run *millrace.WorkflowRun) error {
	if run.ConcurrencyKey == "" {
		return nil
	}
	if err := tx.LockFlow(ctx, FlowLocks(run.EnvironmentID, run.WorkflowID, run.ConcurrencyKey)); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `UPDATE workflow_run SET slot = 0 WHERE id = $1 AND slot = 2 AND status NOT IN ('created', 'running')
AND NOT EXISTS (SELECT 1 FROM sync_job_run AS s WHERE s.workflow_run_id = $1 AND s.workflow_run_id <> '' AND s.status `+openRun+`)`,
		string(run.ID))
	if err != nil {
		return fmt.Errorf("leave slot: %w", err)
	}
	if n == 0 {
		return nil
	}
	return tx.wakeFirst(ctx, run)
}

// leaveWorkflow gives the workflow run that started a sync job run its task when its slot may be free now.
func (tx *Tx) leaveWorkflow(ctx context.Context, run *millrace.SyncJobRun) error {
	if run.WorkflowRunID == "" || !run.Status.Finished() {
		return nil
	}
	var one int64
	held, err := tx.one(ctx, "SELECT 1 FROM workflow_run WHERE id = $1 AND slot = 2", []any{string(run.WorkflowRunID)}, &one)
	if err != nil {
		return fmt.Errorf("read slot: %w", err)
	}
	if !held {
		return nil
	}
	return tx.Enqueue(ctx, millrace.Task{
		Kind: millrace.TaskWorkflow, Key: string(run.WorkflowRunID), Wake: true, Environment: run.EnvironmentID,
	})
}

// OpenRunsOf returns the sync job runs that a workflow run has started and that have not ended.
func (tx *Tx) OpenRunsOf(ctx context.Context, id millrace.WorkflowRunID) ([]millrace.SyncJobRunID, error) {
	out, err := readIDs[millrace.SyncJobRunID](ctx, tx, "SELECT id FROM sync_job_run WHERE workflow_run_id = $1 AND workflow_run_id <> '' AND status "+
		openRun+" ORDER BY step_index", string(id))
	if err != nil {
		return nil, fmt.Errorf("find open runs: %w", err)
	}
	return out, nil
}
