package millracetest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// keyProvider takes one key, and may be down.
type keyProvider struct {
	*httptest.Server
	down     atomic.Bool
	requests atomic.Int64
}

func newKeyProvider(t *testing.T) *keyProvider {
	t.Helper()
	p := &keyProvider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case p.down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Header.Get("Authorization") != "Bearer key-right":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"The key ` + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + ` is not valid."}`))
		default:
			_, _ = w.Write([]byte(`[]`))
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func TestAKeyIsTestedBeforeItIsStored(t *testing.T) {
	t.Parallel()
	for name, actions := range map[string]string{
		"test_credentials": `{"test_credentials": {"type": "proxy", "config": {"resource": "things", "method": "list", "query": {"limit": 1}}}}`,
		"validation":       `{"validation": {"steps": [{"type": "request", "config": {"path": "/things"}}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Each(t, func(t *testing.T, s *Server) { testedKey(t, s, actions) })
		})
	}
}

func testedKey(t *testing.T, s *Server, actions string) {
	w, p := newConnectWorld(t, s), newKeyProvider(t)
	config := `{"name": "keys", "category": "crm", "config": {"label": "Keys", "base_url": "` + p.URL + `", "credentials": {"api_key": {"format": "api_key", "config": {
"fields": [{"name": "subdomain", "required": true}, {"name": "api_key", "type": "password", "required": true}]}}},
"resources": {"things": {"list": {"method": "get", "path": "/things"}}}, "actions": ` + actions + `}}`
	var integration struct{ ID string }
	w.send("POST", "/integration", config, &integration)
	w.send("POST", "/environment-integration", `{"integration_id": "`+integration.ID+`", "show_in_catalog": true, "is_enabled": true}`, nil)
	kinds := func() int {
		t.Helper()
		rows, err := w.List(t.Context(), "/event")
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	before := kinds()

	b := w.browser().get("/connect-account?integration=keys&link_token=" + w.link(`{"tenant_id": "acme"}`))
	b.submit(url.Values{"subdomain": {"acme"}, "api_key": {"key-wrong"}}).shows(`data-kind="form"`, "did not pass the check", `value="acme"`, "is not valid.")
	if b.code != http.StatusUnprocessableEntity || strings.Contains(b.last, "key-wrong") {
		t.Errorf("%d, or the page shows the key: %s", b.code, b.last)
	}
	p.down.Store(true)
	b.submit(url.Values{"subdomain": {"acme"}, "api_key": {"key-right"}}).shows(`data-kind="form"`, "does not respond at the moment")
	if n := len(w.accounts()); n != 0 || kinds() != before {
		t.Errorf("%d accounts and %d events are stored", n, kinds()-before)
	}
	p.down.Store(false)
	b.submit(url.Values{"subdomain": {"acme"}, "api_key": {"key-right"}}).settled().shows(`data-kind="connected"`)
	all := w.accounts()
	if len(all) != 1 || all[0]["status"] != "active" {
		t.Fatalf("got the accounts %v", all)
	}

	// A wrong key leaves an account that is connected again as it was, and is tried once.
	stored, requests := kinds(), p.requests.Load()
	b = w.browser().get("/connect-account?link_token=" + w.link(`{"integrated_account_id": "`+all[0]["id"].(string)+`"}`))
	b.submit(url.Values{"subdomain": {"other"}, "api_key": {"key-wrong"}}).shows(`data-kind="form"`, "did not pass the check")
	now, _ := json.Marshal(w.accounts())
	if was, _ := json.Marshal(all); string(now) != string(was) || kinds() != stored || p.requests.Load() != requests+1 {
		t.Errorf("after %d requests the account is %s, was %s", p.requests.Load()-requests, now, was)
	}
}
