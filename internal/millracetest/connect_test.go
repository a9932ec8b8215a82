package millracetest

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/server"
)

// connectWorld is a server with an integration that is connected by OAuth or with a key, and a provider.
type connectWorld struct {
	*Server
	t        *testing.T
	provider *tokens.Server
}

func startConnectWorld(t *testing.T, url string, change func(*server.Options)) *connectWorld {
	t.Helper()
	return newConnectWorld(t, Start(t, url, change))
}

func newConnectWorld(t *testing.T, s *Server) *connectWorld {
	t.Helper()
	w := &connectWorld{Server: s, t: t, provider: tokens.Start()}
	t.Cleanup(w.provider.Close)
	w.provider.Redirect = map[string][]string{"realmId": {"company-1"}}
	config := strings.NewReplacer("$URL", w.provider.URL).Replace(`{"name": "crm", "category": "crm", "config": {
"label": "CRM of tests", "base_url": "$URL", "credentials": {
 "oauth2": {"format": "oauth2", "config": {"client": {"id": "` + tokens.ClientID + `", "secret": "` + tokens.ClientSecret + `"},
  "auth": {"tokenHost": "$URL", "tokenPath": "/token", "authorizeHost": "$URL", "authorizePath": "/authorize", "revokePath": "/revoke"}, "scope": ["read", "write"],
  "keep": {"redirect": ["realmId"]}, "identity": "redirect.realmId",
  "fields": [{"name": "subdomain", "label": "Subdomain", "required": true, "pattern": "^[a-z]+$"}]}},
 "api_key": {"format": "api_key", "config": {"fields": [{"name": "api_key", "label": "Key", "type": "password", "required": true}]}}},
"resources": {"things": {"list": {"method": "get", "path": "/api"}}}}}`)
	var integration, install struct{ ID string }
	w.send("POST", "/integration", config, &integration)
	w.send("POST", "/environment-integration", `{"integration_id": "`+integration.ID+`", "show_in_catalog": true, "is_enabled": true}`, &install)
	return w
}

func (w *connectWorld) send(method, path, body string, out any) {
	w.t.Helper()
	if err := w.Send(w.t.Context(), method, path, "application/json", []byte(body), out); err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (w *connectWorld) link(body string) string {
	w.t.Helper()
	var out struct {
		LinkToken string `json:"link_token"`
	}
	w.send("POST", "/link-token", body, &out)
	return out.LinkToken
}

// browser is a customer's: it keeps cookies, follows redirects and reads forms, and runs no script.
type browser struct {
	w    *connectWorld
	http *http.Client
	last string // the page
	at   *url.URL
	code int
	head http.Header
}

func (w *connectWorld) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, http: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (b *browser) do(req *http.Request, err error) *browser {
	b.w.t.Helper()
	if err != nil {
		b.w.t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.last, b.at, b.code, b.head = string(body), resp.Request.URL, resp.StatusCode, resp.Header
	return b
}

func (b *browser) get(address string) *browser {
	b.w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.w.Base + address
	}
	return b.do(http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, address, http.NoBody))
}

var (
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	goTo        = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]+)"`)
)

// submit sends the form of the page with what is typed into it.
func (b *browser) submit(typed url.Values) *browser {
	b.w.t.Helper()
	form := url.Values{}
	for _, m := range hiddenInput.FindAllStringSubmatch(b.last, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for name, values := range typed {
		form["field."+name] = values
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.Base+"/connect-account", strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.do(req, err)
}

// goOn follows what the page sends the browser to.
func (b *browser) goOn() *browser {
	b.w.t.Helper()
	m := goTo.FindStringSubmatch(b.last)
	if m == nil {
		b.w.t.Fatalf("the page leads nowhere: %s", b.last)
	}
	return b.get(html.UnescapeString(m[1]))
}

// settled loads the page again until it shows the outcome of the connection.
func (b *browser) settled() *browser {
	b.w.t.Helper()
	Wait(b.w.t, time.Minute, func() (bool, any) {
		return !strings.Contains(b.get(b.at.String()).last, `data-kind="working"`), b.last
	})
	return b
}

func (b *browser) shows(texts ...string) *browser {
	b.w.t.Helper()
	for _, text := range texts {
		if !strings.Contains(b.last, text) {
			b.w.t.Errorf("%s: the page does not say %q:\n%s", b.at, text, b.last)
		}
	}
	return b
}

func (w *connectWorld) accounts() []map[string]any {
	w.t.Helper()
	rows, err := w.List(w.t.Context(), "/integrated-account")
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func TestACustomerConnectsByOAuth(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		token := w.link(`{"tenant_id": "acme", "redirect_uri": "https://app.example.com/done?x=1", "context": {"plan": "gold"}}`)
		b := w.browser().get("/connect-account?link_token=" + token)
		b.shows("CRM of tests", "Subdomain", `data-kind="form"`)
		if policy := b.head.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors https://app.example.com") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("the policy is %q", policy)
		}
		b.submit(url.Values{"subdomain": {"Not Allowed"}}).shows(`aria-invalid="true"`, "must match", "Not Allowed")
		b.submit(url.Values{"subdomain": {"acme"}}).shows(`data-kind="go"`).goOn().settled()
		b.shows(`data-kind="connected"`, "integrated_account_id", "https://app.example.com/done?integrated_account_id=")
		all := w.accounts()
		if len(all) != 1 || all[0]["status"] != "active" || all[0]["tenant_id"] != "acme" || all[0]["authentication_method"] != "oauth2" {
			t.Fatalf("got the accounts %v", all)
		}
		context := fmt.Sprint(all[0]["context"])
		for _, want := range []string{"subdomain:acme", "plan:gold", "realmId:company-1"} {
			if !strings.Contains(context, want) {
				t.Errorf("the context is %s, without %s", context, want)
			}
		}
		if strings.Contains(context, "access_token:") && !strings.Contains(context, "access_token:***") {
			t.Errorf("the context shows a token: %s", context)
		}
		status, body, err := w.Call(t.Context(), http.MethodGet, "/proxy/things?integrated_account_id="+all[0]["id"].(string), "", nil)
		if err != nil || status != http.StatusOK {
			t.Errorf("a call gets %d %s, %v", status, body, err)
		}

		// The token is used up, and nothing happens twice.
		b.get("/connect-account?link_token=" + token).shows("used already")
		before := len(w.provider.Requests())
		w.provider.ExpireAccess()
		if status, body, err := w.Call(t.Context(), http.MethodGet, "/proxy/things?integrated_account_id="+all[0]["id"].(string), "", nil); err != nil || status != http.StatusOK {
			t.Errorf("after its token has ended, a call gets %d %s, %v", status, body, err)
		}
		if n := len(w.provider.Requests()) - before; n != 1 {
			t.Errorf("%d requests for a token, want 1", n)
		}

		// Connected again, it is the same account; another one at the provider is rejected.
		again := `{"integrated_account_id": "` + all[0]["id"].(string) + `"}`
		w.browser().get("/connect-account?link_token=" + w.link(again)).submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)
		w.provider.Redirect = map[string][]string{"realmId": {"company-2"}}
		w.browser().get("/connect-account?link_token="+w.link(again)).submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="failed"`, "another account")
		if all := w.accounts(); len(all) != 1 || all[0]["status"] != "active" {
			t.Errorf("got the accounts %v", all)
		}
	})
}

func TestACallbackIsBoundAndTakenOnce(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		token := w.link(`{"tenant_id": "acme"}`)
		b := w.browser().get("/connect-account?link_token=" + token).submit(url.Values{"subdomain": {"acme"}}).shows(`data-kind="go"`)
		authorize, err := url.Parse(html.UnescapeString(goTo.FindStringSubmatch(b.last)[1]))
		if err != nil {
			t.Fatal(err)
		}
		state := authorize.Query().Get("state")
		if authorize.Query().Get("code_challenge_method") != "S256" || len(state) < 64 || strings.Contains(authorize.String(), token) {
			t.Errorf("the customer is sent to %s", authorize)
		}
		forged := "/connect/crm/callback?code=stolen&state=" + state
		w.browser().get(forged).shows("another browser")                                                // a stranger's browser
		b.get("/connect/other/callback?code=stolen&state=" + state).shows("another browser")            // another integration takes the session
		b.get("/connect/crm/callback?code=x&state=" + strings.Repeat("a", 72)).shows("another browser") // no such session
		b.get(authorize.String()).shows("another browser")                                              // it was taken
		if n := len(w.provider.Requests()); n != 0 || len(w.accounts()) != 0 {
			t.Errorf("%d requests for tokens, %d accounts", n, len(w.accounts()))
		}

		b = w.browser().get("/connect-account?link_token=" + token).submit(url.Values{"subdomain": {"acme"}}).goOn()
		callback := b.at.String()
		b.settled().shows(`data-kind="connected"`)
		b.get(callback).shows(`data-kind="connected"`)
		if n := len(w.accounts()); n != 1 {
			t.Errorf("%d accounts, want 1", n)
		}
		for name, wrong := range map[string]string{"no token": "", "a foreign one": "00000000-0000-4000-8000-000000000000", "a long one": strings.Repeat("x", 40_000)} {
			if b := w.browser().get("/connect-account?link_token=" + wrong); !strings.Contains(b.last, "not valid") || strings.Contains(b.last, "acme") {
				t.Errorf("%s: %d %s", name, b.code, b.last)
			}
		}
	})
}

func TestADeniedConnectionCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		token := w.link(`{"tenant_id": "acme"}`)
		b := w.browser().get("/connect-account?link_token=" + token).submit(url.Values{"subdomain": {"acme"}})
		deny := html.UnescapeString(goTo.FindStringSubmatch(b.last)[1]) + "&deny=1"
		b.get(deny).shows(`data-kind="failed"`, "not allowed")
		for _, fault := range []tokens.Fault{tokens.Page, tokens.CutBefore, tokens.Empty, tokens.Denied} {
			w.provider.Next(fault)
			b.get("/connect-account?link_token=" + token).submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="failed"`)
		}
		if len(w.accounts()) != 0 {
			t.Errorf("got accounts %v", w.accounts())
		}
		w.provider.Next(tokens.FloatExpiry)
		b.get("/connect-account?link_token=" + token).submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)

		key := w.link(`{"tenant_id": "other"}`)
		b = w.browser().get("/connect-account?auth_format=api_key&link_token="+key).shows("Key", `type="password"`)
		b.submit(url.Values{}).shows("required", `aria-invalid="true"`)
		b.submit(url.Values{"api_key": {"key-of-a-test"}}).settled().shows(`data-kind="connected"`)
		if strings.Contains(b.last, "key-of-a-test") {
			t.Error("the page shows the key")
		}
	})
}
