package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Gates are the static gates.
type Gates struct{ tx *sqldb.Tx }

// Gates returns the handle of the static gates.
func (h Accounts) Gates() Gates { return Gates(h) }

var gateTable = sync.OnceValue(func() *table.Table[millrace.StaticGate] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.StaticGate
	return &table.Table[row]{
		Name: "static_gate", What: "static gate", Audit: &table.Audit[row]{Without: []string{"created_by"}},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.StaticGateID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("name", func(v *row) *string { return &v.Name }),
			table.Text("domain", func(v *row) *string { return &v.Domain }),
			table.Sealed("static_gate", "token", func(v *row) *json.RawMessage { return &v.Token }),
			table.Text("created_by", func(v *row) *string { return &v.CreatedBy }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds a static gate, and fills in its id and times.
func (h Gates) Create(ctx context.Context, v *millrace.StaticGate) error {
	return gateTable().Insert(ctx, h.tx, v)
}

// Get returns a static gate of the environment, or an error of KindNotFound.
func (h Gates) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.StaticGateID) (*millrace.StaticGate, error) {
	return gateTable().Get(ctx, h.tx, env, string(id), "")
}

// Lock is Get, and keeps others from changing it until the transaction ends.
func (h Gates) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.StaticGateID) (*millrace.StaticGate, error) {
	return gateTable().Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForUpdate())
}

// List returns one page of the environment's static gates. It returns an error of KindInvalid for a field, operator or cursor that it does
// not know.
func (h Gates) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.StaticGate], error) {
	return gateTable().List(ctx, h.tx, env, q)
}

// Update writes all of a static gate, and has the accounts that use it looked at again by those who remember them.
func (h Gates) Update(ctx context.Context, v *millrace.StaticGate) error {
	h.tx.Outdate()
	if err := table.MustUpdate(ctx, h.tx, gateTable(), v, string(v.ID)); err != nil {
		return err
	}
	_, err := h.tx.Exec(ctx, "UPDATE integrated_account SET updated_at = $1 WHERE static_gate_id = $2 AND static_gate_id <> '' AND environment_id = $3",
		int64(h.tx.Now()), string(v.ID), string(v.EnvironmentID))
	if err != nil {
		return fmt.Errorf("touch the accounts of a static gate: %w", err)
	}
	return nil
}

// Used reports whether any account uses a static gate.
func (h Gates) Used(ctx context.Context, env millrace.EnvironmentID, id millrace.StaticGateID) (bool, error) {
	return h.tx.One(ctx, "SELECT 1 FROM integrated_account WHERE static_gate_id = $1 AND static_gate_id <> '' AND environment_id = $2 LIMIT 1",
		[]any{string(id), string(env)}, new(int64))
}

// Delete removes a static gate, or returns an error of KindNotFound.
func (h Gates) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.StaticGateID) error {
	return gateTable().Remove(ctx, h.tx, env, string(id))
}
