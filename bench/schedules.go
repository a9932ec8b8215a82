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
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob"
	"github.com/millrace/millrace/internal/trigger"
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

// scheduleEmitter plugs event into schedules.
type scheduleEmitter struct{}

// EmitTx stores events in the caller's transaction.
func (scheduleEmitter) EmitTx(ctx context.Context, tx *store.Tx, events ...*millrace.Event) error {
	return emitter{}.EmitTx(ctx, tx, "", events...)
}

// stopwatch notes when the run of a schedule is committed.
type stopwatch struct {
	*syncjob.Starter
	mu   sync.Mutex
	due  map[millrace.SyncJobCronTriggerID]millrace.Time
	took []time.Duration
}

// StartTx implements trigger.Starter.
func (s *stopwatch) StartTx(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) (*millrace.SyncJobRun, error) {
	tx.AfterCommit(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.took = append(s.took, time.Since(s.due[run.SyncJobCronTriggerID].Std()))
	})
	return s.Starter.StartTx(ctx, tx, run)
}

func (s *stopwatch) done() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.took)
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
	if _, err := queue.New(ctx, queue.Config{DB: db, Logger: quiet()}); err != nil {
		return nil, err
	}
	const ahead = 10 * time.Second // for storing them
	due, err := storeSchedules(ctx, db, n, func(i int) time.Duration { return ahead + time.Duration(i)*window/time.Duration(n) })
	if err != nil {
		return nil, err
	}
	watch := &stopwatch{Starter: syncjob.NewStarter(db, emitter{}), due: due}
	ticking, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { trigger.NewTicker(db, scheduleEmitter{}, watch, quiet()).Run(ticking) })
	end, err := profile("schedules-" + name + "-" + database)
	if err == nil {
		err = until(ctx, func() (bool, error) { return watch.done() >= n, nil })
		end()
	}
	stop()
	done.Wait()
	return watch.took, err
}

// storeSchedules stores schedules, each due after a time of its own and then not for long.
func storeSchedules(ctx context.Context, db *store.DB, n int, after func(int) time.Duration) (map[millrace.SyncJobCronTriggerID]millrace.Time, error) {
	began := time.Now()
	job := &millrace.SyncJob{EnvironmentID: env, Resources: json.RawMessage("[]")}
	return store.Compute(ctx, db, func(tx *store.Tx) (map[millrace.SyncJobCronTriggerID]millrace.Time, error) {
		due := map[millrace.SyncJobCronTriggerID]millrace.Time{}
		if err := tx.InsertSyncJob(ctx, job); err != nil {
			return nil, err
		}
		for i := range n {
			c := &millrace.SyncJobCronTrigger{
				EnvironmentID: env, SyncJobID: job.ID, CronExpression: "0 0 1 1 *", Args: json.RawMessage("{}"),
				NextRunAt: millrace.TimeOf(began.Add(after(i))),
			}
			if err := tx.InsertSyncJobCronTrigger(ctx, c); err != nil {
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
		url = server.SQLitePath(dir)
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
