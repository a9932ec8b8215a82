package workflows

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// slotHolder is the condition of a run that counts under a concurrency key: it holds a slot or wants one.
const slotHolder = "concurrency_key = $1 AND environment_id = $2 AND slot > 0"

// SlotHolders returns the other runs that count under the concurrency key of a run and need not make way yet, the oldest first.
func (h Flow) SlotHolders(ctx context.Context, run *millrace.WorkflowRun) ([]millrace.WorkflowRun, error) {
	return workflowRunTable().All(ctx, h.tx, slotHolder+" AND id <> $3 AND cancelled_by = '' ORDER BY created_at, id",
		run.ConcurrencyKey, string(run.EnvironmentID), string(run.ID))
}

// SlotsHeld counts the slots that other runs hold under the concurrency key of a run.
func (h Flow) SlotsHeld(ctx context.Context, run *millrace.WorkflowRun) (int64, error) {
	var held int64
	_, err := h.tx.One(ctx, "SELECT COUNT(*) FROM workflow_run WHERE "+slotHolder+" AND slot = 2 AND id <> $3",
		[]any{run.ConcurrencyKey, string(run.EnvironmentID), string(run.ID)}, &held)
	if err != nil {
		return 0, fmt.Errorf("count slots: %w", err)
	}
	return held, nil
}

// HasRunAhead reports whether another run is before a run in line.
func (h Flow) HasRunAhead(ctx context.Context, run *millrace.WorkflowRun) (bool, error) {
	var one int64
	found, err := h.tx.One(ctx, "SELECT 1 FROM workflow_run WHERE "+slotHolder+` AND slot = 1 AND waiting = 'concurrency'
AND (created_at < $3 OR created_at = $3 AND id < $4) LIMIT 1`, []any{run.ConcurrencyKey, string(run.EnvironmentID), int64(run.CreatedAt), string(run.ID)}, &one)
	if err != nil {
		return false, fmt.Errorf("look ahead in line: %w", err)
	}
	return found, nil
}

// WakeFirst gives the first run in the line of a run its task.
func (h Flow) WakeFirst(ctx context.Context, run *millrace.WorkflowRun) error {
	next := millrace.Task{Kind: millrace.TaskWorkflow, Wake: true}
	found, err := h.tx.One(ctx, `SELECT id, environment_id,
COALESCE((SELECT e.traceparent FROM event AS e WHERE e.id = workflow_run.event_id AND e.environment_id = workflow_run.environment_id), '')
FROM workflow_run WHERE `+slotHolder+" AND slot = 1 AND waiting = 'concurrency' ORDER BY created_at, id LIMIT 1",
		[]any{run.ConcurrencyKey, string(run.EnvironmentID)}, &next.Key, (*string)(&next.Environment), &next.Traceparent)
	if err != nil {
		return fmt.Errorf("find first in line: %w", err)
	}
	if !found {
		return nil
	}
	return h.tx.Enqueue(ctx, next)
}

// FreeSlot takes the slot from a run that has ended, unless a sync job run that it started has not, and reports whether it did.
func (h Flow) FreeSlot(ctx context.Context, run *millrace.WorkflowRun) (bool, error) {
	n, err := h.tx.Exec(ctx, `UPDATE workflow_run SET slot = 0 WHERE id = $1 AND slot = 2 AND status NOT `+table.OpenWorkflowRun+`
AND NOT EXISTS (SELECT 1 FROM sync_job_run AS s WHERE s.workflow_run_id = $1 AND s.workflow_run_id <> '' AND s.status `+table.OpenRun+`)`,
		string(run.ID))
	if err != nil {
		return false, fmt.Errorf("leave slot: %w", err)
	}
	return n > 0, nil
}

// WakeStarter gives the workflow run that started a sync job run its task when the sync job run has ended and its slot may be free now.
func (h Flow) WakeStarter(ctx context.Context, run *millrace.SyncJobRun) error {
	if run.WorkflowRunID == "" || !run.Status.Finished() {
		return nil
	}
	var one int64
	held, err := h.tx.One(ctx, "SELECT 1 FROM workflow_run WHERE id = $1 AND slot = 2", []any{string(run.WorkflowRunID)}, &one)
	if err != nil {
		return fmt.Errorf("read slot: %w", err)
	}
	if !held {
		return nil
	}
	return h.tx.Enqueue(ctx, millrace.Task{
		Kind: millrace.TaskWorkflow, Key: string(run.WorkflowRunID), Wake: true, Environment: run.EnvironmentID,
	})
}
