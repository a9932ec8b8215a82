package control

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Runs of one concurrency key share slots. A run wants one from its arrival, holds one from its beginning, and leaves it
// when it and the sync job runs that its steps started have ended: what a workflow is for is those. Who waits for a slot
// has no task; the run that leaves one, or takes one, wakes the first in line, and the pass that wakes open work does so too.

// isFree reports whether a run may hold a slot: one is free, and no other run is before it in line.
func isFree(ctx context.Context, tx *store.Tx, c *millrace.Concurrency, run *millrace.WorkflowRun) (bool, error) {
	held, err := tx.Flow().SlotsHeld(ctx, run)
	if err != nil || held >= c.Limit {
		return false, err
	}
	ahead, err := tx.Flow().HasRunAhead(ctx, run)
	return !ahead, err
}

// Hold keeps a run with a concurrency key from being cancelled until the transaction ends, and reports
// whether it still goes.
func Hold(ctx context.Context, tx *store.Tx, run *millrace.WorkflowRun) (bool, error) {
	if run.ConcurrencyKey == "" {
		return true, nil
	}
	if err := tx.Flow().Lock(ctx, store.FlowLocks(run.EnvironmentID, run.WorkflowID, run.ConcurrencyKey)); err != nil {
		return false, err
	}
	now, err := tx.WorkflowRuns().ByID(ctx, run.ID)
	return err == nil && now != nil && !now.Status.Finished(), err
}

// LeaveSlot frees the slot of a run that has ended, unless a sync job run that it started has not. It takes the lock of
// its key.
func LeaveSlot(ctx context.Context, tx *store.Tx, run *millrace.WorkflowRun) error {
	if run.ConcurrencyKey == "" {
		return nil
	}
	if err := tx.Flow().Lock(ctx, store.FlowLocks(run.EnvironmentID, run.WorkflowID, run.ConcurrencyKey)); err != nil {
		return err
	}
	freed, err := tx.Flow().FreeSlot(ctx, run)
	if err != nil || !freed {
		return err
	}
	return tx.Flow().WakeFirst(ctx, run)
}
