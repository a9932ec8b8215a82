package deliver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// pumpTest runs fn on both databases, with a webhook of its own.
func pumpTest(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newWorld(t, db, PumpConfig{})) })
}

func TestPumpSendsTheBacklogInOrderAndEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, n := range []int{1, 9, 10, 11, 35} {
			w := newWorld(t, db, PumpConfig{})
			w.queue(n)
			if !w.live() {
				t.Fatal("the first delivery wakes no pump")
			}
			if d := w.pumpOnce(); d != 0 || w.live() {
				t.Errorf("%d deliveries: asks to wait %s, task live: %v", n, d, w.live())
			}
			equal(t, "order", w.queued, w.receiver.taken)
			equal(t, "deliveries", repeat("delivered 1", n), w.statuses())
			if row := w.row(); row.SentSequence != int64(n) || row.NextSequence != int64(n) || row.Epoch != 1 {
				t.Errorf("webhook: %+v", row)
			}
			w.queue(1)
			if !w.live() {
				t.Error("the delivery after the end wakes no pump")
			}
		}
	})
}

func TestPumpHasNothingToDo(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(1)
		w.update(func(tx *store.Tx) error { return tx.Webhooks().Delete(t.Context(), testEnv, w.webhook.ID) })
		if d := w.pumpOnce(); d != 0 || w.live() || len(w.receiver.seen) > 0 {
			t.Errorf("deleted webhook: wait %s, task live %v, %d requests", d, w.live(), len(w.receiver.seen))
		}
	})
}

func TestPumpRetriesTheHeadAndHoldsTheRest(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(3)
		w.receiver.respond = always(500)
		var waits []time.Duration
		for range 12 {
			d := w.pumpOnce()
			waits = append(waits, d)
			if early := w.pumpOnce(); early != d {
				t.Errorf("woken at once it asks for %s, not for the rest of %s", early, d)
			}
			w.advance(d)
		}
		const s, m, h = time.Second, time.Minute, time.Hour
		equal(t, "waits", []time.Duration{s, 2 * s, 4 * s, m, 5 * m, 30 * m, 2 * h, 5 * h, 10 * h, 10 * h, 10 * h, 10 * h}, waits)
		equal(t, "before", []string{"pending 12", "pending 0", "pending 0"}, w.statuses())
		if row := w.row(); row.Attempt != 12 || row.FailingSince == 0 || row.SentSequence != 0 || !row.IsActive {
			t.Errorf("webhook: %+v", row)
		}
		w.receiver.respond = nil
		if d := w.pumpOnce(); d != 0 || w.live() {
			t.Errorf("after recovery it asks to wait %s, task live: %v", d, w.live())
		}
		equal(t, "order", w.queued, w.receiver.taken)
		equal(t, "after", []string{"delivered 13", "delivered 1", "delivered 1"}, w.statuses())
		if row := w.row(); row.Attempt != 0 || row.FailingSince != 0 || row.NotBefore != 0 {
			t.Errorf("webhook: %+v", row)
		}
	})
}

func TestPumpHonoursRetryAfter(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(1)
		for header, want := range map[string]time.Duration{"3": 3 * time.Second, "7200": 2 * time.Hour, "": time.Minute} {
			w.receiver.respond = func(int, millrace.DeliveryID) (int, string, error) { return 429, header, nil }
			if d := w.pumpOnce(); d != want {
				t.Errorf("429 with Retry-After %q: got %s, want %s", header, d, want)
			}
			w.advance(want)
			w.receiver.respond = nil
			w.pumpOnce()
			w.queue(1)
		}
	})
}

func TestPumpCommitsWhatWasSentBeforeAFailure(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(15)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n == 13 {
				return 0, "", errors.New("broken")
			}
			return 204, "", nil
		}
		if d := w.pumpOnce(); d != time.Second {
			t.Errorf("asks to wait %s", d)
		}
		want := append(repeat("delivered 1", 12), "pending 1", "pending 0", "pending 0")
		equal(t, "deliveries", want, w.statuses())
	})
}

func TestGoneUnsubscribesAndKeepsThePending(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(4)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) { return []int{200, 410}[n-1], "", nil }
		if d := w.pumpOnce(); d != 0 || w.live() || w.row().IsActive {
			t.Errorf("asks to wait %s, task live %v, webhook %+v", d, w.live(), w.row())
		}
		equal(t, "deliveries", []string{"delivered 1", "pending 1", "pending 0", "pending 0"}, w.statuses())

		w.receiver.respond = nil
		w.activate()
		w.pumpOnce()
		equal(t, "deliveries", []string{"delivered 1", "delivered 2", "delivered 1", "delivered 1"}, w.statuses())
	})
}

func TestProlongedFailureSetsInactiveAndKeepsThePending(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(2)
		w.receiver.respond = always(503)
		start := w.clock()
		for w.live() {
			w.advance(w.pumpOnce())
			if w.clock().Sub(start) > 6*24*time.Hour {
				t.Fatal("still trying after 6 days")
			}
		}
		if d := w.clock().Sub(start); d < 5*24*time.Hour {
			t.Errorf("given up after %s", d)
		}
		row := w.row()
		if row.IsActive || row.FailingSince != millrace.TimeOf(start) {
			t.Errorf("webhook: %+v", row)
		}
		tries := len(w.receiver.seen)
		w.enqueue()
		if w.pumpOnce(); w.live() || len(w.receiver.seen) != tries {
			t.Error("an inactive webhook is called")
		}

		w.activate()
		if d := w.pumpOnce(); d != time.Second || !w.row().IsActive {
			t.Errorf("activated again, its first failure asks for %s and leaves %+v", d, w.row())
		}
		w.advance(time.Second)
		w.receiver.respond = nil
		w.pumpOnce()
		equal(t, "order", w.queued, w.receiver.taken)
	})
}

func TestPumpYields(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(20)
		w.receiver.respond = func(int, millrace.DeliveryID) (int, string, error) {
			w.advance(time.Second)
			return 200, "", nil
		}
		for slice, want := range []int{8, 16, 20} {
			d := w.pumpOnce()
			if got := len(w.receiver.taken); d != 0 || got != want || w.live() != (slice < 2) {
				t.Errorf("slice %d: wait %s, %d sent, want %d, task live %v", slice, d, got, want, w.live())
			}
		}
		equal(t, "deliveries", repeat("delivered 1", 20), w.statuses())
	})
}

func TestPumpYieldsBeforeItsDeadline(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(5)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // no room for a second attempt of 15 s
		defer cancel()
		if d, err := w.handle(ctx); d != 0 || err != nil || len(w.receiver.taken) != 1 || !w.live() {
			t.Errorf("wait %s, error %v, %d sent, task live %v", d, err, len(w.receiver.taken), w.live())
		}
	})
}

func TestPumpWritesDownWhatItSentWhenStopped(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(5)
		ctx, cancel := context.WithCancel(t.Context())
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n == 3 {
				cancel()
				return 0, "", ctx.Err()
			}
			return 200, "", nil
		}
		if d, err := w.handle(ctx); d != 0 || err != nil || !w.live() {
			t.Errorf("wait %s, error %v, task live %v", d, err, w.live())
		}
		equal(t, "deliveries", []string{"delivered 1", "delivered 1", "pending 0", "pending 0", "pending 0"}, w.statuses())
	})
}

func TestAPumpThatWasOvertakenCannotWrite(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(5)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n == 3 {
				w.overtake()
			}
			return 200, "", nil
		}
		if _, err := w.handle(t.Context()); millrace.KindOf(err) != millrace.KindConflict {
			t.Errorf("got %v, want a conflict", err)
		}
		equal(t, "deliveries", repeat("pending 0", 5), w.statuses())
		if row := w.row(); row.SentSequence != 0 || !w.live() {
			t.Errorf("webhook %+v, task live %v", row, w.live())
		}
	})
}

func TestAPumpThatWasPausedFindsOutAfterOneDelivery(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(5)
		w.receiver.respond = func(int, millrace.DeliveryID) (int, string, error) {
			w.overtake()
			w.advance(time.Second)
			return 200, "", nil
		}
		if _, err := w.handle(t.Context()); millrace.KindOf(err) != millrace.KindConflict {
			t.Errorf("got %v, want a conflict", err)
		}
		if n := len(w.receiver.seen); n != 1 {
			t.Errorf("%d deliveries were sent", n)
		}
	})
}

func TestTheEndOfTheBacklogMayBeCancelled(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(3)
		w.cancel(2)
		w.pumpOnce()
		equal(t, "deliveries", []string{"delivered 1", "delivered 1", "cancelled 0"}, w.statuses())
		if w.live() {
			t.Error("the task is not completed")
		}
		w.queue(1)
		if !w.live() {
			t.Error("the next delivery wakes no pump")
		}
	})
}

func TestTheHeadOfTheBacklogMayBeCancelled(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(1)
		w.receiver.respond = always(500)
		w.advance(w.pumpOnce())
		w.cancel(0)
		if d := w.pumpOnce(); d != 0 || w.live() || w.row().Attempt != 0 {
			t.Errorf("wait %s, task live %v, webhook %+v", d, w.live(), w.row())
		}
	})
}

func TestAWebhookMayBeDeletedWhileItsPumpWorks(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(3)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n == 2 {
				w.update(func(tx *store.Tx) error { return tx.Webhooks().Delete(context.Background(), testEnv, w.webhook.ID) })
			}
			return 200, "", nil
		}
		if _, err := w.handle(t.Context()); millrace.KindOf(err) != millrace.KindConflict {
			t.Errorf("got %v, want a conflict", err)
		}
		if d := w.pumpOnce(); d != 0 || w.live() {
			t.Errorf("called again it asks for %s, task live %v", d, w.live())
		}
	})
}

func TestPumpFollowsTheTargetURL(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(commitSize + 2)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n == 5 {
				w.webhook.TargetURL = "https://b.test/"
				w.update(func(tx *store.Tx) error { return tx.Webhooks().Update(context.Background(), w.webhook) })
			}
			return 200, "", nil
		}
		w.pumpOnce()
		equal(t, "hosts", strings.Repeat("a", commitSize)+"bb", w.receiver.hosts)
	})
}

func TestPumpFollowsChangesOfTheWebhook(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(commitSize + 15)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n == 5 {
				w.update(func(tx *store.Tx) error {
					changed := *w.webhook
					changed.IsActive = false
					return tx.Webhooks().Update(context.Background(), &changed)
				})
			}
			return 200, "", nil
		}
		if d := w.pumpOnce(); d != 0 || w.live() || len(w.receiver.taken) != commitSize {
			t.Errorf("set inactive: wait %s, task live %v, %d sent", d, w.live(), len(w.receiver.taken))
		}
		w.webhook.TargetURL = "https://b.test/"
		w.activate()
		w.receiver.respond = nil
		w.pumpOnce()
		equal(t, "order", w.queued, w.receiver.taken)
		equal(t, "hosts", strings.Repeat("a", commitSize)+strings.Repeat("b", 15), w.receiver.hosts)
	})
}

func TestPumpPassesDeliveriesWhoseEventIsGone(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(1)
		lost := &millrace.Event{ID: millrace.NewID[millrace.EventID](), EnvironmentID: testEnv, Name: "record:created"}
		w.update(func(tx *store.Tx) error { return tx.Deliveries().Queue(t.Context(), w.webhook, lost) })
		if d := w.pumpOnce(); d != 0 || w.live() {
			t.Errorf("wait %s, task live %v", d, w.live())
		}
		var d *millrace.Delivery
		w.update(func(tx *store.Tx) error {
			var err error
			d, err = tx.Deliveries().Get(t.Context(), testEnv, millrace.EventDeliveryID(lost, w.webhook))
			return err
		})
		if d.Status != millrace.DeliveryCancelled || w.row().SentSequence != 2 {
			t.Errorf("delivery %+v, webhook %+v", d, w.row())
		}
	})
}

func TestProgressIsCommittedWhileAReceiverTakesItsTime(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(4)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n < 4 {
				return 200, "", nil
			}
			// Responds only once the previous outcome is stored.
			for w.row().SentSequence < 3 {
				if t.Context().Err() != nil {
					return 0, "", t.Context().Err()
				}
			}
			return 200, "", nil
		}
		w.pumpOnce()
		equal(t, "deliveries", repeat("delivered 1", 4), w.statuses())
	})
}

func TestWhatIsQueuedWhileTheLastIsSentIsNotForgotten(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		w.queue(3)
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n == 3 {
				w.queue(1)
			}
			return 200, "", nil
		}
		w.pumpOnce()
		equal(t, "deliveries", repeat("delivered 1", 4), w.statuses())
		if w.live() {
			t.Error("the task is not completed")
		}
	})
}

func TestNoWakeUpIsLost(t *testing.T) {
	pumpTest(t, func(t *testing.T, w *world) {
		const events = 150
		queued := make(chan struct{})
		go func() {
			defer close(queued)
			for range events {
				w.queue(1)
			}
		}()
		for running := true; running || w.live(); {
			select {
			case <-queued:
				running = false
			default:
			}
			if w.live() {
				w.pumpOnce()
			}
		}
		equal(t, "order", w.queued, w.receiver.taken)
		if len(w.receiver.taken) != events {
			t.Errorf("%d of %d sent", len(w.receiver.taken), events)
		}
	})
}

func TestPumpConfigIsChecked(t *testing.T) {
	t.Parallel()
	sender := newSender(t, Config{Client: &http.Client{Transport: &http.Transport{}}})
	for name, c := range map[string]PumpConfig{
		"nothing":        {},
		"no database":    {Sender: sender},
		"no sender":      {DB: &store.DB{}},
		"negative slice": {DB: &store.DB{}, Sender: sender, Slice: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewPump(c); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// A client repairs a webhook while an attempt is under way that fails because of what was wrong. The failure must not hold off
// what the client has woken.
func TestAChangeDuringAnAttemptIsNotHeldOffByItsFailure(t *testing.T) {
	t.Parallel()
	orderings := map[string]millrace.Ordering{"strict": millrace.OrderingStrict, "first attempt": millrace.OrderingFirstAttempt}
	for name, ordering := range orderings {
		t.Run(name, func(t *testing.T) {
			pumpTest(t, func(t *testing.T, w *world) {
				w.advance(time.Since(w.clock())) // waking goes by the database's clock
				w.change(func(v *millrace.Webhook) { v.Ordering = ordering })
				w.queue(5)
				w.receiver.respond = always(503)
				for range 5 {
					w.advance(w.pumpOnce())
				}
				w.receiver.respond = func(n int, id millrace.DeliveryID) (int, string, error) {
					w.receiver.respond = nil
					w.activate()
					return 503, "", nil
				}
				w.pumpOnce()
				if row := w.row(); row.NotBefore != 0 || row.Attempt != 0 || row.DeferredInRow != 0 || row.FailingSince != 0 {
					t.Errorf("a failure from before the change holds off the webhook: %+v", row)
				}
				for w.live() {
					if d := w.pumpOnce(); d > 0 {
						t.Fatalf("waits %s", d)
					}
				}
				if taken := len(w.receiver.taken); taken != 5 {
					t.Errorf("%d deliveries were taken, want 5: %v", taken, w.statuses())
				}
			})
		})
	}
}
