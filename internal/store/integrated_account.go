package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
)

func integratedAccountTable(db *DB) *table[millrace.IntegratedAccount] {
	type row = millrace.IntegratedAccount
	return &table[row]{
		name: "integrated_account", what: "integrated account", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.IntegratedAccountID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("tenant_id", func(v *row) *string { return &v.TenantID }),
			text("environment_integration_id", func(v *row) *millrace.EnvironmentIntegrationID { return &v.EnvironmentIntegrationID }),
			text("authentication_method", func(v *row) *string { return &v.AuthenticationMethod }),
			text("status", func(v *row) *millrace.AccountStatus { return &v.Status }),
			text("last_error", func(v *row) *string { return &v.LastError }),
			flag("is_sandbox", func(v *row) *bool { return &v.IsSandbox }),
			text("region", func(v *row) *string { return &v.Region }),
			document("context", func(v *row) *json.RawMessage { return &v.Context }),
			sealed(db, "integrated_account", "secrets", func(v *row) *json.RawMessage { return &v.Secrets }),
			document("features", func(v *row) *json.RawMessage { return &v.Features }),
			document("unified_model_override", func(v *row) *json.RawMessage { return &v.UnifiedModelOverride }),
			document("integration_override", func(v *row) *json.RawMessage { return &v.IntegrationOverride }),
			sealed(db, "integrated_account", "full_override", func(v *row) *json.RawMessage { return &v.FullOverride }),
			hidden(flag("sealed", func(v *row) *bool { return &v.Sealed })),
			hidden(flag("addressable", func(v *row) *bool { return &v.Addressable })),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		virtual: map[string]virtual{
			"integration.name":     {integrationOfAccount("name"), kindText},
			"integration.category": {integrationOfAccount("category"), kindText},
		},
		fill: func(tx *Tx, v *row) {
			v.Addressable = addressable(v.EnvironmentID, string(v.ID))
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertIntegratedAccount adds an integrated account and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertIntegratedAccount(ctx context.Context, v *millrace.IntegratedAccount) error {
	return tx.db.tables.integratedAccount.insert(ctx, tx, v)
}

// IntegratedAccount returns an integrated account of the environment, or an error of KindNotFound.
func (tx *Tx) IntegratedAccount(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*millrace.IntegratedAccount, error) {
	return tx.db.tables.integratedAccount.get(ctx, tx, env, string(id), "")
}

// ListIntegratedAccounts returns one page of the environment's integrated accounts. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListIntegratedAccounts(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.IntegratedAccount], error) {
	return tx.db.tables.integratedAccount.list(ctx, tx, env, q)
}

// UpdateIntegratedAccount writes all of an integrated account, or returns an error of KindNotFound.
func (tx *Tx) UpdateIntegratedAccount(ctx context.Context, v *millrace.IntegratedAccount) error {
	return mustUpdate(ctx, tx, tx.db.tables.integratedAccount, v, string(v.ID))
}

// MoveIntegratedAccount writes all of an integrated account if it still has the status and the time of its last change
// that it had when it was read, and reports whether it did.
func (tx *Tx) MoveIntegratedAccount(ctx context.Context, v *millrace.IntegratedAccount, from millrace.AccountStatus, since millrace.Time) (bool, error) {
	t := tx.db.tables.integratedAccount
	n := len(t.columns)
	return t.update(ctx, tx, v, fmt.Sprintf("status = $%d AND updated_at = $%d", n+1, n+2), string(from), int64(since))
}

// DeleteIntegratedAccount removes an integrated account, or returns an error of KindNotFound.
func (tx *Tx) DeleteIntegratedAccount(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	if err := tx.db.tables.integratedAccount.remove(ctx, tx, env, string(id)); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "DELETE FROM account_rate WHERE integrated_account_id = $1 AND environment_id = $2", string(id), string(env))
	return err
}

// integrationOfAccount returns the SQL of a column of the integration that an account belongs to.
func integrationOfAccount(column string) string {
	return "COALESCE((SELECT i." + column + " FROM integration i JOIN environment_integration e ON e.integration_id = i.id AND e.environment_id = i.environment_id " +
		"WHERE e.id = t.environment_integration_id AND e.environment_id = t.environment_id), '')"
}
