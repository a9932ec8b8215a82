package fetch

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
)

// now is the time of all tests.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// upstream is a provider that responds as told and keeps the requests.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func newUpstream(t *testing.T, handler http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		u.mu.Lock()
		u.requests = append(u.requests, r)
		u.bodies = append(u.bodies, string(body))
		u.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

// lines are the requests so far, method and URI.
func (u *upstream) lines() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var lines []string
	for _, r := range u.requests {
		lines = append(lines, r.Method+" "+r.URL.RequestURI())
	}
	return lines
}

func (u *upstream) last(t *testing.T) (*http.Request, string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.requests) == 0 {
		t.Fatal("the provider was not called")
	}
	return u.requests[len(u.requests)-1], u.bodies[len(u.bodies)-1]
}

// respondJSON responds to every request with the same document.
func respondJSON(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func newFetcher(t *testing.T, change ...func(*FetcherConfig)) *Fetcher {
	t.Helper()
	cfg := FetcherConfig{Client: &http.Client{}, Clock: func() time.Time { return now }}
	for _, f := range change {
		f(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return f
}

func parse(t *testing.T, source string) *config.Config {
	t.Helper()
	c, err := config.Parse(json.RawMessage(source))
	if err != nil {
		t.Fatalf("parse config: %v", err)
	}
	return c
}

// oneMethod is a config with the method things.list and whatever else stands at the top.
func oneMethod(t *testing.T, baseURL, top, method string) *config.Config {
	t.Helper()
	if top != "" {
		top = ", " + top
	}
	return parse(t, fmt.Sprintf(`{"base_url": %q%s, "resources": {"things": {"list": %s}}}`, baseURL, top, method))
}

func fetchOK(t *testing.T, f *Fetcher, req Request) Outcome {
	t.Helper()
	o := fetchAny(t, f, req)
	if o.Kind != KindOK {
		t.Fatalf("got %s (%d): %s, want ok", o.Kind, o.Status, o.Message)
	}
	return o
}

func fetchAny(t *testing.T, f *Fetcher, req Request) Outcome {
	t.Helper()
	if req.Resource == "" {
		req.Resource, req.Method = "things", "list"
	}
	o, err := f.Fetch(t.Context(), req)
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	return o
}

func object(t *testing.T, src string) *expr.Object {
	t.Helper()
	o, ok := value(t, src).(*expr.Object)
	if !ok {
		t.Fatalf("%s is not an object", src)
	}
	return o
}

func value(t *testing.T, src string) expr.Value {
	t.Helper()
	v, err := expr.ParseJSON([]byte(src))
	if err != nil {
		t.Fatalf("parse %s: %v", src, err)
	}
	return v
}

func encode(t *testing.T, v expr.Value) string {
	t.Helper()
	data, err := expr.EncodeJSON(v)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(data)
}

func wantJSON(t *testing.T, what string, got expr.Value, want string) {
	t.Helper()
	if diff := cmp.Diff(want, encode(t, got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// realConfig reads a config from testdata and points it at the server.
func realConfig(t *testing.T, name string, u *upstream) *config.Config {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	override, err := json.Marshal(map[string]any{"base_url": u.URL})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(config.Merge(raw, override))
	if err != nil {
		t.Fatalf("parse %s: %v", name, err)
	}
	return c
}

func TestCalcomBookings(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("skip") == "2" {
			respondJSON(200, `{"status":"success","data":[{"id":3}],"pagination":{"hasNextPage":false}}`)(w, r)
			return
		}
		respondJSON(200, `{"status":"success","data":[{"id":1},{"id":2}],"pagination":{"hasNextPage":true}}`)(w, r)
	})
	cfg := realConfig(t, "calcom.json", u)
	f := newFetcher(t)
	req := Request{
		Integration: cfg, Resource: "bookings", Method: "list", Limit: 2,
		Context: map[string]any{"api_key": "cal_live_123456"},
		Query:   object(t, `{"afterStart":"2026-01-01T00:00:00Z","eventTypeIds":[1,2]}`),
	}
	first := fetchOK(t, f, req)
	wantJSON(t, "first page", first.Records, `[{"id":1},{"id":2}]`)
	req.Cursor = first.NextCursor
	second := fetchOK(t, f, req)
	wantJSON(t, "second page", second.Records, `[{"id":3}]`)
	if second.NextCursor != "" {
		t.Errorf("got a cursor after the last page")
	}
	want := []string{
		"GET /bookings?sortCreated=asc&afterStart=2026-01-01T00%3A00%3A00Z&eventTypeIds=1,2&skip=0&take=2",
		"GET /bookings?sortCreated=asc&afterStart=2026-01-01T00%3A00%3A00Z&eventTypeIds=1,2&skip=2&take=2",
	}
	if diff := cmp.Diff(want, u.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	r, _ := u.last(t)
	if got := r.Header.Get("Authorization"); got != "Bearer cal_live_123456" {
		t.Errorf("got Authorization %q", got)
	}
	if got := r.Header.Get("Cal-Api-Version"); got != "2024-08-13" {
		t.Errorf("got version header %q", got)
	}
	if want := "GET " + u.URL + want[0][len("GET "):]; first.RequestLine != want {
		t.Errorf("got request line %s, want %s", first.RequestLine, want)
	}
}

func TestCalcomGetAndCustomMethod(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{"status":"success","data":{"id":7}}`))
	cfg := realConfig(t, "calcom.json", u)
	f := newFetcher(t)
	account := map[string]any{"api_key": "cal_live_123456"}
	one := fetchOK(t, f, Request{Integration: cfg, Resource: "bookings", Method: "get", ID: "a/b c", Context: account})
	wantJSON(t, "data", one.Data, `{"id":7}`)
	wantJSON(t, "records", one.Records, `[{"id":7}]`)
	fetchOK(t, f, Request{
		Integration: cfg, Resource: "bookings", Method: "cancel", Context: account, Body: value(t, `{"uid":"u1","reason":"ill"}`),
	})
	_, body := u.last(t)
	if body != `{"cancellationReason":"ill"}` {
		t.Errorf("got body %s", body)
	}
	want := []string{"GET /bookings/a%2Fb%20c", "POST /bookings/u1/cancel"}
	if diff := cmp.Diff(want, u.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestZendeskTickets(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Rate-Limit", "700")
		w.Header().Set("X-Rate-Limit-Remaining", "699")
		w.Header().Set("Ratelimit-Reset", "41")
		if r.URL.Query().Get("page[after]") == "c2" {
			respondJSON(200, `{"tickets":[{"id":3}],"meta":{"has_more":false,"after_cursor":"c3","before_cursor":"c1"}}`)(w, r)
			return
		}
		respondJSON(200, `{"tickets":[{"id":1},{"id":2}],"meta":{"has_more":true,"after_cursor":"c2","before_cursor":null}}`)(w, r)
	})
	cfg := realConfig(t, "zendesk.json", u)
	f := newFetcher(t)
	req := Request{
		Integration: cfg, Resource: "tickets", Method: "list",
		Context: map[string]any{"email": "a@example.com", "api_token": "tok-secret", "subdomain": "acme"},
	}
	first := fetchOK(t, f, req)
	req.Cursor = first.NextCursor
	second := fetchOK(t, f, req)
	want := []string{"GET /api/v2/tickets.json?page[size]=100", "GET /api/v2/tickets.json?page[size]=100&page[after]=c2"}
	if diff := cmp.Diff(want, u.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if first.NextCursor == "" || first.PrevCursor != "" || second.NextCursor != "" || second.PrevCursor == "" {
		t.Errorf("got cursors %q %q %q %q", first.NextCursor, first.PrevCursor, second.NextCursor, second.PrevCursor)
	}
	wantLimit := RateLimit{Known: true, Limit: 700, Remaining: 699, Reset: 41 * time.Second}
	if diff := cmp.Diff(wantLimit, first.RateLimit); diff != "" {
		t.Errorf("rate limit (-want +got):\n%s", diff)
	}
	r, _ := u.last(t)
	if user, password, _ := r.BasicAuth(); user != "a@example.com/token" || password != "tok-secret" {
		t.Errorf("got basic auth %q %q", user, password)
	}
}

func TestZendeskWrites(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(201, `{"ticket":{"id":9}}`))
	cfg := realConfig(t, "zendesk.json", u)
	f := newFetcher(t)
	for _, method := range []string{"create", "update"} {
		o := fetchOK(t, f, Request{
			Integration: cfg, Resource: "tickets", Method: method, ID: "9", Context: map[string]any{"email": "a", "api_token": "tok-secret"},
			Body: value(t, `{"subject":"Hi","tags":["a"]}`),
		})
		wantJSON(t, "data", o.Data, `{"id":9}`)
		r, body := u.last(t)
		if body != `{"ticket":{"subject":"Hi","tags":["a"]}}` || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got body %s of type %s", method, body, r.Header.Get("Content-Type"))
		}
	}
}

func TestRequestHasItsLimitsFromTheContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	u := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	cfg := oneMethod(t, u.URL, "", `{"path":"/x"}`)
	f := newFetcher(t, func(c *FetcherConfig) { c.Timeout = 20 * time.Millisecond })
	o := fetchAny(t, f, Request{Integration: cfg})
	if o.Kind != KindNetworkError || o.ErrorClass != "timeout" || !strings.Contains(o.Message, "no response in time") {
		t.Errorf("got %s %s %q, want a timeout with its cause", o.Kind, o.ErrorClass, o.Message)
	}
}
