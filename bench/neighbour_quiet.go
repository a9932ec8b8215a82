package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// The hops of an event of the quiet environment, each measured from the moment at which the event was due to be sent.
const (
	hopResponse = "response" // POST /event has responded
	hopStarted  = "started"  // the provider got the first request of the run that the event led to
	hopPage     = "page"     // the page of that run was delivered
	hopEvent    = "event"    // the event itself was delivered to the webhook that subscribes to it
)

func hopNames() []string { return []string{hopResponse, hopStarted, hopPage, hopEvent} }

// quietEvery is how often the quiet environment sends an event.
const quietEvery = 100 * time.Millisecond

// quietIntegration serves one page to each run.
const quietIntegration = `{"name":"quiet","category":"calendar","config":{"label":"Quiet","base_url":"{{base_url}}",
"credentials":{"api_key":{"format":"api_key","config":{"fields":[{"name":"base_url","type":"text","required":true}]}}},
"pagination":{"format":"offset","config":{"offset_key":"skip","limit_key":"take","max_limit":100}},
"resources":{"items":{"list":{"method":"get","path":"/items","response_path":"data"}}}}}`

// quietJob reads one page and delivers it.
const quietJob = `{"label":"One page","integration_name":"quiet","default_runtime_version":4,
"args_schema":{"integrated_account_id":{"type":"string","format":"integrated_account_id","required":true},"webhook_id":{"type":"string","format":"webhook_id","required":true}},
"resources":[{"name":"items","type":"request","resource":"items","method":"list","integrated_account_id":"{{args.integrated_account_id}}","query":{"n":"{{args.n}}"}},
{"name":"send","type":"destination","destination_type":"webhook","config":{"id":"{{args.webhook_id}}"},"resources_to_persist":["items"]}]}`

// quietOne is an environment that sends an event now and then, with its provider and its receiver.
type quietOne struct {
	api
	from, to *httptest.Server

	mu   sync.Mutex
	seen map[int]map[string]time.Time // by number of the event: when each hop was over
	next int
}

func newQuiet(ctx context.Context, a api) (*quietOne, error) {
	q := &quietOne{api: a, seen: map[int]map[string]time.Time{}}
	q.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	q.from = httptest.NewServer(http.HandlerFunc(q.provide))
	q.to = httptest.NewServer(http.HandlerFunc(q.receive))
	return q, q.describe(ctx)
}

func (q *quietOne) close() {
	q.from.Close()
	q.to.Close()
}

// describe creates what an event needs to become a run.
func (q *quietOne) describe(ctx context.Context) error {
	account, err := q.connectTo(ctx, quietIntegration, q.from.URL)
	if err != nil {
		return err
	}
	var job, pages, events made
	if err := q.call(ctx, http.MethodPost, "/sync-job", json.RawMessage(quietJob), &job); err != nil {
		return err
	}
	hook := func(event string, out *made) error {
		return q.call(ctx, http.MethodPost, "/webhook", map[string]any{"target_url": q.to.URL, "is_active": true, "event_types": []string{event}}, out)
	}
	if err := hook("sync_job_run:record", &pages); err != nil {
		return err
	}
	if err := hook("custom:quiet", &events); err != nil {
		return err
	}
	return q.call(ctx, http.MethodPost, "/workflow", map[string]any{
		"label": "One run for each", "trigger_name": "custom:quiet", "config": map[string]any{"run_if": "n >= 0", "steps": []any{map[string]any{
			"type": "run", "action": "run_sync_job",
			"config": fmt.Sprintf(`{"sync_job_id":%q,"integrated_account_id":%q,"webhook_id":%q,"args":{"n":n}}`, job.ID, account, pages.ID),
		}}},
	}, nil)
}

// connectTo installs an integration and connects an account to a provider.
func (a *api) connectTo(ctx context.Context, integration, provider string) (string, error) {
	var i, e, account made
	if err := a.call(ctx, http.MethodPost, "/integration", json.RawMessage(integration), &i); err != nil {
		return "", err
	}
	if err := a.call(ctx, http.MethodPost, "/environment-integration", map[string]any{"integration_id": i.ID}, &e); err != nil {
		return "", err
	}
	err := a.call(ctx, http.MethodPost, "/integrated-account", map[string]any{
		"tenant_id": "t", "environment_integration_id": e.ID, "authentication_method": "api_key", "context": map[string]any{"base_url": provider},
	}, &account)
	return account.ID, err
}

// provide is the provider: one record, which has the number that was asked for.
func (q *quietOne) provide(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		http.Error(w, "n is missing", http.StatusBadRequest)
		return
	}
	q.note(n, hopStarted, time.Now())
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"data":[{"id":%d}]}`, n)
}

// receive is the receiver of pages and events.
func (q *quietOne) receive(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var d struct {
		Event   string
		Payload struct {
			N       *int
			Records json.RawMessage
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &d) != nil {
		return
	}
	if d.Payload.N != nil {
		q.note(*d.Payload.N, hopEvent, now)
		return
	}
	var records []struct{ ID int }
	if json.Unmarshal(d.Payload.Records, &records) == nil {
		for _, r := range records {
			q.note(r.ID, hopPage, now)
		}
	}
}

func (q *quietOne) note(n int, hop string, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	hops := q.seen[n]
	if hops == nil {
		hops = map[string]time.Time{}
		q.seen[n] = hops
	}
	if _, again := hops[hop]; !again {
		hops[hop] = at
	}
}

// feel sends events at a steady rate for a time, whatever becomes of those before, and waits for what follows from them.
func (q *quietOne) feel(ctx context.Context, length, patience time.Duration) (hopSpans, error) {
	first, began := q.next, time.Now()
	n := int(length / quietEvery)
	q.next += n
	due := func(i int) time.Time { return began.Add(time.Duration(i) * quietEvery) }
	errs := make(chan error, n)
	for i := range n {
		if err := pause(ctx, time.Until(due(i))); err != nil {
			return nil, err
		}
		go func() {
			err := q.call(ctx, http.MethodPost, "/event", map[string]any{"event": "custom:quiet", "payload": map[string]any{"n": first + i}}, nil)
			q.note(first+i, hopResponse, time.Now())
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	err := within(ctx, patience, 20*time.Millisecond, func() (bool, error) { return q.over(first, n), nil })
	if ctx.Err() != nil {
		return nil, err
	}
	return q.sumUp(first, n, due), nil // what has not ended is counted as such
}

// over reports whether all hops of some events are.
func (q *quietOne) over(first, n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range n {
		if len(q.seen[first+i]) < len(hopNames()) {
			return false
		}
	}
	return true
}

func (q *quietOne) sumUp(first, n int, due func(int) time.Time) hopSpans {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	spans := hopSpans{}
	for _, hop := range hopNames() {
		var took []time.Duration
		open := 0
		for i := range n {
			at, ended := q.seen[first+i][hop]
			if !ended {
				at = now
				open++
			}
			took = append(took, at.Sub(due(i)))
		}
		spans[hop] = spanOf(took, open)
	}
	return spans
}
