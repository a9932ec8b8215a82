package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/millrace/millrace"
)

const (
	// maxGroup bounds how many updates share a commit, so that the first of them does not wait long.
	maxGroup = 64
	// sharedFor bounds how long updates join a commit when those of other environments wait for it, or are in it.
	sharedFor = 4 * time.Millisecond
)

// sqliteBackend is a file with one connection that writes and a pool that reads.
//
// # Group commit
//
// A commit waits for the disk, which takes longer than the statements in it, so updates share one:
//
//   - The first caller becomes the leader (leading). It opens the transaction and runs its own update.
//   - Callers that come meanwhile wait in a line in which environments take turns. The leader runs their updates in its
//     transaction, each in a savepoint, so that a failed one undoes only itself, until maxGroup, the line is empty, or
//     sharedFor has passed and several environments are involved.
//   - The leader commits and hands each caller its outcome. An error of the commit is the outcome of all of them.
//   - The first caller that still waits becomes the next leader. Nothing runs in the background: where no caller is,
//     nothing is at work.
//
// A caller that gives up leaves the line if its update has not begun; otherwise it must wait for the outcome.
type sqliteBackend struct {
	path   string
	writer *sql.DB
	reader *sql.DB

	mu      sync.Mutex
	closed  bool
	leading bool                 // an update is being committed
	waiting turns[*sqliteUpdate] // for the leader to take them along
	idle    *sync.Cond           // there is no leader

	writes, reads *statements

	pulse    *pulse
	recovery sync.WaitGroup // of leaders whose callers have gone
}

type sqliteUpdate struct {
	ctx   context.Context //nolint:containedctx // a request that waits in a queue carries its caller's context
	share millrace.EnvironmentID
	fn    func(conn) error
	err   error
	oops  any       // panic value of fn, raised again in the caller's goroutine
	turn  chan bool // false: it is done; true: its caller is the next to commit
}

func openSQLite(ctx context.Context, path string, w *weights) (*sqliteBackend, error) {
	pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "foreign_keys(1)"}}
	write := url.Values{"_pragma": append(pragmas["_pragma"], "journal_mode(WAL)", "synchronous(FULL)"), "_txlock": {"immediate"}}
	read := url.Values{"_pragma": append(pragmas["_pragma"], "query_only(1)")}
	if err := ownFiles(path); err != nil {
		return nil, err
	}
	writer, err := sql.Open("sqlite", "file:"+path+"?"+write.Encode())
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	if err := writer.PingContext(ctx); err != nil {
		_ = writer.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	reader, err := sql.Open("sqlite", "file:"+path+"?"+read.Encode())
	if err != nil {
		_ = writer.Close()
		return nil, err
	}
	reader.SetMaxOpenConns(8)
	reader.SetMaxIdleConns(8)
	b := &sqliteBackend{
		path: path, writer: writer, reader: reader,
		writes: newStatements(writer), reads: newStatements(reader), pulse: newPulse(nil), waiting: turns[*sqliteUpdate]{weights: w},
	}
	b.idle = sync.NewCond(&b.mu)
	return b, nil
}

// SQLite returns the connection that writes, nil on PostgreSQL. It is for the queue, which shares it.
func (db *DB) SQLite() *sql.DB {
	if b, ok := db.plain.(*sqliteBackend); ok {
		return b.writer
	}
	return nil
}

func (b *sqliteBackend) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	for b.leading {
		b.idle.Wait()
	}
	b.recovery.Wait()
	b.reads.close()
	b.writes.close()
	_ = b.reader.Close()
	return b.writer.Close()
}

func (b *sqliteBackend) view(ctx context.Context, fn func(conn) error) error {
	b.reads.prepare(ctx)
	return fn(sqlConn{b.reader, nil, b.reads})
}

// Update runs fn in a transaction. The first caller becomes the leader and commits, in its own goroutine; later callers join that
// transaction, or form the next, which the first of them commits. Environments take turns at both.
func (b *sqliteBackend) update(ctx context.Context, fn func(conn) error) error {
	u := &sqliteUpdate{ctx: ctx, share: shareOf(ctx), fn: fn, turn: make(chan bool, 1)}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return sql.ErrConnDone
	}
	lead := !b.leading
	if lead {
		b.leading = true
	} else {
		b.waiting.push(u.share, u)
	}
	b.mu.Unlock()
	if !lead {
		var err error
		if lead, err = b.await(u); err != nil {
			return err
		}
	}
	if lead {
		b.lead(u) //nolint:contextcheck // a commit serves many callers; it has no context of one
	}
	if u.oops != nil {
		panic(u.oops)
	}
	return u.err
}

// await waits until an update is done or its caller is to lead. A caller that gives up before a leader has taken the update
// leaves the line; afterwards it must wait, because the update runs.
func (b *sqliteBackend) await(u *sqliteUpdate) (bool, error) {
	select {
	case lead := <-u.turn:
		return lead, nil
	case <-u.ctx.Done():
	}
	b.mu.Lock()
	left := b.waiting.remove(u.share, u)
	b.mu.Unlock()
	if left {
		return false, context.Cause(u.ctx)
	}
	return <-u.turn, nil
}

// lead commits an update and those that join it, and lets the next go on.
func (b *sqliteBackend) lead(first *sqliteUpdate) {
	tx := b.begin(first)
	if tx == nil {
		return
	}
	defer b.pass()
	for _, u := range b.commit(tx, first)[1:] {
		u.turn <- false
	}
	b.writes.prepare(context.Background())
}

// pass lets the next in the line lead.
func (b *sqliteBackend) pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if next := b.pop(); next != nil {
		next.turn <- true
		return
	}
	b.leading = false
	b.idle.Broadcast()
}

// pop takes the next update that waits, nil when there is none. It is for who holds the lock.
func (b *sqliteBackend) pop() *sqliteUpdate {
	u, _ := b.waiting.pop(nil)
	return u
}

// join takes the next update into a commit; nil: the commit shall end, because it is full, nothing waits, or an environment has
// waited long enough for it.
func (b *sqliteBackend) join(group []*sqliteUpdate, began time.Time) *sqliteUpdate {
	if len(group) >= maxGroup {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	first := group[0].share
	mixed := b.waiting.others(first) || slices.ContainsFunc(group, func(u *sqliteUpdate) bool { return u.share != first })
	if mixed && time.Since(began) > sharedFor {
		return nil
	}
	return b.pop()
}

// commit runs an update, and those that wait when it is done, in one transaction. It returns them with their outcomes.
func (b *sqliteBackend) commit(tx *sql.Tx, first *sqliteUpdate) []*sqliteUpdate {
	group, began := []*sqliteUpdate{first}, time.Now() //nolint:forbidigo // for join
	defer func() { _ = tx.Rollback() }()               // does nothing once it is committed
	c := sqlConn{tx, tx, b.writes}
	first.run(c) // it is alone so far and needs no savepoint: if it fails, all is undone
	b.charge(first, began)
	if first.err != nil || first.oops != nil {
		return group
	}
	for whole := true; whole; {
		u := b.join(group, began)
		if u == nil {
			break
		}
		group = append(group, u)
		joined := time.Now() //nolint:forbidigo // for charge
		whole = c.inSavepoint(u)
		b.charge(u, joined)
	}
	if err := tx.Commit(); err != nil {
		err = commitError(err)
		for _, u := range group {
			if u.err == nil {
				u.err = err
			}
		}
	}
	return group
}

// charge counts the time that an update has taken against its environment.
func (b *sqliteBackend) charge(u *sqliteUpdate, began time.Time) {
	took := time.Since(began)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.charge(u.share, took)
}

// commitError says what a failed commit means. The driver has undone it. Only where the disk did not do what it was asked
// for, part of it may have reached the disk and be found there after a crash.
func commitError(err error) error {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_IOERR:
		return UnknownOutcome(err)
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("commit: %w", err)
	}
	// Also when SQLite says that there is no transaction to commit: it has undone it before, for want of space or memory.
	return fmt.Errorf("commit: %w: %w", ErrOutage, err)
}

// run runs the update unless its caller has given up.
func (u *sqliteUpdate) run(c sqlConn) {
	defer func() { u.oops = recover() }()
	if u.err = context.Cause(u.ctx); u.err == nil {
		u.err = u.fn(c)
	}
}

// inSavepoint runs one update so that its failure undoes nothing but itself. It reports whether the transaction is
// still whole: when the disk is full, SQLite undoes all of it, and nothing must join what is left.
func (c sqlConn) inSavepoint(u *sqliteUpdate) bool {
	if _, u.err = c.exec(context.Background(), "SAVEPOINT unit"); u.err != nil {
		return false
	}
	u.run(c)
	if u.err != nil || u.oops != nil {
		if _, err := c.exec(context.Background(), "ROLLBACK TO unit"); err != nil {
			return false
		}
	}
	if _, err := c.exec(context.Background(), "RELEASE unit"); err != nil {
		u.err = errors.Join(u.err, err)
		return false
	}
	return true
}

// sqlConn runs statements on a pool or a transaction.
type sqlConn struct {
	on interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	tx         *sql.Tx
	statements *statements
}

// prepared returns the statement in its compiled form, if it is kept.
func (c sqlConn) prepared(ctx context.Context, query string) *sql.Stmt {
	stmt := c.statements.find(query)
	if stmt != nil && c.tx != nil {
		return c.tx.StmtContext(ctx, stmt)
	}
	return stmt
}

func (c sqlConn) raw() any { return c.tx }

func (c sqlConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, query = uninterrupted(ctx, c.tx), numbered(query)
	var res sql.Result
	var err error
	if stmt := c.prepared(ctx, query); stmt != nil { //nolint:sqlclosecheck // kept
		res, err = stmt.ExecContext(ctx, args...)
	} else {
		res, err = c.on.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c sqlConn) query(ctx context.Context, query string, args ...any) (Rows, error) {
	ctx, query = uninterrupted(ctx, c.tx), numbered(query)
	var rs *sql.Rows
	var err error
	if stmt := c.prepared(ctx, query); stmt != nil { //nolint:sqlclosecheck // kept
		rs, err = stmt.QueryContext(ctx, args...) //nolint:rowserrcheck // the caller's
	} else {
		rs, err = c.on.QueryContext(ctx, query, args...) //nolint:rowserrcheck // the caller's
	}
	if err != nil {
		return nil, err
	}
	return sqlRows{rs}, nil
}

// uninterrupted shields statements in a shared transaction from one caller's cancellation: SQLite reacts to an
// interrupted write by rolling back the whole transaction, and with it the work of all other callers.
func uninterrupted(ctx context.Context, tx *sql.Tx) context.Context {
	if tx == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

type sqlRows struct{ *sql.Rows }

func (r sqlRows) Close() { _ = r.Rows.Close() }

func sqliteCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code()
}

// isSQLiteOutage reports whether an error is that of the file, the disk or the memory.
func isSQLiteOutage(err error) bool {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB:
		return true
	}
	return errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn)
}

func isSQLiteFull(err error) bool { return sqliteCode(err)&0xff == sqlite3.SQLITE_FULL }

func isSQLiteUnique(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return true
	}
	return false
}
