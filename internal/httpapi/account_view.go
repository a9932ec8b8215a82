package httpapi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// environmentVariables is the member of a context that is not stored: it shows those of the installation.
const environmentVariables = "environment_variables"

// accountView is an integrated account on the wire and in the payload of its events. It has no credentials.
type accountView struct {
	millrace.IntegratedAccount
	Integration            *integrationIdentity             `json:"integration" doc:"The integration behind the account."`
	EnvironmentIntegration *millrace.EnvironmentIntegration `json:"environment_integration" doc:"The installed integration, without secrets."`
}

// showAccounts shows accounts to a client.
func showAccounts(ctx context.Context, tx *store.Tx, rows []millrace.IntegratedAccount) ([]accountView, error) {
	seen := map[millrace.EnvironmentIntegrationID]installView{}
	out := make([]accountView, len(rows))
	for i := range rows {
		install, err := installOf(ctx, tx, seen, &rows[i])
		if err != nil {
			return nil, err
		}
		out[i] = accountView{rows[i], install.Integration, nil}
		if err := hideSecrets(&out[i].IntegratedAccount, install.secrets); err != nil {
			return nil, err
		}
		if install.Integration == nil {
			continue
		}
		out[i].EnvironmentIntegration = &install.EnvironmentIntegration
		out[i].Context = withVariables(out[i].Context, install.Override)
	}
	return out, nil
}

// AccountEvent makes an event about an account for those who change accounts outside the API.
func AccountEvent(ctx context.Context, tx *store.Tx, name string, v *millrace.IntegratedAccount) (*millrace.Event, error) {
	return accountEvent(ctx, tx, name, v)
}

// accountEvent makes an event about an account. Its payload has no environment variables: they may be secret to those
// who get the event.
func accountEvent(ctx context.Context, tx *store.Tx, name string, v *millrace.IntegratedAccount) (*millrace.Event, error) {
	shown, err := showAccounts(ctx, tx, []millrace.IntegratedAccount{*v})
	if err != nil {
		return nil, err
	}
	payload := shown[0]
	payload.Context = withoutMember(payload.Context, environmentVariables)
	if payload.EnvironmentIntegration != nil {
		payload.EnvironmentIntegration.Override = withoutMember(payload.EnvironmentIntegration.Override, environmentVariables)
	}
	return newEvent(tx, v.EnvironmentID, name, payload)
}

// installOf returns what an account is a connection of. One that is gone leaves the account without.
func installOf(ctx context.Context, tx *store.Tx, seen map[millrace.EnvironmentIntegrationID]installView, v *millrace.IntegratedAccount) (installView, error) {
	if shown, ok := seen[v.EnvironmentIntegrationID]; ok {
		return shown, nil
	}
	var shown []installView
	install, err := tx.EnvironmentIntegration(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err == nil {
		shown, err = showInstalls(ctx, tx, []millrace.EnvironmentIntegration{*install})
	}
	if err != nil && millrace.KindOf(err) != millrace.KindNotFound {
		return installView{}, err
	}
	if err != nil {
		shown = []installView{{secrets: secret.NewSet()}}
	}
	seen[v.EnvironmentIntegrationID] = shown[0] //commit:allow the map is of the same transaction
	return shown[0], nil
}

func withVariables(accountContext, override json.RawMessage) json.RawMessage {
	from, err := document.ParseJSON(override)
	if err != nil || from.Get(environmentVariables) == nil {
		return accountContext
	}
	into, err := document.ParseJSON(accountContext)
	if err != nil || into.Kind != document.KindObject {
		return accountContext
	}
	into.Set(environmentVariables, from.Get(environmentVariables))
	return into.JSON()
}

func withoutMember(doc json.RawMessage, key string) json.RawMessage {
	root, err := document.ParseJSON(doc)
	if err != nil || root.Get(key) == nil {
		return doc
	}
	root.Remove(key)
	return root.JSON()
}

// MergeContext merges what a client sent into an account's context: members of the top level are replaced, those that
// were not sent stay, and with them the credentials, which no client can send back because none is shown. Of oauth,
// members of any depth are replaced.
func MergeContext(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, sent json.RawMessage) error {
	set, err := secretsOf(ctx, tx, v)
	if err != nil {
		return err
	}
	full, err := v.FullContext()
	if err != nil {
		return err
	}
	patch := map[string]any{}
	if len(sent) > 0 {
		if err := json.Unmarshal(sent, &patch); err != nil {
			return fmt.Errorf("decode context: %w", err)
		}
	}
	delete(patch, environmentVariables)
	for key, val := range patch {
		old, wasObject := full[key].(map[string]any)
		change, isObject := val.(map[string]any)
		if key == "oauth" && wasObject && isObject {
			overlay(old, change)
			continue
		}
		full[key] = val
	}
	whole, err := json.Marshal(full)
	if err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	hideOverride(v, set)
	return v.SetContext(whole, set.Paths())
}

func overlay(into, from map[string]any) {
	for key, val := range from {
		old, wasObject := into[key].(map[string]any)
		change, isObject := val.(map[string]any)
		if wasObject && isObject {
			overlay(old, change)
			continue
		}
		into[key] = val
	}
}
