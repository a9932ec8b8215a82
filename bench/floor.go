package main

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite" // the same driver as the store's

	"github.com/millrace/millrace"
)

const callers = 64

// groupCommit is the floor of accepting events: callers that wait for their own commit, one row each, as many rows in
// a commit as wait. Nothing is matched, decided or queued.
type groupCommit struct {
	requests chan *floorRequest
	commit   func(ctx context.Context, batch []*floorRequest) error
}

type floorRequest struct {
	id      string
	payload []byte
	done    chan error
}

func (g *groupCommit) run(ctx context.Context) {
	for first := range g.requests {
		batch := []*floorRequest{first}
		timer := time.NewTimer(2 * time.Millisecond)
	collect:
		for len(batch) < 200 {
			select {
			case r, ok := <-g.requests:
				if !ok {
					break collect
				}
				batch = append(batch, r)
				if len(batch) == callers {
					break collect // everybody waits
				}
			case <-timer.C:
				break collect
			}
		}
		timer.Stop()
		err := g.commit(ctx, batch)
		for _, r := range batch {
			r.done <- err
		}
	}
}

// acceptFloor measures the floor on a database.
func acceptFloor(ctx context.Context, o options, database string, n int, payload []byte) (float64, error) {
	url, err := o.newDatabase(ctx, database, "floor")
	if err != nil {
		return 0, err
	}
	g := &groupCommit{requests: make(chan *floorRequest, 256)}
	var end func()
	if database == "sqlite" {
		end, err = g.onSQLite(ctx, url)
	} else {
		end, err = g.onPostgres(ctx, url)
	}
	if err != nil {
		return 0, err
	}
	defer end()
	committers := 1
	if database == "postgres" {
		committers = 4
	}
	var running sync.WaitGroup
	for range committers {
		running.Go(func() { g.run(ctx) })
	}
	began := time.Now()
	err = drive(n, func(int) error {
		r := &floorRequest{id: millrace.NewID[string](), payload: payload, done: make(chan error, 1)}
		g.requests <- r
		return <-r.done
	})
	took := time.Since(began)
	close(g.requests)
	running.Wait()
	if err != nil {
		return 0, err
	}
	return rate("floor: one row per event, group commit", database, n, took, 0), nil
}

func (g *groupCommit) onSQLite(ctx context.Context, path string) (func(), error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "CREATE TABLE event (id TEXT PRIMARY KEY, created_at BIGINT, payload TEXT)"); err != nil {
		return nil, err
	}
	g.commit = func(ctx context.Context, batch []*floorRequest) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for _, r := range batch {
			if _, err := tx.ExecContext(ctx, "INSERT INTO event VALUES (?, ?, ?)", r.id, time.Now().UnixMicro(), string(r.payload)); err != nil {
				_ = tx.Rollback()
				return err
			}
		}
		return tx.Commit()
	}
	return func() { _ = db.Close() }, nil
}

func (g *groupCommit) onPostgres(ctx context.Context, url string) (func(), error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, "CREATE TABLE event (id TEXT PRIMARY KEY, created_at BIGINT, payload TEXT)"); err != nil {
		return nil, err
	}
	g.commit = func(ctx context.Context, batch []*floorRequest) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			for _, r := range batch {
				if _, err := tx.Exec(ctx, "INSERT INTO event VALUES ($1, $2, $3)", r.id, time.Now().UnixMicro(), string(r.payload)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return pool.Close, nil
}

// drive calls do n times from 64 callers.
func drive(n int, do func(i int) error) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := make(chan int, callers)
	go func() {
		for i := range n {
			next <- i
		}
		close(next)
	}()
	for range callers {
		group.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return failed
}
