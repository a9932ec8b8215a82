package millrace

import (
	"encoding/json"
	"regexp"
)

// TenantID is a client's own key of a customer. It is unique in its environment, and not a UUID.
type TenantID string

var tenantID = regexp.MustCompile(`^[A-Za-z0-9._:@+\-]{1,255}$`)

// IsTenantID reports whether a text may be the id of a tenant that a client creates. Accounts may name others, too.
func IsTenantID(id string) bool { return tenantID.MatchString(id) }

// Tenant is what a client knows of a customer, beside the accounts.
type Tenant struct {
	ID            TenantID        `json:"id"`
	EnvironmentID EnvironmentID   `json:"environment_id"`
	Name          string          `json:"name"`
	Metadata      json.RawMessage `json:"metadata"`
	CreatedAt     Time            `json:"created_at"`
	UpdatedAt     Time            `json:"updated_at"`
}
