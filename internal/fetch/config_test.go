package fetch

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
)

func TestParseConfigFindings(t *testing.T) {
	t.Parallel()
	base := func(method string) string {
		return `{"base_url":"https://api.test","resources":{"things":{"list":` + method + `}}}`
	}
	for name, tc := range map[string]struct {
		config string
		want   []string // path: message
	}{
		"not json":         {`{`, []string{"config: *"}},
		"not an object":    {`[]`, []string{"config: must be an object"}},
		"path missing":     {base(`{}`), []string{"config.resources.things.list.path: Required string is missing"}},
		"path not text":    {base(`{"path":7}`), []string{"config.resources.things.list.path: must be a string"}},
		"method not known": {base(`{"path":"/x","method":"fetch"}`), []string{`config.resources.things.list.method: "fetch" is not one of *`}},
		"method object":    {base(`7`), []string{"config.resources.things.list: must be an object", "config.resources.things.list.path: Required string is missing"}},
		"base_url missing": {
			`{"resources":{"things":{"list":{"path":"/x"}}}}`,
			[]string{"config.resources.things.list.base_url: Required string is missing, here or at the top of the config"},
		},
		"base_url without scheme": {`{"base_url":"api.test"}`, []string{"config.base_url: must begin with https:// or http://"}},
		"misspelt keys": {
			`{"baseUrl":"https://api.test","base_url2":"x","resources":{"things":{"list":{"path":"/x","base_url":"https://a.test","respones_path":"a","query_pagination":1}}}}`,
			[]string{
				"config.baseUrl: unknown key; did you mean \"base_url\"? -> base_url",
				"config.base_url2: unknown key; did you mean \"base_url\"? -> base_url",
				"config.resources.things.list.respones_path: unknown key; did you mean \"response_path\"? -> response_path",
			},
		},
		"authorization format": {
			`{"authorization":{"format":"baerer"}}`,
			[]string{`config.authorization.format: "baerer" is not one of bearer, basic, header; did you mean "bearer"? -> bearer`},
		},
		"basic without user": {
			`{"authorization":{"format":"basic","config":{}}}`, []string{"config.authorization.config.username: Required string is missing"},
		},
		"header without anything": {
			`{"authorization":{"format":"header"}}`,
			[]string{
				"config.authorization.config.header_name: Required string is missing",
				"config.authorization.config.header_value: Required string is missing",
			},
		},
		"cursor without path": {
			`{"pagination":{"format":"cursor","config":{"cursor_kye":"a"}}}`,
			[]string{
				"config.pagination.config.cursor_kye: unknown key; did you mean \"cursor_key\"? -> cursor_key",
				"config.pagination.config.cursor_path: Required string is missing",
			},
		},
		"pagination types": {
			`{"pagination":{"format":"offset","config":{"max_limit":"many","add_to_body":"maybe","headers":7}}}`,
			[]string{
				"config.pagination.config.max_limit: must be a whole number, not negative",
				"config.pagination.config.add_to_body: must be true or false",
				"config.pagination.config.headers: must be an object",
			},
		},
		"pagination format": {`{"pagination":{"format":"scroll"}}`, []string{`config.pagination.format: "scroll" is not one of *`}},
		"range unit":        {`{"pagination":{"format":"range","config":{"range_unit":"a b"}}}`, []string{"config.pagination.config.range_unit: must be a word"}},
		"dynamic without expressions": {
			`{"pagination":{"format":"dynamic","config":{}}}`,
			[]string{"config.pagination.config.get_pagination_values_expression: Required string is missing"},
		},
		"expressions": {
			`{"error_expression":"1 +","rate_limit":{"is_rate_limited":"("},"webhook":{"payload_transform":"}"}}`,
			[]string{"config.error_expression: *", "config.rate_limit.is_rate_limited: *", "config.webhook.payload_transform: *"},
		},
		"oauth without host": {
			`{"credentials":{"oauth2":{"config":{"auth":{}}}}}`,
			[]string{"config.credentials.oauth2.config.auth.tokenHost: Required string is missing"},
		},
		"single credential": {
			`{"credentials":{"format":"oauth2","config":{"auth":{}}}}`,
			[]string{"config.credentials.config.auth.tokenHost: Required string is missing"},
		},
		"credential format": {
			`{"credentials":{"api_keys":{"config":{}}}}`,
			[]string{`config.credentials.api_keys.format: "api_keys" is not a format of credentials; did you mean "api_key"? -> api_key`},
		},
		"fields without names": {
			`{"credentials":{"api_key":{"config":{"fields":[{"type":"text"}]}}}}`,
			[]string{"config.credentials.api_key.config.fields[0].name: Required string is missing"},
		},
		"array format": {`{"query_array_format":"csv"}`, []string{`config.query_array_format: "csv" is not one of *`}},
		"test of credentials": {
			`{"base_url":"https://a.test","resources":{"things":{"list":{"path":"/a"}}},"actions":{"test_credentials":{"steps":[{"type":"form"},
{"type":"proxy","config":{"resource":"thing","method":"list"}},{"type":"proxy","config":{"resource":"things","method":"get"}}]}}}`,
			[]string{
				"config.actions.test_credentials.steps[0].type: a form waits for a user",
				`config.actions.test_credentials.steps[1].config.resource: the integration has no resource "thing"; did you mean "things"? -> things`,
				`config.actions.test_credentials.steps[2].config.method: the integration has no method "get"`,
			},
		},
		"action": {
			`{"base_url":"https://a.test","actions":{"post_install":{"steps":[{"type":"request","config":{}},{"config":{}}]}}}`,
			[]string{
				"config.actions.post_install.steps[0].config.path: Required string is missing",
				"config.actions.post_install.steps[1].type: Required string is missing",
			},
		},
		"placeholder": {`{"headers":{"X":"{{:str}}"}}`, []string{"config.headers: *"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse(json.RawMessage(tc.config))
			var e *millrace.Error
			if !errors.As(err, &e) || e.Kind != millrace.KindInvalid {
				t.Fatalf("got %v, want an error of kind invalid", err)
			}
			var got []string
			for i, f := range e.Failures {
				line := f.Path + ": " + f.Message
				if i < len(tc.want) && strings.HasSuffix(tc.want[i], "*") {
					if prefix := strings.TrimSuffix(tc.want[i], "*"); strings.HasPrefix(line, prefix) {
						line = prefix + "*"
					}
				}
				if f.Suggestion != "" {
					line += " -> " + f.Suggestion
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseConfigTolerates(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		``, `{}`, `{"label":"X","custom_thing":{"a":1},"resources":null,"headers":null,"pagination":null,"rate_limit":null,"credentials":null}`,
		`{"base_url":"{{instance_url}}/services","resources":{"things":{"list":{"path":""}}}}`,
		`{"rate_limit":{"is_rate_limited":true,"retry_after_header_expression":"Retry-After","rate_limit_header_expression":"X-RateLimit-Reset"}}`,
		`{"resources":{"things":{"list":{"path":"https://other.test/x","method":"GET","scopes":["a"],"examples":{"response":"{}"},"x_note":1}}}}`,
		`{"credentials":{"keka_oauth":{"config":{}},"vendor_special":{"config":{}}}}`,
	} {
		if _, err := config.Parse(json.RawMessage(source)); err != nil {
			t.Errorf("got %v for %s", err, source)
		}
	}
}

func TestParseConfigOfRealIntegrations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"calcom.json", "zendesk.json"} {
		raw, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse(raw); err != nil {
			t.Errorf("got %v for %s", err, name)
		}
	}
}

func TestUnknownResourceAndMethod(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"base_url":"https://a.test","resources":{"bookings":{"list":{"path":"/b"}}}}`)
	for _, tc := range []struct{ resource, method, want string }{
		{"booking", "list", `resource: the integration has no resource "booking"; did you mean "bookings"?`},
		{"bookings", "lists", `method: the integration has no method "lists"; did you mean "list"?`},
		{"x", "list", `resource: the integration has no resource "x"`},
	} {
		_, err := newFetcher(t).Fetch(t.Context(), Request{Integration: c, Resource: tc.resource, Method: tc.method})
		if err == nil || err.Error() != tc.want || millrace.KindOf(err) != millrace.KindInvalid {
			t.Errorf("got %v, want %s", err, tc.want)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		base      string
		overrides []string
		want      string
	}{
		"nothing":                         {`{ "a" : 1 }`, nil, `{ "a" : 1 }`},
		"empty base":                      {``, []string{`{"a":1}`}, `{"a":1}`},
		"deep, order kept":                {`{"z":{"b":1,"a":2},"y":1}`, []string{`{"z":{"a":3,"c":4}}`}, `{"z":{"b":1,"a":3,"c":4},"y":1}`},
		"later wins":                      {`{"a":1}`, []string{`{"a":2}`, `{"a":3}`}, `{"a":3}`},
		"arrays are replaced":             {`{"a":[1,2]}`, []string{`{"a":[3]}`}, `{"a":[3]}`},
		"types may change":                {`{"a":{"b":1},"c":1}`, []string{`{"a":1,"c":{"d":2}}`}, `{"a":1,"c":{"d":2}}`},
		"null removes below a slot":       {`{"b":{"c":1,"d":2}}`, []string{`{"b":{"c":null}}`}, `{"b":{"d":2}}`},
		"a slot of null is the base's":    {`{"a":1,"b":{"c":1}}`, []string{`{"a":null,"b":null}`, `{"a":null}`}, `{"a":1,"b":{"c":1}}`},
		"a slot of null is what is below": {`{"a":1}`, []string{`{"a":2}`, `{"a":null}`}, `{"a":2}`},
		"null where nothing is, stays":    {`{}`, []string{`{"m":{"pagination":null}}`}, `{"m":{"pagination":null}}`},
		"null and absent overrides":       {`{"a":1}`, []string{`null`, ``, `{}`}, `{"a":1}`},
		"what is not json is reported on": {`{"a":1}`, []string{`{"a":`}, `{"a":`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overrides := make([]json.RawMessage, len(tc.overrides))
			for i, o := range tc.overrides {
				overrides[i] = json.RawMessage(o)
			}
			if diff := cmp.Diff(tc.want, string(config.Merge(json.RawMessage(tc.base), overrides...))); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
		})
	}
}
