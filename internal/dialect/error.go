package dialect

import "github.com/millrace/millrace/internal/dialect/js"

// Codes of the errors of the functions. They extend JSONata's own codes.
const (
	CodeArgument    = js.CodeArgument    // an argument has a type or value that the function cannot use
	CodeFailed      = js.CodeFailed      // the function understood its arguments but could not do its work
	CodeUnsupported = js.CodeUnsupported // the function is known but not available in this server
)
