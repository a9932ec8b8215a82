package rest

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
)

// At gives an error about something that a field names the path of the field.
func At(path string, err error) error {
	known, ok := errors.AsType[*millrace.Error](err)
	if !ok || known.Kind == millrace.KindInternal || len(known.Failures) > 0 {
		return err
	}
	return &millrace.Error{
		Kind: known.Kind, Message: path + ": " + known.Message, Err: known.Err,
		Failures: []millrace.Failure{{Path: path, Message: known.Message}},
	}
}

// IsText reports whether a text can be stored.
func IsText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// Nullable returns nil for an empty id, which is null on the wire.
func Nullable[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
