package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// Error is a response that is not a success.
type Error struct {
	Method     string
	Path       string // without the query
	Status     int
	Message    string             // what is wrong, in a sentence; empty when the response is not that of a Millrace server
	Failures   []millrace.Failure // everything that is wrong with the request, with its places
	RequestID  string             // under which the server has logged the cause of an internal error
	RetryAfter time.Duration      // when to come back; zero: the server did not say
	Body       []byte             // the response as it came
}

// errorOf reads the envelope of an error.
func errorOf(r *Request, resp *Response) *Error {
	e := &Error{Method: r.Method, Path: withoutQuery(r.Path), Status: resp.Status, Body: resp.Body}
	var envelope struct {
		Message   string `json:"message"`
		RequestID string `json:"request_id"`
		Details   struct {
			Failures []millrace.Failure `json:"failures"`
		} `json:"details"`
	}
	if json.Unmarshal(resp.Body, &envelope) == nil {
		e.Message, e.RequestID, e.Failures = envelope.Message, envelope.RequestID, envelope.Details.Failures
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// Error names the request and the status, and every finding on a line of its own.
func (e *Error) Error() string {
	head := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if e.Message == "" {
		return head
	}
	if len(e.Failures) == 0 {
		return head + ": " + e.Message
	}
	lines := []string{head}
	for _, f := range e.Failures {
		lines = append(lines, line(f))
	}
	return strings.Join(lines, "\n  ")
}

func line(f millrace.Failure) string {
	text := f.Message
	if f.Path != "" {
		text = f.Path + ": " + text
	}
	if f.Suggestion != "" && !strings.Contains(f.Message, f.Suggestion) {
		text += fmt.Sprintf("; did you mean %q?", f.Suggestion)
	}
	if f.Line > 0 {
		text += fmt.Sprintf(" (line %d, column %d)", f.Line, f.Column)
	}
	return text
}
