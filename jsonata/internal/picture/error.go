package picture

import (
	"errors"
	"fmt"
)

// Limits on what one call may produce.
const (
	maxPicture = 1 << 16 // code units of a picture
	maxSymbol  = 64      // bytes of a symbol of a decimal format
	maxPadding = 1 << 16 // digits or numerals of one number
	maxOutput  = 1 << 20 // bytes of a date beyond the length of its picture
	maxTries   = 1 << 17 // ends of parts tried when a date is read
	maxWork    = 1 << 24 // product of lengths in the few quadratic places
)

// ErrLimit reports a picture, width or result beyond the fixed limits.
var ErrLimit = errors.New("picture: limit exceeded")

// ErrRange reports arguments for which the reference implementation fails
// without an error code of its own.
var ErrRange = errors.New("picture: value out of range")

// Error is a failure that the language defines.
type Error struct {
	Code  string // for example D3130
	Value any    // what the message of the code shows, or nil
}

// Error returns the code and the value.
func (e *Error) Error() string {
	if e.Value == nil {
		return e.Code
	}
	return fmt.Sprintf("%s: %v", e.Code, e.Value)
}

func fail(code string, value any) error {
	return &Error{Code: code, Value: value}
}
