package oauth

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
)

// credentialOf compiles the credentials of a format, whose config is given as JSON.
func credentialOf(t *testing.T, format, options string) *config.Credential {
	t.Helper()
	c, err := config.Parse(json.RawMessage(`{"credentials":{"` + format + `":{"format":"` + format + `","config":` + options + `}},"secret_environment_variables":{"app_secret":"app-secret-of-ours"}}`))
	if err != nil {
		t.Fatal(err)
	}
	credential := c.Credentials[format]
	return &credential
}

func variablesOf(t *testing.T, raw string) *expr.Object {
	t.Helper()
	v, err := expr.ParseJSON([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return v.(*expr.Object)
}

// seen is what a token endpoint got.
type seen struct {
	Path string
	User string
	Pass string
	Type string
	Form url.Values
	Raw  string
}

// sendTo sends a request of a grant to a server of its own and returns what came there. The options have HOST for its address.
func sendTo(t *testing.T, format, options string, g Grant) seen {
	t.Helper()
	var got seen
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got.Path, got.Raw, got.Type = r.URL.RequestURI(), string(raw), r.Header.Get("Content-Type")
		got.User, got.Pass, _ = r.BasicAuth()
		got.Form, _ = url.ParseQuery(string(raw))
		_, _ = io.WriteString(w, `{"access_token":"granted-token","expires_in":60}`)
	}))
	t.Cleanup(s.Close)
	credential := credentialOf(t, format, strings.ReplaceAll(options, "HOST", s.URL))
	r, err := NewRequest(credential, g)
	if err != nil {
		t.Fatal(err)
	}
	response, err := newClient(t).Send(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if result := Read(credential, response, time.Now()); result.Outcome != Granted || result.AccessToken != "granted-token" {
		t.Fatalf("got %s: %s", result.Outcome, result.Message)
	}
	return got
}

func newClient(t *testing.T) *Client {
	t.Helper()
	c, err := New(ClientConfig{Transport: egress.NewTransport(egress.TransportConfig{AllowLoopback: true})})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequests(t *testing.T) {
	t.Parallel()
	account := map[string]any{"subdomain": "acme", "client_id": "own id", "client_secret": "own:secret%"}
	variables := variablesOf(t, `{"app_secret":"$secret$&"}`)
	for name, c := range map[string]struct {
		format, options string
		grant           Grant
		want            seen
	}{
		"a code": {
			"oauth2", `{"client":{"id":"app","secret":"{{environment_variables.app_secret}}"},"auth":{"tokenHost":"HOST","tokenPath":"/{{subdomain}}/token"}}`,
			Grant{Kind: KindCode, Code: "the-code", RedirectURI: "https://m.test/cb", Verifier: "the-verifier"},
			seen{Path: "/acme/token", User: "app", Pass: url.QueryEscape("$secret$&"), Form: url.Values{
				"grant_type": {"authorization_code"}, "code": {"the-code"}, "redirect_uri": {"https://m.test/cb"}, "code_verifier": {"the-verifier"},
			}},
		},
		"a code, in the body, with parameters": {
			"oauth2", `{"client":{"id":"app","secret":"s1","id_param_name":"cid","secretParamName":"cs"},"auth":{"token_host":"HOST"},"options":{"authorizationMethod":"body"},
				"token_params":{"audience":"{{subdomain}}","redirect_uri":null,"none":"{{missing}}"}}`,
			Grant{Kind: KindCode, Code: "the-code", RedirectURI: "https://m.test/cb"},
			seen{Path: "/oauth/token", Form: url.Values{
				"grant_type": {"authorization_code"}, "code": {"the-code"}, "cid": {"app"}, "cs": {"s1"}, "audience": {"acme"},
			}},
		},
		"a refresh token": {
			"oauth2", `{"client":{"id":"app","secret":"s1"},"auth":{"tokenHost":"HOST","refresh_path":"/refresh?x=1"},"options":{"body_format":"json","authorization_method":"body"},"refreshParams":{"a":1}}`,
			Grant{Kind: KindRefresh, RefreshToken: "r-1"},
			seen{Path: "/refresh?x=1", Type: "application/json", Raw: `{"a":"1","client_id":"app","client_secret":"s1","grant_type":"refresh_token","refresh_token":"r-1"}`},
		},
		"client credentials": {
			"oauth2_client_credentials", `{"auth":{"tokenHost":"HOST/base/token"},"scope":["a","b"],"options":{"scopeSeparator":","}}`,
			Grant{Kind: KindClient},
			seen{Path: "/base/token", User: "own+id", Pass: "own%3Asecret%25", Form: url.Values{"grant_type": {"client_credentials"}, "scope": {"a,b"}}},
		},
		"loose encoding": {
			"oauth2_client_credentials", `{"auth":{"tokenHost":"HOST"},"options":{"credentials_encoding_mode":"loose"}}`,
			Grant{Kind: KindClient, Scopes: []string{}},
			seen{Path: "/oauth/token", User: "own id", Pass: "own:secret%", Form: url.Values{"grant_type": {"client_credentials"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.grant.Context, c.grant.Variables = account, variables
			got := sendTo(t, c.format, c.options, c.grant)
			if c.want.Type == "" {
				c.want.Type, got.Raw = "application/x-www-form-urlencoded", ""
			} else {
				got.Form = nil
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options string
		a       Authorization
		want    string
	}{
		"plain": {
			`{"client":{"id":"app"},"auth":{"tokenHost":"https://{{subdomain}}.test"},"scope":["a","b c"]}`,
			Authorization{Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
			"https://acme.test/oauth/authorize?client_id=app&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256" +
				"&redirect_uri=https%3A%2F%2Fm.test%2Fcb&response_type=code&scope=a%20b%20c&state=st",
		},
		"without PKCE, with parameters": {
			`{"client":{"id":"app"},"pkce":false,"auth":{"tokenHost":"https://t.test","authorizeHost":"https://a.test","authorizePath":"/x?y=1#z"},
				"params":{"access_type":"offline","response_type":"id","redirect_uri":null,"state":"{{nothing}}"}}`,
			Authorization{Verifier: "v", Scopes: []string{"s"}},
			"https://a.test/x?access_type=offline&client_id=app&response_type=id&scope=s&state=st&y=1#z",
		},
	} {
		c.a.RedirectURI, c.a.State, c.a.Context = "https://m.test/cb", "st", map[string]any{"subdomain": "acme"}
		got, err := AuthorizeURL(credentialOf(t, "oauth2", c.options), c.a)
		if err != nil || got != c.want {
			t.Errorf("%s: got %s (%v), want %s", name, got, err, c.want)
		}
	}
}

// TestHostsStayWhatTheyAre: what an account has in its context does not make another host of the one in the config.
func TestHostsStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	credential := credentialOf(t, "oauth2", `{"client":{"id":"app","secret":"the-client-secret"},"auth":{"tokenHost":"https://{{subdomain}}.provider.test"}}`)
	for _, subdomain := range []string{
		"evil.test/", "evil.test?", "evil.test#", `evil.test\`, "x@evil.test", "evil.test:443", "user:x@evil.test/", "evil.test%2f", "a b", "evil.test\n", "ｅvil.test／", "$&", "", "{{x}}",
	} {
		r, err := NewRequest(credential, Grant{Kind: KindRefresh, RefreshToken: "the-refresh-token", Context: map[string]any{"subdomain": subdomain}})
		if err == nil && !strings.HasSuffix(r.Host(), ".provider.test") {
			t.Errorf("%q leads to %s", subdomain, r.Host())
		}
		if err != nil && strings.Contains(err.Error(), "the-") {
			t.Errorf("%q: a secret in %v", subdomain, err)
		}
	}
}

func TestReadRedirect(t *testing.T) {
	t.Parallel()
	options := `{"client":{"id":"app"},"auth":{"tokenHost":"https://t.test"},"codeParam":"spapi_oauth_code",
		"keep":{"redirect":["realmId",{"name":"accounts-server","as":"accounts_server","pattern":"https://accounts\\.zoho\\.[a-z.]+"}]}}`
	code, extra, err := ReadRedirect(credentialOf(t, "oauth2", options), url.Values{"spapi_oauth_code": {"c"}, "realmId": {"12"}, "accounts-server": {"https://accounts.zoho.eu"}, "x": {"y"}})
	if diff := cmp.Diff(map[string]any{"realmId": "12", "accounts_server": "https://accounts.zoho.eu"}, extra); code != "c" || err != nil || diff != "" {
		t.Errorf("got %q, %v, %s", code, err, diff)
	}
	for query, want := range map[string]string{
		"spapi_oauth_code=c&accounts-server=https://accounts.zoho.eu.evil.test/": "the provider sent a value of accounts-server that the integration does not allow",
		"code=c":                                "the provider sent no code",
		"spapi_oauth_code=c&spapi_oauth_code=d": "the provider sent no code",
		"error=access_denied&error_description=The+user+said%0Ano+to+state-1234&state=state-1234": "access was denied (access_denied); the provider says: The user said no to ***",
		"error=%3Cscript%3E&spapi_oauth_code=c":                                                   "the provider rejected the request (script)",
	} {
		q, _ := url.ParseQuery(query)
		if _, _, err := ReadRedirect(credentialOf(t, "oauth2", options), q); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", query, err, want)
		}
	}
}
