package store

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
)

func environmentIntegrationTable(db *DB) *table[millrace.EnvironmentIntegration] {
	type row = millrace.EnvironmentIntegration
	return &table[row]{
		name: "environment_integration", what: "environment integration", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.EnvironmentIntegrationID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("integration_id", func(v *row) *millrace.IntegrationID { return &v.IntegrationID }),
			flag("show_in_catalog", func(v *row) *bool { return &v.ShowInCatalog }),
			flag("is_enabled", func(v *row) *bool { return &v.IsEnabled }),
			sealed(db, "environment_integration", "override", func(v *row) *json.RawMessage { return &v.Override }),
			hidden(flag("addressable", func(v *row) *bool { return &v.Addressable })),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		virtual: map[string]virtual{
			"integration.name":     {"COALESCE((SELECT i.name FROM integration i WHERE i.id = t.integration_id AND i.environment_id = t.environment_id), '')", kindText},
			"integration.category": {"COALESCE((SELECT i.category FROM integration i WHERE i.id = t.integration_id AND i.environment_id = t.environment_id), '')", kindText},
		},
		fill: func(tx *Tx, v *row) {
			v.Addressable = addressable(v.EnvironmentID, string(v.ID))
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertEnvironmentIntegration adds an environment integration and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertEnvironmentIntegration(ctx context.Context, v *millrace.EnvironmentIntegration) error {
	return tx.db.tables.environmentIntegration.insert(ctx, tx, v)
}

// EnvironmentIntegration returns an environment integration of the environment, or an error of KindNotFound.
func (tx *Tx) EnvironmentIntegration(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) (*millrace.EnvironmentIntegration, error) {
	return tx.db.tables.environmentIntegration.get(ctx, tx, env, string(id), "")
}

// ListEnvironmentIntegrations returns one page of the environment's environment integrations. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListEnvironmentIntegrations(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.EnvironmentIntegration], error) {
	return tx.db.tables.environmentIntegration.list(ctx, tx, env, q)
}

// UpdateEnvironmentIntegration writes all of an environment integration, or returns an error of KindNotFound.
func (tx *Tx) UpdateEnvironmentIntegration(ctx context.Context, v *millrace.EnvironmentIntegration) error {
	return mustUpdate(ctx, tx, tx.db.tables.environmentIntegration, v, string(v.ID))
}

// DeleteEnvironmentIntegration removes an environment integration, or returns an error of KindNotFound.
func (tx *Tx) DeleteEnvironmentIntegration(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) error {
	return tx.db.tables.environmentIntegration.remove(ctx, tx, env, string(id))
}

// EnvironmentIntegrationOf returns the installation of an integration, or nil.
func (tx *Tx) EnvironmentIntegrationOf(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegrationID) (*millrace.EnvironmentIntegration, error) {
	return tx.db.tables.environmentIntegration.find(ctx, tx, "environment_id = $1 AND integration_id = $2", string(env), string(id))
}
