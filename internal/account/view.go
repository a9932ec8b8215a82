package account

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// EnvironmentVariables is the member of a context that is not stored: it shows those of the installation.
const EnvironmentVariables = "environment_variables"

// AccountView is an integrated account on the wire and in the payload of its events. It has no credentials.
type AccountView struct { //nolint:revive // the name of its schema in the API's document
	millrace.IntegratedAccount
	StoredFields           []string                         `json:"object_store_context_fields" doc:"The members of the context that were sent as { truto_obj_store: true, data }. They are shown as their data."`
	Integration            *IntegrationIdentity             `json:"integration" doc:"The integration behind the account."`
	EnvironmentIntegration *millrace.EnvironmentIntegration `json:"environment_integration" doc:"The installed integration, without secrets."`
}

// Show shows accounts to a client.
func Show(ctx context.Context, tx *store.Tx, rows []millrace.IntegratedAccount) ([]AccountView, error) {
	seen := map[millrace.EnvironmentIntegrationID]InstallView{}
	out := make([]AccountView, len(rows))
	for i := range rows {
		install, err := installOf(ctx, tx, seen, &rows[i])
		if err != nil {
			return nil, err
		}
		out[i] = AccountView{rows[i], rows[i].StoredFields(), install.Integration, nil}
		out[i].Context = rows[i].ReadContext()
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

// ShowOwn shows an account to who has the token of it: with the access token, which a provider's own scripts need in a browser.
func ShowOwn(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount) (*AccountView, error) {
	shown, err := Show(ctx, tx, []millrace.IntegratedAccount{*v})
	if err != nil {
		return nil, err
	}
	full, err := v.FullContext()
	if err != nil {
		return nil, err
	}
	out := &shown[0]
	if _, access, _ := millrace.OAuthToken(full); access != "" {
		out.Context, err = withText(out.Context, access, "oauth", "token", "access_token")
	}
	return out, err
}

// withText returns an object with a text at a path. What is no object on the way is replaced.
func withText(raw json.RawMessage, text string, path ...string) (json.RawMessage, error) {
	if len(path) == 0 {
		return json.Marshal(text)
	}
	members := map[string]json.RawMessage{}
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &members) // what is no object is replaced
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	var err error
	if members[path[0]], err = withText(members[path[0]], text, path[1:]...); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// NewEvent makes an event about an account. Its payload has no environment variables: they may be secret to those
// who get the event.
func NewEvent(ctx context.Context, tx *store.Tx, name string, v *millrace.IntegratedAccount) (*millrace.Event, error) {
	shown, err := Show(ctx, tx, []millrace.IntegratedAccount{*v})
	if err != nil {
		return nil, err
	}
	payload := shown[0]
	payload.Context = WithoutMember(payload.Context, EnvironmentVariables)
	if payload.EnvironmentIntegration != nil {
		payload.EnvironmentIntegration.Override = WithoutMember(payload.EnvironmentIntegration.Override, EnvironmentVariables)
	}
	return event.New(tx, v.EnvironmentID, name, payload)
}

// installOf returns what an account is a connection of. One that is gone leaves the account without.
func installOf(ctx context.Context, tx *store.Tx, seen map[millrace.EnvironmentIntegrationID]InstallView, v *millrace.IntegratedAccount) (InstallView, error) {
	if shown, ok := seen[v.EnvironmentIntegrationID]; ok {
		return shown, nil
	}
	var shown []InstallView
	install, err := tx.Installs().Get(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err == nil {
		shown, err = ShowInstalls(ctx, tx, []millrace.EnvironmentIntegration{*install})
	}
	if err != nil && millrace.KindOf(err) != millrace.KindNotFound {
		return InstallView{}, err
	}
	if err != nil {
		shown = []InstallView{{secrets: secret.NewSet()}}
	}
	seen[v.EnvironmentIntegrationID] = shown[0] //commit:allow the map is of the same transaction
	return shown[0], nil
}

func withVariables(accountContext, override json.RawMessage) json.RawMessage {
	from, err := document.ParseJSON(override)
	if err != nil || from.Get(EnvironmentVariables) == nil {
		return accountContext
	}
	into, err := document.ParseJSON(accountContext)
	if err != nil || into.Kind != document.KindObject {
		return accountContext
	}
	into.Set(EnvironmentVariables, from.Get(EnvironmentVariables))
	return into.JSON()
}

// WithoutMember returns a document without a member of its top level.
func WithoutMember(doc json.RawMessage, key string) json.RawMessage {
	root, err := document.ParseJSON(doc)
	if err != nil || root.Get(key) == nil {
		return doc
	}
	root.Remove(key)
	return root.JSON()
}

// MergeContext merges what a client sent into an account's context; see [millrace.IntegratedAccount.MergeContext].
func MergeContext(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, sent json.RawMessage) error {
	set, err := SecretsOf(ctx, tx, v)
	if err != nil {
		return err
	}
	return MergeSealed(v, set, sent)
}

// MergeSealed is [MergeContext] with what of the account is secret, as [SecretsOf] returned it in the same transaction.
func MergeSealed(v *millrace.IntegratedAccount, set *secret.Set, sent json.RawMessage) error {
	HideOverride(v, set)
	return v.MergeContext(sent, set.Paths(), EnvironmentVariables)
}
