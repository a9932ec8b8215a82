package config

import (
	"regexp"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
)

// headerName matches the name of a header, such as Retry-After, where an expression is expected.
var headerName = regexp.MustCompile(`^[A-Za-z]+(-[A-Za-z]+)+$`)

// RateLimit says how to recognise a rate limit and for how long to wait.
type RateLimit struct {
	Path      string
	IsLimited *expr.Program // nil: by the status
	Wait      *HeaderValue  // seconds
	Reset     *HeaderValue  // point in time, or an object of limit, remaining and reset
}

// HeaderValue is an expression over headers and status, or just the name of a header.
type HeaderValue struct {
	Path    string
	Program *expr.Program
	Header  string
}

func parseRateLimit(f field.Field) *RateLimit {
	f.Members()
	f.Known("is_rate_limited", "retry_after_header_expression", "rate_limit_header_expression")
	if !f.Present() {
		return nil
	}
	r := &RateLimit{Path: f.Path}
	limited := f.Get("is_rate_limited")
	// A plain true only says that the API has limits, which is recognised by the status.
	if _, plain := limited.Value.(bool); !plain && limited.Value != "true" {
		r.IsLimited = limited.Program()
	}
	r.Wait = parseHeaderValue(f.Get("retry_after_header_expression"))
	r.Reset = parseHeaderValue(f.Get("rate_limit_header_expression"))
	return r
}

func parseHeaderValue(f field.Field) *HeaderValue {
	if s, ok := f.Value.(string); ok && headerName.MatchString(s) {
		return &HeaderValue{Header: s}
	}
	if _, plain := f.Value.(bool); plain {
		return nil
	}
	if p := f.Program(); p != nil {
		return &HeaderValue{Path: f.Path, Program: p}
	}
	return nil
}
