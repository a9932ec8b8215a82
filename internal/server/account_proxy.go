package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/httpapi"
)

// accountProxy plugs fetch into the proxy API and the custom API.
type accountProxy struct{ accounts *accountFetcher }

// File makes a value of a file.
func (accountProxy) File(data []byte, contentType, name string) expr.Value {
	return &expr.File{Data: data, ContentType: contentType, Name: name}
}

// Call makes the requests of one call. The account is read anew, so that a change of it counts at once. It returns
// errors of KindNotFound, KindInvalid, KindReadOnly and KindUnavailable.
func (p accountProxy) Call(ctx context.Context, call *httpapi.ThirdPartyCall) (*httpapi.ThirdPartyAnswer, error) {
	account, err := p.accounts.load(ctx, call.EnvironmentID, call.AccountID)
	if err != nil {
		return nil, err
	}
	if err := account.usable(); err != nil {
		return nil, err
	}
	if call.Action != "" {
		return p.act(ctx, account, call)
	}
	req, method, err := request(account, call)
	if err != nil {
		return nil, err
	}
	if err := mayWrite(account, call.Read, method); err != nil {
		return nil, err
	}
	seal := cursorSeal(call)
	if req.Cursor, err = seal.open(call.Cursor); err != nil {
		return nil, err
	}
	outcome, err := p.accounts.call(ctx, account, req)
	if err != nil {
		outcome.Lease.Release()
		return &httpapi.ThirdPartyAnswer{Reached: outcome.RequestLine != ""}, err
	}
	answer := answerOf(&outcome)
	answer.Custom = call.Custom != nil
	answer.List = call.Method == "list" || answer.Custom
	if answer.List && answer.Refused == nil && !answer.Binary {
		answer.listed(&outcome, seal)
	}
	return &answer.ThirdPartyAnswer, nil
}

// request makes the request of a call and returns the method that it goes by.
func request(account *loadedAccount, call *httpapi.ThirdPartyCall) (fetch.Request, *fetch.Method, error) {
	req := fetch.Request{
		Resource: call.Resource, Method: call.Method, ID: call.ID, Query: call.Query, Body: call.Body, RawBody: call.Sent,
	}
	var method *fetch.Method
	var err error
	if c := call.Custom; c != nil {
		method, err = account.config.CustomMethod(c.Verb, c.Paged, c.Config)
		req.Custom, req.Path = method, c.Path
		return req, method, err
	}
	method, err = account.config.Method(call.Resource, call.Method)
	if millrace.KindOf(err) == millrace.KindInvalid && err != nil {
		known, _ := asError(err)
		err = &millrace.Error{Kind: millrace.KindNotFound, Message: known.Message, Failures: known.Failures}
	}
	return req, method, err
}

// mayWrite keeps a sandbox account as it is. read says that the caller means to read, for which some third parties
// want a POST.
func mayWrite(account *loadedAccount, read bool, m *fetch.Method) error {
	verb := m.Verb()
	if !account.row.IsSandbox || read || verb == http.MethodGet || verb == http.MethodHead || verb == http.MethodOptions {
		return nil
	}
	return millrace.Errorf(millrace.KindReadOnly, "the account is a sandbox account: it can be read only")
}

// answer is an answer under construction.
type answer struct{ httpapi.ThirdPartyAnswer }

func answerOf(o *fetch.Outcome) *answer {
	a := &answer{httpapi.ThirdPartyAnswer{
		Status: statusOf(o), Headers: o.Headers.Clone(), Limits: limitsOf(o), Data: o.Data, Raw: o.Body, Exact: o.Exact, Reached: true, Lease: o.Lease,
	}}
	if a.Headers == nil {
		a.Headers = http.Header{}
	}
	_, a.Binary = o.Data.(*expr.File)
	if o.Kind == fetch.KindOK {
		return a
	}
	a.Refused = &httpapi.RemoteRefusal{Message: o.Message, Raw: o.Raw}
	a.Safe = isUndone(o)
	if o.Kind == fetch.KindRateLimited {
		a.Headers.Set("Retry-After", inSeconds(o.RetryAfter))
	}
	return a
}

func (a *answer) listed(o *fetch.Outcome, seal seal) {
	if !a.Custom {
		a.Data, a.Count, a.Status = o.Records, o.Records.Len(), http.StatusOK
	}
	a.Next, a.Prev = seal.close(o.NextCursor), seal.close(o.PrevCursor)
}

// statusOf is the status for the caller: that of the third party where it fits what happened.
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
	}
	return http.StatusBadGateway
}

// isUndone reports that the third party has certainly not done what it was asked for.
func isUndone(o *fetch.Outcome) bool {
	switch o.Kind {
	case fetch.KindRateLimited, fetch.KindUnauthorized:
		return true
	case fetch.KindNetworkError:
		switch o.ErrorClass {
		case "dns", "refused", "tls", "blocked":
			return true
		}
	case fetch.KindOK, fetch.KindRemoteError:
	}
	return false
}

// limitsOf writes what the third party says about its limits in normalised headers.
func limitsOf(o *fetch.Outcome) http.Header {
	h := http.Header{}
	if o.RateLimit.Known {
		h.Set("Ratelimit-Limit", strconv.FormatInt(o.RateLimit.Limit, 10))
		h.Set("Ratelimit-Remaining", strconv.FormatInt(o.RateLimit.Remaining, 10))
		h.Set("Ratelimit-Reset", inSeconds(o.RateLimit.Reset))
	}
	return h
}

// inSeconds rounds up: a caller who comes too early is refused again.
func inSeconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// seal ties a cursor to the list it belongs to, and shows that it was not changed. It is no secret: a cursor cannot
// lead further than the custom API does.
type seal string

func cursorSeal(call *httpapi.ThirdPartyCall) seal {
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
