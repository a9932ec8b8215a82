package dashboard

import (
	"context"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/views"
)

func (h *Handler) accounts(r *request) (*view, error) {
	l, err := h.accountList(r)
	if err != nil {
		return nil, err
	}
	l.Filters = choices(r, "status", millrace.AccountStatuses())
	return &view{name: "accounts", title: "Accounts", body: l, live: true}, nil
}

// accountList reads a page of accounts. Those of a tenant, and those that need attention, are found by the indexes of them.
func (h *Handler) accountList(r *request) (*list[account.AccountView], error) {
	get := func(ctx context.Context, tx *store.Tx, id millrace.IntegratedAccountID) (*account.AccountView, error) {
		row, err := tx.Accounts().Get(ctx, r.env.ID, id)
		if err != nil {
			return nil, err
		}
		shown, err := account.Show(ctx, tx, []millrace.IntegratedAccount{*row})
		if err != nil {
			return nil, err
		}
		return &shown[0], nil
	}
	const note = "The last 50."
	if tenant := r.URL.Query().Get("tenant_id"); tenant != "" {
		return picked(h, r, note, func(ctx context.Context, tx *store.Tx) ([]millrace.IntegratedAccountID, error) {
			return store.ViewsOf(tx).AccountsOfTenant(ctx, r.env.ID, tenant, perPage)
		}, get)
	}
	switch status := millrace.AccountStatus(r.URL.Query().Get("status")); status {
	case millrace.AccountNeedsReauth, millrace.AccountValidationError, millrace.AccountPostInstallError:
		return picked(h, r, note, func(ctx context.Context, tx *store.Tx) ([]millrace.IntegratedAccountID, error) {
			return store.ViewsOf(tx).TroubledOf(ctx, r.env.ID, status, perPage)
		}, get)
	case millrace.AccountActive, millrace.AccountConnecting, millrace.AccountDeleting:
	}
	return listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[account.AccountView], error) {
		page, err := tx.Accounts().List(ctx, r.env.ID, q)
		if err != nil {
			return millrace.Page[account.AccountView]{}, err
		}
		shown, err := account.Show(ctx, tx, page.Result)
		return millrace.Page[account.AccountView]{Result: shown, NextCursor: page.NextCursor, Limit: page.Limit}, err
	}, "status", "environment_integration_id")
}

// accountPage is one customer's connection with what was done with it.
type accountPage struct {
	Account *account.AccountView
	Grant   *millrace.Grant
	Runs    []views.RunLine
	Hooks   []millrace.InboundHook
	Open    []millrace.SyncJobCronTrigger // its schedules
	Advice  string
	Link    string // with which the customer connects it again; shown once
}

const accountShown = 25

func (h *Handler) account(r *request) (*view, error) {
	id := millrace.IntegratedAccountID(strings.ToLower(r.PathValue("id")))
	v := new(accountPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		row, err := tx.Accounts().Get(ctx, env, id)
		if err != nil {
			return err
		}
		shown, err := account.Show(ctx, tx, []millrace.IntegratedAccount{*row})
		if err != nil {
			return err
		}
		v.Account, v.Advice = &shown[0], accountAdvice(&shown[0])
		if v.Grant, err = tx.Accounts().Grants().Get(ctx, env, id); err != nil {
			return err
		}
		if v.Runs, err = store.ViewsOf(tx).RunsOfAccount(ctx, env, id, accountShown); err != nil {
			return err
		}
		of := []millrace.Filter{{Field: "integrated_account_id", Op: millrace.OpEq, Values: []string{string(id)}}}
		hooks, err := tx.Hooks().List(ctx, env, millrace.Query{Limit: accountShown, MaxBytes: millrace.MaxPageBytes, Filters: of})
		if err != nil {
			return err
		}
		v.Hooks = hooks.Result
		schedules, err := tx.Schedules().List(ctx, env, millrace.Query{Limit: accountShown, Filters: of})
		v.Open = schedules.Result
		return err
	})
	if err != nil {
		return nil, err
	}
	return &view{name: "account", title: v.Account.TenantID, body: v}, nil
}

// accountAdvice says what can be done about an account.
func accountAdvice(v *account.AccountView) string {
	switch v.Status {
	case millrace.AccountActive, millrace.AccountConnecting:
	case millrace.AccountDeleting:
		return "It is deleted when the workflows that listen to integrated_account:deleting have ended, after an hour at the latest."
	case millrace.AccountNeedsReauth:
		return "The provider does not accept the credentials any more. Send the customer a link to connect again; what waits goes on then."
	case millrace.AccountPostInstallError:
		return "An action after connecting has failed. Run the actions again, or have the customer connect again."
	case millrace.AccountValidationError:
		return "The check of the connection has failed. Run the actions again, or have the customer connect again with other credentials."
	}
	if v.EnvironmentIntegration != nil && !v.EnvironmentIntegration.IsEnabled {
		return "The integration is switched off in this environment: its accounts are blocked."
	}
	return ""
}
