package event_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

const env = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")

// describe stores a workflow on custom:x and a webhook that wants custom:x.
func describe(t *testing.T, db *store.DB) *millrace.Webhook {
	t.Helper()
	w := &millrace.Webhook{EnvironmentID: env, IsActive: true, TargetURL: "https://example.test", EventTypes: json.RawMessage(`["custom:x"]`)}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Webhooks().Create(t.Context(), w); err != nil {
			return err
		}
		return tx.Workflows().Create(t.Context(), &millrace.Workflow{EnvironmentID: env, TriggerName: "custom:x", Event: "custom:x"})
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func tasks(db *store.DB, kind millrace.TaskKind) []string {
	var keys []string
	for _, task := range storetest.Tasks(db) {
		if task.Kind == kind {
			keys = append(keys, task.Key)
		}
	}
	return keys
}

func TestAcceptedEventsAreStoredDeliveredAndMatchedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := describe(t, db)
		a := event.NewAccepter(db, 2)
		const n = 150
		ids := make([]millrace.EventID, n)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				e := &millrace.Event{EnvironmentID: env, Name: "custom:x", Payload: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
				if err := a.Accept(t.Context(), e); err != nil {
					t.Error(err)
				}
				ids[i] = e.ID
			})
		}
		group.Wait()
		a.Stop()
		batches := tasks(db, millrace.TaskMatch)
		if len(batches) == 0 || len(batches) > n/2 {
			t.Errorf("got %d match tasks for %d events that came together, want far fewer", len(batches), n)
		}
		matched := map[millrace.EventID]bool{}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			for _, key := range batches {
				batch, err := tx.Events().OpenBatch(t.Context(), millrace.BatchID(key))
				if err != nil {
					return err
				}
				for _, e := range batch.Events {
					matched[e.ID] = true
				}
			}
			backlog, err := tx.Deliveries().Backlog(t.Context(), w, n+1)
			if len(backlog) != n {
				t.Errorf("got %d deliveries, want %d", len(backlog), n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if !matched[id] {
				t.Errorf("event %q was accepted and is in no batch", id)
			}
		}
		if err := a.Accept(t.Context(), &millrace.Event{EnvironmentID: env, Name: "custom:x"}); millrace.KindOf(err) != millrace.KindUnavailable {
			t.Errorf("after Stop got %v, want unavailable", err)
		}
	})
}

func TestTheSameKeyIsTheSameEvent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := describe(t, db)
		a := event.NewAccepter(db, 4)
		defer a.Stop()
		var group sync.WaitGroup
		ids := make([]millrace.EventID, 20)
		for i := range ids {
			group.Go(func() {
				e := &millrace.Event{EnvironmentID: env, Name: "custom:x", IdempotencyKey: "once"}
				if err := a.Accept(t.Context(), e); err != nil {
					t.Error(err)
				}
				ids[i] = e.ID
			})
		}
		group.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("got ids %q and %q for one key", ids[0], id)
			}
		}
		checkBacklog(t, db, w, 1)
	})
}

func checkBacklog(t *testing.T, db *store.DB, w *millrace.Webhook, want int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		backlog, err := tx.Deliveries().Backlog(t.Context(), w, 100)
		if len(backlog) != want {
			t.Errorf("got %d deliveries, want %d", len(backlog), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestABadEventFailsAlone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		describe(t, db)
		a := event.NewAccepter(db, 1)
		defer a.Stop()
		taken := millrace.NewID[millrace.EventID]()
		if err := a.Accept(t.Context(), &millrace.Event{ID: taken, EnvironmentID: env, Name: "custom:x"}); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for i := range 30 {
			group.Go(func() {
				e := &millrace.Event{EnvironmentID: env, Name: "custom:x"}
				if i == 7 {
					e.ID = taken
				}
				err := a.Accept(t.Context(), e)
				if i == 7 && millrace.KindOf(err) != millrace.KindConflict {
					t.Errorf("the taken id got %v, want conflict", err)
				}
				if i != 7 && err != nil {
					t.Errorf("event %d got %v", i, err)
				}
			})
		}
		group.Wait()
	})
}

func TestEventsWithoutListenersCostNoTask(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := describe(t, db)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return event.EmitExcept(t.Context(), tx, w.ID,
				&millrace.Event{EnvironmentID: env, Name: "custom:other"}, &millrace.Event{EnvironmentID: "another", Name: "custom:x"})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := storetest.Tasks(db); len(got) != 0 {
			t.Errorf("got tasks %v, want none", got)
		}
	})
}

func TestABatchIsOfOneEnvironment(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		describe(t, db)
		const other = millrace.EnvironmentID("00000000-0000-4000-8000-000000000002")
		var events []*millrace.Event
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			events = nil
			for i := range 20 {
				events = append(events, &millrace.Event{EnvironmentID: []millrace.EnvironmentID{env, other}[i%2], Name: "custom:x"})
			}
			if err := tx.Workflows().Create(t.Context(), &millrace.Workflow{EnvironmentID: other, TriggerName: "custom:x", Event: "custom:x"}); err != nil {
				return err
			}
			return event.Emit(t.Context(), tx, events...)
		})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(storetest.Tasks(db), func(task millrace.Task) bool { return task.Kind != millrace.TaskMatch })
		if len(got) != 2 || got[0].Environment == got[1].Environment {
			t.Errorf("got tasks %v, want one for each environment", got)
		}
		for _, task := range got {
			err := db.View(t.Context(), func(tx *store.Tx) error {
				batch, err := tx.Events().OpenBatch(t.Context(), millrace.BatchID(task.Key))
				if err != nil {
					return err
				}
				if len(batch.Events) != 10 || batch.EnvironmentID != task.Environment {
					t.Errorf("got %d events of %s, want 10 of %s", len(batch.Events), batch.EnvironmentID, task.Environment)
				}
				for _, e := range batch.Events {
					if e.EnvironmentID != batch.EnvironmentID {
						t.Errorf("a batch of %s has an event of %s", batch.EnvironmentID, e.EnvironmentID)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// All payloads of a batch are in memory while it is matched.
func TestLargeEventsShareNoBatch(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		describe(t, db)
		payload := json.RawMessage(`{"text":"` + strings.Repeat("x", 3<<20) + `"}`)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			var events []*millrace.Event
			for range 4 {
				events = append(events, &millrace.Event{EnvironmentID: env, Name: "custom:x", Payload: payload})
			}
			return event.Emit(t.Context(), tx, events...)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := tasks(db, millrace.TaskMatch); len(got) != 4 {
			t.Errorf("12 MiB of events are matched in %d tasks, want 4", len(got))
		}
	})
}
