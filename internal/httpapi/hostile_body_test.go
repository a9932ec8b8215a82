package httpapi_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// echoing is a provider that has everything.
type echoing struct{}

func (echoing) Call(context.Context, *provider.Call) (*provider.Response, error) {
	return &provider.Response{Status: http.StatusOK, Raw: []byte("{}"), Exact: true}, nil
}

// hostileTokens are JSON, or nearly, for any place of a body.
func hostileTokens() []string {
	random := make([]byte, 4000) // no database can compress it into an entry of an index
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	return []string{
		`"\u0000"`, `"a\u0000b"`, "\"a\x00b\"", "\"\xff\"", "\"\xed\xa0\x80\"", `"\ud800"`, `"\udc00\ud800"`, `"\ud83d\ude00"`, `""`, `"x"`, `"\\"`, `"%_'\""`, `"{{"`, `"{{a}}"`,
		`1e-99999999999`, `1e999999`, `-0`, `123456789012345678901234567890`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `0.1`,
		`null`, `true`, `[]`, `{}`, `[[[[]]]]`, `{"":{"":""}}`, `{"\u0000":1}`, `{"a\ud800":1}`, "{\"\xff\":1}", `["\u0000"]`, `[null,1,"a",{}]`,
		`"` + hex.EncodeToString(random) + `"`, `"a:` + hex.EncodeToString(random) + `"`, `"` + strings.Repeat("é", 300) + `"`, strings.Repeat("[", 250) + strings.Repeat("]", 250),
		`"9999-12-31T23:59:59.999Z"`, `"0000-01-01T00:00:00Z"`, `"-1"`, `"* * * * *"`, `"99999999-9999-4999-8999-999999999999"`,
	}
}

// hostileBodies are the bodies of the API's routes, whose members are replaced one by one.
func (w *world) hostileBodies() map[string]string {
	account := w.account("calcom")
	install := account.str("environment_integration_id")
	integration := w.create("/integration", `{"name":"other","config":{"label":"Other"}}`).id()
	job := w.create("/sync-job", `{"label":"Bookings","integration_name":"calcom","resources":[{"name":"b","type":"request","resource":"bookings","method":"list","integrated_account_id":"`+account.id()+`"}]}`).id()
	webhook := w.create("/webhook", `{"target_url":"https://example.com/hook"}`).id()
	gate := w.create("/static-gate", `{"name":"n","domain":"gate.example.com"}`).id()
	destination := w.create("/notification-destination", `{"type":"email","label":"On call","config":{"to":["a@example.com"]}}`).id()
	trigger := w.create("/sync-job-cron-trigger", `{"sync_job_id":"`+job+`","cron_expression":"0 0 * * *"}`).id()
	template := w.create("/sync-job-template", `{"label":"T","sharing":"allow","default_runtime_version":4,"resources":[{"name":"b","type":"request","resource":"bookings","method":"list"}]}`).id()
	run := w.create("/sync-job-run", `{"sync_job_id":"`+job+`","integrated_account_id":"`+account.id()+`","webhook_id":"`+webhook+`"}`).id()
	steps := `[{"type":"run","action":"run_sync_job","config":{"sync_job_id":"` + job + `"}}]`
	workflow := w.create("/workflow", `{"label":"W","trigger_name":"integrated_account:active","config":{"run_if":"true","steps":`+steps+`}}`).id()
	return map[string]string{
		"POST /event":                                                `{"id":"","event":"custom:paid","payload":{"a":1,"b":["c"]},"idempotency_key":"A","environment_id":""}`,
		"POST /environment":                                          `{"name":"Third"}`,
		"PATCH /environment/" + string(w.env):                        `{"name":"Default"}`,
		"POST /api-token":                                            `{"environment_id":"` + string(w.env) + `","name":"CI","expires_at":"2030-01-01T00:00:00Z"}`,
		"POST /integration":                                          `{"id":"","name":"third","category":"crm","config":{"label":"X","base_url":"https://example.com","resources":{}},"is_beta":true,"sharing":"ask","team_id":"t","environment_id":""}`,
		"PATCH /integration/" + integration:                          `{"name":"fourth","category":"crm","config":{"label":"X"},"is_beta":true,"sharing":"ask","version":1}`,
		"POST /environment-integration":                              `{"id":"","integration_id":"` + integration + `","is_enabled":true,"override":{"label":"a"},"show_in_catalog":true,"environment_id":""}`,
		"PATCH /environment-integration/" + install:                  `{"is_enabled":true,"override":{"label":"a"},"show_in_catalog":true}`,
		"POST /integrated-account":                                   `{"id":"","tenant_id":"t","environment_integration_id":"` + install + `","authentication_method":"api_key","context":{"a":1},"features":{"a":1},"integration_override":{},"is_sandbox":true,"region":"eu","unified_model_override":{},"environment_id":""}`,
		"PATCH /integrated-account/" + account.id():                  `{"tenant_id":"t","authentication_method":"api_key","context":{"a":1},"integration_override":{},"status":"active","unified_model_override":{}}`,
		"PATCH /integrated-account/" + account.id() + "/credentials": `{"authentication_method":"api_key","context":{"a":1},"credentials":{"a":1}}`,
		"POST /link-token":                                           `{"tenant_id":"t","integrated_account_id":"","scopes":["a"],"context":{"a":1},"redirect_uri":"https://example.com/x","persist_previous_context":true,"integrations":["calcom"],"region":"eu","is_sandbox":true}`,
		"POST /integrated-account/token":                             `{"integrated_account_id":"` + account.id() + `"}`,
		"POST /integrated-account/bulk-delete":                       `{"tenant_id":"none","ids":"","query":""}`,
		"POST /sandbox-integrated-account":                           `{"id":"` + account.id() + `"}`,
		"POST /static-gate":                                          `{"name":"n","domain":"gate.example.com:8443"}`,
		"PATCH /static-gate/" + gate:                                 `{"name":"n","domain":"http://gate.example.com"}`,
		"POST /tenant":                                               `{"id":"globex","name":"n","metadata":{"a":1}}`,
		"POST /tenant/bulk":                                          `{"tenants":[{"id":"initech","name":"n","metadata":{"a":1}}]}`,
		"PATCH /tenant/acme":                                         `{"name":"n","metadata":{"a":1}}`,
		"POST /notification-destination":                             `{"id":"","type":"email","label":"On call","config":{"to":["a@example.com"],"subject_prefix":"x"},"event_types":["webhook:failing"],"is_active":true,"environment_id":""}`,
		"PATCH /notification-destination/" + destination:             `{"label":"On call","config":{"to":["a@example.com"]},"event_types":["webhook:failing"],"is_active":true}`,
		"POST /notification-destination/test":                        `{"id":"` + destination + `"}`,
		"POST /sync-job":                                             `{"id":"","label":"B","integration_name":"calcom","args_schema":{"a":{"type":"string"}},"args_validation":"true","default_runtime_version":4,"error_handling":"fail_fast","mutex_key":"m","state_key":"s","resources":[{"name":"b","type":"request","resource":"bookings","method":"list"}],"environment_id":""}`,
		"PATCH /sync-job/" + job:                                     `{"label":"B","integration_name":"calcom","args_schema":{"a":{"type":"string"}},"args_validation":"true","default_runtime_version":4,"error_handling":"fail_fast","mutex_key":"m","state_key":"s","resources":[{"name":"b","type":"request","resource":"bookings","method":"list"}]}`,
		"POST /sync-job-run":                                         `{"id":"","sync_job_id":"` + job + `","integrated_account_id":"` + account.id() + `","webhook_id":"` + webhook + `","args":{"a":"b"},"daemon_group_key":"d","error_handling":"fail_fast","events_to_send":["record"],"force":true,"ignore_previous_run":true,"mutex_key":"m","state_key":"s","environment_id":""}`,
		"PATCH /sync-job-run/" + run:                                 `{"status":"running","started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:00:00Z"}`,
		"POST /sync-job-cron-trigger":                                `{"id":"","sync_job_id":"` + job + `","cron_expression":"0 0 * * *","args":{"a":"b"},"catch_up":"one","daemon_group_key":"d","error_handling":"fail_fast","events_to_send":[],"integrated_account_id":"` + account.id() + `","meta":{"a":1},"overlap":"skip","spread":1,"super_query":"x","timezone":"UTC","webhook_id":"` + webhook + `","environment_id":""}`,
		"PATCH /sync-job-cron-trigger/" + trigger:                    `{"cron_expression":"0 0 * * *","args":{"a":"b"},"catch_up":"one","daemon_group_key":"d","error_handling":"fail_fast","events_to_send":[],"meta":{"a":1},"overlap":"skip","spread":1,"super_query":"x","timezone":"UTC","webhook_id":"` + webhook + `"}`,
		"POST /sync-job-run-state?state_key=s":                       `{"key":"k","value":{"a":["b"]}}`,
		"PATCH /sync-job-run-state/k?state_key=s":                    `{"value":{"a":["b"]}}`,
		"POST /sync-job-template":                                    `{"id":"","label":"T","description":"d","default_runtime_version":4,"integration_name":"calcom","args_schema":{},"args_validation":"true","sharing":"allow","resources":[{"name":"b","type":"request","resource":"bookings","method":"list"}],"environment_id":""}`,
		"PATCH /sync-job-template/" + template:                       `{"label":"T","description":"d","default_runtime_version":4,"integration_name":"calcom","args_schema":{},"args_validation":"true","sharing":"allow","resources":[{"name":"b","type":"request","resource":"bookings","method":"list"}]}`,
		"POST /webhook":                                              `{"id":"","target_url":"https://example.com/hook","event_types":["a:b"],"is_active":true,"concurrency":1,"ordering":"strict","rate_limit":{"requests":10,"per_seconds":1},"secret":"0123456789abcdef0123456789abcdef","signature_encoding":"base64","environment_id":""}`,
		"PATCH /webhook/" + webhook:                                  `{"target_url":"https://example.com/hook","event_types":["a:b"],"is_active":true,"concurrency":1,"ordering":"strict","rate_limit":{"requests":10,"per_seconds":1},"signature_encoding":"base64"}`,
		"POST /webhook/test":                                         `{"id":"` + webhook + `","event_type":"integrated_account:active"}`,
		"POST /webhook/" + webhook + "/redeliver":                    `{"status":["failed"],"event":["a:b"],"created_at":{"gte":"2026-01-01T00:00:00Z","lt":"2026-01-02T00:00:00Z"}}`,
		"POST /webhook-redelivery":                                   `{"webhook_id":"` + webhook + `","filter":{"status":["failed"],"event":["custom:x"],"created_at":{"gte":"2026-01-01T00:00:00Z","lt":"2026-01-02T00:00:00Z"},"integrated_account_id":"` + account.id() + `"},"through":1}`,
		"POST /webhook-redelivery/preview":                           `{"webhook_id":"` + webhook + `","filter":{"status":["failed"],"event":["custom:x"],"created_at":{"gte":"2026-01-01T00:00:00Z"},"integrated_account_id":"` + account.id() + `"},"through":1}`,
		"POST /webhook/" + webhook + "/rotate-secret":                `{"overlap_seconds":1,"secret":"0123456789abcdef0123456789abcdef","updated_at":"2026-01-01T00:00:00Z"}`,
		"POST /workflow":                                             `{"id":"","label":"W","name":"n","trigger_name":"custom:paid","config":{"run_if":"true","idempotency_key":"{{a}}","debounce":"5s","steps":` + steps + `},"environment_id":""}`,
		"PATCH /workflow/" + workflow:                                `{"label":"W","name":"n","trigger_name":"custom:paid","config":{"run_if":"true","steps":` + steps + `}}`,
	}
}

// replacements returns a document with each of its values replaced by the token, one at a time.
func replacements(v any, token string) []string {
	const mark = `"\u0001here"`
	var out []string
	encode := func(root any) {
		raw, err := json.Marshal(root)
		if err == nil {
			out = append(out, strings.Replace(string(raw), mark, token, 1))
		}
	}
	var walk func(root any, v any, put func(any))
	walk = func(root any, v any, put func(any)) {
		put("\u0001here")
		encode(root)
		put(v)
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				child := v[key]
				walk(root, child, func(x any) { v[key] = x })
			}
		case []any:
			for i, child := range v {
				walk(root, child, func(x any) { v[i] = x })
			}
		}
	}
	members, _ := v.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if child := members[key]; child == "" {
			delete(members, key) // it is only there to be replaced
			members[key] = "\u0001here"
			encode(members)
			delete(members, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		child := members[key]
		walk(members, child, func(x any) { members[key] = x })
	}
	return append(out, token)
}

func TestNoBodyIsAnInternalError(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, func(c *httpapi.Config) { c.Proxy = echoing{} })
		bodies, turn := w.hostileBodies(), 0
		for _, route := range slices.Sorted(maps.Keys(bodies)) {
			body := bodies[route]
			method, path, _ := strings.Cut(route, " ")
			caller := w
			if first := strings.Split(path, "/")[1]; first == "environment" || first == "api-token" {
				caller = w.as(adminToken)
			}
			for _, token := range hostileTokens() {
				var root any
				if err := json.Unmarshal([]byte(body), &root); err != nil {
					t.Fatalf("%s: %v", body, err)
				}
				for _, sent := range replacements(root, token) {
					if turn++; turn%hostileStride(11) != 0 {
						continue
					}
					caller.call(method, path, sent, "Content-Type", "application/json").harmless()
				}
			}
		}
		covered := map[string]bool{}
		for route := range bodies {
			method, path, _ := strings.Cut(route, " ")
			covered[method+" "+strings.Split(path, "/")[1]] = true
		}
		for _, r := range apiRoutes(t) {
			first := strings.Split(r.path, "/")[1]
			if !r.body || first == "custom" || first == "proxy" || strings.HasSuffix(first, "-webhook") {
				continue
			}
			if _, ok := covered[r.method+" "+strings.TrimSuffix(first, "?")]; !ok && !covered[r.method+" "+first+"?state_key=s"] {
				t.Errorf("no body is sent to %s %s", r.method, r.path)
			}
		}
		// What was stored can be read.
		for _, r := range apiRoutes(t) {
			if r.list {
				w.call("GET", listTarget(r.path), "").harmless()
			}
		}
	})
}

func TestNoPathOrHeaderIsAnInternalError(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, func(c *httpapi.Config) { c.Proxy = echoing{} })
		account := w.account("calcom").id()
		parts := []string{
			"%00", "%FF", "a%00b", "%ED%A0%80", "%C0%80", "%2e%2e", "%2F", "..%2f..", "%5C", "'", "%25", "%25%30%30", "*", "%7Bid%7D", strings.Repeat("x", 5000), strings.Repeat("%00", 500),
			"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f%00", "3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4%FF", "3F1A6A1E-7C0D-4B7E-9D55-0B7A3D1C2E4F", "00000000-0000-0000-0000-000000000000",
		}
		for _, r := range apiRoutes(t) {
			if !strings.Contains(r.path, "{") {
				continue
			}
			for i, part := range parts {
				path := r.path
				for strings.Contains(path, "{") {
					a, b := strings.Index(path, "{"), strings.Index(path, "}")
					path = path[:a] + part + path[b+1:]
				}
				query := "?integrated_account_id=" + account + "&state_key=" + part
				if !strings.HasPrefix(r.path, "/proxy") && !strings.HasPrefix(r.path, "/custom") && !strings.Contains(r.path, "run-state") {
					query = ""
				}
				body := ""
				if r.body {
					body = "{}"
				}
				header := []string{"\x00", "\xff", strings.Repeat("k", 255), "a\x00b\xff"}[i%4]
				w.call(r.method, path+query, body, "Idempotency-Key", header, "Content-Type", header, "X-Custom", header).harmlessPath()
			}
		}
		for _, header := range []string{"Bearer \x00", "Bearer \xff", "bearer " + strings.Repeat("x", 50_000), "\xff", "Basic \x00"} {
			w.call("GET", "/event", "", "Authorization", header).is(http.StatusUnauthorized)
		}
		for name, event := range map[string]string{"nul": `{"event":"custom:a","payload":{"a":"\u0000"}}`, "raw nul": "{\"event\":\"custom:a\",\"payload\":{\"a\":\"\x00\"}}"} {
			if got := w.call("POST", "/event", event); got.status != http.StatusBadRequest || !strings.Contains(string(got.raw), "line 1, column") {
				t.Errorf("%s: got %d %s, want a 400 that says where", name, got.status, got.raw)
			}
		}
		w.call("POST", "/event", `{"event":"custom:a","payload":{"n":1e-99999999999,"id":"tiny"}}`).ok()
		w.call("POST", "/event", `{"event":"custom:a","payload":{"n":"\ud800","id":"half"}}`).ok()
		for _, id := range []string{"tiny", "half"} {
			if got := w.call("GET", "/event?payload.id="+id, "").ok().ids(); len(got) != 1 {
				t.Errorf("payload.id=%s: got %v, want one event", id, got)
			}
		}
		w.call("POST", "/event", `{"event":"custom:a","payload":{"n":1e999999}}`).is(http.StatusBadRequest)
	})
}

// harmlessPath is harmless for routes whose 400 may be about the path as a whole.
func (a *response) harmlessPath() {
	a.t.Helper()
	if a.status >= http.StatusInternalServerError {
		a.t.Errorf("%s: got %d %s", a.what, a.status, shorten(string(a.raw)))
	}
}

func (echoing) Log(context.Context, millrace.CallLog) {}
