package queue

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"github.com/millrace/millrace/internal/store"
)

// sqliteEngine runs River on the connection that the store writes with.
type sqliteEngine struct {
	q      *Queue
	client *river.Client[*sql.Tx]
	bus    *bus
}

func newSQLite(ctx context.Context, q *Queue) (*sqliteEngine, error) {
	e := &sqliteEngine{q: q, bus: newBus()}
	driver := &sqliteDriver{riversqlite.New(q.cfg.DB.SQLite()), e.bus, q}
	if err := migrate(ctx, driver, q.cfg.Logger); err != nil {
		return nil, fmt.Errorf("migrate River: %w", err)
	}
	var err error
	e.client, err = river.NewClient(driver, q.config())
	return e, err
}

// insert uses a context that cannot be cancelled: an interrupted write would undo the whole shared transaction.
func (e *sqliteEngine) insert(ctx context.Context, tx *store.Tx, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error) {
	results, err := e.client.InsertManyTx(context.WithoutCancel(ctx), tx.SQL(), params)
	if err != nil {
		return nil, err
	}
	tx.AfterCommit(func() {
		for name := range queuesOf(params) {
			e.bus.inserted(name)
		}
	})
	return results, nil
}

func (e *sqliteEngine) complete(ctx context.Context, tx *store.Tx, job *river.Job[args]) error {
	_, err := river.JobCompleteTx[*sqliteDriver](context.WithoutCancel(ctx), tx.SQL(), job)
	return err
}

// start makes tasks that were running available again: the data directory is locked, so the process that ran them is dead.
func (e *sqliteEngine) start(ctx context.Context) error {
	for _, statement := range []string{
		"UPDATE river_job SET state = 'available' WHERE state = 'running'",
		"DELETE FROM river_leader",
		"DELETE FROM river_client",
	} {
		if _, err := e.q.cfg.DB.SQLite().ExecContext(ctx, statement); err != nil && statement[:6] == "UPDATE" {
			return fmt.Errorf("recover tasks: %w", err)
		}
	}
	return e.client.Start(context.WithoutCancel(ctx))
}

func (e *sqliteEngine) stop(ctx context.Context) error {
	defer e.bus.close()
	return e.client.Stop(ctx)
}

// sqliteDriver is River's driver with a listener inside the process. SQLite has no notifications; River's own
// substitute writes them to a table that it polls. In one process a channel after the commit is enough and faster.
type sqliteDriver struct {
	*riversqlite.Driver
	bus *bus
	q   *Queue
}

// GetExecutor implements riverdriver.Driver.
func (d *sqliteDriver) GetExecutor() riverdriver.Executor {
	return &sqliteExecutor{d.Driver.GetExecutor(), d.bus, d.q}
}

// sqliteExecutor is River's, which looks for tasks with an UPDATE that SQLite compiles anew each time, on the one connection
// that writes: several times a second for each queue, most of what an idle server would do. A compiled SELECT on a
// connection that reads finds out first whether there is any, unless the bus has just said so.
type sqliteExecutor struct {
	riverdriver.Executor
	bus *bus
	q   *Queue
}

// JobSetStateIfRunningMany implements riverdriver.Executor.
func (e *sqliteExecutor) JobSetStateIfRunningMany(ctx context.Context, params *riverdriver.JobSetStateIfRunningManyParams) ([]*rivertype.JobRow, error) {
	return e.q.setStates(ctx, e.Executor, params)
}

// JobGetAvailable implements riverdriver.Executor.
func (e *sqliteExecutor) JobGetAvailable(ctx context.Context, params *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	if e.bus.takeFresh(params.Queue) {
		return e.Executor.JobGetAvailable(ctx, params)
	}
	found := false
	err := e.q.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		found, err = tx.Tasks().HasJob(ctx, params.Queue)
		return err
	})
	if err != nil || !found {
		return &riverdriver.JobGetAvailableResult{}, err
	}
	return e.Executor.JobGetAvailable(ctx, params)
}

// GetListener implements riverdriver.Driver.
func (d *sqliteDriver) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return &busListener{bus: d.bus, schema: params.Schema}
}

// SupportsListenNotify keeps River from writing notifications into its table.
func (d *sqliteDriver) SupportsListenNotify() bool { return false }

// bus remembers which queues got a task since the listener last looked.
type bus struct {
	mu     sync.Mutex
	queues []string
	fresh  map[string]bool // queues that got one since they were last asked
	signal chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newBus() *bus {
	return &bus{fresh: map[string]bool{}, signal: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (b *bus) inserted(queue string) {
	b.mu.Lock()
	b.fresh[queue] = true
	waiting := false
	for _, q := range b.queues {
		waiting = waiting || q == queue
	}
	if !waiting {
		b.queues = append(b.queues, queue)
	}
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

// takeFresh reports whether a queue got a task since this was last called for it.
func (b *bus) takeFresh(queue string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	fresh := b.fresh[queue]
	delete(b.fresh, queue)
	return fresh
}

func (b *bus) next() (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queues) == 0 {
		return "", false
	}
	q := b.queues[0]
	b.queues = b.queues[1:]
	return q, true
}

func (b *bus) close() { b.once.Do(func() { close(b.closed) }) }

// busListener implements riverdriver.Listener.
type busListener struct {
	bus    *bus
	schema string
}

// Close implements riverdriver.Listener.
func (l *busListener) Close(context.Context) error { return nil }

// Connect implements riverdriver.Listener.
func (l *busListener) Connect(context.Context) error { return nil }

// Listen implements riverdriver.Listener.
func (l *busListener) Listen(context.Context, string) error { return nil }

// Ping implements riverdriver.Listener.
func (l *busListener) Ping(context.Context) error { return nil }

// Schema implements riverdriver.Listener.
func (l *busListener) Schema() string { return l.schema }

// SetAfterConnectExec implements riverdriver.Listener.
func (l *busListener) SetAfterConnectExec(string) {}

// Unlisten implements riverdriver.Listener.
func (l *busListener) Unlisten(context.Context, string) error { return nil }

// WaitForNotification implements riverdriver.Listener.
func (l *busListener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	for {
		if q, ok := l.bus.next(); ok {
			return &riverdriver.Notification{Topic: insertTopic, Payload: insertPayload(q)}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.bus.signal:
		}
	}
}
