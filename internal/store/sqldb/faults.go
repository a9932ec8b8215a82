package sqldb

import (
	"context"
	"errors"
)

// Faults makes updates fail at places that a test names. It must be safe for concurrent use.
type Faults interface {
	// Statement is called before each statement of an update that is the store's own. An error is what the statement returns.
	Statement(sql string) error
	// Commit is called when an update has run to its end.
	Commit() CommitFault
}

// CommitFault says how a commit fails.
type CommitFault int

// The ways in which a commit fails.
const (
	CommitSucceeds     CommitFault = iota
	CommitFails                    // nothing is stored, and the caller gets an error that says so
	CommitVanishes                 // nothing is stored, and the outcome is unknown
	CommitIsNotHeardOf             // everything is stored, and the outcome is unknown
)

var errInjected = errors.New("a fault of a test")

// Injected returns the error of a fault that a test has placed. It is a failure of the database like a full disk.
func Injected() error { return outage(errInjected) }

// brittle is a backend with faults.
type brittle struct {
	backend
	faults Faults
}

func (b *brittle) update(ctx context.Context, fn func(conn) error) error {
	lost := false
	err := b.backend.update(ctx, func(c conn) error {
		lost = false
		if err := fn(brittleConn{c, b.faults}); err != nil {
			return err
		}
		switch b.faults.Commit() {
		case CommitFails:
			return Injected()
		case CommitVanishes:
			return UnknownOutcome(errInjected)
		case CommitIsNotHeardOf:
			lost = true
		case CommitSucceeds:
		}
		return nil
	})
	if err == nil && lost {
		return UnknownOutcome(errInjected)
	}
	return err
}

type brittleConn struct {
	conn
	faults Faults
}

func (c brittleConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := c.faults.Statement(sql); err != nil {
		return 0, err
	}
	return c.conn.exec(ctx, sql, args...)
}

func (c brittleConn) query(ctx context.Context, sql string, args ...any) (Rows, error) {
	if err := c.faults.Statement(sql); err != nil {
		return nil, err
	}
	return c.conn.query(ctx, sql, args...)
}
