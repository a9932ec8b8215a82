package syncjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// States are the state that sync job runs keep from one to the next.
type States struct{ tx *sqldb.Tx }

// NewStates returns the handle of the state that sync job runs keep from one to the next.
func NewStates(tx *sqldb.Tx) States { return States{tx} }

var syncJobRunStateTable = sync.OnceValue(func() *table.Table[millrace.StateEntry] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.StateEntry
	return &table.Table[row]{
		Name: "sync_job_run_state", What: "state entry",
		Audit: &table.Audit[row]{ID: func(v *row) string { return v.StateKey + "/" + v.Key }, Without: []string{"sync_job_run_id"}},
		Columns: []table.Column[row]{
			table.Hidden(table.Text("id", func(v *row) *millrace.StateEntryID { return &v.ID })),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("state_key", func(v *row) *string { return &v.StateKey }),
			table.Text("key", func(v *row) *string { return &v.Key }),
			table.Document("value", func(v *row) *json.RawMessage { return &v.Value }),
			table.Text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			v.ID = stateID(v.EnvironmentID, v.StateKey, v.Key)
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

func stateID(env millrace.EnvironmentID, stateKey, key string) millrace.StateEntryID {
	return millrace.DeriveID[millrace.StateEntryID](string(env), stateKey, key)
}

// Save writes an entry of the state of runs, whether or not it is there. v becomes the row as stored.
func (h States) Save(ctx context.Context, v *millrace.StateEntry) error {
	t := syncJobRunStateTable()
	v.CreatedAt, v.UpdatedAt = 0, 0
	t.Fill(h.tx, v)
	args, err := t.Values(h.tx, v)
	if err == nil {
		err = t.WatchAny(ctx, h.tx, v)
	}
	if err != nil {
		return err
	}
	_, err = h.tx.One(ctx, fmt.Sprintf(`INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (id) DO UPDATE SET value = excluded.value,
sync_job_run_id = excluded.sync_job_run_id, updated_at = excluded.updated_at RETURNING created_at`, t.Name, t.Names(), table.Placeholders(len(args))),
		args, (*int64)(&v.CreatedAt))
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// Get returns an entry of the state of runs, or nil.
func (h States) Get(ctx context.Context, env millrace.EnvironmentID, stateKey, key string) (*millrace.StateEntry, error) {
	return syncJobRunStateTable().Find(ctx, h.tx, "id = $1", string(stateID(env, stateKey, key)))
}

// List returns one page of the environment's state of runs. It returns an error of KindInvalid for a field, operator
// or cursor that it does not know.
func (h States) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.StateEntry], error) {
	return syncJobRunStateTable().List(ctx, h.tx, env, q)
}

// Delete removes an entry of the state of runs and reports whether there was one.
func (h States) Delete(ctx context.Context, env millrace.EnvironmentID, stateKey, key string) (bool, error) {
	if err := syncJobRunStateTable().Watch(ctx, h.tx, env, string(stateID(env, stateKey, key))); err != nil {
		return false, err
	}
	n, err := h.tx.Exec(ctx, "DELETE FROM sync_job_run_state WHERE id = $1", string(stateID(env, stateKey, key)))
	if err != nil {
		return false, fmt.Errorf("delete state: %w", err)
	}
	return n > 0, nil
}
