package fetch

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/millrace/millrace"
)

func TestCustomMethod(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{"data":[{"id":1}],"next":"n"}`))
	cfg := parse(t, `{"base_url":"`+u.URL+`/v1","pagination":{"format":"cursor","config":{"cursor_path":"next"}}}`)
	for _, tc := range []struct{ name, verb, path, config, want, next string }{
		{"forwards verb and path", "PUT", "a/b%2Fc/", ``, "PUT /v1/a/b%2Fc/", ""},
		{"pages when asked to", "GET", "things", `{"response_path":"data"}`, "GET /v1/things", "*"},
		{"own path and method", "GET", "things", `{"path":"/search/{{body.q}}","method":"post"}`, "POST /v1/search/x", "*"},
		{"own base URL on the same host", "GET", "things", `{"base_url":"` + u.URL + `/v2"}`, "GET /v2/things", "*"},
		{"a path that looks like a URL", "GET", "http://evil.example/x", ``, "GET /v1/http://evil.example/x", "*"},
		{"slashes in front", "GET", "//evil.example/x", ``, "GET /v1/evil.example/x", "*"},
	} {
		m, err := cfg.CustomMethod(tc.verb, tc.verb == "GET", json.RawMessage(tc.config))
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		o := fetchOK(t, newFetcher(t), Request{Integration: cfg, Custom: m, Path: tc.path, Body: object(t, `{"q":"x"}`), Resource: "-"})
		if lines := u.lines(); lines[len(lines)-1] != tc.want || (o.NextCursor != "") != (tc.next != "") {
			t.Errorf("%s: got %s and cursor %q, want %s", tc.name, lines[len(lines)-1], o.NextCursor, tc.want)
		}
	}
	for _, bad := range []string{`{"method":"nope"}`, `[]`, `{`, `{"pathh":"/x"}`} {
		if _, err := cfg.CustomMethod("GET", false, json.RawMessage(bad)); millrace.KindOf(err) != millrace.KindInvalid {
			t.Errorf("%s: got %v, want a finding", bad, err)
		}
	}
}

func TestCustomMethodStaysOnTheHost(t *testing.T) {
	t.Parallel()
	evil := newUpstream(t, respondJSON(200, `{}`))
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evil.URL+"/stolen", http.StatusFound)
	})
	cfg := parse(t, `{"base_url":"`+u.URL+`/v1","headers":{"x-fix":"1"}}`)
	for _, tc := range []struct{ path, config string }{
		{"../admin", ``},
		{"a/%2e%2e/%2E%2E/admin", ``},
		{"a%2F..%2F..%2Fadmin", ``},
		{"a/..%5c..%5cadmin", ``},
		{"./x", ``},
		{"x", `{"base_url":"` + evil.URL + `"}`},
		{"x", `{"path":"` + evil.URL + `/x"}`},
		{"x", `{"path":"{{context.there}}"}`},
		{"x", `{"base_url":"http://evil@127.0.0.1/"}`},
	} {
		m, err := cfg.CustomMethod("GET", false, json.RawMessage(tc.config))
		if err == nil {
			_, err = newFetcher(t).Fetch(t.Context(), Request{
				Integration: cfg, Custom: m, Path: tc.path, Context: map[string]any{"api_key": "top-secret", "there": ".."},
			})
		}
		if millrace.KindOf(err) != millrace.KindInvalid {
			t.Errorf("%s %s: got %v, want a rejection", tc.path, tc.config, err)
		}
	}
	if n := len(u.lines()) + len(evil.lines()); n != 0 {
		t.Fatalf("a rejected call made %d requests", n)
	}
	m, err := cfg.CustomMethod("GET", false, json.RawMessage(`{"ignore_credentials_on_redirect":false}`))
	if err != nil {
		t.Fatal(err)
	}
	fetchOK(t, newFetcher(t), Request{Integration: cfg, Custom: m, Path: "x", Context: map[string]any{"api_key": "top-secret"}})
	if r, _ := evil.last(t); r.Header.Get("Authorization") != "" || strings.Contains(r.URL.String(), "secret") {
		t.Errorf("the other host got %v", r.Header)
	}
}
