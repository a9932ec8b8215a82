package fetch

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
)

// TestDocumentedPaginationKeys has the keys that the other tests of paging do not need.
func TestDocumentedPaginationKeys(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, pagination, method, next, prev string }{
		{
			"previous cursor", `{"format":"cursor","config":{"cursor_path":"after","prev_cursor_path":"before","cursor_key":"c"}}`, `"get"`,
			"GET /things?c=a2 ", "GET /things?c=a0 ",
		},
		{"other name of the cursor's key", `{"format":"cursor","config":{"cursor_path":"after","cursor_param":"c"}}`, `"get"`, "GET /things?c=a2 ", ""},
		{
			"cursor in body and query", `{"format":"cursor","config":{"cursor_path":"after","cursor_key":"c","add_to_body":true,"add_to_query":true}}`,
			`"post"`, `POST /things?c=a2 {"c":"a2"}`, "",
		},
		{"offset under another name", `{"format":"offset","config":{"offset_key":"skip","limit_key":"take"}}`, `"get"`, "GET /things?skip=1 ", ""},
		{"old names", `{"format":"offset","config":{"offset_param":"skip","limit_param":"take"}}`, `"get"`, "GET /things?skip=1 ", ""},
		{"total of records", `{"format":"offset","config":{"total_record_path":"total"}}`, `"get"`, "", ""},
		{"page size as text", `{"format":"page","config":{"limit_key":"n","max_limit":1,"limit_data_type":"string","add_to_body":true}}`, `"post"`, `POST /things {"page":2,"n":"1"}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, respondJSON(200, `{"data":[1],"after":"a2","before":"a0","total":1}`))
			cfg := oneMethod(t, u.URL, "", `{"path":"/things","method":`+tc.method+`,"response_path":"data","pagination":`+tc.pagination+`}`)
			first := fetchOK(t, newFetcher(t), Request{Integration: cfg})
			for what, turn := range map[string][2]string{"next": {first.NextCursor, tc.next}, "previous": {first.PrevCursor, tc.prev}} {
				if (turn[0] != "") != (turn[1] != "") {
					t.Errorf("%s: got cursor %q, want request %q", what, turn[0], turn[1])
				}
				if turn[0] == "" {
					continue
				}
				fetchOK(t, newFetcher(t), Request{Integration: cfg, Cursor: turn[0]})
				if r, body := u.last(t); r.Method+" "+r.URL.RequestURI()+" "+body != turn[1] {
					t.Errorf("%s: got %s %s %s, want %s", what, r.Method, r.URL.RequestURI(), body, turn[1])
				}
			}
		})
	}
}

// TestDocumentedConfigKeys checks that what is documented is taken, and that what is wrong in it is found at its place.
func TestDocumentedConfigKeys(t *testing.T) {
	t.Parallel()
	parse(t, `{
		"label": "CRM", "base_url": "https://{{subdomain}}.api.test/v1", "logo": null, "icon": null, "query": null, "pagination": null, "rate_limit": null,
		"tool_tags": {"contacts": ["crm"]},
		"credentials": {"oauth2": {"format": "oauth2", "config": {
			"client": {"id": "i", "secret": "{{environment_variables.secret}}"}, "auth": {"tokenHost": "https://a.test", "tokenPath": "/t", "refreshPath": "/r"},
			"scope": ["a"], "optional_scope": [], "options": {"scopeSeparator": " ", "bodyFormat": "form", "authorizationMethod": "body"},
			"fields": [{"name": "region", "label": "Region", "type": "single_select", "options": [{"label": "EU", "value": "eu"}], "required": true}],
			"tokenExpiryDuration": "3600"}}},
		"webhook": {"payload_transform": "body", "handle_verification": "null",
			"signature_verification": {"format": "hmac", "config": {"algorithm": "sha256", "secret": "{{s}}", "parts": ["$body"], "compare_with": "v0=$header.x-signature"}}},
		"actions": {"a": {"steps": [{"type": "get_context", "run_if": "true"}]}, "b": {"type": "transform", "config": "1"}}
	}`)
	for source, want := range map[string]string{
		`{"tool_tags":{"a":"b"}}`: "config.tool_tags.a: must be an array",
		`{"actions":{"a":{"steps":[{"type":"get_context","run_if":"("}]}}}`:                                                  "config.actions.a.steps[0].run_if: ",
		`{"actions":{"a":{"steps":[{"type":"requst","config":{}}]}}}`:                                                        "config.actions.a.steps[0].type: \"requst\" is not a type of step; did you mean \"request\"?",
		`{"webhook":{"payload_transform":"("}}`:                                                                              "config.webhook.payload_transform: ",
		`{"pagination":{"format":"page","config":{"limit_data_type":"text"}}}`:                                               "config.pagination.config.limit_data_type: \"text\" is not one of",
		`{"credentials":{"oauth2":{"format":"oauth2","config":{"auth":{}}}}}`:                                                "config.credentials.oauth2.config.auth.tokenHost: Required string is missing",
		`{"base_url":"https://a.test","resources":{"x":{"list":{"path":"/","pagination":{"format":"cursor","config":{}}}}}}`: "config.resources.x.list.pagination.config.cursor_path: Required string is missing",
	} {
		_, err := config.Parse(json.RawMessage(source))
		var got []string
		if err != nil {
			for _, f := range err.(*millrace.Error).Failures { //nolint:errorlint // its own error
				got = append(got, f.Path+": "+f.Message)
			}
		}
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
}

// TestHostileResponses: whatever comes, it is an outcome, within bounds.
func TestHostileResponses(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"deep arrays":       respondJSON(200, strings.Repeat("[", 1<<20)),
		"deep objects":      respondJSON(200, strings.Repeat(`{"a":`, 1<<18)+"1"+strings.Repeat("}", 1<<18)),
		"a strange status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) },
		"a page that moves": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"file for JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte{0xff, 0xfe, 0, 1})
		},
		"deep XML": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/xml")
			_, _ = w.Write([]byte(strings.Repeat("<a>", 1<<18)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, handler)
			o := fetchAny(t, newFetcher(t), Request{Integration: oneMethod(t, u.URL, "", `{"path":"/things"}`)})
			if o.Kind != KindRemoteError && o.Kind != KindNetworkError || o.Message == "" || len(o.Message) > 2*maxMessage || len(o.Raw) > maxRaw {
				t.Errorf("got %s %d with a message of %d and %d bytes", o.Kind, o.Status, len(o.Message), len(o.Raw))
			}
		})
	}
}
