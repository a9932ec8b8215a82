package store

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
)

func integrationTable(db *DB) *table[millrace.Integration] {
	type row = millrace.Integration
	return &table[row]{
		name: "integration", what: "integration", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.IntegrationID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("name", func(v *row) *string { return &v.Name }),
			text("category", func(v *row) *string { return &v.Category }),
			flag("is_beta", func(v *row) *bool { return &v.IsBeta }),
			text("sharing", func(v *row) *string { return &v.Sharing }),
			text("team_id", func(v *row) *string { return &v.TeamID }),
			number("version", func(v *row) *int64 { return &v.Version }),
			sealed(db, "integration", "config", func(v *row) *json.RawMessage { return &v.Config }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertIntegration adds an integration and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertIntegration(ctx context.Context, v *millrace.Integration) error {
	return tx.db.tables.integration.insert(ctx, tx, v)
}

// Integration returns an integration of the environment, or an error of KindNotFound.
func (tx *Tx) Integration(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegrationID) (*millrace.Integration, error) {
	return tx.db.tables.integration.get(ctx, tx, env, string(id), "")
}

// ListIntegrations returns one page of the environment's integrations. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListIntegrations(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Integration], error) {
	return tx.db.tables.integration.list(ctx, tx, env, q)
}

// UpdateIntegration writes all of an integration, or returns an error of KindNotFound.
func (tx *Tx) UpdateIntegration(ctx context.Context, v *millrace.Integration) error {
	return mustUpdate(ctx, tx, tx.db.tables.integration, v, string(v.ID))
}

// DeleteIntegration removes an integration, or returns an error of KindNotFound.
func (tx *Tx) DeleteIntegration(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegrationID) error {
	return tx.db.tables.integration.remove(ctx, tx, env, string(id))
}
