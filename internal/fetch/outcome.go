package fetch

import (
	"net/http"
	"strconv"
	"time"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/memory"
)

// Kind classifies outcomes. The set is closed.
type Kind string

// The kinds of outcomes.
const (
	KindOK           Kind = "ok"
	KindRateLimited  Kind = "rate_limited"  // the same request may succeed after RetryAfter
	KindUnauthorized Kind = "unauthorized"  // the provider does not accept the account's credentials
	KindRemoteError  Kind = "remote_error"  // it responded, with an error or with something that cannot be used
	KindNetworkError Kind = "network_error" // there is no complete response; see ErrorClass
	KindPaced        Kind = "paced"         // not made: few requests are left, and its turn is after RetryAfter
	KindRejected     Kind = "rejected"      // not made: what is asked for or the account is wrong; see ErrorClass
)

// Outcome is the result of a request. Message, RequestLine, Headers and Raw are free of secrets in any encoding. Records,
// data and body are what the provider sent, without echoes of the account's secrets.
type Outcome struct {
	Kind    Kind
	Status  int         // 0 when there was no response; of an error, the one that the config's error expression names
	Headers http.Header // of the response

	Data       expr.Value  // the value at response_path
	Records    *expr.Array // the same as a page: nothing is an empty one, a single value a page of one
	NextCursor string      // empty on the last page
	PrevCursor string
	Note       string // why a page may be emptier than expected
	Verbatim   bool   // the response is text or a document that is not JSON, and the config takes nothing out of it
	Exact      bool   // Body is Data as JSON, with numbers of any precision

	Foreign bool // the request was not made with the account's credentials, so Kind says nothing about them

	RetryAfter time.Duration // what the provider asked for when Kind is rate_limited; 0: it did not say, or nonsense
	RateLimit  RateLimit

	RequestLine string // method and URL
	Message     string // what went wrong, for people
	ErrorClass  string // of a network error: a class of package egress, or redirect; of a response: too_large, unreadable, unusable
	Raw         []byte // the beginning of the body of an unsuccessful response
	Body        []byte // all of it; of a success
	Duration    time.Duration
	Lease       *memory.Lease // on what all of this takes; to be released when it is not needed any more
}

// ClassConnecting is the class of a request that was not made because its account is being connected, which ends soon.
const ClassConnecting = "account_connecting"

// ClassToken is the class of a request that was not made because there is no access token at the moment: its token endpoint does not respond.
const ClassToken = "token"

// classUnreadable is the class of a successful response that is not what the config describes: most often a page for people,
// from something in front of the API.
const classUnreadable = "unreadable"

// classRedirect is the class of a request whose redirects lead nowhere.
const classRedirect = "redirect"

// maxRaw is how much of a response is kept as it came.
const maxRaw = 16 << 10

// Code names what went wrong: the class of the error, else the status.
func (o *Outcome) Code() string {
	if o.ErrorClass != "" {
		return o.ErrorClass
	}
	return "http_" + strconv.Itoa(o.Status)
}

// Temporary reports whether the same request may succeed later without anyone changing anything.
func (o *Outcome) Temporary() bool {
	switch o.Kind {
	case KindRateLimited:
		return true
	case KindNetworkError:
		return o.ErrorClass != egress.ClassBlocked && o.ErrorClass != classRedirect
	case KindRemoteError:
		return o.Status >= http.StatusInternalServerError && o.Status != http.StatusNotImplemented ||
			o.Status == http.StatusRequestTimeout || o.Status == http.StatusTooEarly || o.ErrorClass == classUnreadable
	case KindOK, KindUnauthorized, KindPaced, KindRejected:
	}
	return false
}
