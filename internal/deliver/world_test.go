package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const testEnv millrace.EnvironmentID = "00000000-0000-4000-8000-0000000000e1"

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// world is a store with one webhook, a queue that holds its task, a receiver and a clock that only tests move.
type world struct {
	t        tb
	db       *store.DB
	pump     *Pump
	webhook  *millrace.Webhook
	receiver *script
	queued   []millrace.DeliveryID // in the order of their sequence

	mu  sync.Mutex
	now time.Time
}

func newWorld(t tb, db *store.DB, config PumpConfig) *world {
	t.Helper()
	w := &world{t: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.receiver = &script{world: w, bodies: map[millrace.DeliveryID][]byte{}}
	sender, err := New(Config{
		Client: &http.Client{Transport: w.receiver}, Clock: w.clock, Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	config.DB, config.Sender = db, sender
	if w.pump, err = NewPump(config); err != nil {
		t.Fatal(err)
	}
	db.SetQueue(w)
	w.webhook = &millrace.Webhook{
		ID: millrace.NewID[millrace.WebhookID](), EnvironmentID: testEnv, TargetURL: "https://a.test/in", IsActive: true, Secret: uuidSecret,
		Ordering: millrace.OrderingStrict, Concurrency: 1,
	}
	w.update(func(tx *store.Tx) error { return tx.Webhooks().Create(context.Background(), w.webhook) })
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// The task is a row of the same database, so that it appears and disappears with the transactions that say so. Any
// table will do.
func (w *world) taskID() millrace.SyncJobID { return millrace.SyncJobID(w.webhook.ID) }

// Enqueue implements store.Queue: at most one live task. When it is due stands in the label.
func (w *world) Enqueue(ctx context.Context, tx *store.Tx, tasks []millrace.Task) error {
	if len(tasks) != 1 || tasks[0].Kind != millrace.TaskPump {
		return fmt.Errorf("unexpected tasks %+v", tasks)
	}
	if tasks[0].Key != millrace.TaskKey(testEnv, w.webhook.ID) {
		return nil // of a webhook of a world before, which hears of this one
	}
	row, err := tx.SyncJobs().Get(ctx, testEnv, w.taskID())
	switch {
	case millrace.KindOf(err) == millrace.KindNotFound:
		row = &millrace.SyncJob{ID: w.taskID(), EnvironmentID: testEnv}
		if at := tasks[0].At; !at.IsZero() {
			row.Label = at.Format(time.RFC3339Nano)
		}
		return tx.SyncJobs().Create(ctx, row)
	case err != nil || !tasks[0].Wake:
		return err
	}
	row.Label = ""
	return tx.SyncJobs().Update(ctx, row)
}

// Finish implements store.Queue.
func (w *world) Finish(ctx context.Context, tx *store.Tx) error {
	return tx.SyncJobs().Delete(ctx, testEnv, w.taskID())
}

// due returns how long the task of the next pump waits.
func (w *world) due() time.Duration {
	w.t.Helper()
	var wait time.Duration
	w.update(func(tx *store.Tx) error {
		row, err := tx.SyncJobs().Get(context.Background(), testEnv, w.taskID())
		if err != nil || row.Label == "" {
			return err
		}
		at, err := time.Parse(time.RFC3339Nano, row.Label)
		wait = max(at.Sub(w.clock()), 0)
		return err
	})
	return wait
}

// live reports whether the pump will be called.
func (w *world) live() bool {
	w.t.Helper()
	live := false
	w.update(func(tx *store.Tx) error {
		_, err := tx.SyncJobs().Get(context.Background(), testEnv, w.taskID())
		live = err == nil
		if millrace.KindOf(err) == millrace.KindNotFound {
			return nil
		}
		return err
	})
	return live
}

func (w *world) update(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// queue appends n events to the backlog, in one transaction.
func (w *world) queue(n int) {
	w.t.Helper()
	var queued []millrace.DeliveryID
	w.update(func(tx *store.Tx) error {
		queued = nil
		for i := range n {
			id := millrace.DeriveID[millrace.EventID](string(w.webhook.ID), strconv.Itoa(len(w.queued)+i+1))
			e := &millrace.Event{
				ID: id, EnvironmentID: testEnv, Name: "record:created", Payload: []byte(`{"id":"` + string(id) + `"}`),
				CreatedAt: millrace.TimeOf(w.clock()),
			}
			if _, err := tx.Events().Create(context.Background(), e); err != nil {
				return err
			}
			if err := tx.Deliveries().Queue(context.Background(), w.webhook, e); err != nil {
				return err
			}
			queued = append(queued, millrace.EventDeliveryID(e, w.webhook))
		}
		return nil
	})
	w.queued = append(w.queued, queued...)
}

// handle runs the pump's task once and returns the wait that it asks for, or an error.
func (w *world) handle(ctx context.Context) (time.Duration, error) {
	w.receiver.repeated = 0
	err := w.pump.Handle(ctx, millrace.Task{Kind: millrace.TaskPump, Key: millrace.TaskKey(testEnv, w.webhook.ID)})
	var retry *millrace.RetryError
	if errors.As(err, &retry) && retry.Err == nil {
		return retry.After, nil
	}
	if err == nil && w.live() {
		return w.due(), nil
	}
	return 0, err
}

// pumpOnce is handle for tests that expect no error.
func (w *world) pumpOnce() time.Duration {
	w.t.Helper()
	d, err := w.handle(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) row() *millrace.Webhook {
	w.t.Helper()
	var row *millrace.Webhook
	w.update(func(tx *store.Tx) error {
		var err error
		row, err = tx.Webhooks().Get(context.Background(), testEnv, w.webhook.ID)
		return err
	})
	return row
}

// change is what the API does when a client changes the webhook.
func (w *world) change(fn func(*millrace.Webhook)) {
	w.t.Helper()
	fn(w.webhook)
	w.update(func(tx *store.Tx) error { return tx.Webhooks().Update(context.Background(), w.webhook) })
}

// activate is what the API does when a webhook is set active.
func (w *world) activate() {
	w.t.Helper()
	w.webhook.IsActive = true
	w.update(func(tx *store.Tx) error {
		if err := tx.Webhooks().Update(context.Background(), w.webhook); err != nil {
			return err
		}
		return tx.Webhooks().Wake(context.Background(), testEnv, w.webhook.ID)
	})
}

func (w *world) enqueue() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		return tx.Enqueue(context.Background(), millrace.Task{Kind: millrace.TaskPump, Key: millrace.TaskKey(testEnv, w.webhook.ID)})
	})
}

// overtake does what a second process does that has been given the task of the first.
func (w *world) overtake() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		_, err := tx.Webhooks().Claim(context.Background(), testEnv, w.webhook.ID)
		return err
	})
}

// cancel takes a delivery off the backlog, as clients may.
func (w *world) cancel(i int) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		d, err := tx.Deliveries().Get(context.Background(), testEnv, w.queued[i])
		if err != nil {
			return err
		}
		d.Status = millrace.DeliveryCancelled
		return tx.Deliveries().Update(context.Background(), d)
	})
}

// statuses returns status and attempts of every delivery that was queued.
func (w *world) statuses() []string {
	w.t.Helper()
	var out []string
	w.update(func(tx *store.Tx) error {
		out = nil
		for _, id := range w.queued {
			d, err := tx.Deliveries().Get(context.Background(), testEnv, id)
			if err != nil {
				return err
			}
			attempts, err := tx.Deliveries().Attempts(context.Background(), testEnv, id)
			if err != nil {
				return err
			}
			if int64(len(attempts)) != d.Attempts {
				w.t.Errorf("delivery %d says %d attempts and has %d", d.Sequence, d.Attempts, len(attempts))
			}
			out = append(out, fmt.Sprintf("%s %d", d.Status, d.Attempts))
		}
		return nil
	})
	return out
}

// script is a receiver that responds as told, with 200 by default. It keeps what it saw.
type script struct {
	world   *world
	respond func(n int, id millrace.DeliveryID) (status int, header string, err error) // n from 1

	mu     sync.Mutex
	seen   []millrace.DeliveryID
	taken  []millrace.DeliveryID // with a 2xx
	bodies map[millrace.DeliveryID][]byte
	hosts  string // first letters

	repeated int // what the pump at work was sent although it was taken before
}

// RoundTrip implements http.RoundTripper.
func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	id := millrace.DeliveryID(r.Header.Get("Webhook-Id"))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.seen = append(s.seen, id)
	n := len(s.seen)
	if first, ok := s.bodies[id]; ok && !bytes.Equal(first, body) {
		s.world.t.Errorf("delivery %s was sent with two bodies:\n%s\n%s", id, first, body)
	}
	s.bodies[id] = body
	s.mu.Unlock()
	status, after := 200, ""
	if s.respond != nil {
		if status, after, err = s.respond(n, id); err != nil {
			if errors.Is(err, context.Canceled) {
				<-r.Context().Done() // which ends a moment after the context that a test cancels
			}
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if status < 300 {
		s.taken = append(s.taken, id)
		s.hosts += r.URL.Host[:1]
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Retry-After": {after}}, Body: http.NoBody, Request: r,
	}, nil
}

func always(status int) func(int, millrace.DeliveryID) (int, string, error) {
	return func(int, millrace.DeliveryID) (int, string, error) { return status, "", nil }
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func equal[T any](t tb, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
