package event_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A commit without a response may have stored the events: each is stored once all the same, and its caller hears that it is.
func TestCommitWithoutAResponseStoresEventsOnce(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		db := faults.Open(t, url)
		w := describe(t, db)
		for _, how := range []store.CommitFault{store.CommitVanishes, store.CommitIsNotHeardOf} {
			a := event.NewAccepter(db, 1)
			faults.At(&storetest.Place{Commit: how, Nth: 1})
			var group sync.WaitGroup
			events := make([]*millrace.Event, 5)
			for i := range events {
				events[i] = &millrace.Event{EnvironmentID: env, Name: "custom:x"}
				if i%2 == 1 {
					events[i].IdempotencyKey = fmt.Sprint(how, i/2)
				}
				group.Go(func() {
					if err := a.Accept(t.Context(), events[i]); err != nil {
						t.Errorf("fault %d: %v", how, err)
					}
				})
			}
			group.Wait()
			a.Stop()
			faults.At(nil)
			stored := map[millrace.EventID]bool{}
			err := db.View(t.Context(), func(tx *store.Tx) error {
				page, err := tx.Events().List(t.Context(), env, millrace.Query{Limit: 100})
				for _, e := range page.Result {
					stored[e.ID] = true
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := 5 * int(how-store.CommitVanishes+1); len(stored) != want {
				t.Errorf("fault %d: got %d events, want %d", how, len(stored), want)
			}
			for _, e := range events {
				if !stored[e.ID] {
					t.Errorf("fault %d: the event %s is not there", how, e.ID)
				}
			}
		}
		checkBacklog(t, db, w, 10)
	})
}

// A commit that certainly failed stored nothing, and the caller hears that.
func TestCommitThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		db := faults.Open(t, url)
		a := event.NewAccepter(db, 1)
		defer a.Stop()
		faults.At(&storetest.Place{Commit: store.CommitFails, Nth: 1})
		err := a.Accept(t.Context(), &millrace.Event{EnvironmentID: env, Name: "custom:x"})
		if !errors.Is(err, store.ErrOutage) || errors.Is(err, store.ErrUnknownOutcome) {
			t.Errorf("got %v, want an outage", err)
		}
	})
}
