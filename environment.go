package millrace

import "encoding/json"

// Environment is the isolation boundary: every row belongs to one, and a token sees one.
type Environment struct {
	ID        EnvironmentID `json:"id"`
	Name      string        `json:"name"`
	TeamID    string        `json:"team_id"`
	CreatedAt Time          `json:"created_at"`
	UpdatedAt Time          `json:"updated_at"`
}

// FirstEnvironmentID returns the id of the environment that a server creates when there is none. It is the same everywhere,
// so that of two nodes that start at once only one creates it.
func FirstEnvironmentID() EnvironmentID { return DeriveID[EnvironmentID]("environment", "Default") }

// APIToken lets a client act in one environment. Only the SHA-256 of the token is stored.
type APIToken struct {
	ID            APITokenID    `json:"id"`
	EnvironmentID EnvironmentID `json:"environment_id"`
	Name          string        `json:"name"`
	Hash          string        `json:"-"` // SHA-256 of the token, hex
	CreatedBy     string        `json:"created_by"`
	ExpiresAt     Time          `json:"expires_at"`
	CreatedAt     Time          `json:"created_at"`
	UpdatedAt     Time          `json:"updated_at"`
}

// Integration is the definition of a third-party API.
type Integration struct {
	ID            IntegrationID   `json:"id"`
	EnvironmentID EnvironmentID   `json:"environment_id"`
	Name          string          `json:"name"` // slug, unique in the environment
	Category      string          `json:"category"`
	IsBeta        bool            `json:"is_beta"`
	Sharing       string          `json:"sharing"` // deny, ask, allow
	TeamID        string          `json:"team_id"`
	Version       int64           `json:"version"` // optimistic lock, required on PATCH
	Config        json.RawMessage `json:"config"`
	CreatedAt     Time            `json:"created_at"`
	UpdatedAt     Time            `json:"updated_at"`
}

// EnvironmentIntegration is an installed integration.
type EnvironmentIntegration struct {
	ID            EnvironmentIntegrationID `json:"id"`
	EnvironmentID EnvironmentID            `json:"environment_id"`
	IntegrationID IntegrationID            `json:"integration_id"`
	ShowInCatalog bool                     `json:"show_in_catalog"`
	IsEnabled     bool                     `json:"is_enabled"`
	Override      json.RawMessage          `json:"override"`
	Addressable   bool                     `json:"-"` // hooks may name it by its id alone
	CreatedAt     Time                     `json:"created_at"`
	UpdatedAt     Time                     `json:"updated_at"`
}
