package millrace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
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
	Context                  json.RawMessage          `json:"context"` // without the protected paths
	Secrets                  json.RawMessage          `json:"-"`       // the protected paths; encrypted at rest, never shown
	Features                 json.RawMessage          `json:"features"`
	UnifiedModelOverride     json.RawMessage          `json:"unified_model_override"`
	IntegrationOverride      json.RawMessage          `json:"integration_override"`
	CreatedAt                Time                     `json:"created_at"`
	UpdatedAt                Time                     `json:"updated_at"`
}

// ProtectedPaths lists the members of an account's context that never leave the server.
func ProtectedPaths() []string {
	return []string{
		"oauth.token.access_token", "oauth.token.refresh_token", "oauth.token.access_token_secret",
		"api_key", "api_token", "token", "password", "secret", "client_secret", "access_token", "refresh_token",
		"secret_environment_variables",
	}
}

// SetContext stores a whole context, with its protected paths apart. It returns an error of KindInvalid when full is
// not a JSON object.
func (a *IntegratedAccount) SetContext(full json.RawMessage) error {
	if len(full) == 0 {
		full = json.RawMessage("{}")
	}
	var public map[string]any
	if err := decodeNumbers(full, &public); err != nil || public == nil {
		return Invalid("context", "must be an object")
	}
	secrets := map[string]any{}
	for _, path := range ProtectedPaths() {
		keys := strings.Split(path, ".")
		if v, ok := takePath(public, keys); ok {
			putPath(secrets, keys, v)
		}
	}
	var err error
	if a.Context, err = json.Marshal(public); err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	if a.Secrets, err = json.Marshal(secrets); err != nil {
		return fmt.Errorf("encode secrets: %w", err)
	}
	return nil
}

// FullContext returns the context with its protected paths. It is for requests to the third party and for nothing
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

func takePath(m map[string]any, keys []string) (any, bool) {
	for _, k := range keys[:len(keys)-1] {
		next, ok := m[k].(map[string]any)
		if !ok {
			return nil, false
		}
		m = next
	}
	last := keys[len(keys)-1]
	v, ok := m[last]
	delete(m, last)
	return v, ok
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
	m[keys[len(keys)-1]] = v
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
