package queue_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// number reads a number from the database.
func number(t *testing.T, db *store.DB, query string) int {
	t.Helper()
	n, err := strconv.Atoi(storetest.Strings(t, db, "SELECT CAST(("+query+") AS TEXT)")[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A flood must not make looking for tasks slow: River only has those that may be worked.
func TestFloodWaitsOutsideOfRiver(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		const workers, tasks = 8, 200
		release, begun := make(chan struct{}), make(chan struct{}, tasks)
		handler := func(context.Context, millrace.Task) error {
			begun <- struct{}{}
			<-release
			return nil
		}
		db := start(t, url, workers, map[millrace.TaskKind]queue.Handler{millrace.TaskSlice: handler}, flood(millrace.TaskSlice, "flood", "", tasks)...)
		for range workers / 2 {
			wait(t, begun, "the environment's half of the workers")
		}
		if n := number(t, db, "SELECT COUNT(*) FROM river_job WHERE queue = 'slice' AND state <> 'completed'"); n != workers/2 {
			t.Errorf("River has %d tasks, want %d", n, workers/2)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM waiting_task"); n != tasks-workers/2 {
			t.Errorf("%d tasks wait in line, want %d", n, tasks-workers/2)
		}
		close(release)
		for range tasks - workers/2 {
			wait(t, begun, "the tasks in line")
		}
		if n := number(t, db, "SELECT COUNT(*) FROM waiting_task"); n != 0 {
			t.Errorf("%d tasks are left in line", n)
		}
	})
}

// A process that takes over knows nothing of the lines that another has written.
func TestLinesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		const tasks = 40
		first, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := queue.New(t.Context(), queue.Config{DB: first, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		enqueue(t, first, flood(millrace.TaskMatch, "env", "", tasks)...)
		if n := number(t, first, "SELECT COUNT(*) FROM waiting_task"); n == 0 {
			t.Fatal("nothing waits in line")
		}
		_ = first.Close()
		handler, _, done := record(tasks)
		start(t, url, 2, map[millrace.TaskKind]queue.Handler{millrace.TaskMatch: handler})
		wait(t, done, "all tasks")
	})
}

// A task that fails or is put off goes on being River's; its environment's line does not wait for it.
func TestTaskThatIsPutOffFreesItsPlace(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		ran := map[string]int{}
		done := make(chan struct{})
		handler := func(_ context.Context, task millrace.Task) error {
			mu.Lock()
			defer mu.Unlock()
			if ran[task.Key]++; len(ran) == 6 {
				select {
				case <-done:
				default:
					close(done)
				}
			}
			return millrace.RetryAfter(time.Hour, nil)
		}
		start(t, url, 1, map[millrace.TaskKind]queue.Handler{millrace.TaskPump: handler}, flood(millrace.TaskPump, "env", "", 6)...)
		wait(t, done, "a first attempt at every task")
	})
}

// What shall run now does so although the same task waits for later, also by way of the line.
func TestTaskInLineWakesTheOneThatIsPutOff(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		release, begun, late := make(chan struct{}), make(chan struct{}, 1), make(chan struct{}, 1)
		handler := func(_ context.Context, task millrace.Task) error {
			if task.Key == "late" {
				late <- struct{}{}
				return nil
			}
			begun <- struct{}{}
			<-release
			return nil
		}
		in := millrace.Task{Kind: millrace.TaskPump, Environment: "env"}
		later, busy := in, in
		later.Key, later.At, busy.Key = "late", time.Now().Add(time.Hour), "busy"
		db := start(t, url, 1, map[millrace.TaskKind]queue.Handler{millrace.TaskPump: handler}, later, busy)
		wait(t, begun, "the task that takes the only worker")
		now := in
		now.Key = "late"
		enqueue(t, db, now) // asks for nothing that the task for later will not do
		now.Wake = true
		enqueue(t, db, now)
		if n := number(t, db, "SELECT COUNT(*) FROM waiting_task WHERE wake"); n != 1 {
			t.Fatalf("%d tasks wait in line to wake another, want 1", n)
		}
		close(release)
		wait(t, late, "the task that was put off")
	})
}

// Tasks that another process has worked must not count forever.
func TestTasksThatOthersWorkedFreeTheirPlace(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		handler, _, done := record(3)
		db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		q, err := queue.New(t.Context(), queue.Config{
			DB: db, Logger: slog.New(slog.DiscardHandler), Handlers: map[millrace.TaskKind]queue.Handler{millrace.TaskSlice: handler},
			Workers: map[millrace.TaskKind]int{millrace.TaskSlice: 2},
		})
		if err != nil {
			t.Fatal(err)
		}
		enqueue(t, db, flood(millrace.TaskSlice, "env", "", 4)...)
		finish := fmt.Sprintf("UPDATE river_job SET state = 'completed', finalized_at = %s WHERE queue = 'slice'", map[bool]string{
			true: "now()", false: "datetime('now')",
		}[store.IsPostgres(url)])
		if db.Postgres() != nil {
			_, err = db.Postgres().Exec(t.Context(), finish)
		} else {
			_, err = db.SQLite().ExecContext(t.Context(), finish)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Stop(context.Background()) })
		wait(t, done, "the tasks in line")
	})
}
