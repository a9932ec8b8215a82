package store

import (
	"context"

	"github.com/millrace/millrace"
)

func environmentTable(db *DB) *table[millrace.Environment] {
	type row = millrace.Environment
	return &table[row]{
		name: "environment", what: "environment", dialect: db.dialect, root: true,
		columns: []column[row]{
			text("id", func(v *row) *millrace.EnvironmentID { return &v.ID }),
			text("name", func(v *row) *string { return &v.Name }),
			text("team_id", func(v *row) *string { return &v.TeamID }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertEnvironment adds an environment and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertEnvironment(ctx context.Context, v *millrace.Environment) error {
	return tx.db.tables.environment.insert(ctx, tx, v)
}

// Environment returns an environment, or an error of KindNotFound.
func (tx *Tx) Environment(ctx context.Context, id millrace.EnvironmentID) (*millrace.Environment, error) {
	v, err := tx.db.tables.environment.find(ctx, tx, "id = $1", string(id))
	if err == nil && v == nil {
		err = millrace.NotFound("environment", string(id))
	}
	return v, err
}

// ListEnvironments returns one page of the environment's environments. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListEnvironments(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Environment], error) {
	return tx.db.tables.environment.list(ctx, tx, env, q)
}

// UpdateEnvironment writes all of an environment, or returns an error of KindNotFound.
func (tx *Tx) UpdateEnvironment(ctx context.Context, v *millrace.Environment) error {
	return mustUpdate(ctx, tx, tx.db.tables.environment, v, string(v.ID))
}

// Environments returns all environments, the oldest first.
func (tx *Tx) Environments(ctx context.Context) ([]millrace.Environment, error) {
	return tx.db.tables.environment.all(ctx, tx, "1 = 1 ORDER BY created_at, id")
}
