package provider

import (
	"encoding/json"
	"net/http"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/memory"
)

// Call is one call of the proxy API or the custom API.
type Call struct {
	EnvironmentID millrace.EnvironmentID
	AccountID     millrace.IntegratedAccountID

	Resource, Method, ID string      // a method of a resource
	Action               string      // or an action
	Custom               *CustomCall // or a path of the provider
	Read                 bool        // the caller means to read, whatever verb the provider wants for that

	Query  *expr.Object
	Body   expr.Value
	Sent   []byte // Body as JSON, when it was sent as that
	Cursor string

	Log millrace.CallLog // what becomes of it, filled in while it is made; without an integration there is nothing to tell
}

// CustomCall names a path of a provider.
type CustomCall struct {
	Verb   string
	Path   string // escaped, below the base URL
	Config json.RawMessage
	Paged  bool
}

// Response is the response of a provider, as a caller of ours gets it.
type Response struct {
	Status  int         // for the caller
	Headers http.Header // of the provider
	Limits  http.Header // how much the provider allows, in normalised headers

	Data   expr.Value
	List   bool // Data is to be sent as a page
	Custom bool // of the custom API, whose pages have less beside Data
	Count  int  // records of the page
	Next   string
	Prev   string
	Raw    []byte // the body as it came
	Exact  bool   // Raw is Data as JSON
	Binary bool   // Raw is passed on as it came: a file, or a text that the config takes nothing out of

	Lease *memory.Lease // on what all of this takes; released when the response is written out

	Rejected *ResponseError
	Safe     bool // the provider has certainly not done what it was asked for
	Reached  bool // it may have got the request
}

// ResponseError says that a provider rejected a request, or could not be reached.
type ResponseError struct {
	Message string
	Raw     []byte // the beginning of the body, without secrets

	Forbidden     bool // with a 403 of its own
	MissingScopes []string
}
