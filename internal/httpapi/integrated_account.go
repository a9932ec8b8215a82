package httpapi

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const (
	contextNote = "context is merged at its top level: a member replaces the one of the same name, all others stay, " +
		"and so do the credentials. context.oauth is merged at any depth."
	eraseNote = "Its runs are stopped, and events about it, what came of them, records that wait, logs and state are removed " +
		"within minutes. Only the event integrated_account:deleted stays, with the id."
	reconnectNote = "Merges the context like a change of the account, then takes the account through the steps of a " +
		"connection again: integrated_account:updated, and integrated_account:active when they succeed."
)

type accounts struct {
	*noun[millrace.IntegratedAccountID, millrace.IntegratedAccount, accountView]
}

func (a *api) integratedAccounts() accounts {
	return accounts{&noun[millrace.IntegratedAccountID, millrace.IntegratedAccount, accountView]{
		api: a, one: (*store.Tx).IntegratedAccount, many: (*store.Tx).ListIntegratedAccounts, drop: a.dropAccount,
		show: showAccounts,
	}}
}

// accountBody is the body of an import.
type accountBody struct {
	Identity
	TenantID                 string  `json:"tenant_id" minLength:"1" maxLength:"255" doc:"Your own key of the customer." example:"acme"`
	EnvironmentIntegrationID string  `json:"environment_integration_id" format:"uuid" doc:"The installed integration."`
	AuthenticationMethod     string  `json:"authentication_method" minLength:"1" maxLength:"100" doc:"oauth2, api_key, oauth2_client_credentials, ..." example:"api_key"`
	Context                  object  `json:"context" doc:"The account's variables, credentials among them. Credentials are never shown again."`
	Region                   string  `json:"region,omitempty" enum:"wnam,enam,apac,eu" doc:"wnam when absent; it cannot be changed."`
	IsSandbox                bool    `json:"is_sandbox,omitempty"`
	Features                 *object `json:"features,omitempty"`
	UnifiedModelOverride     *object `json:"unified_model_override,omitempty"`
	IntegrationOverride      *object `json:"integration_override,omitempty"`
}

func (b *accountBody) row(env millrace.EnvironmentID) *millrace.IntegratedAccount {
	raw := func(o *object) json.RawMessage {
		if o == nil {
			return json.RawMessage("{}")
		}
		return rawOr(o.RawMessage, "{}")
	}
	v := &millrace.IntegratedAccount{
		ID: millrace.IntegratedAccountID(b.ID), EnvironmentID: env, TenantID: b.TenantID,
		EnvironmentIntegrationID: millrace.EnvironmentIntegrationID(lower(b.EnvironmentIntegrationID)),
		AuthenticationMethod:     b.AuthenticationMethod, Status: millrace.AccountConnecting, IsSandbox: b.IsSandbox,
		Region: b.Region, Features: raw(b.Features), UnifiedModelOverride: raw(b.UnifiedModelOverride),
	}
	setOverride(v, raw(b.IntegrationOverride))
	if v.Region == "" {
		v.Region = "wnam"
	}
	return v
}

func (n accounts) create(ctx context.Context, in *createIn[accountBody]) (*reply[accountView], error) {
	if err := in.Data.own(in.Environment); err != nil {
		return nil, err
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v := in.Data.row(in.Environment)
		if _, err := tx.EnvironmentIntegration(ctx, in.Environment, v.EnvironmentIntegrationID); err != nil {
			return nil, at("environment_integration_id", err)
		}
		if err := MergeContext(ctx, tx, v, in.Data.Context.RawMessage); err != nil {
			return nil, err
		}
		if err := tx.InsertIntegratedAccount(ctx, v); err != nil {
			return nil, err
		}
		created, err := accountEvent(ctx, tx, millrace.EventAccountCreated, v)
		if err != nil {
			return nil, err
		}
		return v, n.api.connect(ctx, tx, v, created)
	})
}

// connect takes an account whose credentials were saved through the steps of a connection and stores the event that
// began it together with the one that ends it. An account whose integration defines no post-install and no validation
// actions is active at once. Those actions call the third party, so they cannot run here, inside a transaction: the
// account will stay connecting and a task will take it from here.
func (a *api) connect(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, began *millrace.Event) error {
	v.Status, v.LastError = millrace.AccountActive, "" //commit:allow the row was made or read in the same transaction
	if err := tx.UpdateIntegratedAccount(ctx, v); err != nil {
		return err
	}
	active, err := accountEvent(ctx, tx, millrace.EventAccountActive, v)
	if err != nil {
		return err
	}
	return a.cfg.Emitter.EmitTx(ctx, tx, began, active)
}

// accountPatch is the body of a change.
type accountPatch struct {
	TenantID             opt[string]                 `json:"tenant_id,omitzero" minLength:"1" maxLength:"255" nullable:"false"`
	Status               opt[millrace.AccountStatus] `json:"status,omitzero" enum:"connecting,active,post_install_error,validation_error,needs_reauth" nullable:"false"`
	AuthenticationMethod opt[string]                 `json:"authentication_method,omitzero" minLength:"1" maxLength:"100" nullable:"false"`
	Context              opt[object]                 `json:"context,omitzero"`
	UnifiedModelOverride opt[object]                 `json:"unified_model_override,omitzero" doc:"Replaced as a whole."`
	IntegrationOverride  opt[object]                 `json:"integration_override,omitzero" doc:"Replaced as a whole."`
}

func (n accounts) patch(ctx context.Context, in *patchIn[millrace.IntegratedAccountID, accountPatch]) (*reply[accountView], error) {
	b := in.Data
	return n.update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v, err := tx.IntegratedAccount(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		before := v.Status
		v.TenantID, v.Status = b.TenantID.or(v.TenantID), b.Status.or(v.Status)
		v.AuthenticationMethod = b.AuthenticationMethod.or(v.AuthenticationMethod)
		v.UnifiedModelOverride = sentRaw(b.UnifiedModelOverride, v.UnifiedModelOverride, "{}")
		setOverride(v, sentRaw(b.IntegrationOverride, v.Override(), "{}"))
		if err := MergeContext(ctx, tx, v, b.Context.Value.RawMessage); err != nil {
			return nil, err
		}
		becomesActive := before != millrace.AccountActive && v.Status == millrace.AccountActive
		if becomesActive {
			v.LastError = ""
		}
		if err := tx.UpdateIntegratedAccount(ctx, v); err != nil {
			return nil, err
		}
		names := []string{millrace.EventAccountUpdated}
		if becomesActive {
			names = append(names, millrace.EventAccountActive)
		}
		return v, n.api.emitAccount(ctx, tx, v, names...)
	})
}

func (a *api) emitAccount(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, names ...string) error {
	var events []*millrace.Event
	for _, name := range names {
		e, err := accountEvent(ctx, tx, name, v)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	return a.cfg.Emitter.EmitTx(ctx, tx, events...)
}

// credentialsBody is the body of a reconnection.
type credentialsBody struct {
	Context              *object     `json:"context,omitempty" doc:"The new credentials."`
	Credentials          *object     `json:"credentials,omitempty" doc:"The same as context."`
	AuthenticationMethod opt[string] `json:"authentication_method,omitzero" minLength:"1" maxLength:"100" nullable:"false"`
}

func (b *credentialsBody) validate(*api, json.RawMessage) []millrace.Failure {
	switch {
	case b.Context == nil && b.Credentials == nil:
		return []millrace.Failure{{Path: "context", Message: "is required"}}
	case b.Context != nil && b.Credentials != nil:
		return []millrace.Failure{{Path: "credentials", Message: "means the same as context; send one of them"}}
	}
	return nil
}

func (n accounts) reconnect(ctx context.Context, in *patchIn[millrace.IntegratedAccountID, credentialsBody]) (*reply[accountView], error) {
	return n.update(ctx, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		v, err := tx.IntegratedAccount(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		for _, sent := range []*object{in.Data.Context, in.Data.Credentials} {
			if sent == nil {
				continue
			}
			if err := MergeContext(ctx, tx, v, sent.RawMessage); err != nil {
				return nil, err
			}
		}
		v.AuthenticationMethod = in.Data.AuthenticationMethod.or(v.AuthenticationMethod)
		v.Status = millrace.AccountConnecting
		updated, err := accountEvent(ctx, tx, millrace.EventAccountUpdated, v)
		if err != nil {
			return nil, err
		}
		return v, n.api.connect(ctx, tx, v, updated)
	})
}

// erased is the answer to the removal of a customer.
type erased struct {
	deleted
	Erasing bool `json:"erasing" doc:"Always true: what is stored about the customer is being removed, which may take some minutes."`
}

func (n accounts) erase(ctx context.Context, in *getIn[millrace.IntegratedAccountID]) (*reply[erased], error) {
	out, err := n.delete(ctx, in)
	if err != nil {
		return nil, err
	}
	return &reply[erased]{erased{out.Body, true}}, nil
}

// dropAccount deletes an account and its schedules, which could only fail from now on, and has what is stored about it
// removed.
func (a *api) dropAccount(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	if err := tx.DeleteIntegratedAccount(ctx, env, id); err != nil {
		return err
	}
	if err := dropSchedules(ctx, tx, env, "integrated_account_id", string(id)); err != nil {
		return err
	}
	if err := tx.StartErasure(ctx, &millrace.Erasure{EnvironmentID: env, IntegratedAccountID: id}); err != nil {
		return err
	}
	return a.emit(ctx, tx, env, millrace.EventAccountDeleted, deleted{string(id)})
}
