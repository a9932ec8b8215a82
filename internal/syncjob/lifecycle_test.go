package syncjob

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/jsonata"
)

// retryIn checks that a slice asks to come again, and returns when.
func retryIn(t *testing.T, err error) time.Duration {
	t.Helper()
	var retry *millrace.RetryError
	if !errors.As(err, &retry) || retry.Err != nil {
		t.Fatalf("got %v, want to come again", err)
	}
	return retry.After
}

// A webhook that hangs once takes the time that a task has, but not the run's quick retries.
func TestRunWithoutTimeForQuickRetriesComesBackForThem(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: plainGraph})
		w.api.respond = pages(`[{"id":1}]`, `[{"id":2}]`)
		failures := 0
		w.sink.respond = func(r received) (deliver.Result, error) {
			if r.Event != millrace.EventRunRecord || failures == 3 {
				return delivered(), nil
			}
			failures++
			res := rejected(0)
			res.QuickRetry = time.Duration(failures) * time.Second
			return res, nil
		}
		for i := 1; i <= 3; i++ {
			if got, want := retryIn(t, w.slice()), time.Duration(i)*time.Second; got != want {
				t.Errorf("try %d: got a pause of %s, want %s", i, got, want)
			}
			row := w.row()
			if row.Status != millrace.RunRunning || row.ParkedSince != 0 || row.RetryAt != 0 {
				t.Errorf("try %d: got status %s, parked since %s, retry at %s", i, row.Status, row.ParkedSince, row.RetryAt)
			}
			w.now = w.now.Add(5 * time.Second)
		}
		w.finish()
		want := []string{"started", "record tickets 1", "record tickets 2", "completed"}
		if diff := cmp.Diff(want, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		if got := w.sink.all[4].Attempts; got != 3 {
			t.Errorf("%d attempts are known of at the last one, want 3", got)
		}
	})
}

func TestParkedRunKeepsItsPageAndResumesInOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: plainGraph})
		w.api.respond = pages(`[{"id":1}]`, `[{"id":2}]`)
		down := true
		w.sink.respond = func(r received) (deliver.Result, error) {
			if down && r.Event == millrace.EventRunRecord {
				return rejected(503), nil
			}
			return delivered(), nil
		}
		for i, want := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute} {
			if got := retryIn(t, w.slice()); got != want {
				t.Errorf("try %d: got a pause of %s, want %s", i+1, got, want)
			}
			row := w.row()
			if row.Status != millrace.RunRunning || row.ParkedSince != millrace.TimeOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) {
				t.Errorf("try %d: got status %s, parked since %s", i+1, row.Status, row.ParkedSince)
			}
			w.now = w.now.Add(want / 2)
			if got := retryIn(t, w.slice()); got != want-want/2 {
				t.Errorf("woken early: got a pause of %s, want %s", got, want-want/2)
			}
			w.now = w.now.Add(want)
		}
		if len(w.api.calls) != 1 {
			t.Errorf("a parked run fetched %d pages, want 1", len(w.api.calls))
		}
		down = false
		w.finish()
		want := []string{"started", "record tickets 1", "record tickets 2", "completed"}
		if diff := cmp.Diff(want, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		record := w.sink.all[1]
		for _, again := range w.sink.all[2:5] {
			if again.DeliveryID != record.DeliveryID || !bytes.Equal(again.Body, record.Body) {
				t.Error("a repeated delivery differs from its first try")
			}
		}
		row := w.row()
		if row.ParkedSince != 0 || row.RetryAt != 0 {
			t.Errorf("after the end: parked since %s, retry at %s", row.ParkedSince, row.RetryAt)
		}
		w.update(func(ctx context.Context, tx *store.Tx) error {
			attempts, err := tx.Deliveries().Attempts(ctx, env, record.DeliveryID)
			if err != nil {
				return err
			}
			d, err := tx.Deliveries().Get(ctx, env, record.DeliveryID)
			if err != nil {
				return err
			}
			if len(attempts) != 4 || attempts[3].Number != 4 || d.Attempts != 4 || d.Status != millrace.DeliveryDelivered {
				t.Errorf("got attempts %+v of %+v, want four, delivered", attempts, d)
			}
			frozen, err := tx.Deliveries().Frozen(ctx, env, w.run.ID)
			if len(frozen) != 0 {
				t.Errorf("got %d frozen deliveries after the end", len(frozen))
			}
			return err
		})
	})
}

func TestRateLimitedRunWaitsAndResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph})
	limits := 3
	w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
		if len(req.Cursor) > 0 && limits > 0 {
			limits--
			return fetch.Outcome{Kind: fetch.KindRateLimited, Status: 429, RetryAfter: 90 * time.Second}, nil
		}
		return pages(`[{"id":1}]`, `[{"id":2}]`)(req)
	}
	for range 3 {
		if got := retryIn(t, w.slice()); got != 90*time.Second {
			t.Errorf("got a pause of %s, want 90 s", got)
		}
		if row := w.row(); row.Status != millrace.RunRateLimited || row.RetryAt != millrace.TimeOf(w.now.Add(90*time.Second)) {
			t.Errorf("got status %s, retry at %s", row.Status, row.RetryAt)
		}
		w.now = w.now.Add(90 * time.Second)
	}
	w.finish()
	want := []string{"started", "record tickets 1", "rate_limited", "record tickets 2", "completed"}
	if diff := cmp.Diff(want, w.script()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	var payload struct {
		Status     millrace.RunStatus
		RetryAfter int64 `json:"retry_after"`
	}
	if err := json.Unmarshal(w.sink.accepted[2].envelope.Payload, &payload); err != nil || payload.RetryAfter != 90 || payload.Status != millrace.RunRateLimited {
		t.Errorf("got payload %+v, %v; want rate_limited with 90 s", payload, err)
	}
	if diff := cmp.Diff([]string{"started", "rate_limited", "completed"}, w.told()); diff != "" {
		t.Errorf("told to others (-want +got):\n%s", diff)
	}
}

// recorder notes the status of a run after each transaction.
type recorder struct {
	database
	status func() millrace.RunStatus
	seen   []millrace.RunStatus
}

func (r *recorder) Update(ctx context.Context, fn func(*store.Tx) error) error {
	err := r.database.Update(ctx, fn)
	if s := r.status(); s != r.seen[len(r.seen)-1] {
		r.seen = append(r.seen, s)
	}
	return err
}

// TestRunIsRunningBeforeItWaits shows that no run is stored as one that waits, or has ended, before it is stored as one that runs:
// the table of transitions has no such step.
func TestRunIsRunningBeforeItWaits(t *testing.T) {
	t.Parallel()
	limited := func() func(FetchRequest) (fetch.Outcome, error) {
		first := true
		return func(req FetchRequest) (fetch.Outcome, error) {
			if first {
				first = false
				return fetch.Outcome{Kind: fetch.KindRateLimited, Status: 429, RetryAfter: time.Second}, nil
			}
			return pages(`[{"id":1}]`)(req)
		}
	}
	for _, c := range []struct {
		name    string
		webhook bool
		graph   string
		want    []millrace.RunStatus
	}{
		{"with a webhook", true, plainGraph, []millrace.RunStatus{"created", "running", "rate_limited", "running", "completed"}},
		{"without", false, `[{"name":"tickets","type":"request","resource":"tickets","method":"list"}]`, []millrace.RunStatus{"created", "running", "rate_limited", "running", "completed"}},
		{"without a plan", false, `[{"name":"a","type":"request"}]`, []millrace.RunStatus{"created", "running", "failed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db, plot{resources: c.graph, edit: func(run *millrace.SyncJobRun) {
					if !c.webhook {
						run.WebhookID = ""
					}
				}})
				w.api.respond = limited()
				r := &recorder{database: db, status: func() millrace.RunStatus { return w.row().Status }, seen: []millrace.RunStatus{millrace.RunCreated}}
				w.runner.db = r
				w.finish()
				if diff := cmp.Diff(c.want, r.seen); diff != "" {
					t.Errorf("states (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTemporaryFailuresAreRepeatedThenHandled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph})
	w.api.respond = func(FetchRequest) (fetch.Outcome, error) {
		return fetch.Outcome{Kind: fetch.KindRemoteError, Status: 502, Message: "bad gateway", RequestLine: "GET https://x.test/tickets"}, nil
	}
	var pauses []time.Duration
	for {
		err := w.slice()
		if err == nil {
			break
		}
		pauses = append(pauses, retryIn(t, err))
		w.now = w.now.Add(pauses[len(pauses)-1])
	}
	if diff := cmp.Diff([]time.Duration{time.Second, 5 * time.Second, 20 * time.Second, time.Minute}, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"started", "record_error http_502", "failed"}, w.script()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	want := `{"resource":"tickets","method":"list","error":{"code":"http_502","message":"bad gateway","node":"tickets","resource":"tickets",` +
		`"request":"GET https://x.test/tickets","method":"list","status":502},"sync_job_run_id":"` + string(w.run.ID) + `","sync_job_id":"` +
		string(w.job.ID) + `","integrated_account_id":"` + string(w.account.ID) + `","args":null}`
	if got := string(w.sink.accepted[1].envelope.Payload); got != want {
		t.Errorf("record_error\n got %s\nwant %s", got, want)
	}
}

func TestFailFastSaysWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{errors: millrace.ErrorFailFast, resources: `[
	  {"name":"tickets","type":"request","resource":"tickets","method":"list"},
	  {"name":"broken","type":"transform","depends_on":"tickets","config":{"expression":"(\n  $x := 1;\n  $x + resources.tickets.id\n)"}}]`})
	w.api.respond = pages(`[{"id":"x"}]`)
	w.finish()
	var got millrace.RunError
	if err := json.Unmarshal(w.row().Error, &got); err != nil {
		t.Fatal(err)
	}
	if got.Code != "T2002" || got.Node != "broken" || got.Resource != "tickets" || got.Position == nil || got.Position.Line != 3 ||
		got.Position.Path != "resources[1].config.expression" {
		t.Errorf("got %+v at %+v", got, got.Position)
	}
	if diff := cmp.Diff([]string{"started", "failed"}, w.told()); diff != "" {
		t.Errorf("told to others (-want +got):\n%s", diff)
	}
}

func TestRejectedStartStopsTheRun(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: plainGraph})
		w.sink.respond = func(r received) (deliver.Result, error) {
			if r.Event == millrace.EventRunStarted {
				return deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Cancel}, Attempts: []millrace.Attempt{{StatusCode: 400}}}, nil
			}
			return delivered(), nil
		}
		w.finish()
		if row := w.row(); row.Status != millrace.RunStopped || row.FinishedAt == 0 {
			t.Errorf("got status %s, finished at %s", row.Status, row.FinishedAt)
		}
		if len(w.api.calls) != 0 {
			t.Error("something was fetched")
		}
		w.update(func(ctx context.Context, tx *store.Tx) error {
			d, err := tx.Deliveries().Get(ctx, env, millrace.RunDeliveryID(env, w.run.ID, 1))
			if err == nil && (d.Status != millrace.DeliveryCancelled || d.Attempts != 1) {
				t.Errorf("got delivery %+v", d)
			}
			return err
		})
		if diff := cmp.Diff([]string{"started", "updated"}, w.told()); diff != "" {
			t.Errorf("told to others (-want +got):\n%s", diff)
		}
	})
}

func TestStoppedRunIsLeftAlone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: plainGraph})
		stop := func() {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				run, err := tx.SyncJobRuns().Lock(ctx, env, w.run.ID)
				if err != nil {
					return err
				}
				run.Status, run.FinishedAt = millrace.RunStopped, tx.Now()
				return tx.SyncJobRuns().Update(ctx, run)
			})
		}
		w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
			if len(req.Cursor) > 0 {
				stop()
			}
			return pages(`[{"id":1}]`, `[{"id":2}]`, `[{"id":3}]`)(req)
		}
		if err := w.slice(); err != nil {
			t.Fatalf("got %v, want a quiet end", err)
		}
		if diff := cmp.Diff([]string{"started", "record tickets 1"}, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		if err := w.slice(); err != nil || w.row().Status != millrace.RunStopped {
			t.Errorf("a slice after the stop: %v, status %s", err, w.row().Status)
		}
	})
}

// TestStopEndsASlowRequest shows that a stop does not wait for a provider that takes its time.
func TestStopEndsASlowRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph, config: func(c *Config) { c.StopPoll = time.Millisecond }})
	w.runner.cfg.Fetcher = fetcherFunc(func(ctx context.Context, _ FetchRequest) (fetch.Outcome, error) {
		w.update(func(ctx context.Context, tx *store.Tx) error {
			run, err := tx.SyncJobRuns().Lock(ctx, env, w.run.ID)
			if err != nil {
				return err
			}
			run.Status = millrace.RunStopped
			return tx.SyncJobRuns().Update(ctx, run)
		})
		<-ctx.Done()
		return fetch.Outcome{}, ctx.Err()
	})
	if err := w.slice(); err != nil {
		t.Errorf("got %v, want a quiet end", err)
	}
}

type fetcherFunc func(context.Context, FetchRequest) (fetch.Outcome, error)

// Fetch implements Fetcher.
func (f fetcherFunc) Fetch(ctx context.Context, req FetchRequest) (fetch.Outcome, error) {
	return f(ctx, req)
}

func TestFencedSliceWritesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: plainGraph, config: func(c *Config) { c.Soon = -1 }})
		w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
			w.api.respond = pages(`[{"id":1}]`)
			w.update(func(ctx context.Context, tx *store.Tx) error { // another process takes over
				_, err := tx.SyncJobRuns().Claim(ctx, env, w.run.ID)
				return err
			})
			return pages(`[{"id":1}]`)(req)
		}
		if err := w.slice(); err != nil {
			t.Fatalf("got %v, want a quiet end", err)
		}
		if row := w.row(); row.Status != millrace.RunRunning || row.Sequence != 1 {
			t.Errorf("the fenced slice wrote: status %s, sequence %d", row.Status, row.Sequence)
		}
		w.finish()
		if diff := cmp.Diff([]string{"started", "record tickets 1", "completed"}, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func TestSliceYieldsByTimeAndOnShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph})
	ctx, shutdown := context.WithCancel(t.Context())
	w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
		w.now = w.now.Add(3 * time.Second)
		return pages(`[{"id":1}]`, `[{"id":2}]`, `[{"id":3}]`, `[{"id":4}]`, `[{"id":5}]`)(req)
	}
	w.sink.respond = func(r received) (deliver.Result, error) {
		if len(w.api.calls) == 4 {
			shutdown() // while the endpoint responds: its 200 counts
		}
		return delivered(), nil
	}
	if got := retryIn(t, w.slice()); got != 0 || len(w.api.calls) != 3 {
		t.Errorf("first slice: comes again in %s after %d pages, want at once after 3", got, len(w.api.calls))
	}
	got := retryIn(t, w.runner.Slice(ctx, millrace.Task{Key: millrace.TaskKey(env, w.run.ID)}))
	if got != 0 || w.row().Sequence != 5 || len(w.sink.accepted) != 5 {
		t.Errorf("at the shutdown: comes again in %s, sequence %d, %d accepted", got, w.row().Sequence, len(w.sink.accepted))
	}
	w.finish()
	if len(w.api.calls) != 5 {
		t.Errorf("got %d requests, want 5: no page is fetched twice", len(w.api.calls))
	}
}

func TestWebhookThatIsGoneFailsTheRun(t *testing.T) {
	t.Parallel()
	second := millrace.NewID[millrace.WebhookID]()
	resources := `[{"name":"tickets","type":"request","resource":"tickets","method":"list"},
	  {"name":"a","type":"destination","destination_type":"webhook","resources_to_persist":["tickets"],"config":{"id":"` + string(second) + `"}},
	  {"name":"b","type":"destination","destination_type":"webhook","resources_to_persist":["tickets"]}]`
	for _, c := range []struct {
		name   string
		own    bool
		script []string
	}{
		{"a destination's", false, []string{"started", "record tickets 1", "failed"}},
		{"the run's own", true, []string{"started"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: resources})
			w.api.respond = pages(`[{"id":1}]`, `[{"id":2}]`)
			w.sink.respond = func(r received) (deliver.Result, error) {
				if r.Event == millrace.EventRunRecord && (r.WebhookID == second) != c.own || c.own && r.WebhookID == second {
					return deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Gone}, Attempts: []millrace.Attempt{{StatusCode: 410}}}, nil
				}
				return delivered(), nil
			}
			w.finish()
			if diff := cmp.Diff(c.script, w.script()); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
			row := w.row()
			if row.Status != millrace.RunFailed || !strings.Contains(string(row.Error), evaluate.CodeWebhookGone) {
				t.Errorf("got status %s, error %s", row.Status, row.Error)
			}
		})
	}
}

func TestPreviousRunDate(t *testing.T) {
	t.Parallel()
	p := plot{resources: plainGraph}
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), p)
	w.api.respond = pages(`[{"id":1}]`)
	w.finish()
	first := w.now
	w.now = w.now.Add(time.Hour)
	w.newRun(p)
	w.finish()
	p.edit = func(r *millrace.SyncJobRun) { r.IgnorePreviousRun = true }
	w.newRun(p)
	w.finish()
	want := []string{
		`list tickets {"limit":2}`,
		fmt.Sprintf(`list tickets {"updated_at":{"gt":%q},"limit":2}`, millrace.TimeOf(first)),
		`list tickets {"limit":2}`,
	}
	if diff := cmp.Diff(want, w.api.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	endless := func(req FetchRequest) (fetch.Outcome, error) {
		next := req.Cursor + "1"
		return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"x","more":true}]`)...), NextCursor: next}, nil
	}
	stuck := func(FetchRequest) (fetch.Outcome, error) {
		return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"x"}]`)...), NextCursor: "c"}, nil
	}
	single := func(FetchRequest) (fetch.Outcome, error) {
		return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"x","more":true}]`)...)}, nil
	}
	request := `{"name":"a","type":"request","resource":"a","method":"list"`
	for _, c := range []struct {
		name      string
		resources string
		api       func(FetchRequest) (fetch.Outcome, error)
		code      string
	}{
		{"pages", `[` + request + `}]`, endless, evaluate.CodePageLimit},
		{"a stuck cursor", `[` + request + `}]`, stuck, evaluate.CodeCursorLoop},
		{"recursion", `[` + request + `,"recurse":{"if":"{{resources.a.more:bool}}"}}]`, single, evaluate.CodeRecursion},
		{"a spool", `[` + request + `},{"name":"s","type":"spool","depends_on":"a"}]`, endless, evaluate.CodeSpoolLimit},
		{"an account that is no id", `[` + request + `,"integrated_account_id":"{{args.other}}"}]`, single, evaluate.CodeAccount},
		{"a query that is no object", `[` + request + `,"query":"1 + 1"}]`, single, evaluate.CodeExpression},
		{"an expression that never ends", `[` + request + `,"query":"($f := function(){$f()}; $f())"}]`, single, "L1001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{
				resources: c.resources, errors: millrace.ErrorFailFast,
				config: func(cfg *Config) { cfg.MaxPages, cfg.MaxRecursion, cfg.MaxSpool = 20, 5, 100 },
			})
			w.api.respond = c.api
			w.finish()
			var got millrace.RunError
			if err := json.Unmarshal(w.row().Error, &got); err != nil || got.Code != c.code {
				t.Errorf("got %+v, %v; want code %s", got, err, c.code)
			}
			if n := len(w.api.calls); n > 20 {
				t.Errorf("%d requests were made, want at most 20", n)
			}
		})
	}
}

func TestRunWithoutWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{
		resources: `[{"resource":"a","method":"list"}]`, edit: func(r *millrace.SyncJobRun) { r.WebhookID = "" },
	})
	w.api.respond = pages(`[{"id":1}]`)
	w.finish()
	if row := w.row(); row.Status != millrace.RunCompleted || len(w.sink.all) != 0 {
		t.Errorf("got status %s, %d deliveries", row.Status, len(w.sink.all))
	}
	if diff := cmp.Diff([]string{"started", "completed"}, w.told()); diff != "" {
		t.Errorf("told to others (-want +got):\n%s", diff)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph, args: `{"a":"<>"}`})
	w.api.respond = pages(`[{"id":"<é>"}]`)
	w.finish()
	for i, r := range w.sink.accepted {
		if got, want := r.envelope.ID, string(millrace.RunDeliveryID(env, w.run.ID, int64(i+1))); got != want || string(r.DeliveryID) != want {
			t.Errorf("delivery %d: got envelope id %s and delivery id %s, want %s", i+1, got, r.DeliveryID, want)
		}
		if r.envelope.EnvironmentID != env || r.envelope.WebhookID != w.webhook.ID || r.envelope.Event != r.Event ||
			r.envelope.CreatedAt != millrace.TimeOf(w.now) {
			t.Errorf("delivery %d: got envelope %+v", i+1, r.envelope)
		}
	}
	want := `{"resource":"tickets","records":[{"id":"<é>"}],"meta":{"sync_job_run_id":"` + string(w.run.ID) + `","sync_job_id":"` +
		string(w.job.ID) + `","integrated_account_id":"` + string(w.account.ID) + `","node":"slim","method":"list","sequence":2}}`
	if got := string(w.sink.accepted[1].envelope.Payload); got != want {
		t.Errorf("record\n got %s\nwant %s", got, want)
	}
	var done struct {
		millrace.SyncJobRun
		RecordsSynced int64 `json:"records_synced"`
	}
	if err := json.Unmarshal(w.sink.accepted[2].envelope.Payload, &done); err != nil {
		t.Fatal(err)
	}
	if done.Status != millrace.RunCompleted || done.RecordsSynced != 1 || string(done.Args) != `{"a":"<>"}` && string(done.Args) != `{"a":"\u003c\u003e"}` {
		t.Errorf("completed: got %+v", done)
	}
	stats := `{"tickets":{"list":{"pages":1,"fetched":1,"persisted":1,"failed":0}}}`
	if got := string(w.row().ResourceStats); got != stats || string(done.ResourceStats) != stats {
		t.Errorf("resource_stats: got %s in the row and %s in completed, want %s", got, done.ResourceStats, stats)
	}
}

func TestSeveralAccounts(t *testing.T) {
	t.Parallel()
	other := millrace.NewID[millrace.IntegratedAccountID]()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{
		resources: `[{"name":"a","type":"request","resource":"a","method":"list"},
		 {"name":"b","type":"request","resource":"b","method":"list","depends_on":"a","config":{"integrated_account_id":"{{args.other}}"}},
		 {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["a","b"]}]`,
		args: `{"other":"` + string(other) + `"}`,
	})
	w.api.respond = pages(`[{"id":1}]`)
	w.finish()
	if len(w.api.calls) != 2 || w.api.calls[0].AccountID != w.account.ID || w.api.calls[1].AccountID != other {
		t.Errorf("got requests %+v, want one for %s, then one for %s", w.api.calls, w.account.ID, other)
	}
	for i, want := range []millrace.IntegratedAccountID{w.account.ID, other} {
		var payload struct{ Meta millrace.RecordMeta }
		if err := json.Unmarshal(w.sink.accepted[1+i].envelope.Payload, &payload); err != nil || payload.Meta.IntegratedAccountID != want {
			t.Errorf("delivery %d: got account %s, %v; want %s", i+2, payload.Meta.IntegratedAccountID, err, want)
		}
	}
}

func TestScopeOfExpressions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{
		resources: `[{"name":"ask","type":"request","resource":"a-b/c-d","method":"list",
		  "query":"{\"t\": sync_job_run.started_at.toISOString(), \"tenant\": tenant_id, \"sub\": subdomain, \"key\": $exists(api_key), \"a\": args.x, \"run\": sync_job_run.id, \"prev\": $exists(previous_run_date)}"},
		 {"name":"see","type":"transform","depends_on":"ask","config":{"expression":"resources.` + "`a-b`.`c-d`" + `.{\"id\": id & \"/\" & $$.total_records_size & \"/\" & $count($$.resources.ask)}"}},
		 {"name":"more","type":"transform","depends_on":"see","config":{"expression":"resources.see.{\"id\": id & \"+\" & $$.resources.ask[0].id & $$.resources.` + "`a-b`.`c-d`" + `[0].id}"}},
		 {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["more"]}]`,
		args: `{"x":[1]}`,
	})
	w.api.respond = pages(`[{"id":"p"},{"id":"q"}]`, `[{"id":"r"}]`)
	w.finish()
	asked := []string{`list a-b/c-d {"t":"2026-03-01T12:00:00.000Z","tenant":"acme","sub":"acme","key":false,"a":[1],"run":"` + string(w.run.ID) + `","prev":false}`}
	asked = append(asked, asked[0]+" @1")
	if diff := cmp.Diff(asked, w.api.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	script := []string{"started", "record a-b/c-d p/2/2+pp/2/2,q/2/2+pp/2/2", "record a-b/c-d r/3/1+rr/3/1", "completed"}
	if diff := cmp.Diff(script, w.script()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

// A client repairs a webhook while a run sends to it. The failure of that attempt must not park the run: no one else would wake it.
func TestAChangeOfTheWebhookDuringAnAttemptKeepsTheRunAwake(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: plainGraph})
		w.api.respond = pages(`[{"id":1}]`, `[{"id":2}]`)
		repair := false
		w.sink.respond = func(received) (deliver.Result, error) {
			if repair {
				w.update(func(ctx context.Context, tx *store.Tx) error {
					if err := tx.Webhooks().Update(ctx, w.webhook); err != nil {
						return err
					}
					return tx.Webhooks().Wake(ctx, env, w.webhook.ID)
				})
				w.sink.respond = nil
			}
			return rejected(503), nil
		}
		if got := retryIn(t, w.slice()); got != time.Minute {
			t.Errorf("got a pause of %s, want a minute", got)
		}
		w.now = w.now.Add(time.Hour)
		repair = true
		if got := retryIn(t, w.slice()); got > time.Second {
			t.Errorf("the run waits %s although its webhook was changed", got)
		}
		w.now = w.now.Add(time.Second)
		w.finish()
		if diff := cmp.Diff([]string{"started", "record tickets 1", "record tickets 2", "completed"}, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}
