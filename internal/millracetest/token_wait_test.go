package millracetest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest/tokens"
)

// account returns the account of a tenant.
func (w *connectWorld) account(tenant string) map[string]any {
	w.t.Helper()
	for _, v := range w.accounts() {
		if v["tenant_id"] == tenant {
			return v
		}
	}
	return map[string]any{}
}

// becomes waits until the account of a tenant has a status.
func (w *connectWorld) becomes(tenant, status string) map[string]any {
	w.t.Helper()
	Wait(w.t, time.Minute, func() (bool, any) { v := w.account(tenant); return v["status"] == status, v })
	return w.account(tenant)
}

// Runs wait while the token endpoint is down, and while the account has to be connected again; an account of client credentials becomes
// active by a token, and needs_reauth when the provider rejects its client.
func TestRunsWaitForTokens(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		w.browser().get("/connect-account?link_token=" + w.link(`{"tenant_id": "acme"}`)).submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)
		id, _ := w.account("acme")["id"].(string)
		var job struct{ ID string }
		w.send("POST", "/sync-job", `{"integration_name": "crm", "args_schema": {"integrated_account_id": {"type": "string", "format": "integrated_account_id"}}, "resources": [{"name": "things", "resource": "things", "method": "list"}]}`, &job)
		start := func() string {
			var run struct{ ID string }
			w.send("POST", "/sync-job-run", `{"sync_job_id": "`+job.ID+`", "integrated_account_id": "`+id+`"}`, &run)
			return run.ID
		}
		status := func(run string) string {
			var v map[string]any
			w.send("GET", "/sync-job-run/"+run, "", &v)
			return fmt.Sprint(v["status"])
		}
		completes := func(run string) {
			t.Helper()
			Wait(t, time.Minute, func() (bool, any) { return status(run) == "completed", status(run) })
		}

		run := start()
		completes(run) // so that the provider has accepted the token
		w.provider.Always(tokens.ServerError)
		w.provider.ExpireAccess()
		run = start()
		before := len(w.provider.Requests())
		Wait(t, time.Minute, func() (bool, any) { n := len(w.provider.Requests()); return n >= before+2, n }) // it is asked for again and again
		if got := status(run); got == "completed" || got == "failed" {
			t.Errorf("while the token endpoint is down, the run is %s", got)
		}
		if code, body, err := w.Call(t.Context(), http.MethodGet, "/proxy/things?integrated_account_id="+id, "", nil); err != nil || code != http.StatusBadGateway {
			t.Errorf("meanwhile a call gets %d %s, %v", code, body, err)
		}
		if v := w.account("acme"); v["status"] != "active" {
			t.Errorf("meanwhile the account is %v", v["status"])
		}
		w.provider.Always("")
		completes(run)

		w.provider.Revoke()
		run = start()
		if v := w.becomes("acme", "needs_reauth"); v["last_error"] == nil || v["last_error"] == "" {
			t.Error("the account does not say why it has to be connected again")
		}
		if got := status(run); got == "completed" || got == "failed" {
			t.Errorf("while the account has to be connected again, the run is %s", got)
		}
		w.browser().get("/connect-account?link_token=" + w.link(`{"integrated_account_id": "`+id+`"}`)).submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)
		completes(run)

		w.clientCredentials()
	})
}

func (w *connectWorld) clientCredentials() {
	w.t.Helper()
	config := strings.ReplaceAll(`{"name": "machine", "config": {"label": "Machine", "base_url": "$URL", "credentials": {"oauth2_client_credentials": {"format": "oauth2_client_credentials",
"config": {"auth": {"tokenHost": "$URL", "tokenPath": "/token"}}}}, "resources": {"things": {"list": {"method": "get", "path": "/api"}}}}}`, "$URL", w.provider.URL)
	var integration, install struct{ ID string }
	w.send("POST", "/integration", config, &integration)
	w.send("POST", "/environment-integration", `{"integration_id": "`+integration.ID+`", "is_enabled": true}`, &install)
	imported := func(tenant, secret string) {
		var made struct{ ID, Status string }
		w.send("POST", "/integrated-account", `{"tenant_id": "`+tenant+`", "environment_integration_id": "`+install.ID+`", "authentication_method": "oauth2_client_credentials",
"context": {"client_id": "`+tokens.ClientID+`", "client_secret": "`+secret+`"}}`, &made)
		if made.Status != "connecting" {
			w.t.Errorf("before it has a token the account of %s is %s", tenant, made.Status)
		}
	}
	calls := func(tenant string, want int) {
		w.t.Helper()
		code, body, err := w.Call(w.t.Context(), http.MethodGet, "/proxy/things?integrated_account_id="+fmt.Sprint(w.account(tenant)["id"]), "", nil)
		if err != nil || code != want || strings.Contains(string(body), tokens.ClientSecret) {
			w.t.Errorf("a call of %s gets %d %s, %v", tenant, code, body, err)
		}
	}
	imported("right", tokens.ClientSecret)
	w.becomes("right", "active")
	calls("right", http.StatusOK)
	imported("wrong", "another-secret")
	if v := w.becomes("wrong", "needs_reauth"); v["last_error"] == nil || strings.Contains(fmt.Sprint(v), "another-secret") {
		w.t.Errorf("the rejected account is %v", v)
	}
	calls("wrong", http.StatusUnauthorized)

	w.provider.Always(tokens.Denied)
	w.provider.ExpireAccess()
	calls("right", http.StatusUnauthorized)
	w.becomes("right", "needs_reauth")
	w.provider.Always("")
	rows, err := w.List(w.t.Context(), "/event")
	if err != nil {
		w.t.Fatal(err)
	}
	lost := 0
	for _, row := range rows {
		if row["event"] == "integrated_account:authentication_error" {
			lost++
		}
	}
	if lost != 3 {
		w.t.Errorf("%d events of accounts that have to be connected again, want 3", lost)
	}
}
