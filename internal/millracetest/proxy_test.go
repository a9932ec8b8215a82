package millracetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

const proxyConfig = `{
	"label": "CRM", "base_url": "%s/v1", "authorization": {"format": "bearer", "config": {"token": "{{api_key}}"}},
	"pagination": {"format": "offset", "config": {"max_limit": 2}}, "query_array_format": "comma",
	"credentials": {"api_key": {"format": "api_key", "config": {"fields": [{"name": "api_key", "type": "password", "label": "Key"}]}}},
	"resources": {
		"contacts": {
			"list": {"path": "/contacts", "response_path": "data", "description": "List contacts", "query_schema": {}},
			"get": {"path": "/contacts/{{id}}"}, "create": {"method": "post", "path": "/contacts"},
			"update": {"method": "patch", "path": "/contacts/{{id}}"}, "delete": {"method": "delete", "path": "/contacts/{{id}}"},
			"merge": {"method": "post", "path": "/merge"}
		},
		"files": {"get": {"path": "/files/{{id}}"}, "create": {"method": "post", "path": "/files"}},
		"down": {"list": {"base_url": "http://127.0.0.1:1", "path": "/"}},
		"limited": {"create": {"method": "post", "path": "/limited"}}
	},
	"actions": {
		"adopt": {"steps": [
			{"type": "request", "config": {"method": "post", "path": "/me", "body": {"who": "{{body.who}}"}}},
			{"type": "transform", "config": "{\"team\": previous.team & \"!\"}"},
			{"type": "update_context", "config": {"expression": "previous"}},
			{"type": "get_context"}
		]},
		"ask": {"steps": [{"type": "form", "config": {"fields": []}}]},
		"validation": {"steps": []}
	}
}`

// crm is a provider with a few responses of every kind. It keeps the requests.
type crm struct {
	mu    sync.Mutex
	calls []string
	key   string
}

// texts are files that are no JSON.
var texts = map[string]string{
	"csv": "id,name\n1,\"A\"", "plain": "plain \"text\"", "html": "<p>hello &amp; bye</p>", "xml": "<a b=\"1\"><c/></a>",
}

func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.calls = append(c.calls, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	key := c.key
	c.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-RateLimit-Limit", "100")
	h.Set("X-RateLimit-Remaining", "99")
	h.Set("X-RateLimit-Reset", "30")
	h.Set("X-Trace", "t1")
	h.Set("Set-Cookie", "a=b")
	h.Set("X-Accel-Redirect", "/etc/passwd")
	respond := func(status int, text string) { w.WriteHeader(status); _, _ = io.WriteString(w, text) }
	if r.Header.Get("Authorization") != "Bearer "+key {
		respond(401, `{"message":"bad key `+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+`"}`)
		return
	}
	switch path := r.URL.EscapedPath(); path {
	case "/v1/contacts":
		switch {
		case r.Method == http.MethodPost:
			respond(201, `{"id":12345678901234567890,"sent":`+string(body)+`}`)
		case r.URL.Query().Get("offset") == "0":
			respond(200, `{"data":[{"id":1,"secret":{"a":1,"b":2}},{"id":2}]}`)
		default:
			respond(200, `{"data":[{"id":3}]}`)
		}
	case "/v1/contacts/a%2Fb":
		respond(200, `{"id":"a/b","big":12345678901234567890}`)
	case "/v1/contacts/404":
		respond(404, `{"message":"no such contact"}`)
	case "/v1/contacts/gone":
		respond(204, ``)
	case "/v1/files/1":
		h.Set("Content-Type", "image/png")
		respond(200, "\x89PNG\x00\x01")
	case "/v1/files/csv", "/v1/files/plain", "/v1/files/html", "/v1/files/xml":
		kind := path[len("/v1/files/"):]
		h.Set("Content-Type", map[string]string{"csv": "text/csv; charset=utf-8", "plain": "text/plain", "html": "text/html", "xml": "application/xml"}[kind])
		respond(200, texts[kind])
	case "/v1/limited":
		h.Set("Retry-After", "7")
		respond(429, `{}`)
	case "/v1/me":
		respond(200, `{"team":"blue"}`)
	default:
		respond(200, `{"path":"`+path+`"}`)
	}
}

func (c *crm) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

func (c *crm) setKey(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = key
}

// proxied is an environment with an account of the crm.
type proxied struct {
	t       *testing.T
	s       *Server
	crm     *crm
	account string
}

func startProxied(t *testing.T, url string, change func(*server.Options)) *proxied {
	t.Helper()
	return newProxied(t, Start(t, url, change))
}

func newProxied(t *testing.T, s *Server) *proxied {
	t.Helper()
	p := &proxied{t: t, s: s, crm: &crm{key: "key-1"}}
	config := json.RawMessage(fmt.Sprintf(proxyConfig, Listen(t, p.crm)))
	integration := p.post("/integration", map[string]any{"name": "crm", "config": config})
	install := p.post("/environment-integration", map[string]any{"integration_id": integration["id"]})
	p.account, _ = p.post("/integrated-account", map[string]any{
		"tenant_id": "acme", "environment_integration_id": install["id"], "authentication_method": "api_key",
		"context": map[string]any{"api_key": "key-1"},
	})["id"].(string)
	return p
}

func (p *proxied) post(path string, body any) map[string]any {
	p.t.Helper()
	var out map[string]any
	if err := p.s.Post(p.t.Context(), path, body, &out); err != nil {
		p.t.Fatal(err)
	}
	return out
}

// reply is what came back from the proxy.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends a request on behalf of the account; $ in the path is its query parameter. Headers are pairs.
func (p *proxied) call(line, body string, headers ...string) reply {
	p.t.Helper()
	method, path, _ := strings.Cut(line, " ")
	path = strings.ReplaceAll(path, "$", "integrated_account_id="+p.account)
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.s.Base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.s.Token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSpace(string(response))}
}

// want calls and compares the status, a part of the response, and what the provider was asked ("-": nothing).
func (p *proxied) want(line, body string, status int, part, asked string, headers ...string) reply {
	p.t.Helper()
	p.crm.take()
	got := p.call(line, body, headers...)
	calls := strings.Join(p.crm.take(), "; ")
	if asked == "-" {
		asked = ""
	}
	if got.status != status || !strings.Contains(got.body, part) || calls != asked {
		p.t.Errorf("%s %s: got %d %s, asked %q; want %d with %s, asked %q", line, body, got.status, got.body, calls, status, part, asked)
	}
	return got
}

func TestProxy(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		p := newProxied(t, s)
		page := p.want("GET /proxy/contacts?$&ids[0]=1&ids[1]=2&remote_query[f]=x&f=y&truto_exclude_fields=secret.a&limit=2&next_cursor=", "", 200,
			`"result":[{"id":1,"secret":{"b":2}},{"id":2}]`, "GET /v1/contacts?ids=1,2&f=x&offset=0&limit=2")
		var got struct {
			Next  string `json:"next_cursor"`
			Count int    `json:"result_count"`
		}
		if err := json.Unmarshal([]byte(page.body), &got); err != nil || got.Next == "" || got.Count != 2 {
			t.Fatalf("got %s", page.body)
		}
		p.want("GET /proxy/contacts?$&next_cursor="+got.Next, "", 200, `"next_cursor":null`, "GET /v1/contacts?offset=2&limit=2")
		p.want("GET /proxy/contacts?$&next_cursor=-"+got.Next, "", 400, "next_cursor", "-")
		p.want("GET /proxy/contacts?$&limit=0", "", 400, "limit", "-")
		for name, want := range map[string]string{
			"Ratelimit-Limit": "100", "Ratelimit-Remaining": "99", "Ratelimit-Reset": "30", "X-Trace": "t1",
			"Set-Cookie": "", "X-Accel-Redirect": "", "X-Content-Type-Options": "nosniff",
		} {
			if page.header.Get(name) != want {
				t.Errorf("%s: got %q, want %q", name, page.header.Get(name), want)
			}
		}
		p.want("GET /proxy/contacts/a%2Fb?$", "", 200, `"big":12345678901234567890`, "GET /v1/contacts/a%2Fb")
		p.want("GET /proxy/contacts/404?$", "", 404, `"truto_is_remote_error":true,"raw_response":{"message":"no such contact"}`, "GET /v1/contacts/404")
		p.want("POST /proxy/contacts?$", `{"n":12345678901234567890}`, 201, `"sent":{"n":12345678901234567890}`, `POST /v1/contacts {"n":12345678901234567890}`)
		p.want("PATCH /proxy/contacts/7?$", `{"a":1}`, 200, `/contacts/7`, `PATCH /v1/contacts/7 {"a":1}`)
		p.want("DELETE /proxy/contacts/gone?$", "", 204, ``, "DELETE /v1/contacts/gone")
		p.want("POST /proxy/contacts/merge?$", `{}`, 200, `/v1/merge`, "POST /v1/merge {}")
		p.want("POST /proxy/contacts/mergee?$", `{}`, 404, `did you mean \"merge\"`, "-")
		p.want("GET /proxy/contact?$", "", 404, `did you mean \"contacts\"`, "-")
		p.want("GET /proxy/contacts", "", 400, "integrated_account_id", "-")
		p.want("GET /proxy/contacts/%2e%2e?$", "", 400, "", "-")
		if file := p.want("GET /proxy/files/1?$", "", 200, "\x89PNG\x00\x01", "GET /v1/files/1"); file.header.Get("Content-Type") != "image/png" {
			t.Errorf("got %s", file.header.Get("Content-Type"))
		}
		for kind, text := range texts {
			got := p.want("GET /proxy/files/"+kind+"?$", "", 200, text, "GET /v1/files/"+kind)
			if !strings.Contains(got.header.Get("Content-Type"), kind) || got.body != text {
				t.Errorf("got %s %q, want what the provider sent", got.header.Get("Content-Type"), got.body)
			}
		}
		p.want("POST /proxy/files?$&truto_body_passthrough=true", "\x00bytes", 200, "", "POST /v1/files \x00bytes", "Content-Type", "image/png")
		p.want("POST /proxy/files?$", "\x00bytes", 415, "truto_body_passthrough", "-", "Content-Type", "image/png")
		p.want("GET /proxy/contacts?$&truto_response_format=raw", "", 200, `{"data":[`, "GET /v1/contacts?offset=0&limit=2")
		p.want("GET /proxy/down?$", "", 502, `"truto_is_remote_error":true`, "-")
		if limited := p.want("POST /proxy/limited?$", "{}", 429, `"statusCode":429`, "POST /v1/limited {}"); limited.header.Get("Retry-After") != "7" {
			t.Errorf("got Retry-After %q", limited.header.Get("Retry-After"))
		}
		p.want("POST /proxy/_/adopt?$", `{"who":"me"}`, 200, `"team":"blue!"`, `POST /v1/me {"who":"me"}`)
		p.want("POST /proxy/_/ask?$", `{}`, 400, "a form waits for a user", "-")
		p.want("POST /proxy/_/adapt?$", `{}`, 404, `did you mean \"adopt\"`, "-")
		p.want("POST /proxy/_/validation?$", `{}`, 403, "", "-")
		p.want("PUT /custom/a%2Fb/c/?$&x=1", `{"methodConfig":{"headers":{"x-a":"1"}},"v":1}`, 200, `"result":{"path":"/v1/a%2Fb/c/"}`, `PUT /v1/a%2Fb/c/?x=1 {"v":1}`)
		p.want("GET /custom/contacts?$&limit=2", `{"methodConfig":{"response_path":"data"}}`, 200, `"next_cursor":"`, "GET /v1/contacts?offset=0&limit=2")
		p.want("GET /custom/me?$", "", 200, `{"result":{"team":"blue"},"next_cursor":null,"prev_cursor":null}`, "GET /v1/me")
		for _, path := range []string{"a/%2e%2e/%2e%2e/x", "a%2F..%2F..%2Fx", "..%5cx"} {
			p.want("GET /custom/"+path+"?$", "", 400, "", "-")
		}
		p.want("GET /custom//evil.example/x?$", "", 200, `"path":"/v1/evil.example/x"`, "GET /v1/evil.example/x")
		p.want("GET /custom/x?$", `{"methodConfig":{"base_url":"http://127.0.0.1:1"}}`, 400, "leads away", "-")
		p.want("GET /integration/crm/capabilities?type=proxy&methods=list&resource=contacts", "", 200, `"has_query_schema":true`, "-")
		p.want("GET /integrated-account/"+p.account+"/capabilities", "", 200, `"is_blocked":false`, "-")
		p.want("GET /integration/crm", "", 200, `"name":"crm"`, "-")
		other := p.s.NewEnvironment(t, "Other")
		if status, _, _ := other.Call(t.Context(), "GET", "/proxy/contacts?integrated_account_id="+p.account, "", nil); status != 404 {
			t.Errorf("another environment got %d, want 404", status)
		}
	})
}

func TestProxyIdempotency(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		p := newProxied(t, s)
		first := p.want("POST /proxy/contacts?$", `{"a":1}`, 201, `"sent":{"a":1}`, `POST /v1/contacts {"a":1}`, "Idempotency-Key", "k1")
		again := p.want("POST /proxy/contacts?$", `{"a":1}`, 201, first.body, "-", "Idempotency-Key", "k1")
		if again.header.Get("Idempotent-Replayed") != "true" || again.header.Get("X-Trace") != "t1" {
			t.Errorf("got %v", again.header)
		}
		p.want("POST /proxy/contacts?$", `{"a":2}`, 422, "another request", "-", "Idempotency-Key", "k1")
		p.want("POST /proxy/contacts/merge?$", `{"a":1}`, 200, "", `POST /v1/merge {"a":1}`, "Idempotency-Key", "k1")
		p.want("POST /proxy/contacts/nope?$", `{}`, 404, "", "-", "Idempotency-Key", "k2")
		for range 2 { // a call that did nothing gives its key back
			p.want("POST /proxy/limited?$", `{}`, 429, "", "POST /v1/limited {}", "Idempotency-Key", "k3")
		}
		p.crm.take()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { p.call("POST /custom/once?$", `{}`, "Idempotency-Key", "k4") })
		}
		wg.Wait()
		if calls := p.crm.take(); len(calls) != 1 {
			t.Errorf("got %d calls of one key: %v", len(calls), calls)
		}
	})
}

func TestProxyCredentialsAndLimits(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		p := startProxied(t, url, func(o *server.Options) { o.AccountLimit = 8 })
		p.crm.setKey("key-2")
		rejected := p.want("GET /proxy/contacts/1?$", "", 401, `"truto_is_remote_error":true`, "GET /v1/contacts/1")
		if strings.Contains(rejected.body, "key-1") {
			t.Errorf("the credential is in %s", rejected.body)
		}
		p.call("GET /proxy/contacts/1?$", "") // no second event
		p.want("GET /integrated-account/"+p.account, "", 200, `"status":"needs_reauth"`, "-")
		p.crm.setKey("key-1")
		p.want("GET /proxy/contacts/1?$", "", 200, "", "GET /v1/contacts/1")
		p.want("GET /integrated-account/"+p.account, "", 200, `"status":"active"`, "-")
		for event, want := range map[string]int{"authentication_error": 1, "reactivated": 1, "active": 1} {
			list, err := p.s.List(t.Context(), "/event?event=integrated_account:"+event)
			if err != nil || len(list) != want {
				t.Errorf("%s: got %d events (%v), want %d", event, len(list), err, want)
			}
		}
		if err := p.s.Send(t.Context(), "PATCH", "/integrated-account/"+p.account, "application/json", []byte(`{"context":{"api_key":"wrong"}}`), nil); err != nil {
			t.Fatal(err)
		}
		p.want("GET /proxy/contacts/1?$", "", 401, "", "GET /v1/contacts/1")
		for range 4 {
			p.call("GET /proxy/contacts/1?$", "")
		}
		if limited := p.want("GET /proxy/contacts/1?$", "", 429, "", "-"); limited.header.Get("Retry-After") != "10" {
			t.Errorf("got Retry-After %q", limited.header.Get("Retry-After"))
		}
	})
}

func TestProxySandboxAndBlocked(t *testing.T) {
	t.Parallel()
	p := startProxied(t, storetest.SQLite(t), nil)
	var account map[string]any
	if err := p.s.Get(t.Context(), "/integrated-account/"+p.account, &account); err != nil {
		t.Fatal(err)
	}
	install, _ := account["environment_integration_id"].(string)
	p.account, _ = p.post("/integrated-account", map[string]any{
		"tenant_id": "acme", "environment_integration_id": install, "authentication_method": "api_key", "is_sandbox": true,
		"context": map[string]any{"api_key": "key-1"},
	})["id"].(string)
	p.want("GET /proxy/contacts/1?$", "", 200, "", "GET /v1/contacts/1")
	p.want("POST /proxy/contacts?$", `{}`, 405, "sandbox", "-")
	p.want("POST /proxy/_/adopt?$", `{}`, 405, "sandbox", "-")
	p.want("GET /custom/x?$", `{"methodConfig":{"method":"post"}}`, 405, "sandbox", "-")
	if err := p.s.Send(t.Context(), "PATCH", "/environment-integration/"+install, "application/json", []byte(`{"is_enabled":false}`), nil); err != nil {
		t.Fatal(err)
	}
	p.want("GET /proxy/contacts/1?$", "", 503, "blocked", "-")
	p.want("GET /integrated-account/"+p.account+"/capabilities", "", 200, `"is_blocked":true`, "-")

	job := p.post("/sync-job", map[string]any{
		"default_runtime_version": 4, "error_handling": "fail_fast",
		"resources": []any{map[string]any{"name": "contacts", "type": "request", "resource": "contacts", "method": "list"}},
	})
	run := p.post("/sync-job-run", map[string]any{"sync_job_id": job["id"], "integrated_account_id": p.account})
	Wait(t, time.Minute, func() (bool, any) {
		var row struct {
			Status string
			Error  struct{ Code string }
		}
		err := p.s.Get(t.Context(), fmt.Sprintf("/sync-job-run/%s", run["id"]), &row)
		return err == nil && row.Status == "failed" && row.Error.Code == "account_blocked", row
	})
}
