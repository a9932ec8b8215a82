package millracetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/examples"
	"github.com/millrace/millrace/internal/millracetest/provider"
)

// The load is the main job, again and again: an account connects, its event wakes a workflow, the workflow starts a sync
// job run, the run reads its pages and sends the records to one webhook. Beside it, custom events arrive, of which every
// runEvery-th wakes a second workflow. A second webhook subscribes to the events themselves.
const (
	pageSize    = 20
	perRun      = 120 // records, so 6 pages
	runEvery    = 25
	maxUnderway = 12 // runs; new ones wait, so that there is always work and never a long queue

	recordsHook = "records"
	auditHook   = "audit"

	accountWorkflow = millrace.WorkflowID("7f000000-0000-4000-8000-00000000000a")
	eventWorkflow   = millrace.WorkflowID("7f000000-0000-4000-8000-00000000000b")
	customEvent     = "custom:ping"
)

// Load drives servers and remembers what they have accepted.
type Load struct {
	clients   []*Client // of nodes of one installation; a caller that gets no response goes to the next
	collector *Collector
	provider  *provider.API
	apiURL    string
	install   string

	nextAccount, nextEvent atomic.Int64

	mu       sync.Mutex
	accounts map[string]int // accepted, by id: the number, which is in the account's key
	events   map[int]string // accepted, by number: the id
	waking   int            // accepted events that wake a workflow
	problems []string       // unexpected responses
	repeats  int            // requests that were sent again because there was no response
}

// object is what the API says of an object that it has made.
type object struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// NewLoad configures an installation through its first node, which must serve.
func NewLoad(t testing.TB, chaos float64, seed uint64, clients ...*Client) *Load {
	t.Helper()
	l := &Load{
		clients: clients, collector: NewCollector(), accounts: map[string]int{}, events: map[int]string{},
		provider: &provider.API{Chaos: chaos, Seed: seed, Resources: map[string]*provider.Resource{
			"bookings": {Pagination: "offset", PageSize: pageSize, Count: perRun},
		}},
	}
	l.apiURL = Listen(t, l.provider)
	hooks := Listen(t, l.collector)
	if err := l.configure(t.Context(), hooks); err != nil {
		t.Fatalf("configure: %v", err)
	}
	l.connect(t.Context(), 0)
	return l
}

func (l *Load) configure(ctx context.Context, hooks string) error {
	c := l.clients[0]
	var integration, install object
	err := c.Post(ctx, "/integration", map[string]any{"name": "calcom", "config": map[string]any{
		"label": "Cal.com", "base_url": "{{base_url}}",
		"authorization": map[string]any{"format": "header", "config": map[string]any{"header_name": "Authorization", "header_value": "Bearer {{api_key}}"}},
		"pagination":    map[string]any{"format": "offset", "config": map[string]any{"offset_key": "offset", "limit_key": "limit", "max_limit": pageSize}},
		"resources":     map[string]any{"bookings": map[string]any{"list": map[string]any{"path": "/bookings", "response_path": "data"}}},
	}}, &integration)
	if err != nil {
		return err
	}
	if err := c.Post(ctx, "/environment-integration", map[string]any{"integration_id": integration.ID}, &install); err != nil {
		return err
	}
	l.install = install.ID
	for name, body := range map[string]map[string]any{
		recordsHook: {"id": examples.WebhookID, "event_types": []string{"sync_job_run:deleted"}},
		auditHook:   {"ordering": "strict", "event_types": []string{millrace.EventAccountCreated, millrace.EventAccountActive, customEvent}},
	} {
		body["target_url"] = hooks + "/" + name
		var created object
		if err := c.Post(ctx, "/webhook", body, &created); err != nil {
			return err
		}
		l.collector.SetSecret(name, created.Secret)
	}
	return l.configureWork(ctx)
}

func (l *Load) configureWork(ctx context.Context) error {
	c := l.clients[0]
	err := c.Post(ctx, "/sync-job", map[string]any{
		"id": examples.SyncJobID, "integration_name": "calcom", "default_runtime_version": 4, "error_handling": millrace.ErrorFailFast,
		"resources": []any{
			map[string]any{"name": "bookings", "type": "request", "resource": "bookings", "method": "list", "integrated_account_id": "{{args.integrated_account_id}}"},
			map[string]any{"name": "meetings", "type": "transform", "depends_on": "bookings", "config": map[string]any{
				"expression": `resources.bookings.{ "id": id, "n": n, "key": key }`,
			}},
			map[string]any{"name": "to-webhook", "type": "destination", "destination_type": "webhook", "config": map[string]any{"id": "{{args.webhook_id}}"}, "resources_to_persist": []string{"meetings"}},
		},
	}, nil)
	if err != nil {
		return err
	}
	step := func(account string) []any {
		return []any{map[string]any{"type": "run", "action": "run_sync_job", "config": fmt.Sprintf(
			`{ "sync_job_id": %q, "integrated_account_id": %s, "webhook_id": %q }`, examples.SyncJobID, account, examples.WebhookID)}}
	}
	err = c.Post(ctx, "/workflow", map[string]any{
		"id": accountWorkflow, "trigger_name": millrace.EventAccountActive,
		"config": map[string]any{"run_if": "integration.name = 'calcom'", "steps": step("integrated_account_id")},
	}, nil)
	if err != nil {
		return err
	}
	return c.Post(ctx, "/workflow", map[string]any{
		"id": eventWorkflow, "trigger_name": customEvent,
		"config": map[string]any{"run_if": fmt.Sprintf("n %% %d = 0", runEvery), "steps": step("account")},
	}, nil)
}

// Run connects accounts and sends events until ctx ends. It may be called again and then goes on.
func (l *Load) Run(ctx context.Context, every time.Duration) {
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			for ctx.Err() == nil {
				l.gate(ctx)
				l.connect(ctx, int(l.nextAccount.Add(1)))
			}
		})
	}
	for range 3 {
		callers.Go(func() {
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			for ctx.Err() == nil {
				n := int(l.nextEvent.Add(1))
				if n%runEvery == 0 {
					l.gate(ctx)
				}
				l.send(ctx, n)
				select {
				case <-ticker.C:
				case <-ctx.Done():
				}
			}
		})
	}
	callers.Wait()
}

// gate waits while many runs are under way.
func (l *Load) gate(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for l.Underway() >= maxUnderway {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Underway returns how many runs that must come have not ended yet. It is below zero when runs ended whose request was
// stored, but got no response.
func (l *Load) Underway() int {
	_, ended := l.collector.Runs(recordsHook)
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accounts) + l.waking - ended
}

// connect imports an account under an id of our choice, so that a repeated request is rejected when the first one, which
// got no response, was done.
func (l *Load) connect(ctx context.Context, n int) {
	id := millrace.DeriveID[string]("account", strconv.Itoa(n))
	body, _ := json.Marshal(map[string]any{
		"id": id, "tenant_id": fmt.Sprintf("tenant-%d", n), "environment_integration_id": l.install, "authentication_method": "api_key",
		"context": map[string]any{"api_key": accountKey(n), "base_url": l.apiURL},
	})
	if _, ok := l.post(ctx, n, "/integrated-account", body); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.accounts[id] = n
	}
}

// send sends a custom event with an idempotency key. Its run, if it wakes one, reads the first account.
func (l *Load) send(ctx context.Context, n int) {
	body, _ := json.Marshal(map[string]any{
		"event": customEvent, "idempotency_key": fmt.Sprintf("ping-%d", n),
		"payload": map[string]any{"n": n, "account": millrace.DeriveID[string]("account", "0")},
	})
	response, ok := l.post(ctx, n, "/event", body)
	if !ok {
		return
	}
	var event object
	if err := json.Unmarshal(response, &event); err != nil {
		l.problem("the response to an event is no event: %v", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[n] = event.ID
	if n%runEvery == 0 {
		l.waking++
	}
}

// post repeats a request until it succeeds, or is a 409 on a repetition. It gives up when ctx ends.
func (l *Load) post(ctx context.Context, n int, path string, body []byte) ([]byte, bool) {
	for try := 0; ; try++ {
		// A request that was sent is seen to its end, so that what was accepted is known.
		status, response, err := l.clients[(n+try)%len(l.clients)].Call(context.WithoutCancel(ctx), http.MethodPost, path, "application/json", body)
		switch {
		case err == nil && status < http.StatusBadRequest, err == nil && status == http.StatusConflict && try > 0:
			return response, true
		case err == nil && status < http.StatusInternalServerError:
			l.problem("%s responded %d: %s", path, status, response)
			return nil, false
		case ctx.Err() != nil:
			return nil, false
		}
		l.mu.Lock()
		l.repeats++
		l.mu.Unlock()
		time.Sleep(15 * time.Millisecond)
	}
}

func (l *Load) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// Accepted returns the accounts and events that the server accepted.
func (l *Load) Accepted() (map[string]int, map[int]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.accounts), maps.Clone(l.events)
}

// SlowDown makes the webhook of the records slow, or fast again.
func (l *Load) SlowDown(slow bool) {
	l.collector.SetScript(recordsHook, []*Response{{Status: http.StatusOK, Slow: slow}})
}

// Last returns when the last records came.
func (l *Load) Last() time.Time {
	received := l.collector.Received(recordsHook)
	if len(received) == 0 {
		return time.Time{}
	}
	return received[len(received)-1].Requested
}

// Times returns when deliveries came, in order.
func (l *Load) Times() []time.Time {
	var out []time.Time
	for _, name := range []string{recordsHook, auditHook} {
		for _, r := range l.collector.Received(name) {
			out = append(out, r.Requested)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// Pauses returns the longest pause between two deliveries of each run.
func (l *Load) Pauses() []time.Duration {
	last, longest := map[millrace.SyncJobRunID]time.Time{}, map[millrace.SyncJobRunID]time.Duration{}
	for _, r := range l.collector.First(recordsHook) {
		var p recordPayload
		_ = json.Unmarshal(r.Envelope.Payload, &p) // Check complains
		id := p.ID
		if p.Meta.Run != "" {
			id = p.Meta.Run
		}
		if before, ok := last[id]; ok {
			longest[id] = max(longest[id], r.Requested.Sub(before))
		}
		last[id] = r.Requested
	}
	return slices.Collect(maps.Values(longest))
}

// accountKey is the API key of the account with this number. Records name it, so it is too short to be hidden in them.
func accountKey(n int) string { return fmt.Sprintf("k%d", n) }
