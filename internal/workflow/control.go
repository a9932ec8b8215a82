package workflow

import (
	"context"
	"errors"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/start"
	"github.com/millrace/millrace/internal/workflow/control"
)

// errEnded says that flow control has cancelled the run meanwhile.
var errEnded = errors.New("the workflow run has ended meanwhile")

// begin reports whether a run that flow control holds may go on. It may have to wait: until a time, for which its task
// comes back, or for a slot, for which it is woken.
func (r *Runner) begin(ctx context.Context, held *millrace.WorkflowRun) (bool, error) {
	type begun struct {
		run *millrace.WorkflowRun
		now millrace.Time
	}
	out, err := store.Compute(ctx, r.db, func(tx *store.Tx) (begun, error) {
		run, err := control.Begin(ctx, tx, held)
		if err == nil && run != nil && run.Waiting == millrace.WaitSlot {
			err = tx.Finish(ctx)
		}
		return begun{run, tx.Now()}, err
	})
	run := out.run
	switch {
	case err != nil:
		return false, err
	case run == nil || run.Status != millrace.WorkflowRunCreated:
		return true, nil
	case run.Waiting == millrace.WaitSlot:
		return false, nil
	}
	return false, millrace.RetryAfter(run.RunAt.Std().Sub(out.now.Std()), nil)
}

// leave ends the task of a run that has ended. A run that had to make way takes with it what it has started; a slot
// becomes free when all of that has ended.
func (r *Runner) leave(ctx context.Context, id millrace.WorkflowRunID) error {
	var run *millrace.WorkflowRun
	var open []millrace.SyncJobRunID
	err := r.db.View(ctx, func(tx *store.Tx) error {
		var err error
		if run, err = tx.WorkflowRuns().ByID(ctx, id); err != nil || run == nil || run.CancelledBy == "" {
			return err
		}
		open, err = tx.SyncJobRuns().OpenOfWorkflowRun(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	for _, started := range open {
		err := r.db.Update(ctx, func(tx *store.Tx) error {
			_, err := start.Stop(ctx, tx, run.EnvironmentID, started)
			return err
		})
		if err != nil && millrace.KindOf(err) != millrace.KindNotFound {
			return err
		}
	}
	return r.db.Update(ctx, func(tx *store.Tx) error {
		if run != nil {
			if err := control.LeaveSlot(ctx, tx, run); err != nil {
				return err
			}
		}
		return tx.Finish(ctx)
	})
}
