package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

const env = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")

func update(t *testing.T, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func TestWorkflowVersions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		w := &millrace.Workflow{
			EnvironmentID: env, Label: "first", TriggerName: "custom:x", Event: "custom:x",
			Config: millrace.WorkflowConfig{RunIf: "a = 1", Steps: []millrace.Step{{Type: "run", Action: "run_sync_job", Config: json.RawMessage(`{"z":1,"a":2}`)}}},
		}
		update(t, db, func(tx *store.Tx) error { return tx.Workflows().Create(ctx, w) })
		first := *w
		w.Label = "second"
		update(t, db, func(tx *store.Tx) error { return tx.Workflows().Update(ctx, w) })
		err := db.View(ctx, func(tx *store.Tx) error {
			now, err := tx.Workflows().Get(ctx, env, w.ID)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(w, now); diff != "" {
				t.Errorf("workflow differs (-want +got):\n%s", diff)
			}
			was, err := tx.Workflows().GetVersion(ctx, env, w.ID, 1)
			if err != nil {
				return err
			}
			was.CreatedAt, was.UpdatedAt = first.CreatedAt, first.UpdatedAt // kept in milliseconds there
			if diff := cmp.Diff(&first, was); diff != "" {
				t.Errorf("version 1 differs (-want +got):\n%s", diff)
			}
			versions, err := tx.Workflows().Versions(ctx, env, w.ID, 0, 10)
			if err != nil || len(versions) != 2 || versions[0].Number != 2 || versions[0].CreatedAt != w.UpdatedAt || versions[1].Number != 1 {
				t.Errorf("got the versions %v, %v", versions, err)
			}
			if versions, err = tx.Workflows().Versions(ctx, env, w.ID, 2, 1); err != nil || len(versions) != 1 || versions[0].Number != 1 {
				t.Errorf("got the versions %v below 2, %v", versions, err)
			}
			matched, more, err := tx.Workflows().ByEvent(ctx, store.WorkflowPage{EnvironmentID: env, Event: "custom:x", Until: w.CreatedAt, Most: 10})
			if err == nil && (len(matched) != 1 || matched[0].Version != 2 || more) {
				t.Errorf("got %v, want the workflow at version 2", matched)
			}
			_, err = tx.Workflows().Get(ctx, "00000000-0000-4000-8000-000000000002", w.ID)
			if millrace.KindOf(err) != millrace.KindNotFound {
				t.Errorf("another environment got %v, want not found", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		a := &millrace.IntegratedAccount{EnvironmentID: env, TenantID: "t", Status: millrace.AccountActive}
		if err := a.SetContext(json.RawMessage(`{"api_key":"not-a-real-key","subdomain":"x"}`), [][]string{{"api_key"}}); err != nil {
			t.Fatal(err)
		}
		update(t, db, func(tx *store.Tx) error { return tx.Accounts().Create(ctx, a) })
		err := db.View(ctx, func(tx *store.Tx) error {
			got, err := tx.Accounts().Get(ctx, env, a.ID)
			if err != nil {
				return err
			}
			full, err := got.FullContext()
			if err != nil {
				return err
			}
			if diff := cmp.Diff(map[string]any{"api_key": "not-a-real-key", "subdomain": "x"}, full); diff != "" {
				t.Errorf("context differs (-want +got):\n%s", diff)
			}
			if strings.Contains(string(got.Context), "not-a-real-key") {
				t.Errorf("public context holds the credential: %s", got.Context)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestUpdateThatFailsKeepsNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		boom := errors.New("boom")
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				err := db.Update(ctx, func(tx *store.Tx) error {
					if err := tx.SyncJobs().Create(ctx, &millrace.SyncJob{EnvironmentID: env, Label: fmt.Sprint(i)}); err != nil {
						return err
					}
					if i%2 == 1 {
						return boom
					}
					return nil
				})
				if want := i%2 == 1; errors.Is(err, boom) != want {
					t.Errorf("update %d got %v", i, err)
				}
			})
		}
		group.Wait()
		err := db.View(ctx, func(tx *store.Tx) error {
			page, err := tx.SyncJobs().List(ctx, env, millrace.Query{})
			if len(page.Result) != 20 {
				t.Errorf("got %d sync jobs, want 20", len(page.Result))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestUpdateSurvivesAPanicOfAnother(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach its caller")
				}
			}()
			_ = db.Update(t.Context(), func(*store.Tx) error { panic("oops") })
		}()
		update(t, db, func(tx *store.Tx) error {
			return tx.SyncJobs().Create(t.Context(), &millrace.SyncJob{EnvironmentID: env})
		})
	})
}

func TestCancelledCallerIsNotRun(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Update(ctx, func(tx *store.Tx) error { return tx.SyncJobs().Create(ctx, &millrace.SyncJob{EnvironmentID: env}) })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func TestListPagesAndFilters(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		update(t, db, func(tx *store.Tx) error {
			for i := range 25 {
				j := &millrace.SyncJob{
					EnvironmentID: env, Label: fmt.Sprintf("job %02d", i), DefaultRuntimeVersion: int64(i % 4),
					ArgsSchema: json.RawMessage(fmt.Sprintf(`{"a":{"n":%d,"b":%t}}`, i%3, i%2 == 0)), CreatedAt: millrace.Time(1000 + i/5),
				}
				if err := tx.SyncJobs().Create(ctx, j); err != nil {
					return err
				}
			}
			return nil
		})
		list := func(q millrace.Query) []string {
			t.Helper()
			var labels []string
			for range 100 {
				var page millrace.Page[millrace.SyncJob]
				err := db.View(ctx, func(tx *store.Tx) (err error) { page, err = tx.SyncJobs().List(ctx, env, q); return err })
				if err != nil {
					t.Fatalf("list %+v: %v", q, err)
				}
				for _, j := range page.Result {
					labels = append(labels, j.Label)
				}
				if page.NextCursor == nil {
					return labels
				}
				q.Cursor = *page.NextCursor
			}
			t.Fatal("the list does not end")
			return nil
		}
		all := list(millrace.Query{Limit: 7, Sort: []millrace.Sort{{Field: "label"}}})
		if len(all) != 25 || all[0] != "job 00" || all[24] != "job 24" {
			t.Errorf("got %v, want 25 labels in order", all)
		}
		seen := map[string]bool{}
		for _, l := range list(millrace.Query{Limit: 4}) {
			seen[l] = true
		}
		if len(seen) != 25 {
			t.Errorf("newest first got %d different rows, want 25", len(seen))
		}
		one := []millrace.Sort{{Field: "default_runtime_version", Desc: true}, {Field: "label"}}
		if got := list(millrace.Query{Limit: 3, Sort: one}); len(got) != 25 || got[0] != "job 03" {
			t.Errorf("two keys got %v", got)
		}
		f := func(field string, op millrace.Operator, values ...string) millrace.Query {
			return millrace.Query{Filters: []millrace.Filter{{Field: field, Op: op, Values: values}}}
		}
		counts := map[string]struct {
			q    millrace.Query
			want int
		}{
			"eq":       {f("label", millrace.OpEq, "job 03"), 1},
			"ne":       {f("label", millrace.OpNe, "job 03"), 24},
			"like":     {f("label", millrace.OpLike, "JOB 0%"), 10},
			"in":       {f("label", millrace.OpIn, "job 03", "job 04", "x"), 2},
			"nin":      {f("label", millrace.OpNin, "job 03", "job 04"), 23},
			"gte int":  {f("default_runtime_version", millrace.OpGte, "2"), 12},
			"member":   {f("args_schema.a.n", millrace.OpEq, "0"), 9},
			"boolean":  {f("args_schema.a.b", millrace.OpEq, "true"), 13},
			"absent":   {f("args_schema.no.way", millrace.OpEq, ""), 25},
			"time":     {f("created_at", millrace.OpLt, "1970-01-01T00:00:00.001002Z"), 10},
			"like int": {f("default_runtime_version", millrace.OpLike, "3"), 6},
		}
		for name, c := range counts {
			if got := len(list(c.q)); got != c.want {
				t.Errorf("%s: got %d rows, want %d", name, got, c.want)
			}
		}
		bad := map[string]millrace.Query{
			"field":    f("lable", millrace.OpEq, "x"),
			"operator": f("label", "regex", "x"),
			"number":   f("default_runtime_version", millrace.OpEq, "x"),
			"time":     f("created_at", millrace.OpEq, "yesterday"),
			"member":   f("args_schema.a'b", millrace.OpEq, "x"),
			"cursor":   {Cursor: "rubbish"},
			"sort":     {Sort: []millrace.Sort{{Field: "nope"}}},
		}
		for name, q := range bad {
			err := db.View(ctx, func(tx *store.Tx) error { _, err := tx.SyncJobs().List(ctx, env, q); return err })
			if millrace.KindOf(err) != millrace.KindInvalid {
				t.Errorf("%s: got %v, want an error of kind invalid", name, err)
			}
		}
	})
}

func TestRunProgressIsFenced(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		run := &millrace.SyncJobRun{EnvironmentID: env, Status: millrace.RunCreated}
		update(t, db, func(tx *store.Tx) error { return tx.SyncJobRuns().Create(ctx, run) })
		claim := func() *millrace.SyncJobRun {
			var r *millrace.SyncJobRun
			update(t, db, func(tx *store.Tx) (err error) { r, err = tx.SyncJobRuns().Claim(ctx, env, run.ID); return err })
			return r
		}
		old, current := claim(), claim()
		save := func(r *millrace.SyncJobRun) error {
			return db.Update(ctx, func(tx *store.Tx) error { return tx.SyncJobRuns().Save(ctx, r) })
		}
		if err := save(old); millrace.KindOf(err) != millrace.KindConflict {
			t.Errorf("the slice that was taken over got %v, want conflict", err)
		}
		current.Status, current.Sequence = millrace.RunRunning, 2
		current.Checkpoint = json.RawMessage(`{"page":"` + strings.Repeat("x", 4000) + `"}`)
		if err := save(current); err != nil {
			t.Errorf("the claiming slice got %v", err)
		}
		if got := claim(); string(got.Checkpoint) != string(current.Checkpoint) || got.Sequence != 2 {
			t.Errorf("the checkpoint did not survive")
		}
	})
}

func TestEndedWorkflowRunStaysAsItIs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		env := millrace.NewID[millrace.EnvironmentID]()
		run := &millrace.WorkflowRun{
			EnvironmentID: env, WorkflowID: millrace.NewID[millrace.WorkflowID](), EventID: millrace.NewID[millrace.EventID](),
			Status: millrace.WorkflowRunCreated,
		}
		var late millrace.WorkflowRun
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.WorkflowRuns().Create(t.Context(), run); err != nil {
				return err
			}
			late = *run // what a process has read that is then paused
			run.Status, run.Result = millrace.WorkflowRunCompleted, json.RawMessage(`{"success":true}`)
			return tx.WorkflowRuns().Update(t.Context(), run)
		})
		if err != nil {
			t.Fatal(err)
		}
		late.Status, late.RetryAttempt = millrace.WorkflowRunRunning, 1
		err = db.Update(t.Context(), func(tx *store.Tx) error { return tx.WorkflowRuns().Update(t.Context(), &late) })
		if millrace.KindOf(err) != millrace.KindNotFound {
			t.Errorf("a late update: got %v, want KindNotFound", err)
		}
		var got *millrace.WorkflowRun
		err = db.View(t.Context(), func(tx *store.Tx) error {
			var err error
			got, err = tx.WorkflowRuns().Get(t.Context(), env, run.ID)
			return err
		})
		if err != nil || got.Status != millrace.WorkflowRunCompleted || string(got.Result) != `{"success":true}` || got.RetryAttempt != 0 {
			t.Errorf("got %+v, %v, want the run as it ended", got, err)
		}
	})
}

func TestFrozenDeliveriesKeepTheirBytes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		run := millrace.NewID[millrace.SyncJobRunID]()
		want := []string{"", "short", strings.Repeat("long ", 10_000)}
		update(t, db, func(tx *store.Tx) error {
			for i, b := range want {
				d := millrace.Delivery{ID: millrace.DeliveryID(strconv.Itoa(i)), EnvironmentID: env, SyncJobRunID: run, RunSequence: int64(i + 1), Status: millrace.DeliveryPending}
				if err := tx.Deliveries().Freeze(ctx, &millrace.FrozenDelivery{Delivery: d, Body: []byte(b)}); err != nil {
					return err
				}
			}
			return nil
		})
		update(t, db, func(tx *store.Tx) error {
			return tx.Deliveries().Save(ctx, millrace.TriedDelivery{Delivery: millrace.Delivery{ID: "0", Status: millrace.DeliveryDelivered}},
				millrace.TriedDelivery{Delivery: millrace.Delivery{ID: "1", Status: millrace.DeliveryPending, Attempts: 1}})
		})
		err := db.View(ctx, func(tx *store.Tx) error {
			got, err := tx.Deliveries().Frozen(ctx, env, run)
			if len(got) != 2 || string(got[0].Body) != want[1] || string(got[1].Body) != want[2] {
				t.Errorf("got %d frozen deliveries, want the last two with their bytes", len(got))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestBacklogOrderIsCommitOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		w := &millrace.Webhook{EnvironmentID: env, IsActive: true, TargetURL: "http://127.0.0.1:1", Secret: "s"}
		update(t, db, func(tx *store.Tx) error { return tx.Webhooks().Create(ctx, w) })
		var group sync.WaitGroup
		for range 30 {
			group.Go(func() {
				e := &millrace.Event{EnvironmentID: env, Name: "custom:x"}
				err := db.Update(ctx, func(tx *store.Tx) error {
					if _, err := tx.Events().Create(ctx, e); err != nil {
						return err
					}
					return tx.Deliveries().Queue(ctx, w, e)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		err := db.View(ctx, func(tx *store.Tx) error {
			backlog, err := tx.Deliveries().Backlog(ctx, w, 100)
			for i, d := range backlog {
				if d.Sequence != int64(i+1) {
					t.Errorf("delivery %d has sequence %d", i, d.Sequence)
				}
			}
			if len(backlog) != 30 {
				t.Errorf("got %d deliveries, want 30", len(backlog))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if tasks := storetest.Tasks(db); len(tasks) != 1 || tasks[0].Kind != millrace.TaskPump {
			t.Errorf("got tasks %v, want one pump on the edge", tasks)
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		a := &millrace.Event{EnvironmentID: env, Name: "custom:x", IdempotencyKey: "k", Payload: json.RawMessage(`{}`)}
		b := &millrace.Event{EnvironmentID: env, Name: "custom:x", IdempotencyKey: "k"}
		update(t, db, func(tx *store.Tx) error {
			if fresh, err := tx.Events().Create(ctx, a); err != nil || !fresh {
				t.Errorf("first got %t, %v", fresh, err)
			}
			return nil
		})
		update(t, db, func(tx *store.Tx) error {
			if fresh, err := tx.Events().Create(ctx, b); err != nil || fresh || b.ID != a.ID {
				t.Errorf("second got %t, %v, id %s; want the id %s of the first", fresh, err, b.ID, a.ID)
			}
			return nil
		})
	})
}

// Callers that send an event again do so at the same time as others, and in transactions of their own.
func TestTheSameIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var env millrace.EnvironmentID = "env"
		for round := range 20 {
			var callers sync.WaitGroup
			var mu sync.Mutex
			ids, fresh := map[millrace.EventID]int{}, 0
			for n := range 8 {
				callers.Go(func() {
					// In different orders, so that each may wait for the other.
					mine := []*millrace.Event{
						{EnvironmentID: env, Name: "custom:x", IdempotencyKey: fmt.Sprintf("%d-%d", round, n%2)},
						{EnvironmentID: env, Name: "custom:x"},
						{EnvironmentID: env, Name: "custom:x", IdempotencyKey: fmt.Sprintf("%d-%d", round, 1-n%2)},
					}
					var events, added []*millrace.Event
					err := db.Update(t.Context(), func(tx *store.Tx) error {
						events = nil
						for _, e := range mine {
							copied := *e
							events = append(events, &copied)
						}
						var err error
						added, err = tx.Events().CreateAll(t.Context(), events)
						return err
					})
					if err != nil {
						t.Errorf("store events: %v", err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					fresh += len(added)
					for i, e := range events {
						if e.IdempotencyKey != mine[i].IdempotencyKey {
							t.Errorf("the event with key %q became that with key %q", mine[i].IdempotencyKey, e.IdempotencyKey)
						}
						ids[e.ID]++
					}
				})
			}
			callers.Wait()
			if len(ids) != 8+2 || fresh != 8+2 {
				t.Fatalf("%d events were added and %d ids returned, want 8 without a key and 2 with one", fresh, len(ids))
			}
		}
	})
}

func TestTakenIDIsAConflict(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		j := &millrace.SyncJob{EnvironmentID: env}
		update(t, db, func(tx *store.Tx) error { return tx.SyncJobs().Create(ctx, j) })
		again := *j
		err := db.Update(ctx, func(tx *store.Tx) error { return tx.SyncJobs().Create(ctx, &again) })
		if millrace.KindOf(err) != millrace.KindConflict {
			t.Errorf("got %v, want an error of kind conflict", err)
		}
	})
}

func TestLostTransactionFailsEverybodyInIt(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	ctx := t.Context()
	var group sync.WaitGroup
	var mu sync.Mutex
	succeeded := map[string]bool{}
	for i := range 60 {
		group.Go(func() {
			label := fmt.Sprint("job ", i)
			err := db.Update(ctx, func(tx *store.Tx) error {
				if err := tx.SyncJobs().Create(ctx, &millrace.SyncJob{EnvironmentID: env, Label: label}); err != nil {
					return err
				}
				if i%10 == 5 { // what SQLite does by itself when the disk is full
					_, err := tx.SQL().ExecContext(ctx, "ROLLBACK")
					return errors.Join(errors.New("disk full"), err)
				}
				return nil
			})
			mu.Lock()
			succeeded[label] = err == nil
			mu.Unlock()
		})
	}
	group.Wait()
	stored := map[string]bool{}
	err := db.View(ctx, func(tx *store.Tx) error {
		page, err := tx.SyncJobs().List(ctx, env, millrace.Query{})
		for _, j := range page.Result {
			stored[j.Label] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for label, ok := range succeeded {
		if ok != stored[label] {
			t.Errorf("%s: success %t, stored %t", label, ok, stored[label])
		}
	}
}

func TestOpenWorkNamesWhatEachStageHasToDo(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		batch := millrace.NewID[millrace.BatchID]()
		woken := &millrace.WorkflowRun{EnvironmentID: env, EventID: "e", WorkflowID: "w", Status: millrace.WorkflowRunCreated}
		done := &millrace.WorkflowRun{EnvironmentID: env, EventID: "f", WorkflowID: "w", Status: millrace.WorkflowRunCompleted}
		run := &millrace.SyncJobRun{EnvironmentID: env, IntegratedAccountID: "account", Status: millrace.RunRateLimited}
		w := &millrace.Webhook{EnvironmentID: env, IsActive: true, NextSequence: 2, SentSequence: 1}
		update(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.Events().CreateBatch(ctx, env, batch), tx.WorkflowRuns().Create(ctx, woken), tx.WorkflowRuns().Create(ctx, done),
				tx.SyncJobRuns().Create(ctx, run), tx.Webhooks().Create(ctx, w))
		})
		want := []millrace.Task{
			{Kind: millrace.TaskMatch, Key: string(batch), Environment: env},
			{Kind: millrace.TaskWorkflow, Key: string(woken.ID), Environment: env},
			{Kind: millrace.TaskSlice, Key: millrace.TaskKey(env, run.ID), Environment: env, Account: "account"},
			{Kind: millrace.TaskPump, Key: millrace.TaskKey(env, w.ID), Environment: env},
		}
		err := db.View(ctx, func(tx *store.Tx) error {
			got, err := tx.Tasks().Open(ctx)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("open work (-want +got):\n%s", diff)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
