package js

import (
	"fmt"

	"github.com/millrace/millrace/jsonata"
)

// Codes of the errors of the dialect's functions. They extend JSONata's own codes.
const (
	CodeArgument    = "X1001" // an argument has a type or value that the function cannot use
	CodeFailed      = "X1002" // the function understood its arguments but could not do its work
	CodeUnsupported = "X1003" // the function is known but not available in this server
)

// ArgumentError says that a function cannot use an argument.
func ArgumentError(format string, args ...any) error {
	return &jsonata.Error{Code: CodeArgument, Message: fmt.Sprintf(format, args...)}
}

// FailedError says that a function could not do its work.
func FailedError(format string, args ...any) error {
	return &jsonata.Error{Code: CodeFailed, Message: fmt.Sprintf(format, args...)}
}

// UnsupportedError says that a function does not exist in this server.
func UnsupportedError(format string, args ...any) error {
	return &jsonata.Error{Code: CodeUnsupported, Message: fmt.Sprintf(format, args...)}
}
