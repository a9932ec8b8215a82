package syncjob

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/jsonata"
)

// Fetcher makes one request to a third party on behalf of an integrated account. What the third party answers is a
// FetchResult; an error means that we failed, and the slice is repeated.
type Fetcher interface {
	Fetch(ctx context.Context, req FetchRequest) (FetchResult, error)
}

// FetchRequest asks for one page.
type FetchRequest struct {
	EnvironmentID millrace.EnvironmentID
	AccountID     millrace.IntegratedAccountID
	SyncJobRunID  millrace.SyncJobRunID
	Resource      string        // a single segment: proxy API; model/resource: unified API
	Method        string        // list, get, create, ...
	ID            string        // of the record, for methods on one record
	Query         jsonata.Value // nil or an object
	Body          jsonata.Value // nil: none
	Cursor        json.RawMessage
	Waits         int64 // how often the request has waited for the third party's limit
	Turn          bool  // it has waited for its turn, see FetchPaced
}

// FetchOutcome says what came of a request. The set is closed.
type FetchOutcome string

// The outcomes of a request.
const (
	FetchOK          FetchOutcome = "ok"
	FetchRateLimited FetchOutcome = "rate_limited" // to be repeated, without end, when the third party allows it
	FetchPaced       FetchOutcome = "paced"        // not made: few requests are left, and its turn is after RetryAfter
	FetchTemporary   FetchOutcome = "temporary"    // 5xx or no answer: worth a few repetitions
	FetchRejected    FetchOutcome = "rejected"     // repeating it would not help
)

// FetchResult is what a third party answered.
type FetchResult struct {
	Outcome    FetchOutcome
	Records    []jsonata.Value // of this page; methods on one record give one
	Next       json.RawMessage // cursor of the next page, opaque to this package; empty on the last page
	RetryAfter time.Duration   // what the third party asked for; 0: nothing
	Status     int             // of the answer; 0: none
	Code       string          // of the error, e.g. http_404, timeout
	Message    string          // of the error, for people
	Request    string          // method and URL, without credentials
	Body       json.RawMessage // the beginning of an error's body as a JSON value
	Lease      *memory.Lease   // on what the records take; released when the page is frozen
}

// Sender makes one delivery: signs and posts a body to a webhook, with the quick repetitions of the published
// contract. What the webhook answers is a SendResult; an error means that we failed, and the slice is repeated. A
// webhook that is inactive counts as one that does not answer: the run parks until it is active again.
type Sender interface {
	Send(ctx context.Context, req SendRequest) (SendResult, error)
}

// SendRequest is one delivery of a run.
type SendRequest struct {
	EnvironmentID millrace.EnvironmentID
	WebhookID     millrace.WebhookID
	DeliveryID    millrace.DeliveryID
	Event         string
	Body          []byte
	Attempts      int64 // how many attempts there were before; the first of this call has the next number
}

// SendOutcome says what came of a delivery. The set is closed.
type SendOutcome string

// The outcomes of a delivery.
const (
	SendDelivered   SendOutcome = "delivered"
	SendRetry       SendOutcome = "retry"       // not answered, or not with success: the run parks
	SendCancel      SendOutcome = "cancel"      // 400 to sync_job_run:started: the run is not wanted
	SendGone        SendOutcome = "gone"        // 410, or the webhook was deleted: nobody will ever answer
	SendInterrupted SendOutcome = "interrupted" // ctx ended; says nothing about the webhook
)

// SendResult is what a webhook answered.
type SendResult struct {
	Outcome    SendOutcome
	RetryAfter time.Duration      // what the webhook asked for; 0: nothing
	QuickRetry time.Duration      // there was no time for a quick retry, which is due after this; 0: the run parks
	Attempts   []millrace.Attempt // the requests that were made, in order
	ChangedAt  millrace.Time      // updated_at of the webhook as it was when it was called
}

// Emitter tells workflows and subscribed webhooks what happens to a run, in the transaction in which it happens.
type Emitter interface {
	// EmitTx accepts events. The webhook named by except gets none of them: it is the run's own, which has them among the
	// run's deliveries. It may be empty.
	EmitTx(ctx context.Context, tx *store.Tx, except millrace.WebhookID, events ...*millrace.Event) error
}
