package syncjob

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/jsonata"
)

// world is a store with one account, one webhook and one job, a provider and an endpoint that respond as told, and a
// clock that only the test moves.
type world struct {
	t       testing.TB
	db      *store.DB
	now     time.Time
	runner  *Runner
	account *millrace.IntegratedAccount
	webhook *millrace.Webhook
	job     *millrace.SyncJob
	run     *millrace.SyncJobRun
	api     *api
	sink    *sink
}

// plot is what a test says about its world.
type plot struct {
	resources string
	version   int64
	schema    string
	args      string
	context   string
	errors    millrace.ErrorHandling
	events    string // events_to_send
	edit      func(*millrace.SyncJobRun)
	config    func(*Config)
}

const env = millrace.EnvironmentID("5f1c7a52-6a51-4a6e-8a3b-0f6f2d0f0001")

func newWorld(tb testing.TB, db *store.DB, p plot) *world {
	tb.Helper()
	w := &world{t: tb, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), api: &api{}, sink: &sink{}}
	w.account = &millrace.IntegratedAccount{EnvironmentID: env, TenantID: "acme", Status: millrace.AccountActive}
	if err := w.account.SetContext(json.RawMessage(orText(p.context, `{"subdomain":"acme","api_key":"secret"}`)), [][]string{{"api_key"}}); err != nil {
		tb.Fatal(err)
	}
	// Not active, so that no run's events are queued for the webhooks of the worlds before: what a run sends to it itself goes to
	// the sink.
	w.webhook = &millrace.Webhook{EnvironmentID: env, TargetURL: "https://example.test/hook", Secret: "s"}
	w.job = &millrace.SyncJob{EnvironmentID: env, Label: "job", ArgsSchema: rawOf(p.schema), Resources: rawOf(p.resources)}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(tx.Accounts().Create(ctx, w.account), tx.Webhooks().Create(ctx, w.webhook), tx.SyncJobs().Create(ctx, w.job))
	})
	w.sink.webhook = w.webhook
	cfg := Config{
		DB: db, Fetcher: w.api, Destination: w.sink,
		Clock: func() time.Time { return w.now }, Jitter: func() float64 { return 0 },
	}
	if p.config != nil {
		p.config(&cfg)
	}
	var err error
	if w.runner, err = New(cfg); err != nil {
		tb.Fatal(err)
	}
	w.newRun(p)
	return w
}

func (w *world) newRun(p plot) {
	w.t.Helper()
	w.run = &millrace.SyncJobRun{
		EnvironmentID: env, SyncJobID: w.job.ID, IntegratedAccountID: w.account.ID, WebhookID: w.webhook.ID,
		Status: millrace.RunCreated, Args: rawOf(p.args), Resources: rawOf(p.resources), Version: p.version,
		ErrorHandling: millrace.ErrorHandling(orText(string(p.errors), string(millrace.ErrorIgnore))), EventsToSend: rawOf(p.events),
	}
	if p.edit != nil {
		p.edit(w.run)
	}
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.SyncJobRuns().Create(ctx, w.run) })
}

func (w *world) update(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	ctx := w.t.Context()
	if err := w.db.Update(ctx, func(tx *store.Tx) error { return fn(ctx, tx) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) slice() error {
	return w.runner.Slice(w.t.Context(), millrace.Task{Kind: millrace.TaskSlice, Key: millrace.TaskKey(env, w.run.ID)})
}

// finish does slices until the task is done, moving the clock over the waits.
func (w *world) finish() {
	w.t.Helper()
	for range 1000 {
		err := w.slice()
		if err == nil {
			return
		}
		var retry *millrace.RetryError
		if !errors.As(err, &retry) || retry.Err != nil {
			w.t.Fatalf("slice: %v", err)
		}
		w.now = w.now.Add(retry.After)
	}
	w.t.Fatal("the run does not end")
}

// row returns the run as stored.
func (w *world) row() *millrace.SyncJobRun {
	w.t.Helper()
	return w.rowOf(w.run.ID)
}

func (w *world) rowOf(id millrace.SyncJobRunID) *millrace.SyncJobRun {
	w.t.Helper()
	var run *millrace.SyncJobRun
	w.update(func(ctx context.Context, tx *store.Tx) error {
		var err error
		run, err = tx.SyncJobRuns().Get(ctx, env, id)
		return err
	})
	return run
}

// state returns the state of the run: its values as JSON, by key.
func (w *world) state() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		page, err := tx.States().List(ctx, env, millrace.Query{
			Filters: []millrace.Filter{{Field: "state_key", Op: millrace.OpEq, Values: []string{w.run.StateKey}}},
		})
		for _, entry := range page.Result {
			out[entry.Key] = string(entry.Value)
		}
		return err
	})
	return out
}

// parts returns the sizes of the stored parts of the run's checkpoint, by number.
func (w *world) parts() map[int64]int {
	w.t.Helper()
	sizes := map[int64]int{}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		parts, err := tx.Checkpoints().Get(ctx, env, w.run.ID)
		for number, body := range parts {
			sizes[number] = len(body)
		}
		return err
	})
	return sizes
}

// script describes the accepted deliveries, one line each: the event, and for records their resource and ids.
func (w *world) script() []string {
	var lines []string
	for _, d := range w.sink.accepted {
		lines = append(lines, d.line())
	}
	return lines
}

// api is the provider: pages by "method resource" and further by what a test makes of the request.
type api struct {
	mu      sync.Mutex
	respond func(FetchRequest) (fetch.Outcome, error)
	calls   []FetchRequest
}

// Fetch implements Fetcher.
func (a *api) Fetch(_ context.Context, req FetchRequest) (fetch.Outcome, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, req)
	return a.respond(req)
}

// asked describes the requests, one line each.
func (a *api) asked() []string {
	var lines []string
	for _, c := range a.calls {
		line := c.Method + " " + c.Resource
		if c.ID != "" {
			line += " id=" + c.ID
		}
		if c.Query != nil {
			line += " " + jsonOf(c.Query)
		}
		if len(c.Cursor) > 0 {
			line += " @" + c.Cursor
		}
		lines = append(lines, line)
	}
	return lines
}

// pages responds with lists of records, page by page; the cursor is the number of the next page.
func pages(list ...string) func(FetchRequest) (fetch.Outcome, error) {
	return func(req FetchRequest) (fetch.Outcome, error) {
		i := 0
		if len(req.Cursor) > 0 {
			i, _ = strconv.Atoi(req.Cursor)
		}
		res := fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(list[i])...)}
		if i+1 < len(list) {
			res.NextCursor = strconv.Itoa(i + 1)
		}
		return res, nil
	}
}

// resources responds by resource.
func byResource(m map[string]func(FetchRequest) (fetch.Outcome, error)) func(FetchRequest) (fetch.Outcome, error) {
	return func(req FetchRequest) (fetch.Outcome, error) {
		if fn := m[req.Resource]; fn != nil {
			return fn(req)
		}
		return fetch.Outcome{Kind: fetch.KindRejected, Status: 404, Message: "not found"}, nil
	}
}

func recordsOf(text string) []jsonata.Value {
	v, err := jsonata.FromJSON([]byte(text))
	if err != nil {
		panic(fmt.Sprintf("test data %s: %v", text, err))
	}
	return v.(*jsonata.Array).Items()
}

func jsonOf(v jsonata.Value) string {
	b, err := jsonata.ToJSON(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// sink is the customer's endpoint.
type sink struct {
	webhook  *millrace.Webhook
	respond  func(received) (deliver.Result, error)
	accepted []received // with success
	all      []received
}

type received struct {
	deliver.Request
	envelope millrace.Envelope
}

// Send implements Destination.
func (s *sink) Send(ctx context.Context, req deliver.Request) (deliver.Result, error) {
	r := received{Request: req}
	r.Body = bytes.Clone(req.Body)
	if err := json.Unmarshal(req.Body, &r.envelope); err != nil {
		return deliver.Result{}, err
	}
	s.all = append(s.all, r)
	called := s.webhook.UpdatedAt
	res := delivered()
	if s.respond != nil {
		var err error
		if res, err = s.respond(r); err != nil {
			return res, err
		}
	}
	res.ChangedAt = called
	if res.Kind == deliver.Delivered {
		s.accepted = append(s.accepted, r)
	}
	return res, nil
}

func delivered() deliver.Result {
	return deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Delivered}, Attempts: []millrace.Attempt{{StatusCode: 200}}}
}

func rejected(status int64) deliver.Result {
	return deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Retry}, Attempts: []millrace.Attempt{{StatusCode: status}}}
}

// line describes a delivery: for records their resource and ids.
func (r received) line() string {
	name := strings.TrimPrefix(r.Event, "sync_job_run:")
	switch r.Event {
	case millrace.EventRunRecord:
		var p struct {
			Resource string
			Records  []any
		}
		_ = json.Unmarshal(r.envelope.Payload, &p)
		var ids []string
		for _, record := range p.Records {
			if m, ok := record.(map[string]any); ok && m["id"] != nil {
				record = m["id"]
			}
			text, _ := json.Marshal(record)
			ids = append(ids, strings.Trim(string(text), `"`))
		}
		return name + " " + p.Resource + " " + strings.Join(ids, ",")
	case millrace.EventRunRecordError:
		var p struct {
			Error  millrace.RunError
			Errors []millrace.RunError
		}
		_ = json.Unmarshal(r.envelope.Payload, &p)
		codes := []string{p.Error.Code}
		for _, e := range p.Errors {
			codes = append(codes, e.Code)
		}
		return name + " " + strings.Trim(strings.Join(codes, ","), ",")
	}
	return name
}

// told returns the names of the stored events about the run, in order.
func (w *world) told() []string {
	w.t.Helper()
	var names []string
	w.update(func(ctx context.Context, tx *store.Tx) error {
		names = nil
		page, err := tx.Events().List(ctx, env, millrace.Query{Sort: []millrace.Sort{{Field: "created_at"}}, Limit: 500})
		for _, e := range page.Result {
			if bytes.HasPrefix(e.Payload, []byte(`{"id":"`+string(w.run.ID)+`"`)) {
				names = append(names, strings.TrimPrefix(e.Name, "sync_job_run:")) //commit:allow reset above
			}
		}
		return err
	})
	return names
}

func orText(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func rawOf(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}
