package millrace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// AccountStatus says how far a connection has come.
type AccountStatus string

// The states of an integrated account: connecting -> active, or one of the errors; needs_reauth when its credentials
// stopped working.
const (
	AccountConnecting       AccountStatus = "connecting"
	AccountActive           AccountStatus = "active"
	AccountPostInstallError AccountStatus = "post_install_error"
	AccountValidationError  AccountStatus = "validation_error"
	AccountNeedsReauth      AccountStatus = "needs_reauth"
)

// IntegratedAccount is one customer's connection to a third party.
type IntegratedAccount struct {
	ID                       IntegratedAccountID      `json:"id"`
	EnvironmentID            EnvironmentID            `json:"environment_id"`
	TenantID                 string                   `json:"tenant_id"`
	EnvironmentIntegrationID EnvironmentIntegrationID `json:"environment_integration_id"`
	AuthenticationMethod     string                   `json:"authentication_method"`
	Status                   AccountStatus            `json:"status"`
	LastError                string                   `json:"last_error,omitempty"`
	IsSandbox                bool                     `json:"is_sandbox"`
	Region                   string                   `json:"region"`
	Context                  json.RawMessage          `json:"context"` // without its secret members
	Secrets                  json.RawMessage          `json:"-"`       // the secret members; encrypted at rest, never shown
	Sealed                   bool                     `json:"-"`       // Secrets has all that the integration declares
	Features                 json.RawMessage          `json:"features"`
	UnifiedModelOverride     json.RawMessage          `json:"unified_model_override"`
	IntegrationOverride      json.RawMessage          `json:"integration_override"` // without the secrets in it
	FullOverride             json.RawMessage          `json:"-"`                    // with them; encrypted at rest, never shown
	Addressable              bool                     `json:"-"`                    // hooks may name it by its id alone
	CreatedAt                Time                     `json:"created_at"`
	UpdatedAt                Time                     `json:"updated_at"`
}

// SetContext stores a whole context, with its secret members apart: those at the paths, each the names that lead to one, and
// those that were secret before, which no change of an integration brings to light again. It returns an error of
// KindInvalid when full is not a JSON object.
func (a *IntegratedAccount) SetContext(full json.RawMessage, secret [][]string) error {
	if len(full) == 0 {
		full = json.RawMessage("{}")
	}
	var public map[string]any
	if err := decodeNumbers(full, &public); err != nil || public == nil {
		return Invalid("context", "must be an object")
	}
	before := map[string]any{}
	if len(a.Secrets) > 0 {
		if err := decodeNumbers(a.Secrets, &before); err != nil {
			return fmt.Errorf("decode secrets: %w", err)
		}
	}
	secrets := map[string]any{}
	moveSecrets(public, secrets, append(leaves(nil, nil, before), secret...))
	return a.encode(public, secrets)
}

// Seal sets secret members of the context apart that are not yet, and reports whether there were any.
func (a *IntegratedAccount) Seal(secret [][]string) (bool, error) {
	public, secrets := map[string]any{}, map[string]any{}
	for raw, into := range map[*json.RawMessage]*map[string]any{&a.Context: &public, &a.Secrets: &secrets} {
		if len(*raw) == 0 {
			continue
		}
		if err := decodeNumbers(*raw, into); err != nil {
			return false, fmt.Errorf("decode context: %w", err)
		}
	}
	if !moveSecrets(public, secrets, secret) {
		a.Sealed = true
		return false, nil
	}
	return true, a.encode(public, secrets)
}

func (a *IntegratedAccount) encode(public, secrets map[string]any) error {
	var err error
	if a.Context, err = json.Marshal(public); err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	if a.Secrets, err = json.Marshal(secrets); err != nil {
		return fmt.Errorf("encode secrets: %w", err)
	}
	a.Sealed = true
	return nil
}

// Override returns the account's override of its integration with the secrets in it. Like those of the context, it is for
// requests to the provider.
func (a *IntegratedAccount) Override() json.RawMessage {
	if len(a.FullOverride) > 0 {
		return a.FullOverride
	}
	return a.IntegrationOverride
}

// FullContext returns the context with its secret members. It is for requests to the third party and for nothing
// else: it must not reach a response, an event, a log line or an expression's scope.
func (a *IntegratedAccount) FullContext() (map[string]any, error) {
	full, secrets := map[string]any{}, map[string]any{}
	if len(a.Context) > 0 {
		if err := json.Unmarshal(a.Context, &full); err != nil {
			return nil, fmt.Errorf("decode context: %w", err)
		}
	}
	if len(a.Secrets) > 0 {
		if err := json.Unmarshal(a.Secrets, &secrets); err != nil {
			return nil, fmt.Errorf("decode secrets: %w", err)
		}
	}
	mergeInto(full, secrets)
	return full, nil
}

// moveSecrets moves what the paths lead to, and reports whether there was anything.
func moveSecrets(from, to map[string]any, paths [][]string) bool {
	moved := false
	for _, path := range paths {
		if v, taken, ok := takePath(from, path); ok {
			putPath(to, taken, v)
			moved = true
		}
	}
	return moved
}

// leaves lists the paths of what has a value in a document.
func leaves(out [][]string, path []string, doc map[string]any) [][]string {
	for key, v := range doc {
		here := append(slices.Clone(path), key)
		switch v := v.(type) {
		case nil:
		case map[string]any:
			out = leaves(out, here, v)
		default:
			out = append(out, here)
		}
	}
	return out
}

// takePath takes a member out of a document and returns the path that it had: one that leads into an array means the array.
func takePath(m map[string]any, keys []string) (any, []string, bool) {
	for i, k := range keys {
		v, ok := m[k]
		next, isMap := v.(map[string]any)
		_, isArray := v.([]any)
		switch {
		case !ok:
			return nil, nil, false
		case i == len(keys)-1, isArray:
			delete(m, k)
			return v, keys[:i+1], true
		case !isMap:
			return nil, nil, false
		}
		m = next
	}
	return nil, nil, false
}

func putPath(m map[string]any, keys []string, v any) {
	for _, k := range keys[:len(keys)-1] {
		next, ok := m[k].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[k] = next
		}
		m = next
	}
	last := keys[len(keys)-1]
	mergeInto(m, map[string]any{last: v})
}

// mergeInto merges src into dst, member by member.
func mergeInto(dst, src map[string]any) {
	for k, v := range src {
		child, isMap := v.(map[string]any)
		if old, ok := dst[k].(map[string]any); ok && isMap {
			mergeInto(old, child)
			continue
		}
		dst[k] = v
	}
}

// decodeNumbers decodes JSON and keeps numbers as they are written: ids of third parties may have more digits than a
// float64.
func decodeNumbers(raw json.RawMessage, into *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// AccountRate is what all runs of an account know of the rate limit of its third party.
type AccountRate struct {
	IntegratedAccountID IntegratedAccountID
	EnvironmentID       EnvironmentID
	BlockedSince        Time // when the third party said so
	BlockedUntil        Time // it wants no request before
}
