package millrace

// CallLogID names a row of the log of calls.
type CallLogID string

// CallLog is the outcome of a call of the proxy API or the custom API. It has nothing of what was sent and received.
type CallLog struct {
	ID                  CallLogID
	EnvironmentID       EnvironmentID
	IntegratedAccountID IntegratedAccountID
	TenantID            string
	Integration         string // its name
	Resource            string // empty: a path of the provider that belongs to no resource
	Method              string
	HTTPMethod          string // of the last request to the provider; empty: none was made
	HTTPURL             string // of that request, without its query
	HTTPStatusCode      int64  // of the response to the caller
	ResultCount         int64  // of a list
	Duration            int64  // of the whole call, in milliseconds
	FetchDuration       int64  // of the requests to the provider
	NeedsReauth         bool   // the account does, after the call
	Message             string // why the call failed
	CreatedAt           Time
}
