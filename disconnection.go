package millrace

import "encoding/json"

// DisconnectionID identifies a disconnection.
type DisconnectionID string

// Disconnection is what is left to do about an account that was deleted: first, while EventID is there, to wait for the workflows on
// integrated_account:deleting, whose account is still there; then to give its tokens back. It is a row while it is under way, so that a
// crash ends neither.
type Disconnection struct {
	ID                  DisconnectionID
	EnvironmentID       EnvironmentID
	IntegratedAccountID IntegratedAccountID
	EventID             EventID         // integrated_account:deleting; empty: the account is gone
	WaitUntil           Time            // for the workflows, at most
	Revocation          json.RawMessage // what the tokens are given back with; encrypted at rest
	Attempt             int64           // how often tokens were tried to be given back
	RetryAt             Time            // when they are, next
	CreatedAt           Time
	UpdatedAt           Time
}

// DisconnectTask returns the task that goes on with a disconnection.
func DisconnectTask(v *Disconnection) Task {
	return Task{Kind: TaskDisconnect, Key: TaskKey(v.EnvironmentID, v.ID), Environment: v.EnvironmentID, Account: v.IntegratedAccountID}
}
