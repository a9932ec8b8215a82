package deliver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// looseTest runs fn on both databases, with a webhook whose failed deliveries are deferred.
func looseTest(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	pumpTest(t, func(t *testing.T, w *world) {
		w.change(func(v *millrace.Webhook) { v.Ordering = millrace.OrderingFirstAttempt })
		fn(t, w)
	})
}

// rejects makes a receiver that responds with a status to the deliveries at some places of the queue.
func (w *world) rejects(status int, places ...int) func(int, millrace.DeliveryID) (int, string, error) {
	return func(_ int, id millrace.DeliveryID) (int, string, error) {
		if slices.Contains(places, slices.Index(w.queued, id)) {
			return status, "", nil
		}
		return 200, "", nil
	}
}

func TestAFailedDeliveryStandsAside(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.queue(4)
		w.receiver.respond = w.rejects(500, 1)
		if d := w.pumpOnce(); d != time.Second || !w.live() {
			t.Errorf("asks to wait %s, task live %v", d, w.live())
		}
		equal(t, "deliveries", []string{"delivered 1", "pending 1", "delivered 1", "delivered 1"}, w.statuses())
		if row := w.row(); row.SentSequence != 4 || row.FailingSince != 0 {
			t.Errorf("webhook: %+v", row)
		}
		w.queue(1)
		if d := w.due(); d != 0 {
			t.Errorf("a new delivery waits %s for a deferred one", d)
		}
		if d := w.pumpOnce(); d != time.Second {
			t.Errorf("woken early, it asks to wait %s", d)
		}
		equal(t, "woken early", []string{"delivered 1", "pending 1", "delivered 1", "delivered 1", "delivered 1"}, w.statuses())

		var waits []time.Duration
		for range 4 {
			w.advance(w.due())
			waits = append(waits, w.pumpOnce())
		}
		equal(t, "waits", []time.Duration{2 * time.Second, 4 * time.Second, time.Minute, 5 * time.Minute}, waits)
		w.receiver.respond = nil
		w.advance(w.due())
		if d := w.pumpOnce(); d != 0 || w.live() {
			t.Errorf("after recovery it asks to wait %s, task live: %v", d, w.live())
		}
		equal(t, "after", []string{"delivered 1", "delivered 6", "delivered 1", "delivered 1", "delivered 1"}, w.statuses())
	})
}

func TestADeliveryIsGivenUp(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.queue(1)
		w.receiver.respond = w.rejects(400, 0)
		start := w.clock()
		for w.live() {
			w.advance(w.pumpOnce())
		}
		equal(t, "deliveries", []string{"failed 20"}, w.statuses())
		if d := w.clock().Sub(start); d < 4*24*time.Hour || !w.row().IsActive {
			t.Errorf("given up after %s, webhook %+v", d, w.row())
		}
		w.update(func(tx *store.Tx) error {
			_, err := tx.Deliveries().Redeliver(context.Background(), testEnv, w.queued[0])
			return err
		})
		w.receiver.respond = nil
		w.pumpOnce()
		equal(t, "sent again", []string{"delivered 21"}, w.statuses())
	})
}

func TestSeveralFailuresInARowLeaveTheWebhookAlone(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.queue(8)
		w.receiver.respond = always(500)
		if d := w.pumpOnce(); d != time.Second || len(w.receiver.seen) != downAfter {
			t.Errorf("asks to wait %s after %d attempts", d, len(w.receiver.seen))
		}
		for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, time.Minute} {
			w.advance(w.row().NotBefore.Std().Sub(w.clock()))
			before := len(w.receiver.seen)
			if d := w.pumpOnce(); d != want || len(w.receiver.seen) != before+1 {
				t.Errorf("asks to wait %s after %d attempts, want %s after one", d, len(w.receiver.seen)-before, want)
			}
		}
		equal(t, "one look with each", append(repeat("pending 1", 6), "pending 0", "pending 0"), w.statuses())
		w.receiver.respond = nil
		w.advance(time.Minute)
		w.pumpOnce()
		equal(t, "recovered", append(repeat("delivered 2", 6), "delivered 1", "delivered 1"), w.statuses())
		equal(t, "untried ones first", w.queued[6:], w.receiver.taken[:2])
	})
}

func TestAnUnreachableEndpointHoldsTheHead(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.queue(3)
		w.receiver.respond = always(429)
		for _, want := range []time.Duration{time.Minute, time.Minute, time.Minute, time.Minute, 5 * time.Minute} {
			if d := w.pumpOnce(); d != want {
				t.Errorf("asks to wait %s, want %s", d, want)
			}
			w.advance(want)
		}
		equal(t, "before", []string{"pending 5", "pending 0", "pending 0"}, w.statuses())
		w.receiver.respond = nil
		w.pumpOnce()
		equal(t, "order", w.queued, w.receiver.taken)
	})
}

func TestOneThatTheEndpointChokesOnPassesAfterItsQuickRetries(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.queue(3)
		choke := func(_ int, id millrace.DeliveryID) (int, string, error) {
			if id == w.queued[0] {
				return 0, "", errors.New("broken")
			}
			return 200, "", nil
		}
		w.receiver.respond = choke
		for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, time.Minute} {
			if d := w.pumpOnce(); d != want {
				t.Errorf("asks to wait %s, want %s", d, want)
			}
			w.advance(want)
		}
		equal(t, "deliveries", []string{"pending 4", "delivered 1", "delivered 1"}, w.statuses())
	})
}

func TestALooseWebhookThatIsDownIsSetInactive(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.queue(20)
		w.receiver.respond = always(503)
		start := w.clock()
		for w.live() {
			w.advance(w.pumpOnce())
			if w.clock().Sub(start) > 6*24*time.Hour {
				t.Fatal("still trying after 6 days")
			}
		}
		if w.row().IsActive || w.clock().Sub(start) < 5*24*time.Hour {
			t.Errorf("webhook: %+v", w.row())
		}
		w.receiver.respond = nil
		w.update(func(tx *store.Tx) error { return tx.Webhooks().Wake(context.Background(), testEnv, w.webhook.ID) })
		w.activate()
		for w.live() {
			w.advance(w.pumpOnce())
		}
		for i, status := range w.statuses() {
			if status[:len("delivered")] != "delivered" {
				t.Errorf("delivery %d is %s", i, status)
			}
		}
	})
}

func TestConcurrency(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.change(func(v *millrace.Webhook) { v.Concurrency = 4 })
		w.queue(8)
		met := make(chan struct{}, 4)
		all := make(chan struct{})
		w.receiver.respond = func(n int, _ millrace.DeliveryID) (int, string, error) {
			if n <= 4 { // the first four wait for each other
				if met <- struct{}{}; len(met) == cap(met) {
					close(all)
				}
				<-all
			}
			return 200, "", nil
		}
		w.pumpOnce()
		equal(t, "deliveries", repeat("delivered 1", 8), w.statuses())
		if row := w.row(); row.SentSequence != 8 || w.live() {
			t.Errorf("webhook %+v, task live %v", row, w.live())
		}
	})
}

func TestOneOfSeveralAtATimeIsInterrupted(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.change(func(v *millrace.Webhook) { v.Concurrency = 3 })
		w.queue(3)
		ctx, cancel := context.WithCancel(t.Context())
		w.receiver.respond = func(_ int, id millrace.DeliveryID) (int, string, error) {
			if id == w.queued[0] {
				<-ctx.Done()
				return 0, "", ctx.Err()
			}
			if id == w.queued[2] {
				defer cancel()
			}
			return 200, "", nil
		}
		if d, err := w.handle(ctx); d != 0 || err != nil {
			t.Errorf("wait %s, error %v", d, err)
		}
		w.receiver.respond = nil
		w.pumpOnce()
		if got := w.statuses(); got[0] != "delivered 1" {
			t.Errorf("deliveries: %v", got)
		}
		if w.live() {
			t.Error("the task is not completed")
		}
	})
}

func TestRateLimit(t *testing.T) {
	looseTest(t, func(t *testing.T, w *world) {
		w.change(func(v *millrace.Webhook) { v.RateLimit, v.RatePeriod = 4, 8 })
		w.queue(10)
		start := w.clock()
		var sent []int
		for w.live() {
			w.advance(w.pumpOnce())
			sent = append(sent, len(w.receiver.taken))
		}
		equal(t, "a burst, then as they come back", []int{4, 5, 6, 7, 8, 9, 10}, sent)
		if d := w.clock().Sub(start); d != 12*time.Second {
			t.Errorf("it took %s", d)
		}
		equal(t, "order", w.queued, w.receiver.taken)
	})
}

// Thirty webhooks that never respond must not keep one that does from its deliveries.
func TestSlowWebhooksLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const hanging, room = 30, 3
		arrived, release := make(chan string, 2*hanging), make(chan struct{})
		sender, err := New(Config{Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "slow.test" {
				arrived <- r.URL.Path
				select {
				case <-release:
				case <-r.Context().Done():
				}
			}
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})}, Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		pump, err := NewPump(PumpConfig{DB: db, Sender: sender, SlowAtOnce: 2 * room})
		if err != nil {
			t.Fatal(err)
		}
		hook := func(url string) millrace.WebhookID {
			v := &millrace.Webhook{EnvironmentID: testEnv, TargetURL: url, IsActive: true, Secret: uuidSecret}
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				if err := tx.Webhooks().Create(t.Context(), v); err != nil {
					return err
				}
				e := &millrace.Event{EnvironmentID: testEnv, Name: "record:created", Payload: []byte(`{}`)}
				if _, err := tx.Events().Create(t.Context(), e); err != nil {
					return err
				}
				return tx.Deliveries().Queue(t.Context(), v, e)
			})
			if err != nil {
				t.Fatal(err)
			}
			return v.ID
		}
		ended := make(chan error, hanging)
		for range hanging {
			id := hook("https://slow.test/")
			pump.bulkhead.remember(millrace.TaskKey(testEnv, id), true) // it has hung before
			go func() {
				ended <- pump.Handle(t.Context(), millrace.Task{Kind: millrace.TaskPump, Key: millrace.TaskKey(testEnv, id)})
			}()
		}
		for range room {
			<-arrived
		}
		for range hanging - room {
			if retry, ok := errors.AsType[*millrace.RetryError](<-ended); !ok || retry.After != bulkheadWait {
				t.Fatalf("one too many: got %v", retry)
			}
		}
		healthy := hook("https://well.test/")
		if err := pump.Handle(t.Context(), millrace.Task{Kind: millrace.TaskPump, Key: millrace.TaskKey(testEnv, healthy)}); err != nil {
			t.Errorf("the healthy one: %v", err)
		}
		if len(arrived) > 0 {
			t.Errorf("%d more hang", len(arrived))
		}
		close(release)
		for range room {
			if err := <-ended; err != nil {
				t.Errorf("released: %v", err)
			}
		}
		again := hook("https://slow.test/")
		if err := pump.Handle(t.Context(), millrace.Task{Kind: millrace.TaskPump, Key: millrace.TaskKey(testEnv, again)}); err != nil {
			t.Errorf("the room is not free again: %v", err)
		}
	})
}

// transport is an http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
