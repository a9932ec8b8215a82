package millracetest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// attack is a text that means something to HTML, to scripts, to headers and to policies.
const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>'; javascript:alert(1) *`

var opensTag = regexp.MustCompile(`<(script>|img src=x)`)

// unharmed fails if a page has a tag of the attack, or a header of it.
func (b *browser) unharmed() *browser {
	b.w.t.Helper()
	if opensTag.MatchString(b.last) {
		b.w.t.Errorf("%s: the page has the tag of an attack:\n%s", b.at, b.last)
	}
	for name, values := range b.head {
		if strings.Contains(strings.Join(values, ""), "alert(1)") {
			b.w.t.Errorf("%s: the header %s is %q", b.at, name, values)
		}
	}
	policy := b.head.Get("Content-Security-Policy")
	_, ancestors, _ := strings.Cut(policy, "frame-ancestors ")
	ancestors, _, _ = strings.Cut(ancestors, ";")
	if strings.Contains(ancestors, "*") || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || ancestors == "" {
		b.w.t.Errorf("%s: the policy is %q", b.at, policy)
	}
	return b
}

// hostileIntegration adds an integration with a label and fields that attack the page.
func (w *connectWorld) hostileIntegration() {
	w.t.Helper()
	text := strings.ReplaceAll(attack, `"`, `\"`)
	config := strings.NewReplacer("$X", text, "$URL", w.provider.URL).Replace(`{"name": "hostile", "category": "crm", "config": {
"label": "$X", "base_url": "$URL", "icon": "javascript:alert(1)", "credentials": {"api_key": {"format": "api_key", "config": {
 "help_text": "$X", "documentation_link": "javascript:alert(1)",
 "fields": [{"name": "api_key", "label": "$X", "type": "text", "required": true, "help_text": "$X", "placeholder": "$X", "default": "$X"},
  {"name": "choice", "label": "$X", "type": "single_select", "options": [{"label": "$X", "value": "$X"}]}]}}},
"resources": {"things": {"list": {"method": "get", "path": "/api"}}}}}`)
	var integration struct{ ID string }
	w.send("POST", "/integration", config, &integration)
	w.send("POST", "/environment-integration", `{"integration_id": "`+integration.ID+`", "show_in_catalog": true, "is_enabled": true}`, nil)
}

func TestTheConnectPageShowsNoScripts(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		w.hostileIntegration()
		token := w.link(`{"tenant_id": "acme"}`)
		b := w.browser().get("/connect-account?link_token=" + token).unharmed().shows("&lt;script&gt;")
		if strings.Contains(b.last, `src="javascript`) {
			t.Error("the picker has a logo that is a script")
		}
		b.get("/connect-account?integration=hostile&link_token=" + token).unharmed().shows("&lt;script&gt;")
		if strings.Contains(b.last, `href="javascript`) {
			t.Error("the form has a link that is a script")
		}
		b.submit(url.Values{"api_key": {""}, "choice": {attack}, attack: {attack}}).unharmed()
		for _, name := range []string{"integration", "integrations", "no_back", "auth_format", "iframe", "skip_rapid_form", "link_token", "session"} {
			q := url.Values{"link_token": {token}}
			q.Set(name, attack+"\r\nX-Attack: alert(1)")
			b.get("/connect-account?" + q.Encode()).unharmed()
		}
		b = w.browser().get("/connect-account?integration=crm&link_token=" + w.link(`{"tenant_id": "acme"}`)).submit(url.Values{"subdomain": {"acme"}})
		state, _ := url.Parse(html.UnescapeString(goTo.FindStringSubmatch(b.last)[1]))
		q := url.Values{"state": {state.Query().Get("state")}, "error": {attack}, "error_description": {attack + "\r\nX-Attack: alert(1)"}}
		b.get("/connect/crm/callback?"+q.Encode()).unharmed().shows(`data-kind="failed"`, "&lt;script&gt;")
	})
}

func TestThePolicyOfTheConnectPageNamesOriginsOnly(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		for _, host := range []string{"*", "*.example.com", "a;script-src-elem", "a,default-src", "'self'", "app.example.com"} {
			var out struct {
				LinkToken string `json:"link_token"`
			}
			body := `{"tenant_id": "acme", "redirect_uri": "https://` + host + `/done"}`
			if err := w.Send(t.Context(), "POST", "/link-token", "application/json", []byte(body), &out); err != nil {
				continue // rejected before it is stored
			}
			b := w.browser().get("/connect-account?link_token=" + out.LinkToken).unharmed()
			policy := b.head.Get("Content-Security-Policy")
			if want := host == "app.example.com"; strings.Contains(policy, "https://"+host) != want {
				t.Errorf("with %s the policy is %q", host, policy)
			}
		}
	})
}

func TestTheConnectPageLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		token := w.link(`{"tenant_id": "acme"}`)
		evil := "&redirect_uri=https://evil.example&return_to=https://evil.example&session=https://evil.example&next=//evil.example"
		b := w.browser().get("/connect-account?auth_format=api_key&link_token=" + token + evil)
		b.submit(url.Values{"api_key": {"key"}, "redirect_uri": {"https://evil.example"}}).settled().shows(`data-kind="connected"`)
		if strings.Contains(b.last, "evil.example") || b.at.Host != strings.TrimPrefix(w.Base, "http://") {
			t.Errorf("at %s, the page leads elsewhere:\n%s", b.at, b.last)
		}
	})
}

func TestAFormThatIsTooLargeIsRejected(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		token := w.link(`{"tenant_id": "acme"}`)
		open := func() *browser { return w.browser().get("/connect-account?auth_format=api_key&link_token=" + token) }
		open().submit(url.Values{"api_key": {strings.Repeat("x", 2<<20)}}).shows("too large").unharmed()
		open().submit(url.Values{"api_key": {strings.Repeat("x", 20<<10)}}).shows(`aria-invalid="true"`)
		many := url.Values{"api_key": {"key"}}
		for i := range 5_000 {
			many.Set("more"+strings.Repeat("y", i%50), "1")
		}
		open().submit(many).settled().shows(`data-kind="connected"`)
		if n := len(w.accounts()); n != 1 {
			t.Errorf("%d accounts, want 1", n)
		}
		if strings.Contains(strings.ToLower(w.accounts()[0]["tenant_id"].(string)), "more") {
			t.Error("an unknown field was stored")
		}
	})
}

func TestAFormThatIsSentManyTimesMakesOneAccount(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		token := w.link(`{"tenant_id": "acme"}`)
		form := url.Values{"link_token": {token}, "integration": {"crm"}, "method": {"api_key"}, "field.api_key": {"key"}}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				resp, err := http.PostForm(w.Base+"/connect-account", form)
				if err != nil {
					t.Errorf("send the form: %v", err)
					return
				}
				_ = resp.Body.Close()
			})
		}
		all.Wait()
		if accounts := w.accounts(); len(accounts) != 1 || accounts[0]["status"] != "active" {
			t.Errorf("got the accounts %v", accounts)
		}
	})
}

func TestAfterAFailureTheCustomerBeginsAgain(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		token := w.link(`{"tenant_id": "acme"}`)
		b := w.browser().get("/connect-account?link_token=" + token).submit(url.Values{"subdomain": {"acme"}})
		b.get(html.UnescapeString(goTo.FindStringSubmatch(b.last)[1]) + "&deny=1").shows(`data-kind="failed"`)
		m := regexp.MustCompile(`<a class="button" href="(/connect-account\?[^"]*session=[^"]+)"`).FindStringSubmatch(b.last)
		if m == nil || strings.Contains(b.last, token) {
			t.Fatalf("the page has no way to begin again, or shows the link token:\n%s", b.last)
		}
		again := html.UnescapeString(m[1])
		w.browser().get(again).shows("another browser") // a stranger with the address
		w.provider.Next(tokens.Denied)
		b.get(again).shows(`data-kind="form"`, "Subdomain").submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="failed"`)
		b.get(again).submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)
		b.get(again).shows("used already")
		if n := len(w.accounts()); n != 1 {
			t.Errorf("%d accounts, want 1", n)
		}
	})
}

// TestAConnectLinkEnds: after seven days a link says so, and connects nothing.
func TestAConnectLinkEnds(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		var ahead atomic.Int64
		w := startConnectWorld(t, address, func(o *server.Options) {
			o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		token := w.link(`{"tenant_id": "acme"}`)
		b := w.browser().get("/connect-account?auth_format=api_key&link_token=" + token).shows(`data-kind="form"`)
		ahead.Store(int64(7*24*time.Hour + time.Minute))
		b.submit(url.Values{"api_key": {"k"}}).shows("not valid or has expired")
		b.get("/connect-account?link_token=" + token).shows("not valid or has expired")
		if n := len(w.accounts()); n != 0 {
			t.Errorf("%d accounts, want none", n)
		}
	})
}
