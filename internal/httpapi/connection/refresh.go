package connection

import (
	"context"
	"errors"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

// RefreshNote describes POST /integrated-account/refresh-credentials.
const RefreshNote = "Asks the provider for a new access token, also when the current one has not expired. Without a response of the " +
	"provider the tokens stay unchanged (503); when it rejects the request, the account becomes needs_reauth (400)."

// refreshBody names the account whose credentials are refreshed.
type refreshBody struct {
	ID string `json:"id" format:"uuid" doc:"The integrated account."`
}

// refreshed is the response to a refresh.
type refreshed struct {
	Success bool `json:"success" doc:"Always true."`
}

func (n accounts) Refresh(ctx context.Context, in *rest.CreateIn[refreshBody]) (*rest.Reply[refreshed], error) {
	id := millrace.IntegratedAccountID(in.Data.ID)
	generation := int64(0)
	err := n.handlers.DB.View(ctx, func(tx *store.Tx) error {
		v, err := tx.Accounts().Get(ctx, in.Environment, id)
		if err != nil {
			return err
		}
		if !account.HasTokens(v.AuthenticationMethod) {
			return millrace.Invalid("id", "the account has credentials of the kind %s, which are not refreshed", v.AuthenticationMethod)
		}
		id = v.ID
		g, err := tx.Accounts().Grants().Get(ctx, in.Environment, id)
		if g != nil {
			generation = g.Generation
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = n.handlers.Renew(ctx, in.Environment, id, generation)
	var refused *provider.RefusedError
	var unsure *provider.UnsureError
	switch {
	case errors.As(err, &refused):
		return nil, millrace.Errorf(millrace.KindInvalid, "%s", refused.Cause)
	case errors.As(err, &unsure):
		return nil, millrace.Errorf(millrace.KindUnavailable, "%s", unsure.Cause)
	case err != nil:
		return nil, err
	}
	return &rest.Reply[refreshed]{Body: refreshed{true}}, nil
}
