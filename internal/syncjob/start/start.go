package start

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trace"
)

// Start stores a prepared run, and the task that starts it unless it has to wait for another with the same mutex_key.
// Workflows and webhooks are notified. It returns the stored run, and an error of KindConflict when its id is taken.
func Start(ctx context.Context, tx *store.Tx, prepared *millrace.SyncJobRun) (*millrace.SyncJobRun, error) {
	run := *prepared // the transaction may be repeated
	run.Traceparent = trace.From(ctx)
	if err := tx.SyncJobRuns().Start(ctx, &run); err != nil {
		return nil, err
	}
	e, err := millrace.RunEvent(millrace.EventRunCreated, &run)
	if err != nil {
		return nil, err
	}
	return &run, event.Emit(ctx, tx, e)
}

// Stop ends a run, unless it has ended. Its slice may be under way: it finds the run ended when it saves its next page.
func Stop(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	run, err := tx.SyncJobRuns().Lock(ctx, env, id)
	if err != nil || run.Status.Finished() {
		return run, err
	}
	run.Status, run.FinishedAt = millrace.RunStopped, tx.Now()
	if err := tx.SyncJobRuns().Update(ctx, run); err != nil {
		return nil, err
	}
	e, err := millrace.RunEvent(millrace.EventRunUpdated, run)
	if err != nil {
		return nil, err
	}
	if err := event.Emit(ctx, tx, e); err != nil {
		return nil, err
	}
	// A run that waits has no task that would drop what it has not delivered.
	task := millrace.SliceTask(run)
	task.Wake = true
	return run, tx.Enqueue(ctx, task)
}
