package jsonata

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// Codes of limit errors, all but CodeSize of an evaluation. D1011, D1012 and D2015 are JSONata's; the L codes are
// this package's.
const (
	CodeDepth     = "D1011" // evaluation or source nests too deep
	CodeTimeout   = "D1012" // Limits.Timeout is over
	CodeSequence  = "D2015" // a sequence has too many items
	CodeSteps     = "L1001" // Limits.Steps are used up
	CodeOutput    = "L1002" // a value outgrew Limits.Output
	CodeCancelled = "L1003" // the context ended
	CodeSize      = "L1004" // the source is longer, or has more parts, than may be compiled
)

// CodeHost is the code of an error that a host function returned.
const CodeHost = "H1001"

// CodeInternal is the code of an error that should not happen: a host function or
// this package panicked.
const CodeInternal = "H1002"

// Error is what goes wrong in compiling or evaluating an expression. Code is
// JSONata's error code (S… syntax, T… type, D… evaluation) or one of the limit
// codes.
type Error struct {
	Code    string
	Message string
	Token   string // the operator, name or function concerned
	Value   Value  // the value that was not acceptable
	Index   int    // the argument concerned, from 1
	Offset  int    // byte offset in the source
	Line    int    // from 1; 0 if the place is not known
	Column  int    // from 1, in characters

	placed   bool // Offset is known
	source   string
	expected string // what the argument must be, by the signature
	cause    error
}

// Error returns the error on one line.
func (e *Error) Error() string {
	text := strings.Join(strings.Fields(e.Message), " ")
	if e.Line == 0 {
		return e.Code + ": " + text
	}
	return fmt.Sprintf("%s: %s (line %d, column %d)", e.Code, text, e.Line, e.Column)
}

// Unwrap returns the error of the host function or context behind this one.
func (e *Error) Unwrap() error { return e.cause }

// IsLimit tells whether the evaluation was stopped by one of its [Limits] or by
// its context, or the source is too large to be compiled.
func (e *Error) IsLimit() bool {
	switch e.Code {
	case CodeDepth, CodeTimeout, CodeSequence, CodeSteps, CodeOutput, CodeCancelled, CodeSize:
		return true
	}
	return false
}

// Caret returns the line of src the error is in, with a caret under the place,
// and "" if the place is not known.
func (e *Error) Caret(src string) string {
	if e.Line == 0 || e.Offset > len(src) {
		return ""
	}
	start := strings.LastIndexByte(src[:e.Offset], '\n') + 1
	line, _, _ := strings.Cut(src[start:], "\n")
	line = strings.TrimSuffix(line, "\r")
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, src[start:e.Offset])
	return line + "\n" + pad + "^"
}

// Format prints one line for %v and %s, and the source line with a caret below
// it for %+v.
func (e *Error) Format(s fmt.State, verb rune) {
	_, _ = io.WriteString(s, e.Error())
	if verb == 'v' && s.Flag('+') {
		if caret := e.Caret(e.source); caret != "" {
			_, _ = io.WriteString(s, "\n"+caret)
		}
	}
}

// newError returns an error whose place is not known yet.
func newError(code string, v Value) *Error { return &Error{Code: code, Value: v} }

// at fills in the place and the token of an error if they are not known yet.
func at(err error, offset int, token string) error {
	var e *Error
	if err == nil || !errors.As(err, &e) || e.placed {
		return err
	}
	e.placed, e.Offset = true, offset
	if e.Token == "" {
		e.Token = token
	}
	return err
}

// syntaxError converts an error of the parser.
func syntaxError(src string, err error) error {
	if s, ok := errors.AsType[*syntax.Error](err); ok {
		e := &Error{Code: s.Code, Token: s.Token, Offset: s.Pos, placed: true}
		if s.Value != "" {
			e.Value = s.Value
		}
		err = e
	}
	return finished(src, err)
}

// finished completes an error with its message, line and column.
func finished(src string, err error) error {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	if e.Message == "" {
		e.Message = message(e)
	}
	if e.placed && e.Line == 0 && e.Offset >= 0 && e.Offset <= len(src) {
		before := src[:e.Offset]
		e.source = src
		e.Line = strings.Count(before, "\n") + 1
		e.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	}
	return e
}
