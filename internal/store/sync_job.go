package store

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
)

func syncJobTable(db *DB) *table[millrace.SyncJob] {
	type row = millrace.SyncJob
	return &table[row]{
		name: "sync_job", what: "sync job", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.SyncJobID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("label", func(v *row) *string { return &v.Label }),
			text("integration_name", func(v *row) *string { return &v.IntegrationName }),
			number("default_runtime_version", func(v *row) *int64 { return &v.DefaultRuntimeVersion }),
			document("args_schema", func(v *row) *json.RawMessage { return &v.ArgsSchema }),
			text("args_validation", func(v *row) *string { return &v.ArgsValidation }),
			text("mutex_key", func(v *row) *string { return &v.MutexKey }),
			text("state_key", func(v *row) *string { return &v.StateKey }),
			text("error_handling", func(v *row) *millrace.ErrorHandling { return &v.ErrorHandling }),
			document("resources", func(v *row) *json.RawMessage { return &v.Resources }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			warnings(func(v *row) *[]millrace.Failure { return &v.Warnings }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertSyncJob adds a sync job and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertSyncJob(ctx context.Context, v *millrace.SyncJob) error {
	return tx.db.tables.syncJob.insert(ctx, tx, v)
}

// SyncJob returns a sync job of the environment, or an error of KindNotFound.
func (tx *Tx) SyncJob(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobID) (*millrace.SyncJob, error) {
	return tx.db.tables.syncJob.get(ctx, tx, env, string(id), "")
}

// ListSyncJobs returns one page of the environment's sync jobs. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListSyncJobs(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.SyncJob], error) {
	return tx.db.tables.syncJob.list(ctx, tx, env, q)
}

// UpdateSyncJob writes all of a sync job, or returns an error of KindNotFound.
func (tx *Tx) UpdateSyncJob(ctx context.Context, v *millrace.SyncJob) error {
	return mustUpdate(ctx, tx, tx.db.tables.syncJob, v, string(v.ID))
}

// DeleteSyncJob removes a sync job, or returns an error of KindNotFound.
func (tx *Tx) DeleteSyncJob(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobID) error {
	return tx.db.tables.syncJob.remove(ctx, tx, env, string(id))
}
