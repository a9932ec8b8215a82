package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
)

func syncJobRunStateTable(db *DB) *table[millrace.StateEntry] {
	type row = millrace.StateEntry
	return &table[row]{
		name: "sync_job_run_state", what: "state entry", dialect: db.dialect,
		columns: []column[row]{
			hidden(text("id", func(v *row) *millrace.StateEntryID { return &v.ID })),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("state_key", func(v *row) *string { return &v.StateKey }),
			text("key", func(v *row) *string { return &v.Key }),
			document("value", func(v *row) *json.RawMessage { return &v.Value }),
			text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill: func(tx *Tx, v *row) {
			v.ID = stateID(v.EnvironmentID, v.StateKey, v.Key)
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

func stateID(env millrace.EnvironmentID, stateKey, key string) millrace.StateEntryID {
	return millrace.DeriveID[millrace.StateEntryID](string(env), stateKey, key)
}

// SaveState writes an entry of the state of runs, whether or not it is there. v becomes the row as it is stored.
func (tx *Tx) SaveState(ctx context.Context, v *millrace.StateEntry) error {
	t := tx.db.tables.syncJobRunState
	v.CreatedAt, v.UpdatedAt = 0, 0
	t.fill(tx, v)
	args, err := t.values(v)
	if err != nil {
		return err
	}
	_, err = tx.one(ctx, fmt.Sprintf(`INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (id) DO UPDATE SET value = excluded.value,
sync_job_run_id = excluded.sync_job_run_id, updated_at = excluded.updated_at RETURNING created_at`, t.name, t.names(), placeholders(len(args))),
		args, (*int64)(&v.CreatedAt))
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// State returns an entry of the state of runs, or nil.
func (tx *Tx) State(ctx context.Context, env millrace.EnvironmentID, stateKey, key string) (*millrace.StateEntry, error) {
	return tx.db.tables.syncJobRunState.find(ctx, tx, "id = $1", string(stateID(env, stateKey, key)))
}

// ListState returns one page of the environment's state of runs. It returns an error of KindInvalid for a field, operator
// or cursor that it does not know.
func (tx *Tx) ListState(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.StateEntry], error) {
	return tx.db.tables.syncJobRunState.list(ctx, tx, env, q)
}

// DeleteState removes an entry of the state of runs and reports whether there was one.
func (tx *Tx) DeleteState(ctx context.Context, env millrace.EnvironmentID, stateKey, key string) (bool, error) {
	n, err := tx.exec(ctx, "DELETE FROM sync_job_run_state WHERE id = $1", string(stateID(env, stateKey, key)))
	if err != nil {
		return false, fmt.Errorf("delete state: %w", err)
	}
	return n > 0, nil
}
