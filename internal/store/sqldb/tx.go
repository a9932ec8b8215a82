package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace"
)

// Tx is a unit of work. It is valid only inside the function that it was given to.
type Tx struct {
	db          *DB
	conn        conn
	afterCommit []func()
	atEnd       []func() error
	finally     map[string]bool // the keys of atEnd
}

// errNoQueue says that Enqueue was called before SetQueue.
var errNoQueue = errors.New("store: no queue is plugged in")

// Enqueue inserts tasks that become visible when the transaction commits.
func (tx *Tx) Enqueue(ctx context.Context, tasks ...millrace.Task) error {
	if len(tasks) == 0 {
		return nil
	}
	if tx.db.queue == nil {
		return errNoQueue
	}
	return tx.db.queue.Enqueue(ctx, tx, tasks)
}

// Finish completes the task whose handler runs under ctx together with the rest of the transaction, so that its
// effect and its end are one. Outside a handler it does nothing.
func (tx *Tx) Finish(ctx context.Context) error {
	if tx.db.queue == nil {
		return nil
	}
	return tx.db.queue.Finish(ctx, tx)
}

// AfterCommit runs fn once the transaction has committed; never when it has not.
func (tx *Tx) AfterCommit(fn func()) { tx.afterCommit = append(tx.afterCommit, fn) }

// Outdate begins another generation with the commit, for those who remember what the transaction changes.
func (tx *Tx) Outdate() { tx.AfterCommit(func() { tx.db.generation.Add(1) }) }

// Now returns the time on the store's clock.
func (tx *Tx) Now() millrace.Time { return millrace.TimeOf(tx.db.clock()) }

// SQL returns the SQLite transaction below, nil on PostgreSQL. It is for the queue.
func (tx *Tx) SQL() *sql.Tx {
	t, _ := tx.conn.raw().(*sql.Tx)
	return t
}

// Pgx returns the PostgreSQL transaction below, nil on SQLite. It is for the queue.
func (tx *Tx) Pgx() pgx.Tx {
	t, _ := tx.conn.raw().(pgx.Tx)
	return t
}

// Exec runs a statement with $1 placeholders and returns how many rows it has changed.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	return tx.conn.exec(ctx, sql, args...)
}

// Each runs a query and calls scan for every row.
func (tx *Tx) Each(ctx context.Context, sql string, args []any, scan func(Rows) error) error {
	rs, err := tx.conn.query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		if err := scan(rs); err != nil {
			return err
		}
	}
	return rs.Err()
}

// One runs a query that returns at most one row and reports whether there was one.
func (tx *Tx) One(ctx context.Context, sql string, args []any, dest ...any) (bool, error) {
	found := false
	err := tx.Each(ctx, sql, args, func(r Rows) error {
		found = true
		return r.Scan(dest...)
	})
	return found, err
}

// Dialect returns how statements differ between the two databases.
func (tx *Tx) Dialect() Dialect { return tx.db.dialect }

// Seal encrypts a value, bound to associated data. An empty one stays empty.
func (tx *Tx) Seal(plain, ad []byte) ([]byte, error) {
	if len(plain) == 0 {
		return []byte{}, nil
	}
	b, err := tx.db.cipher.Encrypt(plain, ad)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", ad, err)
	}
	return b, nil
}

// Open decrypts what seal has encrypted.
func (tx *Tx) Open(b, ad []byte) ([]byte, error) { return tx.db.cipher.Decrypt(b, ad) }
