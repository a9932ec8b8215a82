package control

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Begin lets a run under flow control begin and returns its current row: running; or created,
// when it waits; or ended; or nil, when it was deleted. seen is the run as the caller knows it.
func Begin(ctx context.Context, tx *store.Tx, seen *millrace.WorkflowRun) (*millrace.WorkflowRun, error) {
	if err := tx.Flow().Lock(ctx, store.FlowLocks(seen.EnvironmentID, seen.WorkflowID, seen.RateKey, seen.ConcurrencyKey)); err != nil {
		return nil, err
	}
	run, err := tx.Flow().LockRun(ctx, seen.ID)
	if err != nil || run == nil || run.Status != millrace.WorkflowRunCreated || run.RunAt > tx.Now() {
		return run, err
	}
	if run.RateKey != seen.RateKey || run.ConcurrencyKey != seen.ConcurrencyKey {
		return run, nil // an event came in between, and we hold the wrong locks
	}
	next, err := begin(ctx, tx, *run)
	if err != nil {
		return nil, err
	}
	if err := tx.Flow().SaveRun(ctx, &next); err != nil {
		return nil, err
	}
	if next.Status == millrace.WorkflowRunCreated || next.ConcurrencyKey == "" {
		return &next, nil
	}
	return &next, tx.Flow().WakeFirst(ctx, &next) // it is no longer the first
}

// begin decides about a run whose time has come.
func begin(ctx context.Context, tx *store.Tx, run millrace.WorkflowRun) (millrace.WorkflowRun, error) {
	if _, err := tx.Workflows().Get(ctx, run.EnvironmentID, run.WorkflowID); millrace.KindOf(err) == millrace.KindNotFound {
		return cancelled(run, millrace.WorkflowDeleted(), tx.Now())
	} else if err != nil {
		return run, err
	}
	w, err := tx.Workflows().GetVersion(ctx, run.EnvironmentID, run.WorkflowID, run.WorkflowVersion)
	if err != nil {
		return run, err
	}
	if run.Waiting == millrace.WaitDebounce {
		if run, err = undebounce(ctx, tx, &w.Config, run); err != nil || run.Status.Finished() || run.RunAt > tx.Now() {
			return run, err
		}
	}
	if run.Slot == millrace.SlotWant {
		free, err := isFree(ctx, tx, w.Config.Concurrency, &run)
		if err != nil {
			return run, err
		}
		if !free {
			run.Waiting = millrace.WaitSlot
			return run, nil
		}
	}
	return begun(run, tx.Now()), nil
}

// undebounce asks the controls that come after debounce, for which the run did not count so far.
func undebounce(ctx context.Context, tx *store.Tx, c *millrace.WorkflowConfig, run millrace.WorkflowRun) (millrace.WorkflowRun, error) {
	f, err := read(ctx, tx, c, &run)
	if err != nil {
		return run, err
	}
	p := place(c, run, f)
	if p.outcome == millrace.OutcomeSkipped {
		if err := tx.Decisions().Skip(ctx, &run, p.led); err != nil {
			return run, err
		}
		return cancelled(p.run, millrace.Failure{Code: "skipped", Message: fmt.Sprintf("run %s is going, and concurrency allows no more", p.led)}, f.now)
	}
	tasks, err := supersede(ctx, tx, &p)
	if err != nil {
		return run, err
	}
	return p.run, tx.Enqueue(ctx, tasks...)
}
