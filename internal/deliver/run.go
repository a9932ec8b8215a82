package deliver

import (
	"github.com/millrace/millrace"
)

// Request is one delivery of a caller that waits for the response: a sync job run, which sends its own records.
type Request struct {
	EnvironmentID millrace.EnvironmentID
	WebhookID     millrace.WebhookID
	DeliveryID    millrace.DeliveryID
	Event         string
	Body          []byte
	Attempts      int64 // how many attempts there were before; the first of this call has the next number
}

// Result is the result of a Request: the outcome of its last attempt, and every attempt, for the caller to store.
type Result struct {
	Outcome
	Attempts  []millrace.Attempt // in order
	ChangedAt millrace.Time      // updated_at of the webhook as it was when it was called; 0: it does not exist
}
