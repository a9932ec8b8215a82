package store

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
)

func syncJobRunTable(db *DB) *table[millrace.SyncJobRun] {
	type row = millrace.SyncJobRun
	return &table[row]{
		name: "sync_job_run", what: "sync job run", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.SyncJobRunID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("sync_job_id", func(v *row) *millrace.SyncJobID { return &v.SyncJobID }),
			text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			text("webhook_id", func(v *row) *millrace.WebhookID { return &v.WebhookID }),
			text("workflow_run_id", func(v *row) *millrace.WorkflowRunID { return &v.WorkflowRunID }),
			hidden(number("step_index", func(v *row) *int64 { return &v.StepIndex })),
			text("sync_job_cron_trigger_id", func(v *row) *millrace.SyncJobCronTriggerID { return &v.SyncJobCronTriggerID }),
			text("status", func(v *row) *millrace.RunStatus { return &v.Status }),
			document("args", func(v *row) *json.RawMessage { return &v.Args }),
			document("resources", func(v *row) *json.RawMessage { return &v.Resources }),
			text("error_handling", func(v *row) *millrace.ErrorHandling { return &v.ErrorHandling }),
			flag("ignore_previous_run", func(v *row) *bool { return &v.IgnorePreviousRun }),
			document("events_to_send", func(v *row) *json.RawMessage { return &v.EventsToSend }),
			number("version", func(v *row) *int64 { return &v.Version }),
			document("resource_stats", func(v *row) *json.RawMessage { return &v.ResourceStats }),
			text("mutex_key", func(v *row) *string { return &v.MutexKey }),
			flag("force", func(v *row) *bool { return &v.Force }),
			text("waiting_for", func(v *row) *millrace.SyncJobRunID { return &v.WaitingFor }),
			text("state_key", func(v *row) *string { return &v.StateKey }),
			document("error", func(v *row) *json.RawMessage { return &v.Error }),
			stamp("retry_at", func(v *row) *millrace.Time { return &v.RetryAt }),
			stamp("parked_since", func(v *row) *millrace.Time { return &v.ParkedSince }),
			hidden(number("depth", func(v *row) *int64 { return &v.Depth })),
			hidden(text("root_event_id", func(v *row) *millrace.EventID { return &v.RootEventID })),
			hidden(number("epoch", func(v *row) *int64 { return &v.Epoch })),
			hidden(number("sequence", func(v *row) *int64 { return &v.Sequence })),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("started_at", func(v *row) *millrace.Time { return &v.StartedAt }),
			stamp("finished_at", func(v *row) *millrace.Time { return &v.FinishedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertSyncJobRun adds a sync job run and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertSyncJobRun(ctx context.Context, v *millrace.SyncJobRun) error {
	return tx.db.tables.syncJobRun.insert(ctx, tx, v)
}

// SyncJobRun returns a sync job run of the environment, or an error of KindNotFound.
func (tx *Tx) SyncJobRun(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	return tx.db.tables.syncJobRun.get(ctx, tx, env, string(id), "")
}

// ListSyncJobRuns returns one page of the environment's sync job runs. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListSyncJobRuns(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.SyncJobRun], error) {
	return tx.db.tables.syncJobRun.list(ctx, tx, env, q)
}
