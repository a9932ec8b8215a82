package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// line is a store in which runs of one environment wait for each other.
type line struct {
	t  *testing.T
	db *store.DB
}

func (l line) start(key string, force bool) *millrace.SyncJobRun {
	l.t.Helper()
	run := &millrace.SyncJobRun{EnvironmentID: env, Status: millrace.RunCreated, MutexKey: key, Force: force}
	update(l.t, l.db, func(tx *store.Tx) error { run.ID = ""; return tx.SyncJobRuns().Start(l.t.Context(), run) })
	return run
}

func (l line) end(id millrace.SyncJobRunID, status millrace.RunStatus) {
	l.t.Helper()
	update(l.t, l.db, func(tx *store.Tx) error {
		run, err := tx.SyncJobRuns().Lock(l.t.Context(), env, id)
		if err != nil {
			return err
		}
		run.Status = status
		return tx.SyncJobRuns().Update(l.t.Context(), run)
	})
}

func (l line) row(id millrace.SyncJobRunID) *millrace.SyncJobRun {
	l.t.Helper()
	var run *millrace.SyncJobRun
	err := l.db.View(l.t.Context(), func(tx *store.Tx) error {
		var err error
		run, err = tx.SyncJobRuns().Get(l.t.Context(), env, id)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return run
}

// started returns the runs that were given a task, in order, by their place in runs.
func (l line) started(runs ...*millrace.SyncJobRun) []int {
	var out []int
	for _, task := range storetest.Tasks(l.db) {
		for i, run := range runs {
			if task.Kind == millrace.TaskSlice && task.Key == millrace.TaskKey(run.EnvironmentID, run.ID) {
				out = append(out, i)
			}
		}
	}
	return out
}

func TestRunsWithAMutexKeyStandInLine(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := line{t, db}
		first, second, third, fourth := l.start("k", false), l.start("k", false), l.start("k", false), l.start("k", false)
		other, forced, free := l.start("other", false), l.start("k", true), l.start("", false)
		all := []*millrace.SyncJobRun{first, second, third, fourth, other, forced, free}
		if second.WaitingFor != first.ID || third.WaitingFor != second.ID || fourth.WaitingFor != third.ID {
			t.Errorf("got %s, %s, %s; want each to wait for the one before", second.WaitingFor, third.WaitingFor, fourth.WaitingFor)
		}
		if diff := cmp.Diff([]int{0, 4, 5, 6}, l.started(all...)); diff != "" {
			t.Errorf("started at once (-want +got):\n%s", diff)
		}
		l.end(third.ID, millrace.RunStopped) // the fourth moves up, and does not start
		if got := l.row(fourth.ID).WaitingFor; got != second.ID {
			t.Errorf("behind a run that was stopped: waits for %s, want %s", got, second.ID)
		}
		l.end(forced.ID, millrace.RunCompleted)
		l.end(first.ID, millrace.RunFailed)
		if diff := cmp.Diff([]int{0, 4, 5, 6, 1}, l.started(all...)); diff != "" {
			t.Errorf("started after the first has ended (-want +got):\n%s", diff)
		}
		l.end(second.ID, millrace.RunStopped)
		if got := l.row(fourth.ID); got.WaitingFor != "" {
			t.Errorf("the last in line: waits for %s", got.WaitingFor)
		}
		if fifth := l.start("k", false); fifth.WaitingFor != fourth.ID {
			t.Errorf("a new run waits for %q, want %s", fifth.WaitingFor, fourth.ID)
		}
	})
}

// TestOneRunHoldsAMutexKey starts and ends runs from many sides at once: at no moment do two hold the key, and in the end
// each has had it or was stopped before.
func TestOneRunHoldsAMutexKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := line{t, db}
		ctx := t.Context()
		var mu sync.Mutex
		var open []millrace.SyncJobRunID
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				for range 8 {
					run := l.start("k", false)
					mu.Lock()
					open = append(open, run.ID)
					i := rand.IntN(len(open))
					id := open[i]
					open = append(open[:i], open[i+1:]...)
					mu.Unlock()
					l.end(id, []millrace.RunStatus{millrace.RunCompleted, millrace.RunStopped}[rand.IntN(2)])
				}
			})
		}
		for range 4 {
			l.start("k", false)
		}
		group.Wait()
		// What is left is one line: the runs end one after the other, and each end starts the next.
		for n := 0; ; n++ {
			holders, waiting := holders(ctx, t, db)
			if len(holders) > 1 || len(holders) == 0 && waiting > 0 {
				t.Fatalf("after %d: %d hold the key, %d wait", n, len(holders), waiting)
			}
			if len(holders) == 0 {
				if n != 4 {
					t.Errorf("%d runs were left, want 4", n)
				}
				return
			}
			l.end(holders[0], millrace.RunCompleted)
		}
	})
}

func holders(ctx context.Context, t *testing.T, db *store.DB) ([]millrace.SyncJobRunID, int) {
	t.Helper()
	var out []millrace.SyncJobRunID
	waiting := 0
	err := db.View(ctx, func(tx *store.Tx) error {
		page, err := tx.SyncJobRuns().List(ctx, env, millrace.Query{})
		for _, run := range page.Result {
			switch {
			case run.Status.Finished():
			case run.WaitingFor == "":
				out = append(out, run.ID)
			default:
				waiting++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(fmt.Errorf("list runs: %w", err))
	}
	return out, waiting
}
