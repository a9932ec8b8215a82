package millracetest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// leaving is a connected account whose provider takes tokens back, and whose API responds when it is let.
type leaving struct {
	*connectWorld
	account string
	job     string
	open    chan struct{} // closed: the API responds
	called  atomic.Int64  // requests to the API
	revoked atomic.Int64  // tokens that were given back
	busy    atomic.Int64  // so many requests to give one back get 503
	token   sync.Map      // what was given back
	ahead   *atomic.Int64 // of the server's clock
}

func newLeaving(t *testing.T, address string) *leaving {
	t.Helper()
	l := &leaving{open: make(chan struct{}), ahead: &atomic.Int64{}}
	s := Start(t, address, func(o *server.Options) {
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }
	})
	l.connectWorld = &connectWorld{Server: s, t: t, provider: tokens.Start()}
	t.Cleanup(l.provider.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things", func(w http.ResponseWriter, r *http.Request) {
		l.called.Add(1)
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		select {
		case <-l.open:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`[{"id":1}]`))
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		if l.busy.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		l.token.Store(r.FormValue("token"), true)
		l.revoked.Add(1)
	})
	api := httptest.NewServer(mux)
	t.Cleanup(api.Close)
	t.Cleanup(l.release)
	config := strings.NewReplacer("$URL", l.provider.URL, "$API", api.URL).Replace(`{"name": "crm", "category": "crm", "config": {"label": "CRM", "base_url": "$API", "credentials": {
 "oauth2": {"format": "oauth2", "config": {"client": {"id": "` + tokens.ClientID + `", "secret": "` + tokens.ClientSecret + `"}, "auth": {"tokenHost": "$URL", "tokenPath": "/token",
 "authorizeHost": "$URL", "authorizePath": "/authorize", "revokePath": "$API/revoke"}}}}, "resources": {"things": {"list": {"method": "get", "path": "/things"}}}}}`)
	var integration, job struct{ ID string }
	l.send("POST", "/integration", config, &integration)
	l.send("POST", "/environment-integration", `{"integration_id": "`+integration.ID+`", "show_in_catalog": true, "is_enabled": true}`, nil)
	l.send("POST", "/sync-job", `{"integration_name": "crm", "args_schema": {"integrated_account_id": {"type": "string", "format": "integrated_account_id"}}, "resources": [{"name": "things", "resource": "things", "method": "list"}]}`, &job)
	l.job = job.ID
	l.browser().get("/connect-account?link_token=" + l.link(`{"tenant_id": "acme"}`)).submit(url.Values{}).goOn().settled().shows(`data-kind="connected"`)
	l.account, _ = l.accounts()[0]["id"].(string)
	return l
}

func (l *leaving) release() {
	select {
	case <-l.open:
	default:
		close(l.open)
	}
}

// status is that of the account; empty: it is gone.
func (l *leaving) status() string {
	l.t.Helper()
	for _, v := range l.accounts() {
		return v["status"].(string)
	}
	return ""
}

func (l *leaving) events(name string) int {
	l.t.Helper()
	rows, err := l.List(l.t.Context(), "/event")
	if err != nil {
		l.t.Fatal(err)
	}
	n := 0
	for _, row := range rows {
		if row["event"] == name {
			n++
		}
	}
	return n
}

func (l *leaving) call(method, path, body string) int {
	l.t.Helper()
	code, _, err := l.Call(l.t.Context(), method, path, "application/json", []byte(body))
	if err != nil {
		l.t.Fatal(err)
	}
	return code
}

func (l *leaving) gone() {
	l.t.Helper()
	Wait(l.t, time.Minute, func() (bool, any) { return l.status() == "", l.status() })
	if n := l.events("integrated_account:deleted"); n != 1 {
		l.t.Errorf("%d events of the deletion", n)
	}
}

func TestADeletedAccountGivesItsTokensBack(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		l := newLeaving(t, address)
		l.busy.Store(1)
		if code := l.call("DELETE", "/integrated-account/"+l.account, ""); code != http.StatusOK {
			t.Fatalf("got %d", code)
		}
		if l.status() != "" { // there is no listener
			t.Errorf("the account is %s", l.status())
		}
		l.gone()
		Wait(t, time.Minute, func() (bool, any) { return l.revoked.Load() == 1, l.revoked.Load() })
		l.token.Range(func(key, _ any) bool {
			if token := key.(string); !l.provider.Alive(token) {
				t.Errorf("what was given back is no refresh token")
			}
			return true
		})
	})
}

func TestWorkflowsUseAnAccountBeforeItIsDeleted(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		l := newLeaving(t, address)
		l.send("POST", "/workflow", `{"trigger_name": "integrated_account:deleting", "config": {"steps": [{"type": "run", "action": "run_sync_job", "config": {"sync_job_id": "`+l.job+`"}}]}}`, nil)
		for range 2 { // the second is harmless
			if code := l.call("DELETE", "/integrated-account/"+l.account, ""); code != http.StatusOK {
				t.Fatalf("got %d", code)
			}
		}
		if code := l.call("POST", "/integrated-account/bulk-delete", `{"tenant_id": "acme"}`); code != http.StatusOK {
			t.Errorf("a bulk deletion gets %d", code)
		}
		Wait(t, time.Minute, func() (bool, any) { return l.called.Load() > 0, "the run has made no request" })
		if status := l.status(); status != "deleting" || l.events("integrated_account:deleting") != 1 || l.revoked.Load() != 0 {
			t.Errorf("the account is %s, %d events, %d tokens given back", status, l.events("integrated_account:deleting"), l.revoked.Load())
		}
		for path, body := range map[string]string{
			"POST /sync-job-run": `{"sync_job_id": "` + l.job + `", "integrated_account_id": "` + l.account + `"}`, "POST /integrated-account/run-post-install-actions": `{"id": "` + l.account + `"}`,
			"PATCH /integrated-account/" + l.account: `{"status": "active"}`, "PATCH /integrated-account/" + l.account + "/credentials": `{"context": {}}`,
		} {
			method, route, _ := strings.Cut(path, " ")
			if code := l.call(method, route, body); code != http.StatusBadRequest && code != http.StatusConflict {
				t.Errorf("%s gets %d", path, code)
			}
		}
		l.release()
		if code := l.call("GET", "/proxy/things?integrated_account_id="+l.account, ""); code != http.StatusOK && code != http.StatusNotFound {
			t.Errorf("a call gets %d", code)
		}
		l.gone()
		runs, err := l.List(t.Context(), "/workflow-run")
		if err != nil || len(runs) != 1 || runs[0]["status"] != "completed" {
			t.Errorf("got the runs %v, %v", runs, err)
		}
		Wait(t, time.Minute, func() (bool, any) { return l.revoked.Load() == 1, l.revoked.Load() })
	})
}

func TestAWorkflowDoesNotKeepAnAccountForEver(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		l := newLeaving(t, address)
		l.send("POST", "/workflow", `{"trigger_name": "integrated_account:deleting", "config": {"steps": [{"type": "run", "action": "run_sync_job", "config": {"sync_job_id": "`+l.job+`"}}]}}`, nil)
		if code := l.call("POST", "/integrated-account/bulk-delete", `{"tenant_id": "acme"}`); code != http.StatusOK {
			t.Fatalf("got %d", code)
		}
		Wait(t, time.Minute, func() (bool, any) { return l.called.Load() > 0, "the run has made no request" })
		if status := l.status(); status != "deleting" {
			t.Errorf("the account is %s", status)
		}
		l.ahead.Store(int64(61 * time.Minute))
		l.gone()
	})
}
