package sqldb

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace"
)

// Cipher seals secrets. Both methods bind the ciphertext to the associated data; tink's AEAD satisfies it.
type Cipher interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Config says where the database is and what the engine needs besides.
type Config struct {
	URL    string           // postgres://..., or the path of a SQLite file
	Cipher Cipher           // seals what is secret
	Clock  func() time.Time // nil: time.Now
	Warm   bool             // of PostgreSQL: connections are opened before they are needed
}

// DB is an open database.
type DB struct {
	backend    backend
	plain      backend // the backend itself, without the faults of a test
	dialect    Dialect
	cipher     Cipher
	clock      func() time.Time
	queue      Queue
	shown      Shown
	pulse      *pulse
	weights    *weights
	full       atomic.Bool  // the last update that failed did so for want of space
	generation atomic.Int64 // see Generation
	scratch    sync.Pool    // of *[]byte: where bytes are compressed, which come out much shorter
}

// Queue inserts and completes tasks inside the store's transactions.
type Queue interface {
	// Enqueue inserts tasks in tx; one that is already live is left alone.
	Enqueue(ctx context.Context, tx *Tx, tasks []millrace.Task) error
	// Finish completes, in tx, the task whose handler runs under ctx. Outside a handler it does nothing.
	Finish(ctx context.Context, tx *Tx) error
}

// backend runs units of work on one kind of database.
type backend interface {
	view(ctx context.Context, fn func(conn) error) error
	update(ctx context.Context, fn func(conn) error) error
	close() error
}

// conn runs statements with $1 placeholders.
type conn interface {
	exec(ctx context.Context, sql string, args ...any) (int64, error)
	query(ctx context.Context, sql string, args ...any) (Rows, error)
	raw() any // *sql.Tx or pgx.Tx
}

// Rows are the rows that a query yields.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Open opens a database and does not migrate it.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of the injected clock
	}
	db := &DB{cipher: cfg.Cipher, clock: cfg.Clock, weights: &weights{}}
	var err error
	if IsPostgres(cfg.URL) {
		db.dialect = postgresDialect{}
		var b *postgresBackend
		if b, err = openPostgres(ctx, cfg, db.weights); err == nil {
			db.backend, db.pulse = b, b.pulse
		}
	} else {
		db.dialect = sqliteDialect{}
		var b *sqliteBackend
		if b, err = openSQLite(ctx, cfg.URL, db.weights); err == nil {
			db.backend, db.pulse = b, b.pulse
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.plain = db.backend
	return db, nil
}

// IsPostgres reports whether url names a PostgreSQL database rather than a SQLite file.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Name names a database in a way that does not change with the credentials: host, port, database and schema, or the name of
// the file.
func Name(url string) (string, error) {
	if !IsPostgres(url) {
		return filepath.Base(url), nil
	}
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		return "", errDatabaseURL
	}
	name := fmt.Sprintf("postgres://%s/%s", net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))), cfg.Database)
	if schema := cfg.RuntimeParams["search_path"]; schema != "" {
		name += "?search_path=" + schema
	}
	return name, nil
}

// Name names the kind of the database: sqlite or postgres.
func (db *DB) Name() string { return db.dialect.Name() }

// Dialect returns how statements differ between the two databases.
func (db *DB) Dialect() Dialect { return db.dialect }

// InjectFaults makes updates fail where a test wants them to.
func (db *DB) InjectFaults(f Faults) { db.backend = &brittle{db.backend, f} }

// Generation counts the commits of this process that called [Tx.Outdate]: what was read at another generation may be out of date.
func (db *DB) Generation() int64 { return db.generation.Load() }

// SetQueue plugs in the queue. It must be called before the first Enqueue.
func (db *DB) SetQueue(q Queue) { db.queue = q }

// Close closes the database after the updates that are under way.
func (db *DB) Close() error { return db.backend.close() }

// View runs fn for reading. Each query sees what is committed when it starts.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	err := db.backend.view(ctx, func(c conn) error { return fn(&Tx{db: db, conn: c}) })
	return db.translate(silenced(ctx, err))
}

// Update runs fn in one transaction. When fn returns an error, nothing of it is kept. fn may run more than once, and what it
// did may not be committed, so it must not touch the network, send on channels or sleep, and it must not change anything
// outside of the transaction: what it computes is returned by Compute. An error of the commit itself is an ErrUnknownOutcome
// when it may have happened.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	var committed *Tx
	err := db.backend.update(ctx, func(c conn) error {
		tx := &Tx{db: db, conn: c}
		if err := fn(tx); err != nil {
			return err
		}
		if err := tx.end(); err != nil {
			return err
		}
		committed = tx //commit:allow read after the commit only
		return nil
	})
	db.noteSpace(err)
	if err != nil {
		return db.translate(silenced(ctx, err))
	}
	for _, fn := range committed.afterCommit {
		fn()
	}
	return nil
}
