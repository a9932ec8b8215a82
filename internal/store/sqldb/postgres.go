package sqldb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

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

// maxConnect is how long a new connection may take.
const maxConnect = 10 * time.Second

// The shares of the connections that updates and reads of environments may take. The rest is for the queue, for looking up tokens,
// and for those who ask whether the server is ready.
const (
	updateShare = 2 // a half
	readShare   = 3 // a third
)

// Connections to PostgreSQL, which pool_max_conns in its URL sets.
const (
	defaultConns = 24
	leastConns   = 8
)

type postgresBackend struct {
	pool           *pgxpool.Pool
	updates, reads *gate

	pulse   *pulse
	unwatch context.CancelFunc
	watcher sync.WaitGroup
}

func openPostgres(ctx context.Context, of Config, w *weights) (*postgresBackend, error) {
	cfg, err := pgxpool.ParseConfig(of.URL)
	if err != nil {
		return nil, errDatabaseURL
	}
	cfg.ConnConfig.ConnectTimeout = min(cmp.Or(cfg.ConnConfig.ConnectTimeout, maxConnect), maxConnect)
	switch set := strings.Contains(of.URL, "pool_max_conns="); {
	case !set:
		cfg.MaxConns = max(cfg.MaxConns, defaultConns)
	case cfg.MaxConns < leastConns:
		return nil, fmt.Errorf("the database URL has pool_max_conns=%d, but a server needs at least %d connections", cfg.MaxConns, leastConns)
	}
	updates, reads := cfg.MaxConns/updateShare, cfg.MaxConns/readShare
	if of.Warm && !strings.Contains(of.URL, "pool_min_conns=") {
		// A new connection costs PostgreSQL tens of milliseconds of a processor. Opened all at once, when a burst comes, they would
		// delay everything.
		cfg.MinConns = updates + reads
	}
	b := &postgresBackend{}
	b.pulse = newPulse(func() { b.pool.Reset() }) // older connections may never get a response
	cfg.ConnConfig.Tracer = b.pulse
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, idleInTransaction)
		return err
	}
	if b.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	if err := b.pool.Ping(ctx); err != nil {
		b.pool.Close()
		return nil, fmt.Errorf("reach PostgreSQL: %w", err)
	}
	b.updates, b.reads = newGate(int(updates), w), newGate(int(reads), w)
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.unwatch = cancel
	b.watcher.Go(func() { b.watch(watching, of.Warm, cfg.ConnConfig) })
	return b, nil
}

// watch keeps a connection of its own, so that it finds out whether PostgreSQL responds, not whether the pool is busy. It is opened
// at once for a server, which may need it when no new one can be had; commands end before they need it.
func (b *postgresBackend) watch(ctx context.Context, atOnce bool, cfg *pgx.ConnConfig) {
	var conn *pgx.Conn
	drop := func() {
		if conn != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = conn.Close(closing)
			conn = nil
		}
	}
	defer drop()
	b.pulse.watch(ctx, atOnce, func(ctx context.Context) error {
		var err error
		if conn == nil {
			if conn, err = pgx.ConnectConfig(ctx, cfg.Copy()); err != nil {
				conn = nil
				return errors.Join(err, ctx.Err())
			}
		}
		if err = conn.Ping(ctx); err != nil {
			drop()
		}
		return errors.Join(err, ctx.Err())
	})
}

// Postgres returns the pool, nil on SQLite. It is for the queue, which shares it.
func (db *DB) Postgres() *pgxpool.Pool {
	if b, ok := db.plain.(*postgresBackend); ok {
		return b.pool
	}
	return nil
}

func (b *postgresBackend) close() error {
	b.unwatch()
	b.watcher.Wait()
	b.pool.Close()
	return nil
}

func (b *postgresBackend) view(ctx context.Context, fn func(conn) error) error {
	if env := shareOf(ctx); env != "" { // who has sent a token is not known before it was looked up
		if err := b.reads.enter(ctx, env); err != nil {
			return err
		}
		defer b.reads.leave(env)
	}
	return fn(pgConn{b.pool, nil})
}

func (b *postgresBackend) update(ctx context.Context, fn func(conn) error) error {
	env := shareOf(ctx)
	if err := b.updates.enter(ctx, env); err != nil {
		return err
	}
	defer b.updates.leave(env)
	var err error
	for range maxTries {
		err = b.try(ctx, fn)
		if !isPostgresRetryable(err) {
			return err
		}
	}
	return err
}

func (b *postgresBackend) try(ctx context.Context, fn func(conn) error) error {
	tx, err := b.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // does nothing once it is committed
	if err := fn(pgConn{tx, tx}); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		if mayHaveCommitted(err) {
			return UnknownOutcome(err)
		}
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// mayHaveCommitted reports whether a commit that returned an error may have happened. It has not when PostgreSQL says so, or
// when it was never sent. A fatal error ends the session and may follow a commit that was carried out.
func mayHaveCommitted(err error) bool {
	var said *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, pgx.ErrTxClosed) || pgconn.SafeToRetry(err):
		return false
	case errors.As(err, &said):
		return said.SeverityUnlocalized != "ERROR"
	}
	return true
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

func (c pgConn) query(ctx context.Context, sql string, args ...any) (Rows, error) {
	return c.on.Query(ctx, sql, args...) //nolint:sqlclosecheck // the caller's
}

func postgresCode(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
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

// isPostgresOutage reports whether an error is PostgreSQL's failure, by its class or because there was no response.
func isPostgresOutage(err error) bool {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch said.Code[:2] {
		case "08", "28", "3D", "40", "53", "57", "58": // connection, login, database, rollback, resources, operator, system
			return true
		}
		return said.Code == "55P03" || said.Code == "25P03" || said.Code == "25006" // lock timeout, idle too long, read only
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func isPostgresUnique(err error) bool { return postgresCode(err) == "23505" }
