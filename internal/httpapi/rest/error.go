package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/millrace/millrace"
)

// WireError is the body of every error.
type WireError struct {
	StatusCode int      `json:"statusCode" doc:"The HTTP status." example:"400"`
	Title      string   `json:"error" doc:"The status in words." example:"Bad Request"`
	Text       string   `json:"message" doc:"What is wrong, in a sentence." example:"config.steps[0].action: is required"`
	RequestID  string   `json:"request_id,omitempty" doc:"The id under which an internal error is logged."`
	Details    *details `json:"details,omitempty" doc:"Where it is wrong."`

	header http.Header
}

type details struct {
	Failures []millrace.Failure `json:"failures" doc:"Everything that is wrong with the request."`
}

// Error returns the message. Together with GetStatus and GetHeaders it makes huma write the envelope unchanged.
func (e *WireError) Error() string { return e.Text }

// GetStatus returns the HTTP status.
func (e *WireError) GetStatus() int { return e.StatusCode }

// GetHeaders returns headers that go with the status.
func (e *WireError) GetHeaders() http.Header { return e.header }

// StatusOf is the one place where kinds of errors become statuses.
func StatusOf(kind millrace.Kind) int {
	switch kind {
	case millrace.KindInvalid:
		return http.StatusBadRequest
	case millrace.KindUnauthorized:
		return http.StatusUnauthorized
	case millrace.KindForbidden:
		return http.StatusForbidden
	case millrace.KindNotFound:
		return http.StatusNotFound
	case millrace.KindConflict:
		return http.StatusConflict
	case millrace.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case millrace.KindUnsupported:
		return http.StatusUnsupportedMediaType
	case millrace.KindReadOnly:
		return http.StatusMethodNotAllowed
	case millrace.KindRateLimited:
		return http.StatusTooManyRequests
	case millrace.KindUnavailable:
		return http.StatusServiceUnavailable
	case millrace.KindInternal:
	}
	return http.StatusInternalServerError
}

// errorOf turns an error into the body of a response. Of an internal error it shows nothing but the request's id,
// under which the cause is logged.
func errorOf(err error, requestID string) *WireError {
	if ready, ok := errors.AsType[*WireError](err); ok {
		return ready
	}
	var known *millrace.Error
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		known = millrace.Errorf(millrace.KindUnavailable, "the request ended before it had a response")
	} else if !errors.As(err, &known) {
		known = millrace.Errorf(millrace.KindInternal, "")
	}
	e := NewError(StatusOf(known.Kind), known.Message)
	switch known.Kind {
	case millrace.KindInternal:
		e.Text = "An internal error occurred. Its cause is in the server's log under the request id " + requestID + "."
		e.RequestID = requestID
		return e
	case millrace.KindUnauthorized:
		e.header = http.Header{"Www-Authenticate": {"Bearer"}}
	case millrace.KindRateLimited:
		e.header = http.Header{"Retry-After": {"10"}}
	case millrace.KindUnavailable:
		e.header = http.Header{"Retry-After": {"1"}} // to look, at least: what may have been stored says so in its text
	case millrace.KindInvalid, millrace.KindForbidden, millrace.KindNotFound, millrace.KindConflict,
		millrace.KindTooLarge, millrace.KindUnsupported, millrace.KindReadOnly:
	}
	if len(known.Failures) > 0 {
		e.Details = &details{Failures: known.Failures}
	}
	return e
}

// NewError returns a response with a status and a message.
func NewError(status int, message string) *WireError {
	return &WireError{StatusCode: status, Title: http.StatusText(status), Text: message}
}

// errMethod is the error for a method that a path does not have.
func errMethod(method, path, allow, note string) *WireError {
	message := method + " is not possible on " + path + "; possible: " + allow + "."
	if note != "" {
		message += " " + note
	}
	e := NewError(http.StatusMethodNotAllowed, message)
	e.header = http.Header{"Allow": {allow}}
	return e
}
