package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
)

// Why a run that waited was cancelled with its workflow.
const (
	workflowDeleted = "workflow_deleted"
	whileWaiting    = "the workflow was deleted while the run waited"
)

// BeginWorkflowRun lets a run begin that flow control has a say in, and returns it as it is now: running; or created,
// when it waits; or ended; or nil, when it was deleted. seen is the run as the caller knows it.
func (tx *Tx) BeginWorkflowRun(ctx context.Context, seen *millrace.WorkflowRun) (*millrace.WorkflowRun, error) {
	if err := tx.LockFlow(ctx, FlowLocks(seen.EnvironmentID, seen.WorkflowID, seen.RateKey, seen.ConcurrencyKey)); err != nil {
		return nil, err
	}
	t := tx.db.tables.workflowRun
	run, err := t.find(ctx, tx, "id = $1"+tx.db.dialect.forUpdate(), string(seen.ID))
	if err != nil || run == nil || run.Status != millrace.WorkflowRunCreated || run.RunAt > tx.Now() {
		return run, err
	}
	if run.RateKey != seen.RateKey || run.ConcurrencyKey != seen.ConcurrencyKey {
		return run, nil // an event came in between, and we hold the wrong locks
	}
	if err := tx.begin(ctx, run); err != nil {
		return nil, err
	}
	if _, err := t.update(ctx, tx, run, ""); err != nil {
		return nil, err
	}
	if run.Status == millrace.WorkflowRunCreated || run.ConcurrencyKey == "" {
		return run, nil
	}
	return run, tx.wakeFirst(ctx, run) // it is no longer the first
}

// begin decides about a run whose time has come.
func (tx *Tx) begin(ctx context.Context, run *millrace.WorkflowRun) error {
	if _, err := tx.Workflow(ctx, run.EnvironmentID, run.WorkflowID); millrace.KindOf(err) == millrace.KindNotFound {
		return tx.cancelRun(ctx, run, workflowDeleted, whileWaiting)
	} else if err != nil {
		return err
	}
	w, err := tx.WorkflowVersion(ctx, run.EnvironmentID, run.WorkflowID, run.WorkflowVersion)
	if err != nil {
		return err
	}
	if run.Waiting == millrace.WaitDebounce {
		if err := tx.undebounce(ctx, &w.Config, run); err != nil || run.Status.Finished() || run.RunAt > tx.Now() {
			return err
		}
	}
	if run.Slot == millrace.SlotWant {
		free, err := tx.takeSlot(ctx, w.Config.Concurrency, run)
		if err != nil {
			return err
		}
		if !free {
			run.Waiting = millrace.WaitSlot
			return nil
		}
		run.Slot = millrace.SlotHold
	}
	run.Status, run.Waiting, run.StartedAt = millrace.WorkflowRunRunning, millrace.WaitNone, tx.Now()
	return nil
}

// undebounce asks the controls that come after debounce, for which the run did not count so far.
func (tx *Tx) undebounce(ctx context.Context, c *millrace.WorkflowConfig, run *millrace.WorkflowRun) error {
	p, err := tx.place(ctx, c, run)
	if err != nil {
		return err
	}
	if p.outcome == millrace.OutcomeSkipped {
		_, err := tx.exec(ctx, "UPDATE decision SET outcome = 'skipped', workflow_run_id = $3 WHERE event_id = $1 AND workflow_id = $2 AND environment_id = $4",
			string(run.EventID), string(run.WorkflowID), string(p.run), string(run.EnvironmentID))
		if err != nil {
			return fmt.Errorf("mark decision skipped: %w", err)
		}
		return tx.cancelRun(ctx, run, "skipped", fmt.Sprintf("run %s is going, and concurrency allows no more", p.run))
	}
	return tx.Enqueue(ctx, p.tasks...)
}

// HoldWorkflowRun keeps a run with a concurrency key from being cancelled until the transaction ends, and reports
// whether it still goes.
func (tx *Tx) HoldWorkflowRun(ctx context.Context, run *millrace.WorkflowRun) (bool, error) {
	if run.ConcurrencyKey == "" {
		return true, nil
	}
	if err := tx.LockFlow(ctx, FlowLocks(run.EnvironmentID, run.WorkflowID, run.ConcurrencyKey)); err != nil {
		return false, err
	}
	now, err := tx.WorkflowRunByID(ctx, run.ID)
	return err == nil && now != nil && !now.Status.Finished(), err
}

// cancelWaiting ends the runs of a workflow that wait.
func (tx *Tx) cancelWaiting(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) error {
	why, err := json.Marshal(millrace.Failure{Code: workflowDeleted, Message: whileWaiting})
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE workflow_run SET status = 'cancelled', waiting = '', slot = 0, error = $3, finished_at = $4, updated_at = $4
WHERE workflow_id = $1 AND environment_id = $2 AND waiting <> '' AND status = 'created'`,
		strings.ToLower(string(id)), string(env), string(why), int64(tx.Now()))
	if err != nil {
		return fmt.Errorf("cancel waiting runs: %w", err)
	}
	return nil
}
