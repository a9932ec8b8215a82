package connection

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/disconnect"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

// Descriptions of routes.
const (
	ContextNote = "context is merged at its top level: a member replaces the one of the same name, all others stay, " +
		"and so do the credentials. context.oauth is merged at any depth."
	EraseNote = "Its runs are stopped, and events about it, what followed from them, records that wait, logs and state are removed " +
		"within minutes. Only the event integrated_account:deleted stays, with the id."
	ReconnectNote = "Merges the context like a change of the account, then takes the account through the steps of a " +
		"connection again: integrated_account:updated, then the actions post_install and validation of the integration, then one of " +
		"integrated_account:active, integrated_account:post_install_error and integrated_account:validation_error."
	ActionsNote = "Takes the account through the actions post_install and validation of its integration again, as a reconnection does. " +
		"It is connecting until a task has run them; last_action_run_result has the result of each step."
)

type accounts struct {
	*rest.Resource[millrace.IntegratedAccountID, millrace.IntegratedAccount, account.AccountView]
	handlers *Handlers
}

// IntegratedAccounts are the handlers of integrated accounts.
func (h *Handlers) IntegratedAccounts() accounts {
	return accounts{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Accounts, deleteAccount), account.Show), h}
}

// accountBody is the body of an import.
type accountBody struct {
	rest.Identity
	TenantID                 string       `json:"tenant_id" minLength:"1" maxLength:"255" doc:"Your own key of the customer." example:"acme"`
	EnvironmentIntegrationID string       `json:"environment_integration_id" format:"uuid" doc:"The installed integration."`
	AuthenticationMethod     string       `json:"authentication_method" minLength:"1" maxLength:"100" doc:"oauth2, api_key, oauth2_client_credentials, ..." example:"api_key"`
	Context                  rest.Object  `json:"context" doc:"The account's variables, credentials among them. Credentials are never shown again."`
	Region                   string       `json:"region,omitempty" enum:"wnam,enam,apac,eu" doc:"wnam when absent; it cannot be changed."`
	IsSandbox                bool         `json:"is_sandbox,omitempty"`
	Features                 *rest.Object `json:"features,omitempty"`
	UnifiedModelOverride     *rest.Object `json:"unified_model_override,omitempty"`
	IntegrationOverride      *rest.Object `json:"integration_override,omitempty"`
}

func (b *accountBody) row(env millrace.EnvironmentID) *millrace.IntegratedAccount {
	raw := func(o *rest.Object) json.RawMessage {
		if o == nil {
			return json.RawMessage("{}")
		}
		return rest.RawOr(o.RawMessage, "{}")
	}
	v := &millrace.IntegratedAccount{
		ID: millrace.IntegratedAccountID(b.ID), EnvironmentID: env, TenantID: b.TenantID,
		EnvironmentIntegrationID: millrace.EnvironmentIntegrationID(strings.ToLower(b.EnvironmentIntegrationID)),
		AuthenticationMethod:     b.AuthenticationMethod, Status: millrace.AccountConnecting, IsSandbox: b.IsSandbox,
		Region: b.Region, Features: raw(b.Features), UnifiedModelOverride: raw(b.UnifiedModelOverride),
	}
	account.SetOverride(v, raw(b.IntegrationOverride))
	if v.Region == "" {
		v.Region = "wnam"
	}
	return v
}

func (n accounts) Create(ctx context.Context, in *rest.CreateIn[accountBody]) (*rest.Reply[account.AccountView], error) {
	if err := in.Data.Own(in.Environment); err != nil {
		return nil, err
	}
	return n.Update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v := in.Data.row(in.Environment)
		if _, err := tx.Installs().Get(ctx, in.Environment, v.EnvironmentIntegrationID); err != nil {
			return nil, rest.At("environment_integration_id", err)
		}
		if o := in.Data.IntegrationOverride; o != nil {
			if err := checkOverride(ctx, tx, v, o.RawMessage); err != nil {
				return nil, err
			}
		}
		if err := account.Admit(ctx, tx, v, "context", in.Data.Context.RawMessage, true); err != nil {
			return nil, err
		}
		if err := tx.Accounts().Create(ctx, v); err != nil {
			return nil, err
		}
		created, err := account.NewEvent(ctx, tx, millrace.EventAccountCreated, v)
		if err != nil {
			return nil, err
		}
		return v, provider.Connect(ctx, tx, v, created)
	})
}

// accountPatch is the body of a change.
type accountPatch struct {
	TenantID             rest.Opt[string]                 `json:"tenant_id,omitzero" minLength:"1" maxLength:"255" nullable:"false"`
	Status               rest.Opt[millrace.AccountStatus] `json:"status,omitzero" enum:"connecting,active,post_install_error,validation_error,needs_reauth" nullable:"false"`
	AuthenticationMethod rest.Opt[string]                 `json:"authentication_method,omitzero" minLength:"1" maxLength:"100" nullable:"false"`
	Context              rest.Opt[rest.Object]            `json:"context,omitzero"`
	UnifiedModelOverride rest.Opt[rest.Object]            `json:"unified_model_override,omitzero" doc:"Replaced as a whole."`
	IntegrationOverride  rest.Opt[rest.Object]            `json:"integration_override,omitzero" doc:"Replaced as a whole."`
}

func (n accounts) Patch(ctx context.Context, in *rest.PatchIn[millrace.IntegratedAccountID, accountPatch]) (*rest.Reply[account.AccountView], error) {
	b := in.Data
	return n.Update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v, err := tx.Accounts().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		before := v.Status
		v.TenantID, v.Status = b.TenantID.Or(v.TenantID), b.Status.Or(v.Status)
		if err := tx.Accounts().Tenants().Ensure(ctx, v.EnvironmentID, v.TenantID); err != nil {
			return nil, err
		}
		v.AuthenticationMethod = b.AuthenticationMethod.Or(v.AuthenticationMethod)
		v.UnifiedModelOverride = rest.SentRaw(b.UnifiedModelOverride, v.UnifiedModelOverride, "{}")
		if err := checkOverride(ctx, tx, v, b.IntegrationOverride.Value.RawMessage); err != nil {
			return nil, err
		}
		account.SetOverride(v, rest.SentRaw(b.IntegrationOverride, v.Override(), "{}"))
		if b.Context.Sent || b.AuthenticationMethod.Sent {
			if err := account.Admit(ctx, tx, v, "context", b.Context.Value.RawMessage, false); err != nil {
				return nil, err
			}
		} else if err := account.MergeContext(ctx, tx, v, nil); err != nil {
			return nil, err
		}
		if v.Status != before {
			v.Connection = ""
		}
		becomesActive := before != millrace.AccountActive && v.Status == millrace.AccountActive
		if becomesActive {
			v.LastError = ""
			if err := account.PlanActions(ctx, tx, v); err != nil {
				return nil, err
			}
		}
		if err := account.Update(ctx, tx, v); err != nil {
			return nil, err
		}
		names := []string{millrace.EventAccountUpdated}
		if becomesActive {
			names = append(names, millrace.EventAccountActive)
		}
		return v, emitAccount(ctx, tx, v, names...)
	})
}

// checkOverride rejects an override with which the config of the account's integration would not be valid.
func checkOverride(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, override json.RawMessage) error {
	if len(override) == 0 {
		return nil
	}
	install, err := tx.Installs().Get(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err != nil {
		return err
	}
	integration, err := tx.Integrations().Get(ctx, v.EnvironmentID, install.IntegrationID)
	if err != nil {
		return err
	}
	return millrace.InvalidAll(definition.CheckOverride("integration_override", override, integration.Config, install.Override))
}

func emitAccount(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, names ...string) error {
	var events []*millrace.Event
	for _, name := range names {
		e, err := account.NewEvent(ctx, tx, name, v)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	return event.Emit(ctx, tx, events...)
}

// credentialsBody is the body of a reconnection.
type credentialsBody struct {
	Context              *rest.Object     `json:"context,omitempty" doc:"The new credentials."`
	Credentials          *rest.Object     `json:"credentials,omitempty" doc:"The same as context."`
	AuthenticationMethod rest.Opt[string] `json:"authentication_method,omitzero" minLength:"1" maxLength:"100" nullable:"false"`
}

func (b *credentialsBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	switch {
	case b.Context == nil && b.Credentials == nil:
		return []millrace.Failure{{Path: "context", Message: "is required"}}
	case b.Context != nil && b.Credentials != nil:
		return []millrace.Failure{{Path: "credentials", Message: "means the same as context; send one of them"}}
	}
	return nil
}

func (n accounts) Reconnect(ctx context.Context, in *rest.PatchIn[millrace.IntegratedAccountID, credentialsBody]) (*rest.Reply[account.AccountView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v, err := tx.Accounts().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v.AuthenticationMethod = in.Data.AuthenticationMethod.Or(v.AuthenticationMethod)
		path, sent := "context", in.Data.Context
		if sent == nil {
			path, sent = "credentials", in.Data.Credentials
		}
		if err := account.Admit(ctx, tx, v, path, sent.RawMessage, true); err != nil {
			return nil, err
		}
		v.Status = millrace.AccountConnecting
		updated, err := account.NewEvent(ctx, tx, millrace.EventAccountUpdated, v)
		if err != nil {
			return nil, err
		}
		return v, provider.Connect(ctx, tx, v, updated)
	})
}

// idBody names an account.
type idBody struct {
	ID string `json:"id" format:"uuid" doc:"The account." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
}

// RunActions takes an account through the actions of its connection again.
func (n accounts) RunActions(ctx context.Context, in *rest.CreateIn[idBody]) (*rest.Reply[account.AccountView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v, err := tx.Accounts().Get(ctx, in.Environment, millrace.IntegratedAccountID(strings.ToLower(in.Data.ID)))
		if err != nil {
			return nil, rest.At("id", err)
		}
		v.Status = millrace.AccountConnecting
		updated, err := account.NewEvent(ctx, tx, millrace.EventAccountUpdated, v)
		if err != nil {
			return nil, err
		}
		return v, provider.Connect(ctx, tx, v, updated)
	})
}

// erased is the response to the removal of a customer.
type erased struct {
	rest.Deleted
	Erasing bool `json:"erasing" doc:"Always true: what is stored about the customer is being removed, which may take some minutes."`
}

func (n accounts) Erase(ctx context.Context, in *rest.GetIn[millrace.IntegratedAccountID]) (*rest.Reply[erased], error) {
	out, err := n.Delete(ctx, in)
	if err != nil {
		return nil, err
	}
	return &rest.Reply[erased]{Body: erased{out.Body, true}}, nil
}

// deleteAccount deletes an account, after the workflows that listen to that.
func deleteAccount(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	return disconnect.Begin(ctx, tx, env, id)
}

// emit stores an event in the transaction that also changes what it is about.
func emit(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, name string, payload any) error {
	e, err := event.New(tx, env, name, payload)
	if err != nil {
		return err
	}
	return event.Emit(ctx, tx, e)
}
