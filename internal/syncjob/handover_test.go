package syncjob

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestCrashesDoNotBreakTheLine lets the process die at random calls while a run holds a mutex_key: the next run starts in the
// very transaction that ends the first, so at no crash do both run, or neither.
func TestCrashesDoNotBreakTheLine(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rapid.Check(t, func(rt *rapid.T) {
			key := millrace.NewID[string]()
			w := newWorld(t, db, plot{resources: plainGraph, edit: func(run *millrace.SyncJobRun) { run.MutexKey = key }})
			w.api.respond = pages(`[{"id":1}]`, `[{"id":2}]`)
			next := &millrace.SyncJobRun{EnvironmentID: env, SyncJobID: w.job.ID, Status: millrace.RunCreated, MutexKey: key}
			w.update(func(ctx context.Context, tx *store.Tx) error { next.ID = ""; return tx.SyncJobRuns().Start(ctx, next) })
			if next.WaitingFor != w.run.ID {
				rt.Fatalf("waits for %q, want %s", next.WaitingFor, w.run.ID)
			}
			f := &fate{draw: func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(rt, label) }, left: rapid.IntRange(0, 6).Draw(rt, "crashes")}
			check := func() {
				ended, waits := w.row().Status.Finished(), w.rowOf(next.ID).WaitingFor != ""
				if ended == waits || ended != hasTask(db, next.ID) {
					rt.Fatalf("the first has ended: %t; the next waits: %t, and has a task: %t", ended, waits, hasTask(db, next.ID))
				}
			}
			w.api.respond = watched(w.api.respond, check)
			w.sink.respond = func(received) (deliver.Result, error) {
				check()
				return delivered(), nil
			}
			if err := w.endure(f); err != nil {
				rt.Fatal(err)
			}
			if check(); !w.row().Status.Finished() {
				rt.Errorf("the first run is %s", w.row().Status)
			}
		})
	})
}

func watched(respond func(FetchRequest) (fetch.Outcome, error), check func()) func(FetchRequest) (fetch.Outcome, error) {
	return func(req FetchRequest) (fetch.Outcome, error) {
		check()
		return respond(req)
	}
}

func hasTask(db *store.DB, id millrace.SyncJobRunID) bool {
	for _, task := range storetest.Tasks(db) {
		if task.Kind == millrace.TaskSlice && task.Key == millrace.TaskKey(env, id) {
			return true
		}
	}
	return false
}
