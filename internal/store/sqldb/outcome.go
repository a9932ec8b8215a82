package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
)

// ErrOutage is in every error that is a failure of the database itself: it cannot be reached, its disk is full, it gave a
// transaction up. Such an error says nothing about the rows or the request that met it, so it never ends a run.
var ErrOutage = errors.New("the database failed")

// ErrUnknownOutcome is in the error of an update whose commit was sent and got no response: it was stored, or it was not.
// A caller must read what is there before it goes on, in an Update that locks or writes the same rows: the database may
// still be working on the commit, and holds its locks until then. Every such error is an ErrOutage, too.
var ErrUnknownOutcome = errors.New("the outcome of the commit is not known")

// UnknownOutcome marks the error of a commit that may have happened.
func UnknownOutcome(err error) error {
	return &millrace.Error{
		Kind:    millrace.KindUnavailable,
		Message: "the database did not confirm the change: it may have been stored; look before you repeat it",
		Err:     fmt.Errorf("%w: %w: %w", ErrUnknownOutcome, ErrOutage, err),
	}
}

// outage marks a failure of the database.
func outage(err error) error {
	return &millrace.Error{
		Kind: millrace.KindUnavailable, Message: "the database cannot be used right now", Err: fmt.Errorf("%w: %w", ErrOutage, err),
	}
}

// translate gives errors of the drivers a kind.
func (db *DB) translate(err error) error {
	switch {
	case err == nil || millrace.KindOf(err) != millrace.KindInternal:
		return err
	case db.dialect.IsUnique(err):
		return &millrace.Error{Kind: millrace.KindConflict, Message: "already exists", Err: err}
	case errors.Is(err, ErrOutage) || db.dialect.isOutage(err) || errors.Is(err, context.DeadlineExceeded):
		if db.dialect.isFull(err) {
			return &millrace.Error{
				Kind: millrace.KindUnavailable, Message: "the disk of the database is full; nothing was stored. Try again when there is space",
				Err: fmt.Errorf("%w: %w", ErrOutage, err),
			}
		}
		return outage(err)
	}
	return err
}
