package millrace

import (
	"errors"
	"fmt"
	"time"
)

// Kind classifies an error by what the caller can do about it. The set is closed.
type Kind string

// The kinds of errors; each becomes one HTTP status at the edge.
const (
	KindInternal     Kind = "internal"     // our fault; the caller sees an id only
	KindInvalid      Kind = "invalid"      // malformed or contradictory input
	KindUnauthorized Kind = "unauthorized" // no valid token
	KindForbidden    Kind = "forbidden"    // valid token, not allowed
	KindNotFound     Kind = "not_found"    // missing, or of another environment
	KindConflict     Kind = "conflict"     // exists already, or changed meanwhile
	KindTooLarge     Kind = "too_large"    // body over its limit
	KindUnsupported  Kind = "unsupported"  // media type or method that we do not speak
	KindReadOnly     Kind = "read_only"    // the object takes no changes
	KindRateLimited  Kind = "rate_limited" // try later
	KindUnavailable  Kind = "unavailable"  // a dependency does not respond
)

// Failure is one finding about an input, with its place.
type Failure struct {
	Path       string `json:"path,omitempty"`       // field, e.g. config.steps[0].config
	Message    string `json:"message"`              // what is wrong
	Code       string `json:"code,omitempty"`       // code of the expression language, e.g. S0202
	Line       int    `json:"line,omitempty"`       // from 1, in the body or in the expression at Path
	Column     int    `json:"column,omitempty"`     // from 1
	Offset     *int   `json:"offset,omitempty"`     // from 0, in the expression at Path
	Suggestion string `json:"suggestion,omitempty"` // the name that was probably meant
}

// Codes of findings that are not those of an expression.
const (
	CodeMissing        = "not_found"       // an id names nothing in the environment
	CodeArgsValidation = "args_validation" // a job's args_validation rejected the arguments of a run
)

// Error is an error with a kind, a message for people, and findings with their places.
type Error struct {
	Kind     Kind
	Message  string
	Failures []Failure
	Err      error // cause; never shown to callers
}

// Errorf returns an error of the kind with a message.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns an error of KindInvalid about one field.
func Invalid(path, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	full := msg
	if path != "" {
		full = path + ": " + msg
	}
	return &Error{Kind: KindInvalid, Message: full, Failures: []Failure{{Path: path, Message: msg}}}
}

// InvalidAll returns an error of KindInvalid that carries all failures, or nil when there are none.
func InvalidAll(failures []Failure) error {
	if len(failures) == 0 {
		return nil
	}
	f := failures[0]
	msg := f.Message
	if f.Path != "" {
		msg = f.Path + ": " + msg
	}
	if n := len(failures) - 1; n > 0 {
		msg = fmt.Sprintf("%s (and %d more, see details.failures)", msg, n)
	}
	return &Error{Kind: KindInvalid, Message: msg, Failures: failures}
}

// NotFound returns an error of KindNotFound about a thing and its id.
func NotFound(what, id string) *Error {
	return Errorf(KindNotFound, "%s %q not found", what, id)
}

// Error returns the message, with the cause when there is one.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, KindInternal when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// RetryError asks the queue to run a task again after a while.
type RetryError struct {
	After time.Duration
	Err   error
}

// RetryAfter returns an error that asks the queue to run the task again after d. A nil err means that nothing is
// wrong: the task yields.
func RetryAfter(d time.Duration, err error) error { return &RetryError{After: d, Err: err} }

// Error describes the wait and its cause.
func (e *RetryError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("run again after %s", e.After)
	}
	return fmt.Sprintf("run again after %s: %v", e.After, e.Err)
}

// Unwrap returns the cause.
func (e *RetryError) Unwrap() error { return e.Err }

// PermanentError tells the queue never to run a task again.
type PermanentError struct{ Err error }

// Permanent returns an error that tells the queue never to run the task again.
func Permanent(err error) error { return &PermanentError{Err: err} }

// Error returns the cause's text.
func (e *PermanentError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PermanentError) Unwrap() error { return e.Err }
