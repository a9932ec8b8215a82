package millrace

// ErasureID identifies an erasure.
type ErasureID string

// Erasure is the removal of what is stored about a customer: an integrated account that was deleted, or a tenant. It is a
// row while it is under way, so that a crash ends no removal.
type Erasure struct {
	ID                  ErasureID
	EnvironmentID       EnvironmentID
	IntegratedAccountID IntegratedAccountID // or
	TenantID            string
	Pass                int64  // from 0
	Stage               int64  // of the pass
	MarkAt              Time   // how far the stage has come,
	MarkID              string // among rows that are ordered by age
	NotBefore           Time
	CreatedAt           Time
}
