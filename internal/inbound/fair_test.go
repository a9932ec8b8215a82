package inbound_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// due returns the tasks of hooks whose evaluation is due.
func (w *world) due() []millrace.Task {
	w.t.Helper()
	var out []millrace.Task
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		work, err := tx.Tasks().Open(w.t.Context())
		for _, task := range work {
			if task.Kind == millrace.TaskInbound {
				out = append(out, task)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestHooksOfOneBatchAreOfOneEnvironment(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const other = millrace.EnvironmentID("00000000-0000-4000-8000-000000000002")
		w := newWorld(t, db)
		w.dir.set(first, func(*inbound.Endpoint) {})
		w.dir.set(second, func(e *inbound.Endpoint) { e.EnvironmentID = other })
		var group sync.WaitGroup
		for i := range 60 {
			group.Go(func() {
				_, err := w.send(&millrace.InboundRequest{
					AccountID: []millrace.IntegratedAccountID{first, second}[i%2], Body: []byte(created), Header: map[string]string{"content-type": "application/json"},
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		of := map[millrace.BatchID]millrace.EnvironmentID{}
		for _, e := range []millrace.EnvironmentID{env, other} {
			err := db.View(t.Context(), func(tx *store.Tx) error {
				page, err := tx.Hooks().List(t.Context(), e, millrace.Query{Limit: 100})
				for _, hook := range page.Result {
					hook, err := tx.Hooks().GetOpen(t.Context(), hook.ID)
					if err != nil {
						return err
					}
					if owner, known := of[hook.BatchID]; known && owner != e {
						t.Errorf("batch %s has hooks of both environments", hook.BatchID)
					}
					of[hook.BatchID] = e
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, task := range w.due() {
			if task.Environment != of[millrace.BatchID(task.Key)] {
				t.Errorf("task %v does not name its environment", task)
			}
		}
	})
}

func TestHooksWaitForTheirBudget(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.budget = expr.NewBudget(500*time.Millisecond, func() time.Time { return w.now })
		w.restart()
		w.dir.set(first, func(*inbound.Endpoint) {})
		if _, err := w.send(&millrace.InboundRequest{Body: []byte(created), Header: map[string]string{"content-type": "application/json"}}); err != nil {
			t.Fatal(err)
		}
		w.budget.Use(env, func() { w.now = w.now.Add(2 * time.Second) })
		var again *millrace.RetryError
		if err := w.receiver.Handle(t.Context(), w.due()[0]); !errors.As(err, &again) || again.After < time.Second {
			t.Fatalf("got %v, want to wait until there is time again", err)
		}
		w.now = w.now.Add(again.After)
		w.work()
		if n := len(w.events()); n != 1 {
			t.Errorf("got %d events, want 1", n)
		}
	})
}
