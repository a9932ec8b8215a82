package inbound_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A commit without a response may have stored the hooks, and the traces of repetitions: each is stored once all the same, makes
// its event once, and its provider hears that it was accepted.
func TestCommitWithoutAResponseStoresHooksOnce(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		w := newWorld(t, faults.Open(t, url))
		w.dir.set(first, func(e *inbound.Endpoint) { e.Signature = digest("k") })
		body := func(id int) string {
			return fmt.Sprintf(`{"event_type":"created","resource_type":"issues","resource_id":%d}`, id)
		}
		known := w.accept("k", body(0))
		for round, how := range []store.CommitFault{store.CommitVanishes, store.CommitIsNotHeardOf} {
			faults.At(&storetest.Place{Commit: how, Nth: 1})
			ids := make([]string, 5) // the first is a repetition
			var group sync.WaitGroup
			for i := range ids {
				group.Go(func() {
					if i == 0 {
						ids[i] = w.accept("k", body(0))
					} else {
						ids[i] = w.accept("k", body(10*round+i))
					}
				})
			}
			group.Wait()
			if struck := faults.Struck(); struck != 1 {
				t.Fatalf("%d faults have struck, want 1", struck)
			}
			faults.At(nil)
			if ids[0] != known {
				t.Errorf("fault %d: the repetition got the id %s, want %s", how, ids[0], known)
			}
			w.work()
			hooks, events := w.hooks(), w.events()
			processed, repeated := count(hooks, millrace.InboundProcessed), count(hooks, millrace.InboundDuplicate)
			if want := 1 + 4*(round+1); processed != want || len(events) != want || repeated != round+1 || len(hooks) != processed+repeated {
				t.Errorf("fault %d: got %d hooks, %d processed, %d repetitions and %d events, want %d processed, %d repetitions, %d events",
					how, len(hooks), processed, repeated, len(events), want, round+1, want)
			}
		}
	})
}
