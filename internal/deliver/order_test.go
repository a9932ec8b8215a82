package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// However receivers respond, and wherever a pump dies or is overtaken: nothing is skipped, and once the receiver is well
// everything arrives, with the task completed. With strict ordering a delivery is first tried when all before it were taken,
// and they arrive in order; otherwise when all before it were tried, but for those that are tried at the same time.
func TestOrderHoldsWhateverHappens(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rapid.Check(t, func(rt *rapid.T) {
			w := newWorld(rt, db, PumpConfig{})
			if n := rapid.SampledFrom([]int64{0, 1, 1, 4, 10}).Draw(rt, "concurrency, 0 for strict"); n > 0 {
				w.change(func(v *millrace.Webhook) { v.Ordering, v.Concurrency = millrace.OrderingFirstAttempt, n })
			}
			if rapid.IntRange(0, 3).Draw(rt, "limited") == 0 {
				w.change(func(v *millrace.Webhook) { v.RateLimit, v.RatePeriod = 7, 2 })
			}
			w.receiver.respond = misbehave(rt, w, mishaps().Draw(rt, "mishaps"))
			for range rapid.IntRange(1, 8).Draw(rt, "rounds") {
				w.queue(rapid.SampledFrom([]int{0, 1, 3, 8, 13, commitSize, 2*commitSize + 5}).Draw(rt, "events"))
				step(rt, w)
			}
			settle(rt, w)
			check(rt, w)
		})
	})
}

// step lets some time pass and calls the pump, if its task is live, as the queue would: again after an error.
func step(rt *rapid.T, w *world) {
	if !w.live() {
		return
	}
	d, err := w.handle(context.Background())
	if err != nil && millrace.KindOf(err) != millrace.KindConflict {
		rt.Fatal(err)
	}
	if rapid.Bool().Draw(rt, "wait") {
		w.advance(d)
	}
	if !w.row().IsActive && rapid.Bool().Draw(rt, "activate") {
		w.activate()
	}
}

// settle calls the pump until there is nothing left to do.
func settle(rt *rapid.T, w *world) {
	for range 1000 {
		if !w.row().IsActive {
			w.activate()
		}
		if !w.live() {
			return
		}
		d, err := w.handle(context.Background())
		if err != nil && millrace.KindOf(err) != millrace.KindConflict {
			rt.Fatal(err)
		}
		w.advance(d)
	}
	rt.Fatal("the pump does not come to an end")
}

func check(rt *rapid.T, w *world) {
	var once []millrace.DeliveryID
	for _, id := range w.receiver.taken {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	want := w.queued
	if w.webhook.Ordering != millrace.OrderingStrict {
		want = slices.Sorted(slices.Values(want))
		slices.Sort(once)
	}
	equal(rt, "what was taken", want, once)
	if row := w.row(); row.SentSequence != row.NextSequence || row.Attempt != 0 || row.DeferredInRow != 0 || row.FailingSince != 0 {
		rt.Errorf("webhook: %+v", row)
	}
	for i, status := range w.statuses() {
		if status[:len("delivered")] != "delivered" {
			rt.Errorf("delivery %d is %s", i+1, status)
		}
	}
}

// mishap is what happens during one request.
type mishap struct {
	passes   time.Duration
	overtake bool // by another pump; or the process dies, which is the same to the database: what was not committed is lost
	broken   bool // no response
	queues   bool // another event
	status   int
	after    string // Retry-After
}

func mishaps() *rapid.Generator[[]mishap] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mishap {
		m := mishap{
			passes: time.Duration(rapid.SampledFrom([]int{0, 0, 10, 250, 3000}).Draw(t, "ms")) * time.Millisecond,
			status: rapid.SampledFrom([]int{200, 200, 204}).Draw(t, "ok"),
			queues: rapid.IntRange(0, 9).Draw(t, "queues") == 9,
		}
		switch rapid.IntRange(0, 15).Draw(t, "mishap") {
		case 1:
			m.overtake = true
		case 2:
			m.overtake, m.broken = true, true
		case 3:
			m.broken = true
		case 4:
			m.status = 410
		case 5, 6:
			m.status = rapid.SampledFrom([]int{301, 400, 429, 500, 503}).Draw(t, "status")
			m.after = rapid.SampledFrom([]string{"", "2", "100"}).Draw(t, "after")
		}
		return m
	}), 0, 80)
}

// misbehave returns the responses of a receiver to which the mishaps happen in turn. It checks the order of what it is
// sent, and that a crash costs no more repetitions than fit between two commits.
func misbehave(rt *rapid.T, w *world, list []mishap) func(int, millrace.DeliveryID) (int, string, error) {
	taken, tried := map[millrace.DeliveryID]bool{}, map[millrace.DeliveryID]bool{}
	strict := w.webhook.Ordering == millrace.OrderingStrict
	var mu sync.Mutex // several may be tried at a time
	return func(n int, id millrace.DeliveryID) (int, string, error) {
		mu.Lock()
		defer mu.Unlock()
		missing := int64(0)
		for _, before := range w.queued[:slices.Index(w.queued, id)] {
			if strict && !taken[before] || !tried[before] {
				missing++
			}
		}
		if missing >= w.webhook.Concurrency {
			rt.Errorf("%s is tried before %d of those before it", id, missing)
		}
		tried[id] = true
		if taken[id] {
			w.receiver.repeated++
		}
		if n := w.receiver.repeated; n > commitSize {
			rt.Errorf("one pump repeats %d deliveries", n)
		}
		m := mishap{status: 200}
		if n <= len(list) {
			m = list[n-1]
		}
		w.advance(m.passes)
		if m.queues {
			w.queue(1)
		}
		if m.overtake {
			w.overtake()
		}
		if m.broken {
			return 0, "", errors.New("broken")
		}
		taken[id] = taken[id] || m.status < 300
		return m.status, m.after, nil
	}
}
