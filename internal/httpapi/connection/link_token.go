package connection

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// LinkNote describes POST /link-token.
const LinkNote = "With the token a customer connects one account on the connect page, /connect-account?link_token=...; it is good for " +
	"7 days, used up by success, and cannot be read later. tenant_id makes a new account, integrated_account_id connects one again."

// linkBody is the body of a link token.
type linkBody struct {
	TenantID                string        `json:"tenant_id,omitempty" maxLength:"255" doc:"Your own key of the customer, for a new account." example:"acme"`
	IntegratedAccountID     string        `json:"integrated_account_id,omitempty" doc:"The account that is connected again."`
	Scopes                  []string      `json:"scopes,omitempty" maxItems:"500" doc:"OAuth scopes instead of those of the integration."`
	Context                 *rest.Object  `json:"context,omitempty" doc:"Members of the context; they win over what the customer types, who is not asked for them."`
	RedirectURI             string        `json:"redirect_uri,omitempty" maxLength:"2000" doc:"Where the browser goes in the end; result, integration, integrated_account_id and error_type are added to its query."`
	PersistPreviousContext  bool          `json:"persist_previous_context,omitempty" doc:"The context of an account that is connected again stays, under what is new."`
	Region                  string        `json:"region,omitempty" enum:"wnam,enam,apac,eu" doc:"Of a new account; wnam when absent."`
	IsSandbox               bool          `json:"is_sandbox,omitempty" doc:"A new account is a sandbox account."`
	Integrations            []string      `json:"integrations,omitempty" maxItems:"500" doc:"Names of integrations; no others can be connected."`
	EnvironmentUnifiedModel rest.Opt[any] `json:"environment_unified_model_id,omitzero" doc:"There are no unified models."`
	UnifiedModel            rest.Opt[any] `json:"unified_model_id,omitzero" doc:"There are no unified models."`
	StaticGateID            string        `json:"truto_static_gate_id,omitempty" format:"uuid" doc:"The static gate through which all requests for the account go; of an account that is connected again, the one that it has when absent."`
}

func (b *linkBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	var out []millrace.Failure
	fail := func(path, message string) { out = append(out, millrace.Failure{Path: path, Message: message}) }
	switch {
	case b.TenantID == "" && b.IntegratedAccountID == "":
		fail("tenant_id", "is required, or integrated_account_id")
	case b.TenantID != "" && b.IntegratedAccountID != "":
		fail("integrated_account_id", "cannot stand beside tenant_id: either a new account is made, or one is connected again")
	case b.TenantID != "" && b.PersistPreviousContext:
		fail("persist_previous_context", "is for integrated_account_id: a new account has no context")
	case b.TenantID == "" && (b.Region != "" || b.IsSandbox):
		fail("region", "and is_sandbox are for new accounts")
	}
	if u, err := url.Parse(b.RedirectURI); b.RedirectURI != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http") {
		fail("redirect_uri", "must be an address that begins with https:// or http://")
	}
	for path, sent := range map[string]bool{
		"environment_unified_model_id": b.EnvironmentUnifiedModel.Sent, "unified_model_id": b.UnifiedModel.Sent,
	} {
		if sent {
			fail(path, "is not available on this server")
		}
	}
	return out
}

func (*linkBody) Example() string { return `{"tenant_id":"acme"}` }

// linked is the response to a new link token.
type linked struct {
	LinkToken string `json:"link_token" doc:"The token." example:"0b1f6f0e-9f0f-4f37-8a52-9c0b7b8f2f3d"`
}

// CreateLink makes a link token.
func (h *Handlers) CreateLink(ctx context.Context, in *rest.CreateIn[linkBody]) (*rest.Reply[linked], error) {
	b := in.Data
	token, err := store.Compute(ctx, h.DB, func(tx *store.Tx) (string, error) {
		v := &millrace.LinkToken{
			EnvironmentID: in.Environment, TenantID: b.TenantID, IntegratedAccountID: millrace.IntegratedAccountID(strings.ToLower(b.IntegratedAccountID)),
			Options: millrace.LinkOptions{
				Scopes: b.Scopes, Integrations: b.Integrations, RedirectURI: b.RedirectURI, PersistPrevious: b.PersistPreviousContext,
				Region: b.Region, IsSandbox: b.IsSandbox, StaticGateID: millrace.StaticGateID(strings.ToLower(b.StaticGateID)),
			},
		}
		if b.Context != nil {
			v.Context = b.Context.RawMessage
		}
		if v.IntegratedAccountID != "" {
			if _, err := tx.Accounts().Get(ctx, in.Environment, v.IntegratedAccountID); err != nil {
				return "", rest.At("integrated_account_id", err)
			}
		}
		if id := v.Options.StaticGateID; id != "" {
			if _, err := tx.Accounts().Gates().Get(ctx, in.Environment, id); err != nil {
				return "", rest.At("truto_static_gate_id", err)
			}
		}
		return connect.NewLink(ctx, tx, v)
	})
	if err != nil {
		return nil, err
	}
	return &rest.Reply[linked]{Body: linked{token}}, nil
}
