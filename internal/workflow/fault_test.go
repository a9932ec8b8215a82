package workflow_test

import (
	"context"
	"errors"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/workflow"
)

const twoSteps = `[
	{"type":"run","action":"run_sync_job","config":{"sync_job_id":"` + string(job) + `","integrated_account_id":"{{integrated_account_id}}"}},
	{"type":"run","action":"run_sync_job","config":"{\"sync_job_id\":steps[0].sync_job_id,\"args\":{\"first\":steps[0].id}}"}]`

// attempt runs a run until its task is done, as the queue does, and returns how often.
func attempt(t *testing.T, r *workflow.Runner, run *millrace.WorkflowRun) int {
	t.Helper()
	for n := 1; n < 100; n++ {
		err := r.Run(t.Context(), millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), Attempt: n})
		if err == nil {
			return n
		}
	}
	t.Fatal("the run does not end")
	return 0
}

func started(t *testing.T, db *store.DB) int {
	t.Helper()
	n := 0
	err := db.View(t.Context(), func(tx *store.Tx) error {
		runs, err := tx.SyncJobRuns().List(t.Context(), env, millrace.Query{Limit: 500})
		n = len(runs.Result)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A database that fails for a long time ends no run, and is not counted as a failure of the run.
func TestOutageEndsNoRun(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &outage{left: 20}
		db := faults.Open(t, url)
		faults.on = false
		run := created(t, db, twoSteps)
		faults.on = true
		n := attempt(t, workflow.NewRunner(db, nil), run)
		faults.on = false
		got, _ := result(t, db, run.ID)
		if got.Status != millrace.WorkflowRunCompleted || got.RetryAttempt != 0 || n <= 20 {
			t.Errorf("got %s after %d attempts, %d of them counted: %s", got.Status, n, got.RetryAttempt, got.Result)
		}
		if n := started(t, db); n != 2 {
			t.Errorf("got %d sync job runs, want 2", n)
		}
	})
}

// outage makes so many updates fail.
type outage struct {
	storetest.Faults
	on   bool
	left int
}

// Open opens a store with the outage.
func (o *outage) Open(t *testing.T, url string) *store.DB {
	t.Helper()
	return storetest.OpenWith(t, url, o)
}

// Commit implements store.Faults.
func (o *outage) Commit() store.CommitFault {
	if !o.on || o.left == 0 {
		return store.CommitSucceeds
	}
	o.left--
	return store.CommitFails
}

// A fault at any place of a run, in any way, does nothing twice and leaves nothing out.
func TestFaultsAtEveryPlaceOfARun(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		db := faults.Open(t, url)
		r := workflow.NewRunner(db, nil)
		calm := created(t, db, twoSteps)
		faults.At(nil)
		attempt(t, r, calm)
		places := faults.Places()
		if len(places) < 10 {
			t.Fatalf("a run has the places %v, want more", places)
		}
		runs := started(t, db)
		for _, place := range places {
			faults.At(nil)
			run := created(t, db, twoSteps)
			faults.At(&place)
			attempt(t, r, run)
			struck := faults.Struck()
			faults.At(nil)
			got, out := result(t, db, run.ID)
			if got.Status != millrace.WorkflowRunCompleted || len(out.Steps) != 2 || struck != 1 {
				t.Errorf("%+v: got %s, %s with %d faults", place, got.Status, got.Result, struck)
			}
			if runs += 2; started(t, db) != runs {
				t.Errorf("%+v: got %d sync job runs, want %d", place, started(t, db), runs)
				runs = started(t, db)
			}
		}
	})
}

// buggy is a queue with a fault that no database has.
type buggy struct{}

// Enqueue implements store.Queue.
func (buggy) Enqueue(context.Context, *store.Tx, []millrace.Task) error { return errors.New("a bug") }

// Finish implements store.Queue.
func (buggy) Finish(context.Context, *store.Tx) error { return nil }

// What is neither the run's fault nor the database's is tried four times.
func TestRunThatCannotGoOnIsGivenUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		run := created(t, db, twoSteps)
		db.SetQueue(buggy{})
		n := attempt(t, workflow.NewRunner(db, nil), run)
		got, out := result(t, db, run.ID)
		if n != 4 || got.Status != millrace.WorkflowRunFailed || got.RetryAttempt != 3 || out.Error != "gave up after 4 attempts: an internal error" {
			t.Errorf("got %s after %d attempts, %d counted: %s", got.Status, n, got.RetryAttempt, out.Error)
		}
	})
}
