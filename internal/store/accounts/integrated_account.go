package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Accounts are the integrated accounts.
type Accounts struct{ tx *sqldb.Tx }

// NewAccounts returns the handle of the integrated accounts.
func NewAccounts(tx *sqldb.Tx) Accounts { return Accounts{tx} }

var integratedAccountTable = sync.OnceValue(func() *table.Table[millrace.IntegratedAccount] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.IntegratedAccount
	return &table.Table[row]{
		Name: "integrated_account", What: "integrated account",
		Audit: &table.Audit[row]{
			Subject: func(v *row) string { return string(v.ID) },
			Without: []string{"last_error", "last_forbidden_error", "last_action_run_result"},
		},
		Status: table.NewMachine("integrated_account", "integrated account", millrace.AccountStatuses()),
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.IntegratedAccountID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("tenant_id", func(v *row) *string { return &v.TenantID }),
			table.Text("environment_integration_id", func(v *row) *millrace.EnvironmentIntegrationID { return &v.EnvironmentIntegrationID }),
			table.Text("authentication_method", func(v *row) *string { return &v.AuthenticationMethod }),
			table.Text("status", func(v *row) *millrace.AccountStatus { return &v.Status }),
			table.Text("last_error", func(v *row) *string { return &v.LastError }),
			table.Document("last_forbidden_error", func(v *row) *json.RawMessage { return &v.LastForbiddenError }),
			table.Document("last_action_run_result", func(v *row) *json.RawMessage { return &v.LastActionRunResult }),
			table.Hidden(table.Text("connection", func(v *row) *string { return &v.Connection })),
			table.Hidden(table.Stamp("action_at", func(v *row) *millrace.Time { return &v.ActionAt })),
			table.Flag("is_sandbox", func(v *row) *bool { return &v.IsSandbox }),
			table.Text("static_gate_id", func(v *row) *millrace.StaticGateID { return &v.StaticGateID }),
			table.Text("region", func(v *row) *string { return &v.Region }),
			table.Document("context", func(v *row) *json.RawMessage { return &v.Context }),
			table.Sealed("integrated_account", "secrets", func(v *row) *json.RawMessage { return &v.Secrets }),
			table.Document("features", func(v *row) *json.RawMessage { return &v.Features }),
			table.Document("unified_model_override", func(v *row) *json.RawMessage { return &v.UnifiedModelOverride }),
			table.Document("integration_override", func(v *row) *json.RawMessage { return &v.IntegrationOverride }),
			table.Sealed("integrated_account", "full_override", func(v *row) *json.RawMessage { return &v.FullOverride }),
			table.Hidden(table.Flag("sealed", func(v *row) *bool { return &v.Sealed })),
			table.Hidden(table.Flag("addressable", func(v *row) *bool { return &v.Addressable })),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Virtual: map[string]table.Virtual{
			"integration.name":     table.Computed(integrationOfAccount("name"), table.KindText),
			"integration.category": table.Computed(integrationOfAccount("category"), table.KindText),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			v.Addressable = addressable(v.EnvironmentID, string(v.ID))
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds an integrated account, and its tenant if there is none, and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (h Accounts) Create(ctx context.Context, v *millrace.IntegratedAccount) error {
	if err := h.Tenants().Ensure(ctx, v.EnvironmentID, v.TenantID); err != nil {
		return err
	}
	return integratedAccountTable().Insert(ctx, h.tx, v)
}

// Get returns an integrated account of the environment, or an error of KindNotFound.
func (h Accounts) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*millrace.IntegratedAccount, error) {
	return integratedAccountTable().Get(ctx, h.tx, env, string(id), "")
}

// Lock is Get, and no other transaction changes the account until this one ends. An installation is locked before its accounts.
func (h Accounts) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*millrace.IntegratedAccount, error) {
	return integratedAccountTable().Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForUpdate())
}

// List returns one page of the environment's integrated accounts. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h Accounts) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.IntegratedAccount], error) {
	return integratedAccountTable().List(ctx, h.tx, env, q)
}

// Update writes all of an integrated account, or returns an error of KindNotFound.
func (h Accounts) Update(ctx context.Context, v *millrace.IntegratedAccount) error {
	h.tx.Outdate()
	return table.MustUpdate(ctx, h.tx, integratedAccountTable(), v, string(v.ID))
}

// Move writes all of an integrated account if it still has the status and the time of its last change
// that it had when it was read, and reports whether it did.
func (h Accounts) Move(ctx context.Context, v *millrace.IntegratedAccount, from millrace.AccountStatus, since millrace.Time) (bool, error) {
	h.tx.Outdate()
	t := integratedAccountTable()
	n := len(t.Columns)
	return t.Update(ctx, h.tx, v, fmt.Sprintf("status = $%d AND updated_at = $%d", n+1, n+2), string(from), int64(since))
}

// WakeActions has the schedules of the actions of all active accounts of an installation looked at again, within a minute.
func (h Accounts) WakeActions(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) error {
	_, err := h.tx.Exec(ctx, "UPDATE integrated_account SET action_at = $1 WHERE environment_integration_id = $2 AND environment_id = $3 AND status = 'active'",
		int64(h.tx.Now()), string(id), string(env))
	if err != nil {
		return fmt.Errorf("look at the schedules of actions again: %w", err)
	}
	return nil
}

// MoveActions has the actions of an account looked at again at a time. That is no change of the account.
func (h Accounts) MoveActions(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, at millrace.Time) error {
	if _, err := h.tx.Exec(ctx, "UPDATE integrated_account SET action_at = $1 WHERE id = $2 AND environment_id = $3", int64(at), string(id), string(env)); err != nil {
		return fmt.Errorf("look at the actions of an account later: %w", err)
	}
	return nil
}

// WakeRuns lets the runs that wait for the account to be connected again go on now.
func (h Accounts) WakeRuns(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	tasks, err := table.WakeRuns(ctx, h.tx, env, "waits_for_account = $1 AND waits_for_account <> '' AND environment_id = $2 AND status "+table.OpenRun,
		string(id), string(env))
	if err != nil || len(tasks) == 0 {
		return err
	}
	return h.tx.Enqueue(ctx, tasks...)
}

// Revision tells one state of an account, its install and its integration from every other.
type Revision struct{ account, install, integration, version int64 }

// Revision returns the current one of an account, or an error of KindNotFound.
func (h Accounts) Revision(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (Revision, error) {
	var r Revision
	found, err := h.tx.One(ctx, "SELECT a.updated_at, e.updated_at, i.updated_at, i.version FROM integrated_account a "+
		"JOIN environment_integration e ON e.id = a.environment_integration_id AND e.environment_id = a.environment_id "+
		"JOIN integration i ON i.id = e.integration_id AND i.environment_id = e.environment_id WHERE a.id = $1 AND a.environment_id = $2",
		[]any{string(id), string(env)}, &r.account, &r.install, &r.integration, &r.version)
	if err == nil && !found {
		err = millrace.NotFound("integrated account", string(id))
	}
	return r, err
}

// Delete removes an integrated account, or returns an error of KindNotFound.
func (h Accounts) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	h.tx.Outdate()
	if err := integratedAccountTable().Remove(ctx, h.tx, env, string(id)); err != nil {
		return err
	}
	for _, query := range []string{
		"DELETE FROM account_rate WHERE integrated_account_id = $1 AND environment_id = $2", "DELETE FROM account_grant WHERE id = $1 AND environment_id = $2",
		"DELETE FROM account_token WHERE integrated_account_id = $1 AND environment_id = $2",
	} {
		if _, err := h.tx.Exec(ctx, query, string(id), string(env)); err != nil {
			return err
		}
	}
	return nil
}

// integrationOfAccount returns the SQL of a column of the integration that an account belongs to.
func integrationOfAccount(column string) string {
	return "COALESCE((SELECT i." + column + " FROM integration i JOIN environment_integration e ON e.integration_id = i.id AND e.environment_id = i.environment_id " +
		"WHERE e.id = t.environment_integration_id AND e.environment_id = t.environment_id), '')"
}
