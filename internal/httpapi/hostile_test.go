package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/store/storetest"
)

// hostileValues are what filters are compared with. Nothing of it is an error of ours.
func hostileValues() []string {
	return []string{
		"", "a", "here", "true", "TRUE", "0", "-1", "1e-99999999999", "1e999999", "9223372036854775807", "9223372036854775808", "NaN", "Infinity",
		"123456789012345678901234567890", "0x10", "1.5", `\`, `\\`, `%`, `_`, `%\`, `a\%`, `[`, `]`, `'`, `"`, `'; DROP TABLE event; --`, "$1", "?1", "{}", `{"a":1}`, `[1,`, `null`,
		"2025-01-01", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-23:59", "-290308-01-01", "1e9-01-01", "infinity",
		"\u00e9\U0001f600", "\u202e", "\x7f", strings.Repeat("x", 30_000), strings.Repeat("%a", 4000), strings.Repeat(",", 2000), strings.Repeat("(", 3000),
	}
}

// brokenEscapes are values that are no text; they are sent unescaped.
func brokenEscapes() []string {
	return []string{"%00", "a%00b", "%FF", "%ff%fe", "%ED%A0%80", "%C0%80", "%F8%88%80%80%80", "%", "%zz", "%u0000"}
}

func operators() []string {
	return []string{"", "[eq]", "[ne]", "[gt]", "[gte]", "[lt]", "[lte]", "[in]", "[nin]", "[like]", "[in][]", "[0]", "[]", "[in][0]", "[constructor]"}
}

// hostileStride says that of many hostile inputs each n-th is sent; with MILLRACE_HOSTILE=1, all are.
func hostileStride(n int) int {
	if os.Getenv("MILLRACE_HOSTILE") == "1" {
		return 1
	}
	return n
}

// call asks the API without a network between.
func (w *world) call(method, target, body string, headers ...string) *response {
	r := httptest.NewRequestWithContext(w.t.Context(), method, "/", strings.NewReader(body))
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, "", query
	if plain, err := url.PathUnescape(path); err == nil && plain != path {
		r.URL.Path, r.URL.RawPath = plain, path
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[http.CanonicalHeaderKey(headers[i])] = []string{headers[i+1]}
	}
	rec := httptest.NewRecorder()
	w.server.Config.Handler.ServeHTTP(rec, r)
	return &response{w.t, method + " " + shorten(target) + " " + shorten(body), rec.Code, rec.Header(), rec.Body.Bytes()}
}

// harmless checks that a response is a result, or says what is wrong with the request.
func (a *response) harmless() {
	a.t.Helper()
	switch {
	case a.status >= http.StatusInternalServerError:
		a.t.Errorf("%s: got %d %s", a.what, a.status, shorten(string(a.raw)))
	case a.status == http.StatusBadRequest:
		var e struct {
			Message string
			Details struct {
				Failures []struct{ Path, Message string }
			}
		}
		if err := json.Unmarshal(a.raw, &e); err != nil || e.Message == "" || len(e.Details.Failures) == 0 || e.Details.Failures[0].Message == "" {
			a.t.Errorf("%s: got a 400 that does not say what is wrong and where: %s", a.what, shorten(string(a.raw)))
		}
		if len(a.raw) > 64<<10 {
			a.t.Errorf("%s: the response has %d bytes", a.what, len(a.raw))
		}
	}
}

// operation is a route of the OpenAPI document.
type apiRoute struct {
	method, path string
	list         bool
	body         bool
	parameters   []string
}

func apiRoutes(t *testing.T) []apiRoute {
	t.Helper()
	raw, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name string }
			RequestBody *struct{}
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var out []apiRoute
	for path, methods := range doc.Paths {
		for method, op := range methods {
			r := apiRoute{method: strings.ToUpper(method), path: path, body: op.RequestBody != nil}
			for _, p := range op.Parameters {
				r.parameters = append(r.parameters, p.Name)
			}
			r.list = slices.Contains(r.parameters, "sort_by")
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b apiRoute) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return out
}

// fieldsOf returns the fields that a list can be filtered by, as it names them itself.
func (w *world) fieldsOf(list string) []string {
	w.t.Helper()
	text := w.lister(list).call("GET", list+"no_such_field=1", "").rejected(http.StatusBadRequest, "no_such_field").str("message")
	_, names, found := strings.Cut(text, "known are ")
	if !found {
		w.t.Fatalf("%s does not name its fields: %s", list, text)
	}
	return strings.Split(names, ", ")
}

// lister returns the world as one sees it who may see a list.
func (w *world) lister(list string) *world {
	if strings.HasPrefix(list, "/audit") {
		return w.as(adminToken)
	}
	return w
}

// listTarget returns the beginning of requests to a list, up to its filters.
func listTarget(path string) string {
	path = strings.ReplaceAll(path, "{id}", "dddddddd-1111-4111-8111-000000000000")
	if strings.Contains(path, "run-state") {
		return path + "?state_key=&"
	}
	return path + "?"
}

func tableOf(path string) string {
	switch {
	case strings.HasSuffix(path, "/fires"):
		return "cron_fire"
	case path == "/audit":
		return "audit_entry"
	case path == "/webhook-delivery":
		return "delivery"
	case path == "/notification-destination":
		return "webhook"
	case path == "/sandbox-integrated-account":
		return "integrated_account"
	}
	return strings.ReplaceAll(strings.TrimPrefix(path, "/"), "-", "_")
}

// TestNoFilterIsAnInternalError walks every filter of every list, with every operator and hostile values, over hostile rows.
func TestNoFilterIsAnInternalError(t *testing.T) {
	if storetest.RaceDetector {
		t.Skip("SKIPPED under the race detector: thousands of requests, one after the other")
	}
	each(t, func(t *testing.T, w *world) {
		var lists []string
		filled := map[string]bool{}
		for _, r := range apiRoutes(t) {
			if !r.list {
				continue
			}
			lists = append(lists, r.path)
			target := listTarget(r.path)
			if strings.Contains(r.path, "{id}") {
				w.insertHostile(t, "sync_job_cron_trigger", nil)
				filled["sync_job_cron_trigger"] = true
			}
			var documents []string
			for _, f := range w.fieldsOf(target) {
				if name, ok := strings.CutSuffix(f, ".<member>"); ok {
					documents = append(documents, name)
				}
			}
			if table := tableOf(r.path); !filled[table] {
				filled[table] = true
				w.insertHostile(t, table, documents)
			}
		}
		if len(lists) < 15 {
			t.Fatalf("found only %v", lists)
		}
		for _, path := range lists {
			t.Run(path, func(t *testing.T) {
				v := *w
				v.t = t
				v.walkFilters(listTarget(path))
			})
		}
	})
}

func (w *world) walkFilters(target string) {
	fields := w.fieldsOf(target)
	w = w.lister(target)
	w.call("GET", target, "").harmless()
	for i, f := range fields {
		doc, isDocument := strings.CutSuffix(f, ".<member>")
		if !isDocument {
			w.walkField(target, f, i, operators())
			continue
		}
		for j, name := range []string{".a", ".b", "", "[a]", ".a.b.c", ".a.1.b", "." + strings.Repeat("a.", 3000) + "a", strings.Repeat(".a", 21), ".a'b", `.a"`, ".-1", ".99999999999"} {
			ops := operators()
			if j > 1 {
				ops = []string{"", "[like]", "[gt]", "[in]"}
			}
			w.walkField(target, doc+name, i+j, ops)
		}
	}
}

// walkField filters and sorts by a field. Of the values each operator gets some, of which the next field gets others; all
// get all with MILLRACE_HOSTILE=1.
func (w *world) walkField(target, name string, turn int, ops []string) {
	stride := hostileStride(88)
	escaped := strings.NewReplacer("%5B", "[", "%5D", "]").Replace(url.QueryEscape(name))
	values := hostileValues()
	for j, op := range ops {
		for k, v := range values {
			if (k+j+turn)%stride == 0 {
				w.call("GET", target+escaped+op+"="+url.QueryEscape(v), "").harmless()
			}
		}
		v := brokenEscapes()[(j+turn)%len(brokenEscapes())]
		a := w.call("GET", target+escaped+op+"="+v, "")
		a.harmless()
		if a.status == http.StatusOK {
			w.t.Errorf("%s: a value that is no text gave 200", a.what)
		}
	}
	order := []string{"asc", "desc", "up"}[turn%3]
	sorted := target + "limit=1&sort_by[" + escaped + "]=" + order
	a := w.call("GET", sorted, "")
	a.harmless()
	if turn%4 < 2 || stride == 1 {
		w.followCursor(sorted, a)
	}
}

// followCursor asks for the next page by the cursor that a list returned, and by cursors that a client made of it.
func (w *world) followCursor(target string, page *response) {
	var p struct {
		NextCursor *string `json:"next_cursor"`
	}
	if json.Unmarshal(page.raw, &p) != nil || p.NextCursor == nil {
		return
	}
	next := w.call("GET", target+"&next_cursor="+*p.NextCursor, "")
	if next.status != http.StatusOK {
		w.t.Errorf("%s: got %d %s", next.what, next.status, shorten(string(next.raw)))
	}
	raw, _ := base64.RawURLEncoding.DecodeString(*p.NextCursor)
	var c struct {
		Order  string `json:"o"`
		Values []any  `json:"v"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		w.t.Fatal(err)
	}
	for i := range c.Values {
		for _, v := range []any{"\x00", "a\x00b", json.RawMessage(`"\ud800"`), 1e300, -1, true, nil, []any{}, map[string]any{}, json.Number("9223372036854775807"), json.Number("1e-99999999999"), strings.Repeat("x", 20_000)} {
			values := slices.Clone(c.Values)
			values[i] = v
			made, err := json.Marshal(map[string]any{"o": c.Order, "v": values})
			if err != nil {
				w.t.Fatal(err)
			}
			w.call("GET", target+"&next_cursor="+base64.RawURLEncoding.EncodeToString(made), "").harmless()
		}
	}
}

func TestHostileCursorsAndSizes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, target := range []string{"/event?", "/sync-job-run-state?state_key=&", "/log?log_type=webhook&", "/log?log_type=rapid_bridge&", "/log?log_type=sync_job_cron_trigger&", "/log?log_type=unified_proxy_api&"} {
			for _, c := range []string{
				"x", "%00", "%FF", "e30", "bnVsbA", "W10", base64.RawURLEncoding.EncodeToString([]byte(`{"t":1,"i":"\u0000"}`)),
				base64.RawURLEncoding.EncodeToString([]byte(`{"t":1e-99999999999,"i":"a"}`)), base64.RawURLEncoding.EncodeToString([]byte(`{"t":9223372036854775807,"i":"a"}`)),
				base64.RawURLEncoding.EncodeToString([]byte("{\"t\":1,\"i\":\"\xff\"}")), base64.RawURLEncoding.EncodeToString([]byte(`{"t":"2025-01-01T00:00:00Z","i":"\u0000"}`)), strings.Repeat("A", 60_000),
			} {
				w.call("GET", target+"next_cursor="+c, "").harmless()
			}
		}
		many := strings.Repeat(",", 998)
		var b strings.Builder
		for i := range 64 {
			b.WriteString("&payload.a" + strings.Repeat("b", i) + "[in]=" + many)
		}
		w.call("GET", "/event?"+b.String()[1:], "").harmless()
		for _, f := range []string{"sync_job_run_id", "sync_job_id", "sync_job_run_event", "integrated_account_id", "webhook_id", "integration", "entity_id", "event", "status", "request_type"} {
			for _, kind := range []string{"webhook", "rapid_bridge", "sync_job_cron_trigger", "unified_proxy_api"} {
				for _, v := range hostileValues() {
					w.call("GET", "/log?log_type="+kind+"&log_type_filter["+f+"]="+url.QueryEscape(v), "").harmless()
				}
				for _, v := range brokenEscapes() {
					w.call("GET", "/log?log_type="+kind+"&log_type_filter["+f+"]="+v, "").harmless()
				}
			}
		}
		for _, v := range append(hostileValues(), "9999-12-31T23:59:59Z", "0001-01-01") {
			w.call("GET", "/log?log_type=webhook&created_at[gt]="+url.QueryEscape(v)+"&created_at[lt]="+url.QueryEscape(v), "").harmless()
		}
	})
}
