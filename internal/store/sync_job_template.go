package store

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
)

func syncJobTemplateTable(db *DB) *table[millrace.SyncJobTemplate] {
	type row = millrace.SyncJobTemplate
	return &table[row]{
		name: "sync_job_template", what: "sync job template", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.SyncJobTemplateID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("team_id", func(v *row) *string { return &v.TeamID }),
			text("label", func(v *row) *string { return &v.Label }),
			text("integration_name", func(v *row) *string { return &v.IntegrationName }),
			text("description", func(v *row) *string { return &v.Description }),
			text("sharing", func(v *row) *string { return &v.Sharing }),
			number("default_runtime_version", func(v *row) *int64 { return &v.DefaultRuntimeVersion }),
			document("args_schema", func(v *row) *json.RawMessage { return &v.ArgsSchema }),
			text("args_validation", func(v *row) *string { return &v.ArgsValidation }),
			document("resources", func(v *row) *json.RawMessage { return &v.Resources }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertSyncJobTemplate adds a sync job template and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertSyncJobTemplate(ctx context.Context, v *millrace.SyncJobTemplate) error {
	return tx.db.tables.syncJobTemplate.insert(ctx, tx, v)
}

// SyncJobTemplate returns a sync job template of the environment, or an error of KindNotFound.
func (tx *Tx) SyncJobTemplate(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobTemplateID) (*millrace.SyncJobTemplate, error) {
	return tx.db.tables.syncJobTemplate.get(ctx, tx, env, string(id), "")
}

// ListSyncJobTemplates returns one page of the environment's sync job templates. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListSyncJobTemplates(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.SyncJobTemplate], error) {
	return tx.db.tables.syncJobTemplate.list(ctx, tx, env, q)
}

// UpdateSyncJobTemplate writes all of a sync job template, or returns an error of KindNotFound.
func (tx *Tx) UpdateSyncJobTemplate(ctx context.Context, v *millrace.SyncJobTemplate) error {
	return mustUpdate(ctx, tx, tx.db.tables.syncJobTemplate, v, string(v.ID))
}

// DeleteSyncJobTemplate removes a sync job template, or returns an error of KindNotFound.
func (tx *Tx) DeleteSyncJobTemplate(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobTemplateID) error {
	return tx.db.tables.syncJobTemplate.remove(ctx, tx, env, string(id))
}
