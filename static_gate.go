package millrace

import "encoding/json"

// StaticGateID identifies a static gate.
type StaticGateID string

// StaticGate is a proxy with a fixed address, through which the requests for some accounts go: for providers that let in known addresses only.
type StaticGate struct {
	ID            StaticGateID    `json:"id"`
	EnvironmentID EnvironmentID   `json:"environment_id"`
	Name          string          `json:"name"`
	Domain        string          `json:"domain"` // its host; with http:// before it, it is called without TLS
	Token         json.RawMessage `json:"-"`      // a text that it knows us by; encrypted at rest, shown once
	CreatedBy     string          `json:"created_by"`
	CreatedAt     Time            `json:"created_at"`
	UpdatedAt     Time            `json:"updated_at"`
}
