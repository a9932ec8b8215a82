package accounts

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Disconnections are what is left to do about accounts that were deleted.
type Disconnections struct{ tx *sqldb.Tx }

// Disconnections returns the handle of what is left to do about accounts that were deleted.
func (h Accounts) Disconnections() Disconnections { return Disconnections(h) }

var disconnectionTable = sync.OnceValue(func() *table.Table[millrace.Disconnection] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Disconnection
	return &table.Table[row]{
		Name: "disconnection", What: "disconnection",
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.DisconnectionID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Text("event_id", func(v *row) *millrace.EventID { return &v.EventID }),
			table.Stamp("wait_until", func(v *row) *millrace.Time { return &v.WaitUntil }),
			table.Sealed("disconnection", "revocation", func(v *row) *json.RawMessage { return &v.Revocation }),
			table.Number("attempt", func(v *row) *int64 { return &v.Attempt }),
			table.Stamp("retry_at", func(v *row) *millrace.Time { return &v.RetryAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds a disconnection with its task.
func (h Disconnections) Create(ctx context.Context, v *millrace.Disconnection) error {
	if err := disconnectionTable().Insert(ctx, h.tx, v); err != nil {
		return err
	}
	return h.tx.Enqueue(ctx, millrace.DisconnectTask(v))
}

// Lock returns a disconnection, or nil. No other transaction changes it until this one ends.
func (h Disconnections) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.DisconnectionID) (*millrace.Disconnection, error) {
	return disconnectionTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2"+h.tx.Dialect().ForUpdate(), string(id), string(env))
}

// Save writes all of a disconnection that is locked.
func (h Disconnections) Save(ctx context.Context, v *millrace.Disconnection) error {
	return table.MustUpdate(ctx, h.tx, disconnectionTable(), v, string(v.ID))
}

// Remove removes a disconnection with which nothing is left to do.
func (h Disconnections) Remove(ctx context.Context, v *millrace.Disconnection) error {
	return disconnectionTable().Remove(ctx, h.tx, v.EnvironmentID, string(v.ID))
}
