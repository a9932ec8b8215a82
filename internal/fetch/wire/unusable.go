package wire

import "fmt"

// UnusableError is the error of a response that cannot be used, which is an outcome and no failure of ours.
type UnusableError struct {
	Class   string
	Message string
}

// Error returns the message.
func (e *UnusableError) Error() string { return e.Message }

// Unusablef returns an error of the class unusable.
func Unusablef(format string, args ...any) *UnusableError {
	return &UnusableError{Class: "unusable", Message: fmt.Sprintf(format, args...)}
}
