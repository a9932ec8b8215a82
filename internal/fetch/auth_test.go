package fetch

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
)

func TestAuthorization(t *testing.T) { //nolint:tparallel // one upstream serves one case after the other
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	oauth := map[string]any{"oauth": map[string]any{"token": map[string]any{"access_token": "oauth-secret"}}, "api_key": "key-secret"}
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, tc := range []struct {
		name, top, method string
		context           map[string]any
		header            string // Authorization, unless name=value
	}{
		{"default of oauth", ``, ``, oauth, "Bearer oauth-secret"},
		{"default of an api key", ``, ``, map[string]any{"api_key": "key-secret"}, "Bearer key-secret"},
		{"default of nothing", ``, ``, nil, ""},
		{"bearer with its default", `{"format":"bearer"}`, ``, oauth, "Bearer oauth-secret"},
		{"bearer token", `{"format":"bearer","config":{"token":"{{api_key}}"}}`, ``, oauth, "Bearer key-secret"},
		{"bearer value", `{"format":"Bearer","config":{"value":"{{oauth.token.access_token}}"}}`, ``, oauth, "Bearer oauth-secret"},
		{"bearer that says so itself", `{"format":"bearer","config":{"token":"Bearer {{api_key}}"}}`, ``, oauth, "Bearer key-secret"},
		{"basic", `{"format":"basic","config":{"username":"{{user}}","password":"{{password}}"}}`, ``, map[string]any{"user": "u", "password": "p:w"}, basic("u:p:w")},
		{"basic without password", `{"format":"basic","config":{"username":"{{api_key}}"}}`, ``, oauth, basic("key-secret:")},
		{"header", `{"format":"header","config":{"header_name":"X-Api-Key","header_value":"Key {{api_key}}"}}`, ``, oauth, "X-Api-Key=Key key-secret"},
		{"dollars in a longer text", `{"format":"header","config":{"header_name":"X-Api-Key","header_value":"Key {{password}}/{{deep.p}}"}}`, ``, map[string]any{"password": "a$$b$&c", "deep": map[string]any{"p": "$'"}}, "X-Api-Key=Key a$$b$&c/$'"},
		{"dollars alone", `{"format":"bearer","config":{"token":"{{password}}"}}`, ``, map[string]any{"password": "a$$b$&c"}, "Bearer a$$b$&c"},
		{"header by headers", `{"format":"header","config":{"headers":{"X-Api-Key":"{{api_key}}"}}}`, ``, oauth, "X-Api-Key=key-secret"},
		{
			"header by expression", `{"format":"header","config":{"expression":"{\"X-Sign\": context.api_key & \" \" & requestOptions.method & \" \" & $substringAfter(url, \"/x\") & requestOptions.headers.\"x-h\"}"}}`,
			`,"query":{"a":1},"headers":{"X-H":"h"}`, oauth, "X-Sign=key-secret get ?a=1h",
		},
		{"method overrides", `{"format":"bearer"}`, `,"authorization":{"format":"bearer","config":{"token":"static-token"}}`, oauth, "Bearer static-token"},
		{"method without", `{"format":"bearer"}`, `,"no_auth":true`, oauth, ""},
		{"method with null", `{"format":"bearer"}`, `,"authorization":null`, oauth, ""},
		{"environment variable", `{"format":"bearer","config":{"token":"{{environment_variables.KEY}}"}}`, ``, nil, "Bearer env-secret"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			top := `"label":"x"`
			if tc.top != "" {
				top = `"authorization":` + tc.top
			}
			cfg := oneMethod(t, u.URL, top, `{"path":"/x"`+tc.method+`}`)
			fetchOK(t, newFetcher(t), Request{Integration: cfg, Context: tc.context, EnvironmentVariables: map[string]any{"KEY": "env-secret"}})
			name, want, ok := strings.Cut(tc.header, "=")
			if !ok || strings.HasPrefix(tc.header, "Basic") {
				name, want = "Authorization", tc.header
			}
			if r, _ := u.last(t); r.Header.Get(name) != want {
				t.Errorf("got %s %q, want %q", name, r.Header.Get(name), want)
			}
		})
	}
}

func TestAuthorizationThatCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		top, path string
		context   map[string]any
	}{
		"no token at all":      {`{"format":"bearer"}`, "config.authorization", nil},
		"no value":             {`{"format":"bearer","config":{"token":"{{api_key}}"}}`, "config.authorization.config.token", nil},
		"no password":          {`{"format":"basic","config":{"username":"u","password":"{{password}}"}}`, "config.authorization.config.password", nil},
		"line break":           {`{"format":"bearer","config":{"token":"{{api_key}}"}}`, "authorization", map[string]any{"api_key": "sekret\r\nX: y"}},
		"expression fails":     {`{"format":"header","config":{"expression":"$number(context.api_key)"}}`, "config.authorization.config.expression", map[string]any{"api_key": "sekret-x"}},
		"expression is a text": {`{"format":"header","config":{"expression":"\"x\""}}`, "config.authorization.config.expression", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := oneMethod(t, "https://a.test", `"authorization":`+tc.top, `{"path":"/x"}`)
			_, err := newFetcher(t).Fetch(t.Context(), Request{Integration: cfg, Resource: "things", Method: "list", Context: tc.context})
			var e *millrace.Error
			if !errors.As(err, &e) || e.Kind != millrace.KindInvalid || e.Failures[0].Path != tc.path {
				t.Fatalf("got %v, want a finding at %s", err, tc.path)
			}
			if text := fmt.Sprintf("%v %+v", err, e.Failures); strings.Contains(text, "sekret") {
				t.Errorf("the error shows the secret: %s", text)
			}
		})
	}
}

// redirectTo redirects /x and responds to everything else with the credentials that it received.
func redirectTo(target func() string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			http.Redirect(w, r, target(), status)
			return
		}
		respondJSON(200, fmt.Sprintf(`{"auth":%q,"key":%q,"referer":%q,"method":%q}`,
			r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.Header.Get("Referer"), r.Method))(w, r)
	}
}

func TestCredentialsOnRedirects(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(redirectTo(nil, 0))
	t.Cleanup(other.Close)
	kept := `{"auth":"Bearer ***","key":"***","referer":"","method":"GET"}` // an echo of the secret is hidden
	stripped := `{"auth":"","key":"","referer":"","method":"GET"}`
	for _, tc := range []struct {
		name, method string
		sameHost     bool
		want         string
	}{
		{"same host", ``, true, kept},
		{"other host", ``, false, stripped},
		{"other host, told to strip", `,"ignore_credentials_on_redirect":true`, false, stripped},
		{"other host, told to keep", `,"ignore_credentials_on_redirect":false`, false, kept},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var u *upstream
			u = newUpstream(t, redirectTo(func() string {
				if tc.sameHost {
					return u.URL + "/y"
				}
				return other.URL + "/y"
			}, http.StatusFound))
			cfg := oneMethod(t, u.URL, `"headers":{"X-Key":"{{api_key}}"}`, `{"path":"/x","query":{"k":"{{api_key}}"}`+tc.method+`}`)
			o := fetchOK(t, newFetcher(t), Request{Integration: cfg, Context: map[string]any{"api_key": "key-secret"}})
			wantJSON(t, "what the last hop saw", o.Data, tc.want)
		})
	}
}

func TestCredentialsNeverGoFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(redirectTo(nil, 0))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(redirectTo(func() string { return plain.URL + "/y" }, http.StatusFound))
	t.Cleanup(secure.Close)
	cfg := oneMethod(t, secure.URL, "", `{"path":"/x","ignore_credentials_on_redirect":false}`)
	f := newFetcher(t, func(c *FetcherConfig) { c.Client = secure.Client() })
	o := fetchOK(t, f, Request{Integration: cfg, Context: map[string]any{"api_key": "key-secret"}})
	wantJSON(t, "what the last hop saw", o.Data, `{"auth":"","key":"","referer":"","method":"GET"}`)
}

func TestBodiesOnRedirects(t *testing.T) {
	t.Parallel()
	other := newUpstream(t, redirectTo(nil, 0))
	u := newUpstream(t, redirectTo(func() string { return other.URL + "/y" }, http.StatusTemporaryRedirect))
	cfg := oneMethod(t, u.URL, "", `{"path":"/x","method":"post"}`)
	f := newFetcher(t)
	account := map[string]any{"api_key": "key-secret"}
	fetchOK(t, f, Request{Integration: cfg, Context: account, Body: value(t, `{"a":1}`)})
	if _, body := other.last(t); body != `{"a":1}` {
		t.Errorf("got body %s behind the redirect", body)
	}
	o := fetchAny(t, f, Request{Integration: cfg, Context: account, Body: value(t, `{"a":"key-secret"}`)})
	if o.Kind != KindNetworkError || o.ErrorClass != "redirect" || len(other.lines()) != 1 {
		t.Errorf("got %s %s, want a body with a credential to stay", o.Kind, o.ErrorClass)
	}
}

func TestCookiesAreNotShared(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "of-account-1"})
		respondJSON(200, `[]`)(w, r)
	})
	f := newFetcher(t)
	cfg := oneMethod(t, u.URL, "", `{"path":"/x"}`)
	o := fetchOK(t, f, Request{Integration: cfg})
	fetchOK(t, f, Request{Integration: cfg})
	if r, _ := u.last(t); r.Header.Get("Cookie") != "" || o.Headers.Get("Set-Cookie") != "" {
		t.Errorf("got cookie %q sent, %q returned", r.Header.Get("Cookie"), o.Headers.Get("Set-Cookie"))
	}
}

func TestSecretsOfAnAccount(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse(json.RawMessage(`{"base_url":"https://a.test","credentials":{"api_key":{"config":{"fields":[{"name":"pin","type":"password"}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := &secrets{account: NewSecrets(cfg.Secrets(map[string]any{
		"api_key": "k&y=1/2", "oauth": map[string]any{"token": map[string]any{"access_token": "acc-tok", "refresh_token": "ref\"tok", "token_type": "Bearer"}},
		"pin": "my-pin", "subdomain": "acme", "password": 1234567.0, "short_token": "abc", "token_url": "https://acme.test/t",
		"secret_environment_variables": map[string]any{"A": "env-one"}, "list": []any{map[string]any{"clientSecret": "deep-one"}},
	}, nil))}
	s.add("added-later")
	for text, want := range map[string]string{
		"a k&y=1/2 b":                                        "a *** b",
		"https://a/?k=k%26y%3D1%2F2&x":                       "https://a/?k=***&x",
		"/p/k&y=1%2F2/":                                      "/p/***/",
		"acc-tok|ref\"tok|ref\\\"tok":                        "***|***|***",
		"my-pin acme 1234567 abc":                            "*** acme *** abc",
		"env-one deep-one added-later":                       "*** *** ***",
		"Bearer acc-tokacc-tok https://acme.test/t":          "Bearer ****** https://acme.test/t",
		base64.StdEncoding.EncodeToString([]byte("acc-tok")): "***",
		"nothing here":                                       "nothing here",
	} {
		if got := s.Scrub(text); got != want {
			t.Errorf("got %q for %q, want %q", got, text, want)
		}
	}
}

func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t/value"
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", r.Header.Get("Authorization"))
			w.Header().Set("X-URL", r.URL.String())
			respondJSON(status, fmt.Sprintf(`{"message":%q}`, "bad "+r.Header.Get("Authorization")+" for "+r.URL.String()))(w, r)
		}
	}
	top := `"credentials":{"api_key":{"config":{"fields":[{"name":"pat","type":"password"}]}}},
		"authorization":{"format":"basic","config":{"username":"{{user}}","password":"{{pat}}"}}`
	for _, status := range []int{200, 400, 401, 429, 500} {
		u := newUpstream(t, echo(status))
		cfg := oneMethod(t, u.URL, top, `{"path":"/bot{{pat}}/x","query":{"key":"{{pat}}","a":"b"}}`)
		o := fetchAny(t, newFetcher(t), Request{Integration: cfg, Context: map[string]any{"user": "someone", "pat": secret}})
		seen := fmt.Sprint(o.Message, o.RequestLine, o.Headers, string(o.Raw), o.Note, string(o.Body), o.Data)
		for _, form := range []string{secret, "s3cr3t", base64.StdEncoding.EncodeToString([]byte("someone:" + secret))} {
			if strings.Contains(seen, form) {
				t.Errorf("%d: %q shows in %s", status, form, seen)
			}
		}
		if want := "GET " + u.URL + "/bot***/x?key=***&a=b"; o.RequestLine != want {
			t.Errorf("got request line %s, want %s", o.RequestLine, want)
		}
	}
	cfg := oneMethod(t, "http://{{pat}}.invalid:1", top, `{"path":"/x"}`)
	o := fetchAny(t, newFetcher(t), Request{Integration: cfg, Context: map[string]any{"user": "u", "pat": "hidden-host"}})
	if seen := o.Message + o.RequestLine; strings.Contains(seen, "hidden-host") {
		t.Errorf("the secret shows in %s", seen)
	}
}

func TestEnvironmentOfTheConfig(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(400, `{"message":"app-secret"}`))
	cfg := oneMethod(t, u.URL, `"environment_variables":{"REGION":"eu"},"secret_environment_variables":{"APP":"app-secret"}`,
		`{"path":"/{{environment_variables.REGION}}/{{environment_variables.APP}}"}`)
	o := fetchAny(t, newFetcher(t), Request{Integration: cfg})
	if diff := cmp.Diff([]string{"GET /eu/app-secret"}, u.lines()); diff != "" || o.Message != "***" || strings.Contains(o.RequestLine, "app-secret") {
		t.Errorf("got %v %q %s", u.lines(), o.Message, o.RequestLine)
	}
}
