package accounts

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Grants keep the tokens of accounts alive.
type Grants struct{ tx *sqldb.Tx }

// Grants returns the handle of what keeps the tokens of accounts alive.
func (h Accounts) Grants() Grants { return Grants(h) }

var grantTable = sync.OnceValue(func() *table.Table[millrace.Grant] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Grant
	return &table.Table[row]{
		Name: "account_grant", What: "grant",
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.IntegratedAccountID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Number("generation", func(v *row) *int64 { return &v.Generation }),
			table.Number("epoch", func(v *row) *int64 { return &v.Epoch }),
			table.Stamp("lease_until", func(v *row) *millrace.Time { return &v.LeaseUntil }),
			table.Stamp("attempt_at", func(v *row) *millrace.Time { return &v.AttemptAt }),
			table.Number("attempts", func(v *row) *int64 { return &v.Attempts }),
			table.Stamp("retry_at", func(v *row) *millrace.Time { return &v.RetryAt }),
			table.Sealed("account_grant", "response", func(v *row) *json.RawMessage { return &v.Response }),
			table.SealedText("account_grant", "previous", func(v *row) *string { return &v.Previous }),
			table.Text("pair", func(v *row) *string { return &v.Pair }),
			table.Flag("used", func(v *row) *bool { return &v.Used }),
			table.Stamp("granted_at", func(v *row) *millrace.Time { return &v.GrantedAt }),
			table.Stamp("expires_at", func(v *row) *millrace.Time { return &v.ExpiresAt }),
			table.Stamp("refresh_at", func(v *row) *millrace.Time { return &v.RefreshAt }),
			table.Stamp("refused_at", func(v *row) *millrace.Time { return &v.RefusedAt }),
			table.Text("cause", func(v *row) *string { return &v.Cause }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Get returns the grant of an account, or nil.
func (h Grants) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*millrace.Grant, error) {
	return grantTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2", string(id), string(env))
}

// Lock returns the grant of an account, made when there is none. No other transaction changes it until this one ends.
func (h Grants) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*millrace.Grant, error) {
	t := grantTable()
	if _, err := t.InsertNew(ctx, h.tx, &millrace.Grant{ID: id, EnvironmentID: env}); err != nil {
		return nil, err
	}
	return t.Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForUpdate())
}

// Save writes all of a grant that is locked.
func (h Grants) Save(ctx context.Context, v *millrace.Grant) error {
	return table.MustUpdate(ctx, h.tx, grantTable(), v, string(v.ID))
}
