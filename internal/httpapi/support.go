package httpapi

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// emit stores an event in the transaction that also changes what it is about.
func (a *api) emit(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, name string, payload any) error {
	e, err := newEvent(tx, env, name, payload)
	if err != nil {
		return err
	}
	return a.cfg.Emitter.EmitTx(ctx, tx, e)
}

func newEvent(tx *store.Tx, env millrace.EnvironmentID, name string, payload any) (*millrace.Event, error) {
	e, err := millrace.NewEvent(env, name, payload)
	if err != nil {
		return nil, err
	}
	e.CreatedAt = tx.Now()
	return e, nil
}

func asError(err error) (*millrace.Error, bool) {
	var known *millrace.Error
	ok := errors.As(err, &known)
	return known, ok
}

// at gives an error about something that a field names the path of the field.
func at(path string, err error) error {
	known, ok := asError(err)
	if !ok || known.Kind == millrace.KindInternal || len(known.Failures) > 0 {
		return err
	}
	return &millrace.Error{
		Kind: known.Kind, Message: path + ": " + known.Message, Err: known.Err,
		Failures: []millrace.Failure{{Path: path, Message: known.Message}},
	}
}

// hasPrefixPath reports whether path is below parent.
func hasPrefixPath(path, parent string) bool {
	return strings.HasPrefix(path, parent+".") || strings.HasPrefix(path, parent+"[")
}

// isText reports whether a text can be stored.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func lower(id string) string { return strings.ToLower(id) }

// nullable returns nil for an empty id, which is null on the wire.
func nullable[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
