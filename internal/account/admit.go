package account

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
)

// Admit checks the context that a client sends at path against what the credentials of the account's integration ask for, and merges
// it as [MergeContext] does: transformed, and with defaults. whole says that the account is connected with it, so that nothing may be
// missing. Values are never quoted: they may be secrets.
func Admit(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, path string, sent json.RawMessage, whole bool) error {
	install, integration, err := tx.Installs().Lock(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err != nil {
		return err
	}
	merged, err := admitted(v, install, integration, path, sent, whole)
	if err != nil {
		return err
	}
	return MergeSealed(v, secretsOf(v, install, integration), merged)
}

// AdmitOwn merges what the holder of an account's token sends as its context. That came from [ShowOwn] and is changed in some members:
// what is secret or shown only is left out, and a field of the credentials may not be another one than it is.
func AdmitOwn(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, path string, sent json.RawMessage) error {
	install, integration, err := tx.Installs().Lock(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err != nil {
		return err
	}
	set := secretsOf(v, install, integration)
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(sent, &members); err != nil {
		return millrace.Invalid(path, "must be an object")
	}
	delete(members, "oauth")
	for _, secret := range set.Paths() {
		delete(members, secret[0])
	}
	credentials, err := config.Credentials(integration.Config, install.Override, v.Override())
	if err != nil {
		return err
	}
	stored := map[string]json.RawMessage{}
	if err := json.Unmarshal(v.Context, &stored); err != nil {
		return fmt.Errorf("decode context: %w", err)
	}
	for _, credential := range credentials {
		for i := range credential.Fields {
			name := credential.Fields[i].Name
			if own, has := members[name]; has && !sameJSON(own, stored[name]) {
				return millrace.Errorf(millrace.KindForbidden, "%s.%s: is one of the credentials, which the token of an account cannot change", path, name)
			}
		}
	}
	kept, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return MergeSealed(v, set, kept)
}

func sameJSON(a, b json.RawMessage) bool {
	x, err := expr.ParseJSON(a)
	y, other := expr.ParseJSON(b)
	if err != nil || other != nil {
		return false
	}
	one, err := expr.EncodeJSON(x)
	two, other := expr.EncodeJSON(y)
	return err == nil && other == nil && bytes.Equal(one, two)
}

// admitted returns the context to merge.
func admitted(
	v *millrace.IntegratedAccount, install *millrace.EnvironmentIntegration, integration *millrace.Integration, path string, sent json.RawMessage, whole bool,
) (json.RawMessage, error) {
	credentials, err := config.Credentials(integration.Config, install.Override, v.Override())
	if err != nil || len(credentials) == 0 {
		return sent, err
	}
	credential, ok := credentials[v.AuthenticationMethod]
	if !ok {
		known := slices.Sorted(maps.Keys(credentials))
		f := millrace.Failure{Path: "authentication_method", Message: "the integration has no such method, it has " + strings.Join(known, ", ")}
		f.Suggest(v.AuthenticationMethod, known)
		return nil, millrace.InvalidAll([]millrace.Failure{f})
	}
	members := map[string]json.RawMessage{}
	if len(sent) > 0 && json.Unmarshal(sent, &members) != nil {
		return sent, nil //nolint:nilerr // merging it tells what is wrong
	}
	stored, err := v.FullContext()
	if err != nil {
		return nil, err
	}
	var failures []millrace.Failure
	for i := range credential.Fields {
		in := &credential.Fields[i]
		if _, has := stored[in.Name]; members[in.Name] == nil && (has || !whole) {
			continue
		}
		message, err := admit(in, members)
		if err != nil {
			return nil, fmt.Errorf("read %s.%s: %w", path, in.Name, err)
		}
		if message != "" {
			failures = append(failures, millrace.Failure{Path: path + "." + in.Name, Message: message})
		}
	}
	if len(failures) > 0 {
		return nil, millrace.InvalidAll(failures)
	}
	return json.Marshal(members)
}

// admit checks one member and replaces it by its stored form. It returns what is wrong with it.
func admit(in *config.Input, members map[string]json.RawMessage) (string, error) {
	value := in.Default
	if raw := members[in.Name]; raw != nil {
		var err error
		if value, err = expr.ParseJSON(raw); err != nil {
			return "", err
		}
	}
	if message := in.Check(value); message != "" || value == nil {
		return message, nil
	}
	stored := in.Stored(value)
	if text, ok := stored.(string); members[in.Name] != nil && (!ok || text == value) {
		return "", nil // as it was sent: numbers keep their digits
	}
	raw, err := expr.EncodeJSON(stored)
	members[in.Name] = json.RawMessage(raw)
	return "", err
}
