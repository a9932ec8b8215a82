package deliver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// attic is a webhook with deliveries that it did not get.
type attic struct {
	t    *testing.T
	db   *store.DB
	env  millrace.EnvironmentID
	hook *millrace.Webhook
	all  []millrace.DeliveryID // in the order in which they were queued
}

func newAttic(t *testing.T, db *store.DB, n int, of func(i int, d *millrace.Delivery)) *attic {
	t.Helper()
	db.SetQueue(storetest.NoQueue{})
	a := &attic{t: t, db: db, env: millrace.NewID[millrace.EnvironmentID]()}
	a.hook = &millrace.Webhook{ID: millrace.NewID[millrace.WebhookID](), EnvironmentID: a.env, TargetURL: "https://a.test/in", IsActive: true}
	a.update(func(tx *store.Tx) error { return tx.Webhooks().Create(t.Context(), a.hook) })
	for chunk := range slices.Chunk(slices.Collect(func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}), 500) {
		a.update(func(tx *store.Tx) error { return a.add(tx, chunk, of) })
	}
	return a
}

func (a *attic) add(tx *store.Tx, chunk []int, of func(i int, d *millrace.Delivery)) error {
	ctx := a.t.Context()
	for _, i := range chunk {
		e := &millrace.Event{EnvironmentID: a.env, Name: "custom:a", Payload: json.RawMessage(`{}`)}
		if _, err := tx.Events().Create(ctx, e); err != nil {
			return err
		}
		if err := tx.Deliveries().Queue(ctx, a.hook, e); err != nil {
			return err
		}
		d, err := tx.Deliveries().Get(ctx, a.env, millrace.EventDeliveryID(e, a.hook))
		if err != nil {
			return err
		}
		d.Status, d.Failures = millrace.DeliveryFailed, 20
		if of != nil {
			of(i, d)
		}
		if err := tx.Deliveries().Update(ctx, d); err != nil {
			return err
		}
		a.all = append(a.all, d.ID)
	}
	return a.drain(tx)
}

// drain finishes the backlog, as its pump would.
func (a *attic) drain(tx *store.Tx) error {
	w, err := tx.Webhooks().Claim(a.t.Context(), a.env, a.hook.ID)
	if err != nil {
		return err
	}
	w.SentSequence = w.NextSequence
	_, err = tx.Webhooks().SaveProgress(a.t.Context(), w)
	return err
}

func (a *attic) update(fn func(tx *store.Tx) error) {
	a.t.Helper()
	if err := a.db.Update(a.t.Context(), fn); err != nil {
		a.t.Fatal(err)
	}
}

func (a *attic) start(f store.RedeliveryFilter, through int64) (*store.Redelivery, error) {
	a.t.Helper()
	filter, err := json.Marshal(f)
	if err != nil {
		a.t.Fatal(err)
	}
	return store.Compute(a.t.Context(), a.db, func(tx *store.Tx) (*store.Redelivery, error) {
		return store.RedeliveriesOf(tx).Start(a.t.Context(), &store.Redelivery{EnvironmentID: a.env, WebhookID: a.hook.ID, Filter: filter, Through: through})
	})
}

func (a *attic) preview(f store.RedeliveryFilter) store.RedeliveryPreview {
	a.t.Helper()
	var p store.RedeliveryPreview
	filter, err := json.Marshal(f)
	if err == nil {
		err = a.db.View(a.t.Context(), func(tx *store.Tx) error {
			p, err = store.RedeliveriesOf(tx).Preview(a.t.Context(), &store.Redelivery{EnvironmentID: a.env, WebhookID: a.hook.ID, Filter: filter})
			return err
		})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// work lets the redeliverer work until it is done.
func (a *attic) work(id store.RedeliveryID) *store.Redelivery {
	a.t.Helper()
	r := NewRedeliverer(a.db, time.Now)
	for range 1000 {
		err := r.Handle(a.t.Context(), millrace.Task{Key: millrace.TaskKey(a.env, id)})
		if err == nil {
			return a.row(id)
		}
		retry, ok := errors.AsType[*millrace.RetryError](err)
		if !ok {
			a.t.Fatal(err)
		}
		if retry.After > 0 {
			a.update(a.drain)
		}
	}
	a.t.Fatal("it does not end")
	return nil
}

func (a *attic) row(id store.RedeliveryID) *store.Redelivery {
	a.t.Helper()
	var v *store.Redelivery
	err := a.db.View(a.t.Context(), func(tx *store.Tx) error {
		var err error
		v, err = store.RedeliveriesOf(tx).Get(a.t.Context(), a.env, id)
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return v
}

// backlog returns what waits for the webhook, in its order.
func (a *attic) backlog() []millrace.DeliveryID {
	a.t.Helper()
	var out []millrace.DeliveryID
	err := a.db.View(a.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Deliveries().Backlog(a.t.Context(), a.hook, 100_000)
		for i := range rows {
			out = append(out, rows[i].ID)
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

func TestRedeliveryTakesWhatItsFilterSays(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		account := millrace.NewID[millrace.IntegratedAccountID]()
		at := millrace.TimeOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		a := newAttic(t, db, 60, func(i int, d *millrace.Delivery) {
			d.CreatedAt = at.Add(time.Duration(i) * time.Minute)
			switch i % 6 {
			case 1:
				d.Status = millrace.DeliveryCancelled
			case 2:
				d.Status = millrace.DeliveryDelivered
			case 3:
				d.Event = "custom:b"
			case 4:
				d.IntegratedAccountID = account
			case 5:
				d.EventID = millrace.NewID[millrace.EventID]() // its event was removed
			}
		})
		noon, later := at.Add(10*time.Minute), at.Add(20*time.Minute)
		for name, c := range map[string]struct {
			filter store.RedeliveryFilter
			takes  func(i int) bool
		}{
			"failed":          {store.RedeliveryFilter{}, func(i int) bool { return i%6 == 0 || i%6 == 3 || i%6 == 4 }},
			"cancelled":       {store.RedeliveryFilter{Status: []millrace.DeliveryStatus{millrace.DeliveryCancelled}}, func(i int) bool { return i%6 == 1 }},
			"both":            {store.RedeliveryFilter{Status: []millrace.DeliveryStatus{millrace.DeliveryCancelled, millrace.DeliveryFailed}}, func(i int) bool { return i%6 != 2 && i%6 != 5 }},
			"an event":        {store.RedeliveryFilter{Event: []string{"custom:b", "custom:c"}}, func(i int) bool { return i%6 == 3 }},
			"an account":      {store.RedeliveryFilter{IntegratedAccountID: account}, func(i int) bool { return i%6 == 4 }},
			"a span of time":  {store.RedeliveryFilter{CreatedAt: &store.TimeRange{Gte: &noon, Lt: &later}}, func(i int) bool { return i >= 10 && i < 20 && (i%6 == 0 || i%6 == 3 || i%6 == 4) }},
			"its other bound": {store.RedeliveryFilter{CreatedAt: &store.TimeRange{Gt: &noon, Lte: &later}}, func(i int) bool { return i > 10 && i <= 20 && (i%6 == 0 || i%6 == 3 || i%6 == 4) }},
		} {
			var want []millrace.DeliveryID
			first, last := -1, -1
			for i, id := range a.all {
				if c.takes(i) {
					if want = append(want, id); first < 0 {
						first = i
					}
					last = i
				}
			}
			p := a.preview(c.filter)
			if p.Deliveries != int64(len(want)) || p.More || p.Oldest != at.Add(time.Duration(first)*time.Minute) || p.Newest != at.Add(time.Duration(last)*time.Minute) || p.TargetURL != a.hook.TargetURL {
				t.Errorf("%s: the preview is %+v, want %d", name, p, len(want))
			}
			if name != "both" {
				continue
			}
			v, err := a.start(c.filter, p.Through)
			if err != nil {
				t.Fatal(err)
			}
			if v = a.work(v.ID); v.Status != "completed" || v.Redelivered != int64(len(want)) || v.FinishedAt == 0 {
				t.Errorf("%s: it has become %+v", name, v)
			}
			if got := a.backlog(); !slices.Equal(got, want) {
				t.Errorf("%s: the backlog is %v, want %v", name, got, want)
			}
			a.update(func(tx *store.Tx) error { // again as it was, for the next
				for i, id := range a.all {
					if !c.takes(i) {
						continue
					}
					d, err := tx.Deliveries().Get(t.Context(), a.env, id)
					if err != nil {
						return err
					}
					d.Status = millrace.DeliveryFailed
					if i%6 == 1 {
						d.Status = millrace.DeliveryCancelled
					}
					if err := tx.Deliveries().Update(t.Context(), d); err != nil {
						return err
					}
				}
				return a.drain(tx)
			})
		}
	})
}

// Two people press at once, one of them twice, and later once more: each delivery is queued once.
func TestRedeliveryTakesNothingTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const n = 1100
		a := newAttic(t, db, n, nil)
		p := a.preview(store.RedeliveryFilter{})
		first, err := a.start(store.RedeliveryFilter{}, p.Through)
		if err != nil {
			t.Fatal(err)
		}
		again, err := a.start(store.RedeliveryFilter{}, p.Through)
		if err != nil || again.ID != first.ID {
			t.Fatalf("the same page makes %+v: %v", again, err)
		}
		if _, err := a.start(store.RedeliveryFilter{Event: []string{"custom:a"}}, p.Through); millrace.KindOf(err) != millrace.KindConflict {
			t.Fatalf("another one at the same time: %v", err)
		}
		lost := errors.New("the process is gone")
		for i := range 3 { // the last words of a process do not count
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				if _, err := store.RedeliveriesOf(tx).Step(t.Context(), a.env, first.ID, 200, 5000); err != nil {
					return err
				}
				return lost
			})
			if !errors.Is(err, lost) || a.row(first.ID).Redelivered != int64(i)*200 {
				t.Fatalf("%v, %+v", err, a.row(first.ID))
			}
			a.update(func(tx *store.Tx) error {
				_, err := store.RedeliveriesOf(tx).Step(t.Context(), a.env, first.ID, 200, 5000)
				return err
			})
		}
		if v := a.work(first.ID); v.Redelivered != n || v.Status != "completed" {
			t.Errorf("it has become %+v", v)
		}
		if got := a.backlog(); !slices.Equal(got, a.all) {
			t.Errorf("the backlog has %d, not all %d in their order", len(got), n)
		}
		a.update(func(tx *store.Tx) error { // the receiver fails again
			for _, id := range a.all {
				d, err := tx.Deliveries().Get(t.Context(), a.env, id)
				if err != nil {
					return err
				}
				d.Status = millrace.DeliveryFailed
				if err := tx.Deliveries().Update(t.Context(), d); err != nil {
					return err
				}
			}
			return a.drain(tx)
		})
		late, err := a.start(store.RedeliveryFilter{}, p.Through)
		if err != nil {
			t.Fatal(err)
		}
		if v := a.work(late.ID); v.Redelivered != 0 || v.Status != "completed" {
			t.Errorf("a page from before the first redelivery makes %+v", v)
		}
		if v, err := a.start(store.RedeliveryFilter{}, a.preview(store.RedeliveryFilter{}).Through); err != nil || a.work(v.ID).Redelivered != n {
			t.Errorf("a page from now does not take them: %v", err)
		}
	})
}

// A redelivery waits while much waits for the webhook, and ends when it is stopped or the webhook is gone.
func TestRedeliveryWaitsAndEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := newAttic(t, db, 100, nil)
		v, err := a.start(store.RedeliveryFilter{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		step := func() string {
			got, err := store.Compute(t.Context(), db, func(tx *store.Tx) (store.RedeliveryStep, error) {
				return store.RedeliveriesOf(tx).Step(t.Context(), a.env, v.ID, 10, 30)
			})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%v %v %v %d", got.Running, got.Waits, got.Stalled, a.row(v.ID).Redelivered)
		}
		for i, want := range []string{"true false false 10", "true false false 20", "true false false 30", "true true false 30", "true true false 30"} {
			if got := step(); got != want {
				t.Errorf("step %d: %s, want %s", i, got, want)
			}
		}
		a.hook.IsActive = false
		a.update(func(tx *store.Tx) error { return tx.Webhooks().Update(t.Context(), a.hook) })
		if got := step(); got != "true true true 30" {
			t.Errorf("of an inactive webhook: %s", got)
		}
		a.update(a.drain)
		if got := step(); got != "true false false 40" {
			t.Errorf("with room again: %s", got)
		}
		for range 2 {
			stopped, err := store.Compute(t.Context(), db, func(tx *store.Tx) (*store.Redelivery, error) {
				return store.RedeliveriesOf(tx).Stop(t.Context(), a.env, v.ID)
			})
			if err != nil || stopped.Status != "stopped" || stopped.Redelivered != 40 {
				t.Fatalf("%+v: %v", stopped, err)
			}
		}
		if got := step(); got != "false false false 40" {
			t.Errorf("after the stop: %s", got)
		}
		if v, err = a.start(store.RedeliveryFilter{}, 0); err != nil {
			t.Fatal(err)
		}
		a.update(func(tx *store.Tx) error { return tx.Webhooks().Delete(t.Context(), a.env, a.hook.ID) })
		if got := step(); got != "false false false 0" || a.row(v.ID).Status != "stopped" {
			t.Errorf("of a deleted webhook: %s %+v", got, a.row(v.ID))
		}
	})
}
