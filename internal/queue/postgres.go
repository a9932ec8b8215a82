package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/millrace/millrace/internal/store"
)

const (
	heartbeatEvery = 2 * time.Second
	deadAfter      = 15 * time.Second
	migrationLock  = 7_241_905_312 // advisory lock: nodes that start together do not migrate at once
)

// postgresEngine runs River on the store's pool, with a heartbeat beside it.
type postgresEngine struct {
	q      *Queue
	client *river.Client[pgx.Tx]
	cancel context.CancelFunc
	beats  sync.WaitGroup
}

func newPostgres(ctx context.Context, q *Queue) (*postgresEngine, error) {
	pool := q.cfg.DB.Postgres()
	driver := &postgresDriver{riverpgxv5.New(pool), q}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return nil, err
	}
	err = migrate(ctx, driver, q.cfg.Logger)
	if _, unlock := conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", int64(migrationLock)); err == nil {
		err = unlock
	}
	if err != nil {
		return nil, fmt.Errorf("migrate River: %w", err)
	}
	e := &postgresEngine{q: q}
	e.client, err = river.NewClient(driver, q.config())
	return e, err
}

// postgresDriver is River's driver, without the second completion of what a transaction of ours has completed.
type postgresDriver struct {
	*riverpgxv5.Driver
	q *Queue
}

// GetExecutor implements riverdriver.Driver.
func (d *postgresDriver) GetExecutor() riverdriver.Executor {
	return &postgresExecutor{d.Driver.GetExecutor(), d.q}
}

type postgresExecutor struct {
	riverdriver.Executor
	q *Queue
}

// JobSetStateIfRunningMany implements riverdriver.Executor.
func (e *postgresExecutor) JobSetStateIfRunningMany(ctx context.Context, params *riverdriver.JobSetStateIfRunningManyParams) ([]*rivertype.JobRow, error) {
	return e.q.setStates(ctx, e.Executor, params)
}

func (e *postgresEngine) insert(ctx context.Context, tx *store.Tx, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error) {
	results, err := e.client.InsertManyTx(ctx, tx.Pgx(), params)
	if err != nil {
		return nil, err
	}
	// River leaves out the notification when the last one for the queue was sent a moment ago, and such a task waits
	// for the next poll. PostgreSQL folds equal notifications of one transaction, so saying it again costs nothing.
	for name := range queuesOf(params) {
		_, err := tx.Pgx().Exec(ctx, "SELECT pg_notify(concat(current_schema(), '.', $1::text), $2::text)", insertTopic, insertPayload(name))
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

func (e *postgresEngine) complete(ctx context.Context, tx *store.Tx, job *river.Job[args]) error {
	_, err := river.JobCompleteTx[*postgresDriver](ctx, tx.Pgx(), job)
	return err
}

func (e *postgresEngine) start(ctx context.Context) error {
	if err := e.beat(ctx); err != nil {
		return fmt.Errorf("write heartbeat: %w", err)
	}
	if err := e.bury(ctx, e.q.cfg.Previous); err != nil {
		return fmt.Errorf("recover tasks: %w", err)
	}
	beating, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.cancel = cancel
	e.beats.Go(func() { e.heartbeat(beating) })
	return e.client.Start(context.WithoutCancel(ctx))
}

func (e *postgresEngine) stop(ctx context.Context) error {
	err := e.client.Stop(ctx)
	if e.cancel != nil {
		e.cancel()
		e.beats.Wait()
		_ = e.q.cfg.DB.LeaveNode(context.WithoutCancel(ctx), e.q.node)
	}
	return err
}

// bury makes the running tasks of nodes available that are known to be dead, and gives up their leadership, so that
// neither waits until a missing heartbeat or an old election is noticed. What a dead node's last transaction still
// commits holds the locks of its rows until then.
func (e *postgresEngine) bury(ctx context.Context, nodes []string) error {
	if len(nodes) == 0 {
		return nil
	}
	for _, statement := range []string{
		"UPDATE river_job SET state = 'available' WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = ANY ($1)",
		"DELETE FROM river_leader WHERE leader_id = ANY ($1)",
		"DELETE FROM node WHERE id = ANY ($1)",
	} {
		if _, err := e.q.cfg.DB.Postgres().Exec(ctx, statement, nodes); err != nil {
			return err
		}
	}
	return nil
}

// heartbeat says that this node is alive and frees the tasks of those that are not. Every node does both: freeing is
// one statement that changes nothing when there is nothing to free.
func (e *postgresEngine) heartbeat(ctx context.Context) {
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := e.beat(ctx)
		if err == nil {
			err = errors.Join(e.reap(ctx), e.missed(ctx), e.count(ctx))
		}
		if err != nil && ctx.Err() == nil {
			e.q.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "heartbeat", slog.String("err", err.Error()))
		}
	}
}

// beat writes the database's time, not ours: nodes' clocks differ.
func (e *postgresEngine) beat(ctx context.Context) error {
	return e.q.cfg.DB.EnterNode(ctx, e.q.node, e.q.cfg.Keys)
}

// count notes whether other nodes work tasks that this one inserts.
func (e *postgresEngine) count(ctx context.Context) error {
	var others bool
	err := e.q.cfg.DB.Postgres().QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM node WHERE id <> $1)", e.q.node).Scan(&others)
	if err == nil {
		e.q.others.Store(others)
	}
	return err
}

// reap makes the running tasks of dead nodes available. A node that was only paused cannot harm: its slices and pumps
// are fenced by their epoch, and all other hops are idempotent. What it holds locked must not keep us from freeing the
// rest; the next heartbeat comes back for it.
func (e *postgresEngine) reap(ctx context.Context) error {
	_, err := e.q.cfg.DB.Postgres().Exec(ctx, `WITH now AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at),
gone AS (DELETE FROM node WHERE seen_at < (SELECT at FROM now) - $1 RETURNING id)
UPDATE river_job SET state = 'available' WHERE state = 'running' AND id IN (SELECT id FROM river_job WHERE state = 'running'
AND attempted_by[array_upper(attempted_by, 1)] NOT IN (SELECT id FROM node WHERE seen_at >= (SELECT at FROM now) - $1)
AND attempted_at < now() - make_interval(secs => $2) FOR UPDATE SKIP LOCKED)`, deadAfter.Microseconds(), deadAfter.Seconds())
	return err
}

// missed makes tasks available that this node is said to run and does not: PostgreSQL gave them to it, and the response was
// lost with a connection or came after the deadline.
func (e *postgresEngine) missed(ctx context.Context) error {
	_, err := e.q.cfg.DB.Postgres().Exec(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running' AND id IN (SELECT id FROM river_job
WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1 AND NOT id = ANY ($2)
AND attempted_at < now() - make_interval(secs => $3) FOR UPDATE SKIP LOCKED)`, e.q.node, e.q.atWork.list(), deadAfter.Seconds())
	return err
}
