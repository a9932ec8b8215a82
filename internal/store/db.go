package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/accounts"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/upkeep"
)

// Config says where the database is and what the store needs besides.
type Config struct {
	URL    string           // postgres://..., or the path of a SQLite file
	Cipher Cipher           // seals credentials and signing secrets; required
	Clock  func() time.Time // nil: time.Now
	Faults Faults           // for tests; nil: none
	Warm   bool             // of PostgreSQL: connections are opened before they are needed

	Existing bool // the database has our tables; Open returns ErrNoTables when it has none
	AsIs     bool // Open makes and changes nothing; it returns an error when the schema is not that of this binary
}

// DB is an open database.
type DB struct {
	db     *sqldb.DB
	opened time.Time
}

// Queue inserts and completes tasks inside the store's transactions.
type Queue interface {
	// Enqueue inserts tasks in tx; one that is already live is left alone.
	Enqueue(ctx context.Context, tx *Tx, tasks []millrace.Task) error
	// Finish completes, in tx, the task whose handler runs under ctx. Outside a handler it does nothing.
	Finish(ctx context.Context, tx *Tx) error
}

// queue is a Queue as the engine knows it.
type queue struct{ Queue }

// Enqueue implements sqldb.Queue.
func (q queue) Enqueue(ctx context.Context, tx *sqldb.Tx, tasks []millrace.Task) error {
	return q.Queue.Enqueue(ctx, &Tx{tx}, tasks)
}

// Finish implements sqldb.Queue.
func (q queue) Finish(ctx context.Context, tx *sqldb.Tx) error { return q.Queue.Finish(ctx, &Tx{tx}) }

// Open opens the database and brings its schema up to date.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Cipher == nil {
		return nil, errors.New("store: no cipher given")
	}
	db, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db.db, migration{existing: cfg.Existing, asIs: cfg.AsIs}); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	if err := db.LoadWeights(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	if cfg.Faults != nil {
		db.db.InjectFaults(cfg.Faults)
	}
	return db, nil
}

// open opens the database with the schema that it has.
func open(ctx context.Context, cfg Config) (*DB, error) {
	db, err := sqldb.Open(ctx, sqldb.Config{URL: cfg.URL, Cipher: cfg.Cipher, Clock: cfg.Clock, Warm: cfg.Warm})
	if err != nil {
		return nil, err
	}
	return &DB{db, time.Now()}, nil //nolint:forbidigo // how long a process runs is real time
}

// SetQueue plugs in the queue. It must be called before the first Enqueue.
func (db *DB) SetQueue(q Queue) { db.db.SetQueue(queue{q}) }

// SetShown plugs in what the record of changes shows of the sealed columns of a row, a pointer, by their names. A column without is a secret as a
// whole. It must be called before the first change by an actor.
func (db *DB) SetShown(shown func(ctx context.Context, tx *Tx, row any) (map[string]json.RawMessage, error)) {
	db.db.SetShown(func(ctx context.Context, tx *sqldb.Tx, row any) (map[string]json.RawMessage, error) {
		return shown(ctx, &Tx{tx}, row)
	})
}

// Generation counts the changes of accounts, their installations and their integrations that this process has committed.
func (db *DB) Generation() int64 { return db.db.Generation() }

// Close closes the database after the updates that are under way.
func (db *DB) Close() error { return db.db.Close() }

// View runs fn for reading. Each query sees what is committed when it starts.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return db.db.View(ctx, func(tx *sqldb.Tx) error { return fn(&Tx{tx}) })
}

// Update runs fn in one transaction. When fn returns an error, nothing of it is kept. fn may run more than once, and what it
// did may not be committed, so it must not touch the network, send on channels or sleep, and it must not change anything
// outside of the transaction: what it computes is returned by Compute. An error of the commit itself is an ErrUnknownOutcome
// when it may have happened.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	return db.db.Update(ctx, func(tx *sqldb.Tx) error { return fn(&Tx{tx}) })
}

// updater runs units of work: a DB, or what tests put in its place.
type updater interface {
	Update(ctx context.Context, fn func(*Tx) error) error
}

// Compute is Update for a function that computes something. The value comes from the run of fn that was committed; of one
// that was not, nothing is seen. It takes the place of assigning to variables outside of the function.
func Compute[T any](ctx context.Context, db updater, fn func(*Tx) (T, error)) (T, error) {
	var computed, none T
	err := db.Update(ctx, func(tx *Tx) error {
		v, err := fn(tx)
		if err == nil {
			computed = v //commit:allow Compute returns it after the commit only
		}
		return err
	})
	if err != nil {
		return none, err
	}
	return computed, nil
}

// SQLite returns the connection that writes, nil on PostgreSQL. It is for the queue, which shares it.
func (db *DB) SQLite() *sql.DB { return db.db.SQLite() }

// Postgres returns the pool, nil on SQLite. It is for the queue, which shares it.
func (db *DB) Postgres() *pgxpool.Pool { return db.db.Postgres() }

// HastenMarked is a statement that makes those of some River jobs available now that were to be hastened while they ran; of all jobs
// when none are named. It is for the queue, which runs it after River has written that they wait.
func (db *DB) HastenMarked(jobs []int64) (string, []any) {
	return upkeep.HastenMarked(db.db.Dialect(), jobs)
}

// Guard returns a context for a caller that cannot wait for a database which does not respond: it ends, with an error of
// KindUnavailable, when for more than a second the database does not respond, and at once until it responds again. On
// SQLite this is about writing only: reading goes on while another process holds the lock. The caller must call the function.
func (db *DB) Guard(ctx context.Context, writes bool) (context.Context, context.CancelFunc) {
	if db == nil {
		return ctx, func() {}
	}
	return db.db.Guard(ctx, writes)
}

// CheckSpace returns an error of KindUnavailable while the database has no space to write. It writes only to find out whether
// a want of space that an update met has ended.
func (db *DB) CheckSpace(ctx context.Context) error { return db.db.CheckSpace(ctx) }

// Weight returns the weight of an environment.
func (db *DB) Weight(env millrace.EnvironmentID) int64 { return db.db.Weight(env) }

// LoadWeights reads what weights environments have, which other processes may have changed.
func (db *DB) LoadWeights(ctx context.Context) error {
	of := map[millrace.EnvironmentID]int64{}
	err := db.db.View(ctx, func(tx *sqldb.Tx) error {
		all, err := accounts.NewEnvironments(tx).Weighted(ctx)
		for _, v := range all {
			of[v.ID] = v.Weight
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the weights of environments: %w", err)
	}
	db.db.SetWeights(of)
	return nil
}
