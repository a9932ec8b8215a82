package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// open starts a queue over an empty store; handlers reach both through the returned values.
func open(t *testing.T, url string, handlers map[millrace.TaskKind]queue.Handler) (*store.DB, *queue.Queue) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	q, err := queue.New(t.Context(), queue.Config{
		DB: db, Logger: slog.New(slog.DiscardHandler), Handlers: handlers,
		// With one worker, a process whose handler hangs is as good as dead.
		Workers: map[millrace.TaskKind]int{millrace.TaskSlice: 1},
	})
	if err != nil {
		t.Fatalf("new queue: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		_ = db.Close()
	})
	return db, q
}

func enqueue(t *testing.T, db *store.DB, tasks ...millrace.Task) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.Enqueue(t.Context(), tasks...) }); err != nil {
		t.Fatalf("enqueue: %v", err)
	}
}

// wait returns what arrives on ch, or fails the test after a time that no machine needs.
func wait[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("waited a minute for %s", what)
		panic("unreachable")
	}
}

func TestTaskRunsAfterItsTransactionCommits(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		ran := make(chan millrace.Task, 10)
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskMatch: func(_ context.Context, task millrace.Task) error { ran <- task; return nil },
		})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		boom := errors.New("boom")
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.Enqueue(t.Context(), millrace.Task{Kind: millrace.TaskMatch, Key: "lost"}); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v, want the error of the function", err)
		}
		enqueue(t, db, millrace.Task{Kind: millrace.TaskMatch, Key: "kept"})
		if got := wait(t, ran, "the task"); got.Key != "kept" || got.Attempt != 1 {
			t.Errorf("got %+v, want the committed task", got)
		}
	})
}

func TestOneLiveTaskForARow(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		started, release := make(chan struct{}, 10), make(chan struct{})
		var runs atomic.Int64
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskPump: func(ctx context.Context, task millrace.Task) error {
				runs.Add(1)
				started <- struct{}{}
				<-release
				return nil
			},
		})
		task := millrace.Task{Kind: millrace.TaskPump, Key: "w"}
		enqueue(t, db, task, task)
		enqueue(t, db, task)
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(t, started, "the task")
		enqueue(t, db, task) // while it runs
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "other"})
		wait(t, started, "the task of the other row")
		close(release)
		if got := runs.Load(); got != 2 {
			t.Errorf("got %d runs, want one for each row", got)
		}
	})
}

func TestFinishedTaskMayBeEnqueuedInTheSameTransaction(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var db *store.DB
		var runs atomic.Int64
		done := make(chan struct{})
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskPump: func(ctx context.Context, task millrace.Task) error {
				if runs.Add(1) == 2 {
					close(done)
				}
				return db.Update(ctx, func(tx *store.Tx) error {
					if err := tx.Finish(ctx); err != nil {
						return err
					}
					if runs.Load() > 1 {
						return nil
					}
					return tx.Enqueue(ctx, millrace.Task{Kind: task.Kind, Key: task.Key})
				})
			},
		})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "w"})
		wait(t, done, "the second run")
	})
}

func TestErrorsDecideWhatFollows(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		runs := map[string]int{}
		done := make(chan string, 20)
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskWorkflow: func(_ context.Context, task millrace.Task) error {
				mu.Lock()
				runs[task.Key]++
				n := runs[task.Key]
				mu.Unlock()
				done <- fmt.Sprintf("%s %d", task.Key, n)
				switch {
				case task.Key == "permanent":
					return millrace.Permanent(errors.New("never again"))
				case task.Key == "yield" && n < 3:
					return millrace.RetryAfter(0, nil)
				case task.Key == "error" && n < 2:
					return errors.New("once more")
				case task.Key == "panic" && n < 2:
					panic("oops")
				}
				return nil
			},
		})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"permanent", "yield", "error", "panic"} {
			enqueue(t, db, millrace.Task{Kind: millrace.TaskWorkflow, Key: key})
		}
		seen := map[string]bool{}
		for range 8 {
			seen[wait(t, done, "eight runs")] = true
		}
		for _, want := range []string{"permanent 1", "yield 3", "error 2", "panic 2"} {
			if !seen[want] {
				t.Errorf("%s did not happen; saw %v", want, seen)
			}
		}
	})
}

func TestRunningTasksOfADeadProcessRunAgain(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	stuck := make(chan struct{})
	release := make(chan struct{})
	db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
		millrace.TaskSlice: func(context.Context, millrace.Task) error { stuck <- struct{}{}; <-release; return nil },
	})
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	enqueue(t, db, millrace.Task{Kind: millrace.TaskSlice, Key: "run"})
	wait(t, stuck, "the first process")
	again := make(chan struct{}, 1)
	_, next := open(t, url, map[millrace.TaskKind]queue.Handler{
		millrace.TaskSlice: func(context.Context, millrace.Task) error { again <- struct{}{}; return nil },
	})
	if err := next.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, again, "the second process")
	close(release)
}

func TestRunningTasksOfANodeThatIsKnownToBeDeadRunAgainAtOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	stuck, release := make(chan struct{}, 2), make(chan struct{})
	db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
		millrace.TaskSlice: func(context.Context, millrace.Task) error { stuck <- struct{}{}; <-release; return nil },
	})
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	enqueue(t, db, millrace.Task{Kind: millrace.TaskSlice, Key: "run"})
	wait(t, stuck, "the first process")
	again := make(chan struct{}, 2)
	next, err := queue.New(t.Context(), queue.Config{
		DB: db, Logger: slog.New(slog.DiscardHandler), Node: millrace.NewID[string](), Previous: []string{q.Node()},
		Handlers: map[millrace.TaskKind]queue.Handler{
			millrace.TaskSlice: func(context.Context, millrace.Task) error { again <- struct{}{}; return nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := next.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, again, "the second process")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the task ran again after %s, as if its node had to be missed first", took)
	}
	close(release)
	if err := next.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A node that is given a task and does not learn of it, because the response was lost, gets it again.
func TestTaskThatItsNodeNeverSawRuns(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	ran := make(chan struct{}, 2)
	db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
		millrace.TaskPump: func(context.Context, millrace.Task) error { ran <- struct{}{}; return nil },
	})
	enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "w"})
	_, err := db.Postgres().Exec(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '16 seconds',
attempted_by = ARRAY[$1]`, q.Node())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, ran, "the task")
}

func BenchmarkHop(b *testing.B) {
	urls := map[string]func() string{"sqlite": func() string { return storetest.SQLite(b) }, "postgres": func() string { return storetest.Postgres(b) }}
	for name, url := range urls {
		b.Run(name, func(b *testing.B) {
			db, err := store.Open(b.Context(), store.Config{URL: url(), Cipher: storetest.Cipher{}})
			if err != nil {
				b.Fatal(err)
			}
			ran := make(chan struct{}, 1)
			q, err := queue.New(b.Context(), queue.Config{DB: db, Logger: slog.New(slog.DiscardHandler), Handlers: map[millrace.TaskKind]queue.Handler{
				millrace.TaskMatch: func(context.Context, millrace.Task) error { ran <- struct{}{}; return nil },
			}})
			if err != nil {
				b.Fatal(err)
			}
			if err := q.Start(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				err := db.Update(b.Context(), func(tx *store.Tx) error {
					return tx.Enqueue(b.Context(), millrace.Task{Kind: millrace.TaskMatch, Key: fmt.Sprint(i)})
				})
				if err != nil {
					b.Fatal(err)
				}
				<-ran
			}
			_ = q.Stop(context.Background())
			_ = db.Close()
		})
	}
}

func TestWakeHastensATaskThatWaits(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		ran := make(chan struct{}, 10)
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskPump: func(context.Context, millrace.Task) error { ran <- struct{}{}; return nil },
		})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "w", At: time.Now().Add(time.Hour)})
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "w"}) // live already: left alone
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "w", Wake: true})
		wait(t, ran, "the hastened task")
	})
}

// A handler that does not know whether its commit happened runs again and finds out, unless its task was completed with it.
func TestUnknownOutcomeRunsAgainUnlessItWasCompleted(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		ran := make(chan millrace.Task, 10)
		lost := fmt.Errorf("commit: %w", store.ErrUnknownOutcome)
		var runs atomic.Int64
		var db *store.DB
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskPump: func(ctx context.Context, task millrace.Task) error {
				defer func() { ran <- task }()
				if task.Key == "completed" {
					if err := db.Update(ctx, func(tx *store.Tx) error { return tx.Finish(ctx) }); err != nil {
						t.Error(err)
					}
					return lost
				}
				if runs.Add(1) == 1 {
					return lost
				}
				return nil
			},
		})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "completed"})
		wait(t, ran, "the task that was completed")
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "not"})
		for range 2 {
			if task := wait(t, ran, "two runs of the other task"); task.Key != "not" || task.Attempt != 1 {
				t.Errorf("got %+v, want the task that was not completed, without a failure counted", task)
			}
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		states := storetest.Strings(t, db, "SELECT state FROM river_job WHERE queue = 'pump' ORDER BY id")
		if len(states) != 2 || states[0] != "completed" || states[1] != "completed" {
			t.Errorf("got states %v, want both completed", states)
		}
	})
}

// A task that was woken while it ran may have read already what its waker has changed, so it runs again instead of waiting.
func TestTaskWokenWhileItRunsDoesNotWait(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		ran := make(chan struct{}, 10)
		var db *store.DB
		var runs atomic.Int64
		task := millrace.Task{Kind: millrace.TaskPump, Key: "w"}
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskPump: func(ctx context.Context, _ millrace.Task) error {
				defer func() { ran <- struct{}{} }()
				if runs.Add(1) > 2 {
					return millrace.RetryAfter(time.Hour, nil)
				}
				woken := task
				woken.Wake = true
				// In a context of its own: another transaction wakes the task.
				if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.Enqueue(t.Context(), woken) }); err != nil {
					return err
				}
				return millrace.RetryAfter(time.Hour, nil)
			},
		})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		enqueue(t, db, task)
		for range 3 {
			wait(t, ran, "the task to run again")
		}
		woken := task
		woken.Wake = true
		enqueue(t, db, woken)
		wait(t, ran, "the task that waits")
		if got := runs.Load(); got != 4 {
			t.Errorf("the task ran %d times, want 4", got)
		}
	})
}

// The process dies when River has written that a task waits, before the task is hastened as it was to be.
func TestTaskThatWasToBeHastenedRunsAfterACrash(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		ran := make(chan struct{}, 2)
		db, q := open(t, url, map[millrace.TaskKind]queue.Handler{
			millrace.TaskPump: func(context.Context, millrace.Task) error { ran <- struct{}{}; return nil },
		})
		enqueue(t, db, millrace.Task{Kind: millrace.TaskPump, Key: "w", At: time.Now().Add(time.Hour)})
		mark := `jsonb_set(metadata, '$.hasten', jsonb('true'))`
		if db.Postgres() != nil {
			mark = `metadata || '{"hasten": true}'`
		}
		if n := len(storetest.Strings(t, db, "UPDATE river_job SET metadata = "+mark+" RETURNING state")); n != 1 {
			t.Fatalf("%d tasks are marked, want 1", n)
		}
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(t, ran, "the task")
	})
}
