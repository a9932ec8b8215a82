package millrace

import (
	"encoding/json"
	"time"
)

// KeepLink is how long link tokens and sessions are kept after their end.
const KeepLink = 7 * 24 * time.Hour

// LinkToken lets one customer connect an account, or connect one again, on the connect page. The token is known to who made it only;
// the row is found by its hash.
type LinkToken struct {
	ID                  string // hash of the token
	EnvironmentID       EnvironmentID
	TenantID            string              // of the account that it makes; empty: it connects one again
	IntegratedAccountID IntegratedAccountID // that is connected again, or that was made with it
	Options             LinkOptions
	Context             json.RawMessage // wins over what the customer types; sealed
	ExpiresAt           Time
	UsedAt              Time // when an account was connected with it; 0: not yet
	CreatedAt           Time
}

// LinkOptions say what is connected with a link token, and how.
type LinkOptions struct {
	Scopes          []string `json:"scopes,omitempty"`
	Integrations    []string `json:"integrations,omitempty"`
	RedirectURI     string   `json:"redirect_uri,omitempty"`
	PersistPrevious bool     `json:"persist_previous_context,omitempty"`
	Region          string   `json:"region,omitempty"`

	StaticGateID StaticGateID `json:"truto_static_gate_id,omitempty"`

	IsSandbox bool `json:"is_sandbox,omitempty"`
	IsNew     bool `json:"is_new,omitempty"` // it makes an account
}

// ConnectSession is one attempt of a customer's browser to connect an account. It is found by the hash of its id, which is also the
// state of the redirect, and bound to the browser by a cookie.
type ConnectSession struct {
	ID                       string // hash
	EnvironmentID            EnvironmentID
	LinkTokenID              string
	Browser                  string // hash of the cookie
	Attempt                  string // hash of what the page in a frame asks by; empty: nothing
	EnvironmentIntegrationID EnvironmentIntegrationID
	Integration              string // name
	Method                   string
	Secrets                  json.RawMessage     // ConnectSecrets; sealed
	Response                 json.RawMessage     // of the token endpoint, before it was read; sealed
	IntegratedAccountID      IntegratedAccountID // that came of it; empty: none yet
	Failure                  string              // why none came, for people
	FailureType              string              // connection_error, ...
	SkipForm                 bool                // no form follows on the connection
	TakenAt                  Time                // when its work was begun, for the last time; 0: not yet
	ExpiresAt                Time
	CreatedAt                Time
}

// ConnectSecrets are the secrets of a session.
type ConnectSecrets struct {
	Typed       json.RawMessage `json:"typed,omitempty"` // by the customer
	Verifier    string          `json:"verifier,omitempty"`
	RedirectURI string          `json:"redirect_uri,omitempty"`

	Temporary       string `json:"temporary,omitempty"` // of OAuth 1.0a
	TemporarySecret string `json:"temporary_secret,omitempty"`

	Redirect json.RawMessage `json:"redirect,omitempty"` // what came on it and is kept
	Received Time            `json:"received,omitempty"` // when the token endpoint responded; 0: it has not
}
