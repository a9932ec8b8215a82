package httpapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// world is an API over a store with two environments and a token for each.
type world struct {
	t      testing.TB
	db     *store.DB
	server *httptest.Server
	logs   *logBuffer
	tester *tester
	env    millrace.EnvironmentID
	other  millrace.EnvironmentID
	token  string
}

const (
	ownToken   = "own-token"
	otherToken = "other-token"
	oldToken   = "expired-token"
	readToken  = "read-token"
	adminToken = "admin-token"
)

// logBuffer keeps log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// tester is the endpoint of test events; it responds with the status that is set.
type tester struct {
	status int            // 0: it cannot be reached
	sent   millrace.Event // the last one
}

func (p *tester) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent millrace.Envelope
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
		return nil, err
	}
	p.sent = millrace.Event{ID: millrace.EventID(sent.ID), Name: sent.Event, Payload: sent.Payload, CreatedAt: sent.CreatedAt}
	if p.status == 0 {
		return nil, syscall.ECONNREFUSED
	}
	return &http.Response{StatusCode: p.status, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

func newWorld(t testing.TB, db *store.DB, change ...func(*httpapi.Config)) *world {
	t.Helper()
	w := &world{
		t: t, db: db, token: ownToken, logs: &logBuffer{}, tester: &tester{status: http.StatusOK},
		env: "11111111-1111-4111-8111-111111111111", other: "22222222-2222-4222-8222-222222222222",
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for _, e := range []struct {
			id    millrace.EnvironmentID
			name  string
			token millrace.APIToken
		}{
			{w.env, "Default", millrace.APIToken{Name: ownToken}},
			{w.other, "Other", millrace.APIToken{Name: otherToken}},
			{w.env, "", millrace.APIToken{Name: oldToken, ExpiresAt: 1}},
			{w.env, "", millrace.APIToken{Name: readToken, Scope: millrace.ScopeRead}},
			{"", "", millrace.APIToken{Name: adminToken, Scope: millrace.ScopeAdmin}},
		} {
			if e.name != "" {
				if err := tx.Environments().Create(t.Context(), &millrace.Environment{ID: e.id, Name: e.name}); err != nil {
					return err
				}
			}
			sum := sha256.Sum256([]byte(e.token.Name))
			token := &e.token
			token.EnvironmentID, token.Hash = e.id, hex.EncodeToString(sum[:])
			if err := tx.APITokens().Create(t.Context(), token); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("prepare environments: %v", err)
	}
	sender, err := deliver.New(deliver.Config{Client: &http.Client{Transport: w.tester}, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	accepter := event.NewAccepter(db, 1)
	t.Cleanup(accepter.Stop)
	cfg := httpapi.Config{
		DB: db, Accepter: accepter, Sender: sender,
		Logger: slog.New(slog.NewJSONHandler(w.logs, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	w.server = httptest.NewServer(httpapi.New(cfg))
	t.Cleanup(w.server.Close)
	return w
}

// as returns the world as the holder of another token sees it.
func (w *world) as(token string) *world {
	c := *w
	c.token = token
	return &c
}

// response is what came back.
type response struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	raw    []byte
}

// send sends a request with an unchanged body; headers are pairs.
func (w *world) send(method, path, body string, headers ...string) *response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.server.Client().Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s %s: read response: %v", method, path, err)
	}
	return &response{w.t, method + " " + path + " " + shorten(body), res.StatusCode, res.Header, raw}
}

func shorten(s string) string {
	if len(s) > 300 {
		return s[:300] + "..."
	}
	return s
}

func (w *world) get(path string) *response        { w.t.Helper(); return w.send("GET", path, "") }
func (w *world) post(path, body string) *response { w.t.Helper(); return w.send("POST", path, body) }

func (w *world) patch(path, body string) *response { w.t.Helper(); return w.send("PATCH", path, body) }

func (w *world) delete(path string) *response { w.t.Helper(); return w.send("DELETE", path, "") }
func (a *response) ok() doc                   { a.t.Helper(); return a.is(http.StatusOK) }
func (w *world) create(path, body string) doc { w.t.Helper(); return w.post(path, body).ok() }

// is checks the status and returns the body.
func (a *response) is(status int) doc {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: got status %d, want %d; body: %s", a.what, a.status, status, a.raw)
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		a.t.Fatalf("%s: got content type %q, want application/json", a.what, got)
	}
	d := doc{a.t, map[string]any{}}
	if err := json.Unmarshal(a.raw, &d.m); err != nil {
		a.t.Fatalf("%s: body %s: %v", a.what, a.raw, err)
	}
	return d
}

// rejected checks that the response is the envelope of a rejection, with a finding for each path.
func (a *response) rejected(status int, paths ...string) doc {
	a.t.Helper()
	d := a.is(status)
	if d.m["statusCode"] != float64(status) || d.m["error"] != http.StatusText(status) || d.str("message") == "" {
		a.t.Fatalf("%s: got %s, want an envelope of %d", a.what, a.raw, status)
	}
	found := map[string]bool{}
	details, _ := d.m["details"].(map[string]any)
	failures, _ := details["failures"].([]any)
	for _, f := range failures {
		f, _ := f.(map[string]any)
		path, _ := f["path"].(string)
		found[path] = true
	}
	for _, p := range paths {
		if !found[p] {
			a.t.Errorf("%s: got %s, want a finding about %q", a.what, a.raw, p)
		}
	}
	return d
}

// failure returns the finding about a path.
func (d doc) failure(path string) map[string]any {
	d.t.Helper()
	details, _ := d.m["details"].(map[string]any)
	failures, _ := details["failures"].([]any)
	for _, f := range failures {
		if f, _ := f.(map[string]any); fmt.Sprint(f["path"]) == path || (path == "" && f["path"] == nil) {
			return f
		}
	}
	d.t.Fatalf("no finding about %q in %v", path, d.m)
	return nil
}

// doc is a JSON object.
type doc struct {
	t testing.TB
	m map[string]any
}

func (d doc) id() string { d.t.Helper(); return d.str("id") }

// str returns the text at a path of keys.
func (d doc) str(path ...string) string {
	d.t.Helper()
	s, ok := d.at(path...).(string)
	if !ok {
		d.t.Fatalf("%v in %v is no text", path, d.m)
	}
	return s
}

func (d doc) at(path ...string) any {
	var v any = d.m
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// ids returns the ids of a list.
func (d doc) ids() []string {
	d.t.Helper()
	rows, ok := d.m["result"].([]any)
	if !ok {
		d.t.Fatalf("no result in %v", d.m)
	}
	out := []string{}
	for _, r := range rows {
		r, _ := r.(map[string]any)
		out = append(out, fmt.Sprint(r["id"]))
	}
	return out
}

// events returns the names of the events of the environment, oldest first.
func (w *world) events() []string {
	w.t.Helper()
	rows, _ := w.get("/event?sort_by[created_at]=asc").ok().m["result"].([]any)
	var out []string
	for _, r := range rows {
		r, _ := r.(map[string]any)
		out = append(out, fmt.Sprint(r["event"]))
	}
	return out
}

// each runs a test on both databases.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newWorld(t, db)) })
}

// install creates an integration and installs it; it returns the id of the installation.
func (w *world) install(name string) string {
	w.t.Helper()
	integration := w.create("/integration", `{"name":"`+name+`","config":{"label":"`+strings.ToUpper(name)+`"}}`)
	return w.create("/environment-integration", `{"integration_id":"`+integration.id()+`"}`).id()
}

// account imports an account of a new integration.
func (w *world) account(name string) doc {
	w.t.Helper()
	return w.create("/integrated-account", `{"tenant_id":"acme","environment_integration_id":"`+w.install(name)+
		`","authentication_method":"api_key","context":{"api_key":"k-secret","subdomain":"acme"}}`)
}

const noID = "99999999-9999-4999-8999-999999999999"
