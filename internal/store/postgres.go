package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxTries bounds how often an update is repeated when PostgreSQL gives up on it because of another one.
const maxTries = 8

// idleInTransaction is how long PostgreSQL waits for the next statement of a transaction. None of ours waits for anything
// but the database, so a longer silence means that the node is paused or cut off: its locks would stop all others. It is
// shorter than the time after which a silent node is taken for dead.
const idleInTransaction = "SET idle_in_transaction_session_timeout = '10s'"

// begin bounds how long an update waits for locks. A node that is paused may have several updates waiting for the one of
// its own that holds a lock; each would get it in turn and keep it for as long as idleInTransaction allows. A wait this
// long is repeated like a deadlock. It is not set for the connection, because River's maintenance and migrations may wait.
const begin = "BEGIN; SET LOCAL lock_timeout = '5s'"

// errDatabaseURL stands for the error of the parser, which would quote the password.
var errDatabaseURL = errors.New("the database URL is not valid")

type postgresBackend struct{ pool *pgxpool.Pool }

func openPostgres(ctx context.Context, url string) (*postgresBackend, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errDatabaseURL
	}
	if cfg.MaxConns < 24 {
		cfg.MaxConns = 24
	}
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, idleInTransaction)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach PostgreSQL: %w", err)
	}
	return &postgresBackend{pool}, nil
}

// Postgres returns the pool, nil on SQLite. It is for the queue, which shares it.
func (db *DB) Postgres() *pgxpool.Pool {
	if b, ok := db.backend.(*postgresBackend); ok {
		return b.pool
	}
	return nil
}

func (b *postgresBackend) close() error {
	b.pool.Close()
	return nil
}

func (b *postgresBackend) view(_ context.Context, fn func(conn) error) error {
	return fn(pgConn{b.pool, nil})
}

func (b *postgresBackend) update(ctx context.Context, fn func(conn) error) error {
	var err error
	for range maxTries {
		err = pgx.BeginTxFunc(ctx, b.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error { return fn(pgConn{tx, tx}) })
		if !isPostgresRetryable(err) {
			return err
		}
	}
	return err
}

type pgConn struct {
	on interface {
		Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}
	tx pgx.Tx
}

func (c pgConn) raw() any { return c.tx }

func (c pgConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := c.on.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

func (c pgConn) query(ctx context.Context, sql string, args ...any) (rows, error) {
	return c.on.Query(ctx, sql, args...) //nolint:sqlclosecheck // the caller's
}

func postgresCode(err error) string {
	var e *pgconn.PgError
	if !asError(err, &e) {
		return ""
	}
	return e.Code
}

func isPostgresRetryable(err error) bool {
	switch postgresCode(err) {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock timeout
		return true
	}
	return false
}

func isPostgresUnique(err error) bool { return postgresCode(err) == "23505" }
