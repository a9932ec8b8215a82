package connection

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Descriptions of routes.
const (
	AccountTokenNote = "The token is good for 15 minutes, for /proxy, /custom and /integrated-account/me, and for this account only. It is meant " +
		"for a browser, and worth as much as the account's access token, which GET /integrated-account/me shows."
	MeNote = "Needs the token of an account. context.oauth.token.access_token is shown in clear; everything else as by GET /integrated-account/{id}."
	MyNote = "Needs the token of an account. context is merged at its top level, without oauth, environment_variables and what is " +
		"secret, so that the context may be sent back as it was read. Fields of the credentials cannot be changed."
)

// tokenFor names the account that a token is for.
type tokenFor struct {
	ID string `json:"integrated_account_id" format:"uuid" doc:"The account." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
}

// accountToken is a token of an account.
type accountToken struct {
	Token     string        `json:"integrated_account_token" doc:"The token. It is shown once."`
	ExpiresAt millrace.Time `json:"expires_at" doc:"When it ends."`
}

// CreateToken makes a token of an account.
func (n accounts) CreateToken(ctx context.Context, in *rest.CreateIn[tokenFor]) (*rest.Reply[accountToken], error) {
	token := secret.NewToken()
	return store.Compute(ctx, n.DB, func(tx *store.Tx) (*rest.Reply[accountToken], error) {
		v, err := tx.Accounts().Get(ctx, in.Environment, millrace.IntegratedAccountID(strings.ToLower(in.Data.ID)))
		if err != nil {
			return nil, rest.At("integrated_account_id", err)
		}
		row := &millrace.AccountToken{
			Hash: secret.HashToken(token), EnvironmentID: in.Environment, AccountID: v.ID, ExpiresAt: tx.Now().Add(millrace.AccountTokenLife),
		}
		return &rest.Reply[accountToken]{Body: accountToken{token, row.ExpiresAt}}, tx.Accounts().Tokens().Create(ctx, row)
	})
}

// meIn is the input of a route about the account of the token.
type meIn struct{ rest.Principal }

func (in *meIn) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.Principal = r.Principal
	return nil
}

// Me shows the account of the token.
func (n accounts) Me(ctx context.Context, in *meIn) (*rest.Reply[account.AccountView], error) {
	var out *account.AccountView
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		v, err := tx.Accounts().Get(ctx, in.Environment, in.Account())
		if err != nil {
			return err
		}
		out, err = account.ShowOwn(ctx, tx, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &rest.Reply[account.AccountView]{Body: *out}, nil
}

// mePatch is the body of a change of the account of the token.
type mePatch struct {
	Context rest.Object `json:"context" doc:"Members to merge into the context."`
}

// PatchMe changes the context of the account of the token.
func (n accounts) PatchMe(ctx context.Context, in *rest.CreateIn[mePatch]) (*rest.Reply[account.AccountView], error) {
	return store.Compute(ctx, n.DB, func(tx *store.Tx) (*rest.Reply[account.AccountView], error) {
		v, err := tx.Accounts().Get(ctx, in.Environment, in.Account())
		if err != nil {
			return nil, err
		}
		if err := account.AdmitOwn(ctx, tx, v, "context", in.Data.Context.RawMessage); err != nil {
			return nil, err
		}
		if err := account.Update(ctx, tx, v); err != nil {
			return nil, err
		}
		if err := emitAccount(ctx, tx, v, millrace.EventAccountUpdated); err != nil {
			return nil, err
		}
		shown, err := account.ShowOwn(ctx, tx, v)
		if err != nil {
			return nil, err
		}
		return &rest.Reply[account.AccountView]{Body: *shown}, nil
	})
}

// BulkDeleteNote describes POST /integrated-account/bulk-delete.
const BulkDeleteNote = "Deletes the accounts of a tenant, at most 1000 at a time, or at most 99 by their ids, each as by DELETE " +
	"/integrated-account/{id}. matched_count says how many there were; send the request again until it is 0. Ids without an account count for nothing."

// maxBulk is how many accounts of a tenant are deleted at a time.
const maxBulk = 1000

// bulkBody says which accounts to delete.
type bulkBody struct {
	TenantID string     `json:"tenant_id,omitempty" minLength:"1" maxLength:"255" doc:"All accounts of this tenant." example:"acme"`
	IDs      []string   `json:"ids,omitempty" minItems:"1" maxItems:"99" doc:"These accounts."`
	Query    *bulkQuery `json:"query,omitempty" doc:"An older form."`
}

// bulkQuery is an older form of a bulkBody.
type bulkQuery struct {
	TenantID string `json:"tenant_id" minLength:"1" maxLength:"255" doc:"All accounts of this tenant." example:"acme"`
}

func (b *bulkBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	n := 0
	for _, sent := range []bool{b.TenantID != "", b.IDs != nil, b.Query != nil} {
		if sent {
			n++
		}
	}
	if n != 1 {
		return []millrace.Failure{{Path: "tenant_id", Message: "send either tenant_id or ids"}}
	}
	return nil
}

func (*bulkBody) Example() string { return `{"tenant_id":"acme"}` }

// bulkDeleted says how many accounts were deleted.
type bulkDeleted struct {
	Matched int   `json:"matched_count" doc:"How many accounts there were."`
	Deleted int   `json:"deleted_count" doc:"How many were deleted: all of them."`
	Success *bool `json:"success,omitempty" doc:"In response to the older form: always true."`
}

// BulkDelete deletes the accounts of a tenant, or some.
func (n accounts) BulkDelete(ctx context.Context, in *rest.CreateIn[bulkBody]) (*rest.Reply[bulkDeleted], error) {
	b := in.Data
	filter := millrace.Filter{Field: "tenant_id", Op: millrace.OpEq, Values: []string{b.TenantID}}
	switch {
	case b.Query != nil:
		filter.Values[0] = b.Query.TenantID
	case b.IDs != nil:
		filter.Field, filter.Op, filter.Values = "id", millrace.OpIn, make([]string, len(b.IDs))
		for i, id := range b.IDs {
			filter.Values[i] = strings.ToLower(id)
		}
	}
	return store.Compute(ctx, n.DB, func(tx *store.Tx) (*rest.Reply[bulkDeleted], error) {
		page, err := tx.Accounts().List(ctx, in.Environment, millrace.Query{Limit: maxBulk, Filters: []millrace.Filter{filter, {
			Field: "status", Op: millrace.OpNe, Values: []string{string(millrace.AccountDeleting)}, // which leave by themselves
		}}})
		if err != nil {
			return nil, err
		}
		for i := range page.Result {
			if err := deleteAccount(tx, ctx, in.Environment, page.Result[i].ID); err != nil {
				return nil, err
			}
		}
		out := bulkDeleted{Matched: len(page.Result), Deleted: len(page.Result)}
		if yes := true; b.Query != nil {
			out.Success = &yes
		}
		return &rest.Reply[bulkDeleted]{Body: out}, nil
	})
}
