package millracetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gate is a static gate of the published protocol, which may turn hostile.
type gate struct {
	*httptest.Server
	token   atomic.Value // that it knows
	hostile atomic.Bool  // it says what it was told instead of forwarding

	mu     sync.Mutex
	passed []string // the paths of what was forwarded
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{}
	g.token.Store("")
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		target, err := url.Parse(r.In.Header.Get("Truto-Target-URL"))
		if err != nil {
			return
		}
		r.Out.URL, r.Out.Host = target, target.Host
		r.Out.Header.Del("Truto-Target-URL")
		r.Out.Header.Del("Truto-StaticGate-Token")
		r.Out.Header.Set("X-Via-Gate", "yes")
	}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target := r.Header.Get("Truto-Target-URL")
		switch {
		case r.Header.Get("Truto-StaticGate-Token") != g.token.Load():
			http.Error(w, `{"error":"unauthorized"}`, http.StatusUnauthorized)
		case target == "":
			http.Error(w, `{"error":"missing"}`, http.StatusBadRequest)
		case g.hostile.Load():
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, `{"message":"I was told %v and %s"}`, g.token.Load(), r.Header.Get("Authorization"))
		default:
			u, _ := url.Parse(target)
			g.mu.Lock()
			g.passed = append(g.passed, u.Path)
			g.mu.Unlock()
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// paths are those of what was forwarded since the last time.
func (g *gate) paths() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := strings.Join(g.passed, " ")
	g.passed = nil
	return out
}

func TestAnAccountIsUsedThroughItsGate(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w, g := newConnectWorld(t, s), newGate(t)
		w.provider.Redirect = map[string][]string{"realmId": {"company-1"}}
		var made struct {
			ID     string
			Token  string `json:"api_token"`
			Secret string `json:"api_token_secret"`
		}
		w.send("POST", "/static-gate", `{"name": "Frankfurt", "domain": "`+g.URL+`"}`, &made)
		if len(made.Token) != 43 || made.Secret != made.Token {
			t.Fatalf("got the token %q and %q", made.Token, made.Secret)
		}
		g.token.Store(made.Token)
		status := func(method, path, body string) (int, string) {
			code, text, err := w.Call(t.Context(), method, path, "application/json", []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), made.Token) {
				t.Errorf("%s %s shows the token of the gate: %s", method, path, text)
			}
			return code, string(text)
		}
		if code, _ := status("POST", "/link-token", `{"tenant_id": "acme", "truto_static_gate_id": "3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"}`); code != http.StatusBadRequest && code != http.StatusNotFound {
			t.Errorf("a gate that is not there gets %d", code)
		}
		b := w.browser().get("/connect-account?link_token=" + w.link(`{"tenant_id": "acme", "truto_static_gate_id": "`+made.ID+`"}`))
		b.submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)
		if got := g.paths(); got != "/token" {
			t.Errorf("while it was connected, %q went through the gate", got)
		}
		account, _ := w.accounts()[0]["id"].(string)
		call := "/proxy/things?integrated_account_id=" + account
		if code, text := status("GET", call, ""); code != http.StatusOK {
			t.Fatalf("a call gets %d %s", code, text)
		}
		w.provider.ExpireAccess()
		if code, text := status("GET", call, ""); code != http.StatusOK {
			t.Fatalf("after its token has ended, a call gets %d %s", code, text)
		}
		if got := g.paths(); got != "/api /api /token /api" {
			t.Errorf("of the calls, %q went through the gate", got)
		}

		before := len(w.provider.Requests())
		g.hostile.Store(true)
		if code, text := status("GET", call, ""); code < 500 || strings.Contains(text, "Bearer ") && !strings.Contains(text, "***") {
			t.Errorf("with a hostile gate a call gets %d %s", code, text)
		}
		g.hostile.Store(false)
		g.token.Store("another")
		if code, text := status("GET", call, ""); code != http.StatusBadGateway || !strings.Contains(text, "the static gate rejects its token") {
			t.Errorf("with a gate that does not know us a call gets %d %s", code, text)
		}
		g.token.Store(made.Token)
		if v := w.accounts()[0]; v["status"] != "active" || v["truto_static_gate_id"] != made.ID || len(w.provider.Requests()) != before {
			t.Errorf("the account is %v through %v after %d requests for a token", v["status"], v["truto_static_gate_id"], len(w.provider.Requests())-before)
		}

		again := w.browser().get("/connect-account?link_token=" + w.link(`{"integrated_account_id": "`+account+`"}`))
		again.submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)
		if got := g.paths(); got != "/token" {
			t.Errorf("while it was connected again, %q went through the gate", got)
		}
		if code, _ := status("DELETE", "/static-gate/"+made.ID, ""); code != http.StatusConflict {
			t.Errorf("the deletion of a gate that is used gets %d", code)
		}
		other := newGate(t)
		other.token.Store(made.Token)
		if code, text := status("PATCH", "/static-gate/"+made.ID, `{"domain": "`+other.URL+`"}`); code != http.StatusOK {
			t.Errorf("a change gets %d %s", code, text)
		}
		if code, _ := status("GET", call, ""); code != http.StatusOK || other.paths() != "/api" || g.paths() != "" {
			t.Errorf("after the gate has moved a call gets %d", code)
		}
		w.send("DELETE", "/integrated-account/"+account, "", nil)
		if code, _ := status("DELETE", "/static-gate/"+made.ID, ""); code != http.StatusOK {
			t.Errorf("the deletion of a gate gets %d", code)
		}
		// The token is given back through the gate that the account had, whenever that happens.
		passed := ""
		Wait(t, time.Minute, func() (bool, any) { passed += other.paths(); return passed == "/revoke", passed })
	})
}
