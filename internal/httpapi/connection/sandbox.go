package connection

import (
	"context"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// SandboxNote describes POST and DELETE of sandbox accounts.
const SandboxNote = "Writes for a sandbox account, over the proxy API, the custom API and actions, get 405."

// sandboxView is a sandbox account.
type sandboxView struct {
	ID      millrace.IntegratedAccountID `json:"id" doc:"The account's own id."`
	Account account.AccountView          `json:"integrated_account"`
}

type sandboxes struct {
	*rest.Resource[millrace.IntegratedAccountID, millrace.IntegratedAccount, sandboxView]
}

// Sandboxes are the handlers of the accounts that can be read only.
func (h *Handlers) Sandboxes() sandboxes {
	of := func(tx *store.Tx) sandboxRows { return sandboxRows{tx} }
	return sandboxes{rest.NewResource(h.DB, rest.RowsOf(of, unmarkSandbox), showSandboxes)}
}

func showSandboxes(ctx context.Context, tx *store.Tx, rows []millrace.IntegratedAccount) ([]sandboxView, error) {
	shown, err := account.Show(ctx, tx, rows)
	out := make([]sandboxView, len(shown))
	for i := range shown {
		out[i] = sandboxView{shown[i].ID, shown[i]}
	}
	return out, err
}

// sandboxRows are the accounts that can be read only.
type sandboxRows struct{ tx *store.Tx }

// Get returns such an account, or an error of KindNotFound.
func (r sandboxRows) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*millrace.IntegratedAccount, error) {
	v, err := r.tx.Accounts().Get(ctx, env, id)
	if err == nil && !v.IsSandbox {
		return nil, millrace.NotFound("sandbox account", string(id))
	}
	return v, err
}

// List returns a page of them.
func (r sandboxRows) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.IntegratedAccount], error) {
	q.Filters = append(slices.Clip(q.Filters), millrace.Filter{Field: "is_sandbox", Op: millrace.OpEq, Values: []string{"true"}})
	return r.tx.Accounts().List(ctx, env, q)
}

// Mark makes an account one that can be read only.
func (n sandboxes) Mark(ctx context.Context, in *rest.CreateIn[idBody]) (*rest.Reply[sandboxView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v, err := setSandbox(ctx, tx, in.Environment, millrace.IntegratedAccountID(strings.ToLower(in.Data.ID)), true)
		return v, rest.At("id", err)
	})
}

func unmarkSandbox(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	if _, err := (sandboxRows{tx}).Get(ctx, env, id); err != nil {
		return err
	}
	_, err := setSandbox(ctx, tx, env, id, false)
	return err
}

func setSandbox(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID, is bool) (*millrace.IntegratedAccount, error) {
	v, err := tx.Accounts().Get(ctx, env, id)
	if err != nil || v.IsSandbox == is {
		return v, err
	}
	v.IsSandbox = is
	if err := account.Update(ctx, tx, v); err != nil {
		return nil, err
	}
	return v, emitAccount(ctx, tx, v, millrace.EventAccountUpdated)
}
