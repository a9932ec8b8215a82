package syncjob

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/jsonata"
)

// Fetcher makes one request to a provider on behalf of an integrated account. What comes of it is an
// Outcome; an error means that we failed, and the slice is repeated. The caller releases the Outcome's Lease.
type Fetcher interface {
	Fetch(ctx context.Context, req FetchRequest) (fetch.Outcome, error)
}

// FetchRequest is a request for one page.
type FetchRequest struct {
	EnvironmentID millrace.EnvironmentID
	AccountID     millrace.IntegratedAccountID
	SyncJobRunID  millrace.SyncJobRunID
	Resource      string        // a single segment: proxy API; model/resource: unified API
	Method        string        // list, get, create, ...
	ID            string        // of the record, for methods on one record
	Query         jsonata.Value // nil or an object
	Body          jsonata.Value // nil: none
	Cursor        string        // of the page; empty: the first
	Waits         int64         // how often the request has waited for the provider's limit
	Since         time.Time     // what was known of the account before does not count
	Turn          bool          // it has waited for its turn, see fetch.KindPaced
}

// Destination takes the deliveries of runs. A webhook is the one that there is: another kind is another implementation, which the
// plan of a run names. What a destination responds is a Result, whatever it is; an error means that we failed, and the slice is
// repeated.
//
// It sends a delivery that is sent again as often as the run asks, under the same id and with the same bytes, and makes the quick
// repetitions of the published contract itself. One that is switched off counts as one that does not respond: the run parks until it
// is on again.
type Destination interface {
	Send(ctx context.Context, req deliver.Request) (deliver.Result, error)
}
