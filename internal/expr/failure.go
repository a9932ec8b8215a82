package expr

import (
	"errors"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// FailureOf describes an error of an expression that stands at a path of a document: code, message and place.
func FailureOf(path string, err error) millrace.Failure {
	f := millrace.Failure{Path: path, Message: err.Error()}
	var e *jsonata.Error
	if !errors.As(err, &e) {
		return f
	}
	f.Code, f.Message = e.Code, e.Message
	if e.Line > 0 {
		offset := e.Offset
		f.Line, f.Column, f.Offset = e.Line, e.Column, &offset
	}
	return f
}

// DiscreetFailureOf is FailureOf for an expression that sees secrets: its message quotes no value.
func DiscreetFailureOf(path string, err error) millrace.Failure {
	var e *jsonata.Error
	if !errors.As(err, &e) {
		return millrace.Failure{Path: path, Message: "the expression failed"}
	}
	return FailureOf(path, e.WithoutValues())
}

// IsLimit reports whether an evaluation ended because it ran into a limit.
func IsLimit(err error) bool {
	var e *jsonata.Error
	return errors.As(err, &e) && e.IsLimit()
}
