package jsonata

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Codes of limit errors. D1011, D1012 and D2015 are JSONata's; the L codes are
// this package's.
const (
	CodeDepth     = "D1011" // evaluation or source nests too deep
	CodeTimeout   = "D1012" // Limits.Timeout is over
	CodeSequence  = "D2015" // a sequence has too many items
	CodeSteps     = "L1001" // Limits.Steps are used up
	CodeOutput    = "L1002" // a value outgrew Limits.Output
	CodeCancelled = "L1003" // the context ended
)

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

	source string
	cause  error
}

// Error returns the error on one line.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Code + ": " + e.Message
	}
	return fmt.Sprintf("%s: %s (line %d, column %d)", e.Code, e.Message, e.Line, e.Column)
}

// Unwrap returns the error of the host function or context behind this one.
func (e *Error) Unwrap() error { return e.cause }

// IsLimit tells whether the evaluation was stopped by one of its [Limits] or by
// its context.
func (e *Error) IsLimit() bool {
	switch e.Code {
	case CodeDepth, CodeTimeout, CodeSequence, CodeSteps, CodeOutput, CodeCancelled:
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

// locate fills in the place if it is not known yet.
func (e *Error) locate(src string, offset int) {
	if e.Line != 0 || offset < 0 || offset > len(src) {
		return
	}
	e.source, e.Offset = src, offset
	e.Line = strings.Count(src[:offset], "\n") + 1
	e.Column = utf8.RuneCountInString(src[strings.LastIndexByte(src[:offset], '\n')+1:offset]) + 1
}
