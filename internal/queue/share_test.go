package queue_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// start runs handlers over an empty store, each kind with as many workers as given. Tasks that before inserts wait when it
// starts.
func start(t *testing.T, url string, workers int, handlers map[millrace.TaskKind]queue.Handler, before ...millrace.Task) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	cfg := queue.Config{DB: db, Logger: slog.New(slog.DiscardHandler), Handlers: handlers, Workers: map[millrace.TaskKind]int{}}
	for kind := range handlers {
		cfg.Workers[kind] = workers
	}
	q, err := queue.New(t.Context(), cfg)
	if err != nil {
		t.Fatalf("new queue: %v", err)
	}
	enqueue(t, db, before...)
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = q.Stop(ctx)
		_ = db.Close()
	})
	return db
}

func flood(kind millrace.TaskKind, env millrace.EnvironmentID, account millrace.IntegratedAccountID, n int) []millrace.Task {
	tasks := make([]millrace.Task, n)
	for i := range tasks {
		tasks[i] = millrace.Task{Kind: kind, Key: fmt.Sprintf("%s %s %d", env, account, i), Environment: env, Account: account}
	}
	return tasks
}

// record returns a handler that notes whose tasks it is given, and a channel that is closed after n of them.
func record(n int) (queue.Handler, func() []millrace.Task, <-chan struct{}) {
	var mu sync.Mutex
	var ran []millrace.Task
	done := make(chan struct{})
	return func(_ context.Context, task millrace.Task) error {
			mu.Lock()
			defer mu.Unlock()
			if ran = append(ran, task); len(ran) == n {
				close(done)
			}
			return nil
		}, func() []millrace.Task {
			mu.Lock()
			defer mu.Unlock()
			return ran
		}, done
}

func TestEnvironmentsTakeTurns(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		const many, few = 40, 10
		handler, ran, done := record(many + few)
		tasks := append(flood(millrace.TaskWorkflow, "flood", "", many), flood(millrace.TaskWorkflow, "quiet", "", few)...)
		start(t, url, 1, map[millrace.TaskKind]queue.Handler{millrace.TaskWorkflow: handler}, tasks...)
		wait(t, done, "all tasks")
		last := 0
		for i, task := range ran() {
			if strings.HasPrefix(task.Key, "quiet ") {
				last = i
			}
		}
		if last > 25 {
			t.Errorf("the last of %d tasks of a quiet environment ran as number %d of %d", few, last+1, many+few)
		}
	})
}

func TestAccountsOfAnEnvironmentTakeTurns(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		const many, few = 40, 4
		handler, ran, done := record(many + few)
		tasks := append(flood(millrace.TaskSlice, "env", "busy", many), flood(millrace.TaskSlice, "env", "quiet", few)...)
		start(t, url, 1, map[millrace.TaskKind]queue.Handler{millrace.TaskSlice: handler}, tasks...)
		wait(t, done, "all tasks")
		last := 0
		for i, task := range ran() {
			if strings.HasPrefix(task.Key, "env quiet ") {
				last = i
			}
		}
		if last > 25 {
			t.Errorf("the last of %d tasks of a quiet account ran as number %d of %d", few, last+1, many+few)
		}
	})
}

func TestLongTasksOfOneEnvironmentLeaveWorkersFree(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		for _, kind := range []millrace.TaskKind{millrace.TaskMatch, millrace.TaskSlice, millrace.TaskPump} {
			t.Run(string(kind), func(t *testing.T) {
				const workers = 8
				release, quiet := make(chan struct{}), make(chan struct{}, 1)
				var mu sync.Mutex
				working := map[millrace.EnvironmentID]int{}
				most := map[millrace.EnvironmentID]int{}
				handler := func(_ context.Context, task millrace.Task) error {
					if task.Environment == "quiet" {
						quiet <- struct{}{}
						return nil
					}
					mu.Lock()
					working[task.Environment]++
					most[task.Environment] = max(most[task.Environment], working[task.Environment])
					mu.Unlock()
					<-release
					mu.Lock()
					defer mu.Unlock()
					working[task.Environment]--
					return nil
				}
				tasks := append(flood(kind, "flood", "", 20), flood(kind, "second", "", 20)...)
				db := start(t, fresh(t, url), workers, map[millrace.TaskKind]queue.Handler{kind: handler}, tasks...)
				enqueue(t, db, flood(kind, "quiet", "", 1)...)
				wait(t, quiet, "the task of a quiet environment")
				close(release)
				mu.Lock()
				defer mu.Unlock()
				if most["flood"]+most["second"] > 6 {
					t.Errorf("two environments had %v of %d workers; want some left", most, workers)
				}
			})
		}
	})
}

// fresh returns an empty database of the same kind.
func fresh(t *testing.T, url string) string {
	t.Helper()
	if store.IsPostgres(url) {
		return storetest.Postgres(t)
	}
	return storetest.SQLite(t)
}

// A task that yields goes behind those that came meanwhile.
func TestTaskThatYieldsGoesToTheEndOfTheLine(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		const rounds = 8
		var mu sync.Mutex
		var ran []string
		done := make(chan struct{})
		handler := func(_ context.Context, task millrace.Task) error {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, task.Key)
			if len(ran) == 3*rounds {
				close(done)
			}
			if len(ran) > 3*rounds-3 {
				return nil
			}
			return millrace.RetryAfter(0, nil)
		}
		start(t, url, 1, map[millrace.TaskKind]queue.Handler{millrace.TaskSlice: handler}, flood(millrace.TaskSlice, "env", "", 3)...)
		wait(t, done, "all rounds")
		mu.Lock()
		defer mu.Unlock()
		for i := 3; i < len(ran); i++ {
			if ran[i] != ran[i-3] {
				t.Fatalf("task %d of %v is out of turn", i, ran[:i+1])
			}
		}
	})
}
