package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
)

// Proxy makes the calls of the proxy API and the custom API.
type Proxy struct{ accounts *Fetcher }

// NewProxy returns a proxy over the accounts that f loads.
func NewProxy(f *Fetcher) Proxy { return Proxy{f} }

// Call makes the requests of one call. A change of the account counts at once. It returns
// errors of KindNotFound, KindInvalid, KindReadOnly and KindUnavailable.
func (p Proxy) Call(ctx context.Context, call *Call) (*Response, error) {
	a, err := p.accounts.account(ctx, call.EnvironmentID, call.AccountID)
	if err != nil {
		return nil, err
	}
	call.Log.TenantID, call.Log.Integration = a.row.TenantID, a.integration
	call.Log.NeedsReauth = a.row.Status == millrace.AccountNeedsReauth
	if err := a.usable(); err != nil {
		return nil, err
	}
	if call.Action != "" {
		return p.act(ctx, a, call)
	}
	req, method, err := requestOf(a, call)
	if err != nil {
		return nil, err
	}
	if err := mayWrite(a, call.Read, method); err != nil {
		return nil, err
	}
	seal := cursorSeal(call)
	if req.Cursor, err = seal.open(call.Cursor); err != nil {
		return nil, err
	}
	outcome, err := p.request(ctx, a, call, req)
	if err != nil {
		outcome.Lease.Release()
		return &Response{Reached: outcome.RequestLine != ""}, err
	}
	response := responseOf(&outcome)
	response.forbid(a, method, &outcome)
	response.Custom = call.Custom != nil
	response.List = call.Method == "list" || response.Custom
	paged := response.List && method.Pagination != nil
	response.Binary = response.Binary || outcome.Verbatim && !paged // a page of text keeps its cursor
	if response.List && response.Rejected == nil && !response.Binary {
		response.setPage(&outcome, seal)
	}
	return response, nil
}

// request makes one request of a call, and notes it for the log.
func (p Proxy) request(ctx context.Context, a *loadedAccount, call *Call, req fetch.Request) (fetch.Outcome, error) {
	o, err := p.accounts.call(ctx, a, req)
	verb, target, _ := strings.Cut(o.RequestLine, " ")
	if target, _, _ = strings.Cut(target, "?"); target != "" {
		call.Log.HTTPMethod, call.Log.HTTPURL = verb, target
	}
	call.Log.FetchDuration += o.Duration.Milliseconds()
	if err == nil && !o.Foreign {
		call.Log.NeedsReauth = o.Kind == fetch.KindUnauthorized || call.Log.NeedsReauth && o.Kind != fetch.KindOK
	}
	return o, err
}

// requestOf makes the request of a call and returns the method that it goes by.
func requestOf(a *loadedAccount, call *Call) (fetch.Request, *config.Method, error) {
	req := fetch.Request{
		Resource: call.Resource, Method: call.Method, ID: call.ID, Query: call.Query, Body: call.Body, RawBody: call.Sent,
	}
	var method *config.Method
	var err error
	if c := call.Custom; c != nil {
		method, err = a.config.CustomMethod(c.Verb, c.Paged, c.Config)
		req.Custom, req.Path = method, c.Path
		return req, method, err
	}
	method, err = a.config.Method(call.Resource, call.Method)
	if millrace.KindOf(err) == millrace.KindInvalid && err != nil {
		known, _ := errors.AsType[*millrace.Error](err)
		err = &millrace.Error{Kind: millrace.KindNotFound, Message: known.Message, Failures: known.Failures}
	}
	return req, method, err
}

// mayWrite rejects writes to a sandbox account. read says that the caller means to read, for which some providers
// want a POST.
func mayWrite(a *loadedAccount, read bool, m *config.Method) error {
	verb := m.Verb()
	if !a.row.IsSandbox || read || verb == http.MethodGet || verb == http.MethodHead || verb == http.MethodOptions {
		return nil
	}
	return millrace.Errorf(millrace.KindReadOnly, "the account is a sandbox account: it can be read only")
}

// responseOf returns the response for the caller of a request with this outcome.
func responseOf(o *fetch.Outcome) *Response {
	r := &Response{
		Status: statusOf(o), Headers: o.Headers.Clone(), Limits: limitsOf(o), Data: o.Data, Raw: o.Body, Exact: o.Exact, Reached: true, Lease: o.Lease,
	}
	if r.Headers == nil {
		r.Headers = http.Header{}
	}
	_, r.Binary = o.Data.(*expr.File)
	if o.Kind == fetch.KindOK {
		return r
	}
	r.Rejected = &ResponseError{Message: o.Message, Raw: o.Raw}
	r.Safe = isUndone(o)
	if o.Kind == fetch.KindRateLimited {
		r.Headers.Set("Retry-After", inSeconds(o.RetryAfter))
	}
	return r
}

// forbid says what a connection lacks for a method that the provider forbids.
func (r *Response) forbid(a *loadedAccount, m *config.Method, o *fetch.Outcome) {
	if r.Rejected != nil && isForbidden(o) {
		r.Rejected.Forbidden, r.Rejected.MissingScopes = true, missingScopes(a, m)
	}
}

// setPage adds the records of a page and the cursors to the pages beside it.
func (r *Response) setPage(o *fetch.Outcome, seal seal) {
	if !r.Custom {
		r.Data, r.Count, r.Status = o.Records, o.Records.Len(), http.StatusOK
	}
	r.Next, r.Prev = seal.close(o.NextCursor), seal.close(o.PrevCursor)
}

// statusOf is the status for the caller: that of the provider where it fits what happened.
func statusOf(o *fetch.Outcome) int {
	switch o.Kind {
	case fetch.KindOK:
		if o.Status >= 200 && o.Status < 300 && o.Status != http.StatusPartialContent && o.Status != http.StatusResetContent {
			return o.Status
		}
		return http.StatusOK
	case fetch.KindRateLimited:
		return http.StatusTooManyRequests
	case fetch.KindUnauthorized:
		return http.StatusUnauthorized
	case fetch.KindNetworkError:
		if o.ErrorClass == "timeout" {
			return http.StatusGatewayTimeout
		}
	case fetch.KindRemoteError:
		switch {
		case o.ErrorClass != "": // it cannot be used, whatever its status
		case o.Status >= http.StatusBadRequest:
			return o.Status
		case o.Status < http.StatusMultipleChoices: // the config calls it an error
			return http.StatusBadRequest
		}
	case fetch.KindPaced, fetch.KindRejected: // of runs only
	}
	return http.StatusBadGateway
}

// isUndone reports that the provider has certainly not done what it was asked for.
func isUndone(o *fetch.Outcome) bool {
	switch o.Kind {
	case fetch.KindRateLimited, fetch.KindUnauthorized:
		return true
	case fetch.KindNetworkError:
		switch o.ErrorClass {
		case "dns", "refused", "tls", "blocked":
			return true
		}
	case fetch.KindOK, fetch.KindRemoteError, fetch.KindPaced, fetch.KindRejected:
	}
	return false
}

// limitsOf writes what the provider says about its limits in normalised headers.
func limitsOf(o *fetch.Outcome) http.Header {
	h := http.Header{}
	if o.RateLimit.Known {
		h.Set("Ratelimit-Limit", strconv.FormatInt(o.RateLimit.Limit, 10))
		h.Set("Ratelimit-Remaining", strconv.FormatInt(o.RateLimit.Remaining, 10))
		h.Set("Ratelimit-Reset", inSeconds(o.RateLimit.Reset))
	}
	return h
}

// inSeconds rounds up: a caller who comes too early is rejected again.
func inSeconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// seal ties a cursor to the list it belongs to, and shows that it was not changed. It is no secret: a cursor cannot
// lead further than the custom API does.
type seal string

func cursorSeal(call *Call) seal {
	parts := []string{string(call.AccountID), call.Resource, call.Method}
	if c := call.Custom; c != nil {
		parts = append(parts, c.Verb, c.Path, string(c.Config))
	}
	return seal(strings.Join(parts, "\x00"))
}

// sumLength is the length of a checksum in a cursor.
const sumLength = 11

func (s seal) sum(cursor string) string {
	h := sha256.Sum256([]byte(string(s) + "\x00" + cursor))
	return base64.RawURLEncoding.EncodeToString(h[:8])
}

func (s seal) close(cursor string) string {
	if cursor == "" {
		return ""
	}
	return s.sum(cursor) + cursor
}

func (s seal) open(sent string) (string, error) {
	if sent == "" {
		return "", nil
	}
	if len(sent) <= sumLength || s.sum(sent[sumLength:]) != sent[:sumLength] {
		return "", millrace.Invalid("next_cursor", "is not a cursor of this list")
	}
	return sent[sumLength:], nil
}
