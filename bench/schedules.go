package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
)

// schedules measures how late runs of schedules are made, how fast those that are due in one instant are, and what
// schedules that are not due cost. The runs themselves are not worked: their load is that of records.
func schedules(ctx context.Context, o options, database string) error {
	n := o.count(10_000)
	window := time.Minute
	if o.short {
		window = 5 * time.Second
	}
	took, err := fireAll(ctx, o, database, "spread", n, window)
	if err != nil {
		return err
	}
	if err := percentiles(fmt.Sprintf("lateness, %d schedules within %s", n, window), database, took); err != nil {
		return err
	}
	took, err = fireAll(ctx, o, database, "instant", n, 0)
	if err != nil {
		return err
	}
	last := time.Duration(0)
	for _, t := range took {
		last = max(last, t)
	}
	rate(fmt.Sprintf("runs made, %d schedules in one instant", n), database, n, last, 0)
	return idle(ctx, o, database, n)
}

// stopwatch is a queue that notes when the tasks of runs are committed.
type stopwatch struct {
	store.Queue
	mu        sync.Mutex
	committed map[string]time.Time // by key of the task
}

// Enqueue implements store.Queue.
func (s *stopwatch) Enqueue(ctx context.Context, tx *store.Tx, tasks []millrace.Task) error {
	tx.AfterCommit(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, t := range tasks {
			if t.Kind == millrace.TaskSlice {
				s.committed[t.Key] = time.Now()
			}
		}
	})
	return s.Queue.Enqueue(ctx, tx, tasks)
}

func (s *stopwatch) done() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.committed)
}

// lateness returns how long after they were due the runs of schedules were committed.
func (s *stopwatch) lateness(ctx context.Context, db *store.DB, due map[millrace.SyncJobCronTriggerID]millrace.Time) ([]time.Duration, error) {
	var took []time.Duration
	err := db.View(ctx, func(tx *store.Tx) error {
		took = nil
		for key, at := range s.committed {
			env, id := millrace.ParseTaskKey[millrace.SyncJobRunID](key)
			run, err := tx.SyncJobRuns().Get(ctx, env, id)
			if err != nil {
				return err
			}
			took = append(took, at.Sub(due[run.SyncJobCronTriggerID].Std()))
		}
		return nil
	})
	return took, err
}

// fireAll makes schedules that are due once within a window, and returns how late their runs were committed.
func fireAll(ctx context.Context, o options, database, name string, n int, window time.Duration) ([]time.Duration, error) {
	url, err := o.newDatabase(ctx, database, "schedules_"+name)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Config{URL: url, Cipher: plain{}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	q, err := queue.New(ctx, queue.Config{DB: db, Logger: quiet()})
	if err != nil {
		return nil, err
	}
	watch := &stopwatch{Queue: q, committed: map[string]time.Time{}}
	db.SetQueue(watch)
	const ahead = 10 * time.Second // for storing them
	due, err := storeSchedules(ctx, db, n, func(i int) time.Duration { return ahead + time.Duration(i)*window/time.Duration(n) })
	if err != nil {
		return nil, err
	}
	ticking, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { schedule.NewTicker(db, quiet()).Run(ticking) })
	end, err := profile("schedules-" + name + "-" + database)
	if err == nil {
		err = until(ctx, func() (bool, error) { return watch.done() >= n, nil })
		end()
	}
	stop()
	done.Wait()
	if err != nil {
		return nil, err
	}
	return watch.lateness(ctx, db, due)
}

// storeSchedules stores schedules, each due after a time of its own and then not for long.
func storeSchedules(ctx context.Context, db *store.DB, n int, after func(int) time.Duration) (map[millrace.SyncJobCronTriggerID]millrace.Time, error) {
	began := time.Now()
	job := &millrace.SyncJob{EnvironmentID: env, Resources: json.RawMessage("[]")}
	return store.Compute(ctx, db, func(tx *store.Tx) (map[millrace.SyncJobCronTriggerID]millrace.Time, error) {
		due := map[millrace.SyncJobCronTriggerID]millrace.Time{}
		if err := tx.SyncJobs().Create(ctx, job); err != nil {
			return nil, err
		}
		for i := range n {
			c := &millrace.SyncJobCronTrigger{
				EnvironmentID: env, SyncJobID: job.ID, CronExpression: "0 0 1 1 *", Args: json.RawMessage("{}"),
				NextRunAt: millrace.TimeOf(began.Add(after(i))),
			}
			if err := tx.Schedules().Create(ctx, c); err != nil {
				return nil, err
			}
			due[c.ID] = c.NextRunAt
		}
		return due, nil
	})
}

// idle measures the processor time of a whole server with schedules that are not due.
func idle(ctx context.Context, o options, database string, n int) error {
	dir := filepath.Join(o.dir, "idle-"+database)
	opts := server.Options{Addr: "127.0.0.1:0", DataDir: dir, Logger: quiet()}
	if database == "postgres" {
		var err error
		if opts.Database, err = o.newDatabase(ctx, database, "idle"); err != nil {
			return err
		}
	}
	s, err := server.New(ctx, opts)
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = s.Stop(context.WithoutCancel(ctx)) }()
	url := opts.Database
	if url == "" {
		url = node.SQLitePath(dir)
	}
	db, err := store.Open(ctx, store.Config{URL: url, Cipher: plain{}})
	if err != nil {
		return err
	}
	_, err = storeSchedules(ctx, db, n, func(int) time.Duration { return 24 * time.Hour })
	_ = db.Close()
	if err != nil {
		return err
	}
	wall := 30 * time.Second
	if o.short {
		wall = 3 * time.Second
	}
	if err := pause(ctx, 3*time.Second); err != nil { // what starting leaves to do
		return err
	}
	before := processorTime()
	if err := pause(ctx, wall); err != nil {
		return err
	}
	used := processorTime() - before
	fmt.Printf("%-46s %-9s %9.2f %% of a core\n", fmt.Sprintf("idle server with %d schedules", n), database, 100*used.Seconds()/wall.Seconds())
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func processorTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
