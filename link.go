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
