package httpapi

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/token"
)

const tokenNote = adminNote + " The token itself is in this response only."

func (a *api) apiTokens() *rest.Resource[millrace.APITokenID, millrace.APIToken, millrace.APIToken] {
	return rest.NewResource(a.cfg.DB, rest.RowsOf((*store.Tx).APITokens, nil), rest.AsStored[millrace.APIToken])
}

// tokenBody is the body of a create.
type tokenBody struct {
	EnvironmentID string        `json:"environment_id,omitempty" format:"uuid" doc:"The environment that the token is for; an admin token has none."`
	Name          string        `json:"name,omitempty" maxLength:"200" doc:"For lists." example:"CI"`
	Scope         string        `json:"scope,omitempty" enum:"read,write,admin" doc:"What it may do: read, or (write, the default) all in its environment, or (admin) manage environments and tokens."`
	ExpiresAt     millrace.Time `json:"expires_at,omitempty" doc:"When it ends, which is to come; null: never."`
}

func (b *tokenBody) Validate(r *rest.Request, _ json.RawMessage) []millrace.Failure {
	var failures []millrace.Failure
	if b.ExpiresAt != 0 && b.ExpiresAt <= r.At {
		failures = append(failures, millrace.Failure{Path: "expires_at", Message: "must not be in the past"})
	}
	switch isAdmin := b.Scope == string(millrace.ScopeAdmin); {
	case isAdmin && b.EnvironmentID != "":
		failures = append(failures, millrace.Failure{Path: "environment_id", Message: "must be absent: an admin token belongs to no environment"})
	case !isAdmin && b.EnvironmentID == "":
		failures = append(failures, millrace.Failure{Path: "environment_id", Message: "is required, unless scope is admin"})
	case isAdmin && r.TokenEnds() != 0 && (b.ExpiresAt == 0 || b.ExpiresAt > r.TokenEnds()):
		failures = append(failures, millrace.Failure{Path: "expires_at", Message: "must not be later than " + r.TokenEnds().String() + ", when the token of this request ends"})
	}
	return failures
}

func (*tokenBody) Example() string {
	return `{"environment_id":"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f","name":"CI","scope":"read"}`
}

// shownToken is a token when it is made.
type shownToken struct {
	millrace.APIToken
	Token string `json:"token" doc:"The token itself. It is shown once."`
}

func (a *api) createToken(ctx context.Context, in *rest.CreateIn[tokenBody]) (*rest.Reply[shownToken], error) {
	return store.Compute(ctx, a.cfg.DB, func(tx *store.Tx) (*rest.Reply[shownToken], error) {
		row := millrace.APIToken{
			Name: in.Data.Name, CreatedBy: string(in.TokenID()), ExpiresAt: in.Data.ExpiresAt, Scope: millrace.TokenScope(in.Data.Scope),
		}
		if row.Scope != millrace.ScopeAdmin {
			env, err := tx.Environments().Get(ctx, millrace.EnvironmentID(in.Data.EnvironmentID))
			if err != nil {
				return nil, rest.At("environment_id", err)
			}
			row.EnvironmentID = env.ID
		}
		text, err := token.Create(ctx, tx, &row)
		if err != nil {
			return nil, err
		}
		return &rest.Reply[shownToken]{Body: shownToken{row, text}}, nil
	})
}

// deletedToken is the response to a delete.
type deletedToken struct {
	rest.Deleted
	Warnings []millrace.Failure `json:"warnings,omitempty" doc:"Says so when it was the token of the request itself."`
}

func (a *api) deleteToken(ctx context.Context, in *rest.GetIn[millrace.APITokenID]) (*rest.Reply[deletedToken], error) {
	err := a.cfg.DB.Update(ctx, func(tx *store.Tx) error { return token.Delete(ctx, tx, in.ID) })
	out := &rest.Reply[deletedToken]{Body: deletedToken{Deleted: rest.Deleted{ID: string(in.ID)}}}
	if in.ID == in.TokenID() {
		out.Body.Warnings = []millrace.Failure{{Message: "this is the token of the request: within seconds, requests with it get 401"}}
	}
	return out, err
}
