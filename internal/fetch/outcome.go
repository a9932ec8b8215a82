package fetch

import (
	"net/http"
	"time"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/memory"
)

// Kind classifies what came of a request. The set is closed.
type Kind string

// The kinds of outcomes.
const (
	KindOK           Kind = "ok"
	KindRateLimited  Kind = "rate_limited"  // the same request may succeed after RetryAfter
	KindUnauthorized Kind = "unauthorized"  // the third party does not accept the account's credentials
	KindRemoteError  Kind = "remote_error"  // it answered, with an error or with something that cannot be used
	KindNetworkError Kind = "network_error" // there is no whole answer; see ErrorClass
)

// Outcome is what came of a request. Message, RequestLine, Headers and Raw are free of secrets in any encoding. Records,
// data and body are what the provider sent, without echoes of the account's secrets.
type Outcome struct {
	Kind    Kind
	Status  int         // 0 when there was no answer; of an error, the one that the config's error expression names
	Headers http.Header // of the answer

	Data       expr.Value  // the value at response_path
	Records    *expr.Array // the same as a page: nothing is an empty one, a single value a page of one
	NextCursor string      // empty on the last page
	PrevCursor string
	Note       string // why a page may be emptier than expected
	Exact      bool   // Body is Data as JSON, with numbers of any precision

	Foreign bool // the request was not made with the account's credentials, so Kind says nothing about them

	RetryAfter time.Duration // what the third party asked for when Kind is rate_limited; 0: it did not say, or nonsense
	RateLimit  RateLimit

	RequestLine string // method and URL
	Message     string // what went wrong, for people
	ErrorClass  string // of a network error: timeout, dns, refused, reset, tls, blocked, redirect, other; of an answer: too_large, unreadable, unusable
	Raw         []byte // the beginning of the answer's body; of an answer that is no success
	Body        []byte // all of it; of a success
	Duration    time.Duration
	Lease       *memory.Lease // on what all of this takes; to be released when it is not needed any more
}

// classUnreadable is the class of an answer of success that is not what the config describes: most often a page for people,
// from something in front of the API.
const classUnreadable = "unreadable"

// maxRaw is how much of an answer is kept as it came.
const maxRaw = 16 << 10

// Temporary reports whether the same request may succeed later without anyone changing anything.
func (o *Outcome) Temporary() bool {
	switch o.Kind {
	case KindRateLimited:
		return true
	case KindNetworkError:
		return o.ErrorClass != "blocked" && o.ErrorClass != "redirect"
	case KindRemoteError:
		return o.Status >= http.StatusInternalServerError && o.Status != http.StatusNotImplemented ||
			o.Status == http.StatusRequestTimeout || o.Status == http.StatusTooEarly || o.ErrorClass == classUnreadable
	case KindOK, KindUnauthorized:
	}
	return false
}
