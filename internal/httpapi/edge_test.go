package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

var update = flag.Bool("update", false, "write golden files")

func TestOpenAPIIsCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)))
	got := w.send("GET", "/openapi.json", "", "Authorization", "")
	if got.status != http.StatusOK {
		t.Fatalf("got status %d: %s", got.status, got.raw)
	}
	path := filepath.Join("..", "..", "docs", "openapi.json")
	if *update {
		if err := os.WriteFile(path, got.raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got.raw) {
		t.Errorf("docs/openapi.json differs from the code; run go test ./internal/httpapi -run OpenAPI -update")
	}
	if yaml := w.get("/openapi.yaml"); yaml.status != http.StatusOK || !strings.Contains(string(yaml.raw), "openapi: 3.1.0") {
		t.Errorf("openapi.yaml: got %d %s", yaml.status, shorten(string(yaml.raw)))
	}
}

// Every operation shows what it takes and gives, and every state of a resource is listed.
func TestOpenAPIHasExamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)))
	var d struct {
		Paths map[string]map[string]struct {
			RequestBody struct{ Content map[string]map[string]any }
			Responses   map[string]struct{ Content map[string]map[string]any }
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []any }
			}
		}
	}
	if err := json.Unmarshal(w.get("/openapi.json").raw, &d); err != nil {
		t.Fatal(err)
	}
	for path, operations := range d.Paths {
		for method, op := range operations {
			bodies := []map[string]map[string]any{op.RequestBody.Content}
			for _, r := range op.Responses {
				bodies = append(bodies, r.Content)
			}
			for _, content := range bodies {
				if media := content["application/json"]; media != nil && media["schema"] != nil && media["example"] == nil {
					if _, null := media["example"]; !null {
						t.Errorf("%s %s has a body without an example", method, path)
					}
				}
			}
		}
	}
	for schema, member := range map[string]string{"SyncJobRun": "status", "WorkflowRun": "status", "Account": "status", "Delivery": "status", "Decision": "outcome"} {
		if len(d.Components.Schemas[schema].Properties[member].Enum) == 0 {
			t.Errorf("%s.%s does not list its values", schema, member)
		}
	}
}

// The views of details embed those of lists, all of whose members the document must have.
func TestOpenAPIDescribesWhatIsEmbedded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)))
	schemas, _ := w.get("/openapi.json").ok().at("components", "schemas").(map[string]any)
	for name, member := range map[string]string{"WebhookDetail": "target_url", "DeliveryDetail": "webhook_id", "EventTypeDetail": "name", "Erased": "id"} {
		schema, _ := schemas[name].(map[string]any)
		if properties, _ := schema["properties"].(map[string]any); properties[member] == nil {
			t.Errorf("%s has no %s: %v", name, member, properties)
		}
	}
}

func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)))
	paths, _ := w.get("/openapi.json").ok().m["paths"].(map[string]any)
	seen := map[any]string{}
	for path, methods := range paths {
		for method, op := range methods.(map[string]any) {
			name := method + " " + path
			op, _ := op.(map[string]any)
			if other, taken := seen[op["operationId"]]; taken {
				t.Errorf("%s and %s share the operation id %v", name, other, op["operationId"])
			}
			seen[op["operationId"]] = name
			body, _ := json.Marshal(op)
			bodyless := strings.HasSuffix(path, "/schedule") || path == "/webhook-delivery/{id}/redeliver" || path == "/webhook-redelivery/{id}/stop"
			if (method == "post" || method == "patch") && !bodyless && !strings.Contains(string(body), `"requestBody"`) {
				t.Errorf("%s: no request body", name)
			}
			if !strings.Contains(string(body), "#/components/schemas/Error") {
				t.Errorf("%s: no form of errors", name)
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("got %d operations", len(seen))
	}
}

func TestProbesNeedNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t))).as("")
	for _, path := range []string{"/ping", "/healthz", "/readyz", "/openapi.json"} {
		w.get(path).ok()
	}
}

func TestReadyzSaysNo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), func(c *httpapi.Config) {
		c.Ready = func(context.Context) error { return errors.New("queue: secret cause") }
	})
	a := w.get("/readyz")
	d := a.rejected(http.StatusServiceUnavailable)
	if strings.Contains(d.str("message"), "secret") || !strings.Contains(w.logs.String(), "secret cause") {
		t.Errorf("got message %q, want the cause in the log only", d.str("message"))
	}
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + ownToken, ownToken, "Bearer " + oldToken} {
			a := w.send("GET", "/workflow", "", "Authorization", header)
			a.rejected(http.StatusUnauthorized)
			if a.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%q: no WWW-Authenticate", header)
			}
		}
		for _, header := range []string{"bearer " + ownToken, "BEARER   " + ownToken} {
			w.send("GET", "/workflow", "", "Authorization", header).ok()
		}
		a := w.get("/api-token")
		if ids := a.ok().ids(); len(ids) != 3 || strings.Contains(string(a.raw), "hash") {
			t.Errorf("api tokens: got %s", a.raw)
		}
		w.get("/api-token/" + w.get("/api-token").ok().ids()[0]).ok()
		if log := w.logs.String(); strings.Contains(log, ownToken) {
			t.Errorf("a token is in the log: %s", log)
		}
	})
}

// A token that is deleted stops working after some seconds at the latest.
func TestTokenIsForgotten(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	w := newWorld(t, db, func(c *httpapi.Config) {
		c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	w.get("/workflow").ok()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		page, err := tx.APITokens().List(t.Context(), w.env, millrace.Query{})
		for _, token := range page.Result {
			err = errors.Join(err, tx.APITokens().Delete(t.Context(), token.ID))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	now = now.Add(6 * time.Second)
	mu.Unlock()
	w.get("/workflow").rejected(http.StatusUnauthorized)
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)))
	for _, path := range []string{"/", "/workflows", "/nothing", "/workflow/a/b", "/%00"} {
		w.get(path).rejected(http.StatusNotFound)
	}
	if d := w.get("/workflows").is(http.StatusNotFound); !strings.Contains(d.str("message"), `did you mean "/workflow"?`) {
		t.Errorf("got %q, want a suggestion", d.str("message"))
	}
	for _, c := range []struct{ method, path, allow, says string }{
		{"POST", "/workflow-run", "GET, HEAD", "made by the system"},
		{"PATCH", "/workflow-run/" + noID, "DELETE, GET, HEAD", "made by the system"},
		{"PATCH", "/api-token/" + noID, "DELETE, GET, HEAD", "PATCH"},
		{"PUT", "/environment", "GET, HEAD, POST", "PUT"},
		{"PUT", "/workflow/" + noID, "DELETE, GET, HEAD, PATCH", "PUT"},
		{"DELETE", "/workflow", "GET, HEAD, POST", "DELETE"},
		{"GET", "/sync-job-cron-trigger/" + noID + "/schedule", "POST", "GET"},
	} {
		a := w.send(c.method, c.path, "")
		d := a.rejected(http.StatusMethodNotAllowed)
		if got := a.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: got Allow %q, want %q", c.method, c.path, got, c.allow)
		}
		if !strings.Contains(d.str("message"), c.says) {
			t.Errorf("%s %s: got %q, want %q in it", c.method, c.path, d.str("message"), c.says)
		}
	}
	if a := w.send("HEAD", "/workflow", ""); a.status != http.StatusOK {
		t.Errorf("HEAD: got %d", a.status)
	}
}

// What the TypeScript SDK, the Python SDK and curl send.
func TestLeniency(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		body := `{"label":"x","resources":[]}`
		for _, contentType := range []string{
			"application/json", "application/json; charset=utf-8", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
			"", "garbage/;;;", "application/octet-stream",
		} {
			if got := w.send("POST", "/sync-job", body, "Content-Type", contentType).ok().str("label"); got != "x" {
				t.Errorf("%q: got label %q", contentType, got)
			}
		}
		w.send("POST", "//sync-job", "\xef\xbb\xbf"+body).ok()
		job := w.send("POST", "/sync-job/", "label: y\nresources: []\n", "Content-Type", "application/yaml").ok()
		for _, path := range []string{"/sync-job?", "//sync-job?", "/sync-job/" + job.id() + "?", "///sync-job//" + job.id(), "/sync-job/" + strings.ToUpper(job.id())} {
			w.get(path).ok()
		}
		w.send("GET", "/sync-job", "", "Content-Type", "application/json", "Accept", "application/json").ok()
		w.send("GET", "/sync-job", "", "Accept", "text/html").ok()
		w.send("DELETE", "/sync-job/"+job.id(), "", "Content-Type", "application/json").ok()
		w.get("/sync-job?next_cursor=&limit=").ok()
	})
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name, contentType, body string
			status                  int
			line, column            float64
		}{
			{"broken JSON", "application/json", "{\n  \"label\": x}", 400, 2, 12},
			{"duplicate key", "application/json", "{\"label\":\"a\",\n\"label\":\"b\"}", 400, 2, 1},
			{"broken YAML", "application/yaml", "label: a\n  b: [", 400, 1, 8},
			{"duplicate key in YAML", "text/yaml", "label: a\nlabel: b\n", 400, 2, 1},
			{"YAML said to be JSON", "application/json", "label: a", 400, 1, 1},
			{"empty", "application/json", "  \n ", 400, 0, 0},
			{"no object", "application/json", "[1]", 400, 0, 0},
			{"text", "application/json", `"x"`, 400, 0, 0},
			{"multipart", "multipart/form-data; boundary=x", "--x--", 415, 0, 0},
			{"too large", "application/json", `{"label":"` + strings.Repeat("x", 4<<20) + `"}`, 413, 0, 0},
		} {
			t.Run(c.name, func(t *testing.T) {
				d := w.send("POST", "/sync-job", c.body, "Content-Type", c.contentType).rejected(c.status)
				if c.line == 0 {
					return
				}
				if f := d.failure(""); f["line"] != c.line || f["column"] != c.column {
					t.Errorf("got %v, want line %v, column %v", f, c.line, c.column)
				}
			})
		}
		if ids := w.get("/sync-job").ok().ids(); len(ids) != 0 {
			t.Errorf("something of a rejected request was stored: %v", ids)
		}
	})
}

// A body without a length is cut off, too.
func TestLargeChunkedBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), func(c *httpapi.Config) { c.MaxBody = 1000 })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/sync-job", struct{ *strings.Reader }{strings.NewReader(`{"label":"` + strings.Repeat("x", 2000) + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = -1
	req.Header.Set("Authorization", "Bearer "+ownToken)
	res, err := w.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got status %d, want 413", res.StatusCode)
	}
}

func TestInternalErrorsShowAnIDOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), func(c *httpapi.Config) {
		c.Proxy = failing{}
	})
	for _, path := range []string{"/proxy/bookings", "/custom/bookings"} {
		a := w.post(path+"?integrated_account_id="+noID, `{}`)
		d := a.rejected(http.StatusInternalServerError)
		id := d.str("request_id")
		if id != a.header.Get("X-Request-Id") || !strings.Contains(d.str("message"), id) || strings.Contains(string(a.raw), "secret") {
			t.Errorf("%s: got %s", path, a.raw)
		}
		found := false
		for line := range strings.Lines(w.logs.String()) {
			found = found || strings.Contains(line, id) && strings.Contains(line, "the secret of") && strings.Contains(line, `"level":"ERROR"`)
		}
		if !found {
			t.Errorf("%s: no log line has both the id %s and the cause: %s", path, id, w.logs)
		}
	}
}

// failing panics when it is asked for a resource, and else fails.
type failing struct{}

func (failing) Call(_ context.Context, call *provider.Call) (*provider.Response, error) {
	if call.Resource != "" {
		panic("the secret of the panic")
	}
	return nil, fmt.Errorf("read the account: %w", errors.New("the secret of the database"))
}

func TestOneLogLinePerRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)))
	w.post("/webhook", `{"target_url":"https://example.com","secret":"topsecret"}`).ok()
	w.get("/nothing?x=topsecret").is(http.StatusNotFound)
	lines := strings.Split(strings.TrimSpace(w.logs.String()), "\n")
	if len(lines) != 2 || strings.Contains(w.logs.String(), "topsecret") {
		t.Fatalf("got %v", lines)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"msg": "request served", "method": "POST", "path": "/webhook", "status": 200.0, "environment_id": string(w.env), "level": "INFO",
	} {
		if line[key] != want {
			t.Errorf("%s: got %v, want %v", key, line[key], want)
		}
	}
	if line["request_id"] == nil || line["duration_ms"] == nil {
		t.Errorf("got %v", line)
	}
}

// No token of another environment sees or changes anything.
func TestOtherEnvironmentIsNotFound(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		account := w.account("calcom")
		job := w.create("/sync-job", `{"resources":[]}`)
		hook := w.create("/webhook", `{"target_url":"https://example.com"}`)
		paths := map[string]string{
			"/environment": string(w.env), "/integrated-account": account.id(), "/sync-job": job.id(), "/webhook": hook.id(),
			"/integration":             account.str("integration", "id"),
			"/environment-integration": account.str("environment_integration_id"),
			"/sync-job-run":            w.create("/sync-job-run", `{"sync_job_id":"`+job.id()+`"}`).id(),
			"/sync-job-cron-trigger":   w.create("/sync-job-cron-trigger", `{"sync_job_id":"`+job.id()+`","cron_expression":"0 * * * *"}`).id(),
			"/workflow":                w.create("/workflow", workflow).id(),
			"/event":                   w.create("/event", `{"event":"custom:x"}`).id(),
			"/api-token":               w.get("/api-token").ok().ids()[0],
		}
		other := w.as(otherToken)
		for path, id := range paths {
			other.get(path + "/" + id).rejected(http.StatusNotFound)
			w.get(path + "/" + id + "?environment_id=" + string(w.env)).ok()
			w.get(path + "/" + id + "?environment_id=" + string(w.other)).rejected(http.StatusNotFound)
			if path == "/event" || path == "/api-token" || path == "/environment" { // not to be changed, or by admin tokens
				continue
			}
			body := `{"version":1}`
			other.patch(path+"/"+id, body).rejected(http.StatusNotFound)
			other.delete(path + "/" + id).rejected(http.StatusNotFound)
		}
		for path := range paths {
			for _, id := range other.get(path).ok().ids() {
				if id == paths[path] {
					t.Errorf("%s: the other environment sees %s", path, id)
				}
			}
			if ids := w.get(path + "?environment_id=" + string(w.other)).ok().ids(); len(ids) != 0 {
				t.Errorf("%s: asked for the other environment, got %v", path, ids)
			}
		}
		for path, body := range map[string]string{
			"/sync-job-run":            `{"sync_job_id":"` + job.id() + `"}`,
			"/environment-integration": `{"integration_id":"` + account.str("integration", "id") + `"}`,
			"/webhook/test":            `{"id":"` + hook.id() + `"}`,
			"/workflow":                strings.Replace(workflow, "{", `{"environment_id":"`+string(w.env)+`",`, 1),
			"/integrated-account": `{"tenant_id":"t","context":{},"authentication_method":"api_key","environment_integration_id":"` +
				account.str("environment_integration_id") + `"}`,
		} {
			other.post(path, body).rejected(http.StatusNotFound)
		}
	})
}

const workflow = `{"trigger_name":"integrated_account:active","config":{"steps":[{"type":"run","action":"run_sync_job","config":"{}"}]}}`

// Any resource takes an id of the client's choice once.
func TestClientsChooseIDs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{"resources":[]}`)
		install := w.install("calcom")
		other := w.create("/integration", `{"name":"other","config":{}}`)
		for path, body := range map[string]string{
			"/sync-job": `"resources":[]`, "/webhook": `"target_url":"https://example.com"`, "/integration": `"name":"x","config":{}`,
			"/workflow": workflow[1 : len(workflow)-1], "/sync-job-run": `"sync_job_id":"` + job.id() + `"`,
			"/sync-job-cron-trigger":   `"cron_expression":"0 * * * *","sync_job_id":"` + job.id() + `"`,
			"/environment-integration": `"integration_id":"` + other.id() + `"`, "/event": `"event":"custom:x"`,
			"/integrated-account": `"tenant_id":"t","context":{},"authentication_method":"api_key","environment_integration_id":"` + install + `"`,
		} {
			id := string(millrace.NewID[millrace.EventID]())
			with := func(id string) string {
				return `{"id":"` + id + `","environment_id":"` + string(w.env) + `",` + body + `}`
			}
			if got := w.post(path, with(strings.ToUpper(id))).ok().id(); got != id {
				t.Errorf("%s: got id %s, want %s", path, got, id)
			}
			if path != "/environment-integration" { // there it is the installation again
				w.post(path, strings.Replace(with(id), `"name":"x"`, `"name":"y"`, 1)).rejected(http.StatusConflict)
			}
			w.post(path, with("not-an-id")).rejected(http.StatusBadRequest, "id")
		}
	})
}

func TestLists(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var ids []string
		for i := range 5 {
			ids = append(ids, w.create("/sync-job", fmt.Sprintf(`{"label":"job %d","integration_name":"i%d"}`, i, i%2)).id())
		}
		page := w.get("/sync-job?limit=2&sort_by[label]=asc").ok()
		if got := page.ids(); len(got) != 2 || got[0] != ids[0] || page.m["limit"] != 2.0 {
			t.Fatalf("first page: got %v", page.m)
		}
		var all []string
		for cursor := ""; ; {
			page := w.get("/sync-job?limit=2&sort_by[label]=asc&next_cursor=" + cursor).ok()
			all = append(all, page.ids()...)
			next, more := page.m["next_cursor"].(string)
			if !more {
				break
			}
			cursor = next
		}
		if strings.Join(all, " ") != strings.Join(ids, " ") {
			t.Errorf("all pages: got %v, want %v", all, ids)
		}
		for query, want := range map[string]int{
			"": 5, "integration_name=i0": 3, "integration_name[ne]=i0": 2, "label[like]=JOB%25": 5, "label[in][]=job 1&label[in][]=job 2": 2,
			"id[in][0]=" + ids[0] + "&id[in][1]=" + ids[1]: 2, "id[in]=" + ids[0] + "," + ids[1]: 2, "id[nin]=" + ids[0]: 4,
			"created_at[gt]=2020-01-01T00:00:00Z": 5, "created_at[lt]=2020-01-01": 0, "sort=-created_at": 5, "select=id": 5, "label=": 0,
		} {
			if got := w.get("/sync-job?" + strings.ReplaceAll(query, " ", "%20")).ok().ids(); len(got) != want {
				t.Errorf("%q: got %d rows, want %d", query, len(got), want)
			}
		}
		for query, path := range map[string]string{
			"limit=0": "limit", "limit=5001": "limit", "nothing=1": "nothing", "label[gte_]=1": "label.gte_", "sort=nothing": "nothing",
			"next_cursor=garbage": "next_cursor", "created_at[gt]=yesterday": "created_at", "sort_by[label]=sideways": "sort_by[label]",
			"label[gt][]=1": "label", "a[b=c": "a[b",
		} {
			w.get("/sync-job?"+query).rejected(http.StatusBadRequest, path)
		}
		w.account("calcom")
		w.account("zendesk")
		if got := w.get("/integrated-account?integration.name=calcom&is_sandbox=false&status[in]=active,connecting").ok().ids(); len(got) != 1 {
			t.Errorf("dotted filter: got %v", got)
		}
	})
}

// Sixty-four callers at once get responses, and none waits for another's commit.
func TestManyCallersSendEvents(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				for j := range 4 {
					a := w.post("/event", fmt.Sprintf(`{"event":"custom:load","payload":{"n":%d},"idempotency_key":"%d-%d"}`, i, i, j))
					if a.status != http.StatusOK {
						t.Errorf("got %d %s", a.status, a.raw)
					}
				}
			})
		}
		wg.Wait()
		if got := w.get("/event?event=custom:load").ok().ids(); len(got) != 256 {
			t.Errorf("got %d events, want 256", len(got))
		}
	})
}

// BenchmarkSendEvent measures what an event costs when 64 callers send at once, stored in SQLite.
func BenchmarkSendEvent(b *testing.B) {
	db := storetest.Open(b, storetest.SQLite(b))
	w := newWorld(b, db, func(c *httpapi.Config) { c.Logger = nil })
	handler := w.server.Config.Handler
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPost, "/event", strings.NewReader(`{"event":"custom:load","payload":{"n":1,"integration":{"name":"calcom"}}}`))
			r.Header.Set("Authorization", "Bearer "+ownToken)
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, r)
			if rec.Code != http.StatusOK {
				b.Errorf("got %d %s", rec.Code, rec.Body)
			}
		}
	})
}

func (failing) Log(context.Context, millrace.CallLog) {}
