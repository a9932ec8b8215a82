package httpapi_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// oauthAccount makes an account with a pair of tokens.
func (w *world) oauthAccount() string {
	w.t.Helper()
	id := w.account("acme").id()
	w.patch("/integrated-account/"+id, `{"context":{"site":"eu","oauth":{"token":{"access_token":"access-1","refresh_token":"refresh-1"}}}}`).ok()
	return id
}

func (w *world) accountToken(id string) *world {
	w.t.Helper()
	return w.as(w.create("/integrated-account/token", `{"integrated_account_id":"`+id+`"}`).str("integrated_account_token"))
}

func TestTokenOfAnAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.oauthAccount()
		if got := w.get("/integrated-account/" + id); strings.Contains(string(got.raw), "access-1") {
			t.Errorf("an API token sees the access token: %s", got.raw)
		}
		me := w.accountToken(id)
		read := me.get("/integrated-account/me")
		got := read.ok()
		if got.id() != id || got.str("context", "oauth", "token", "access_token") != "access-1" || strings.Contains(string(read.raw), "refresh-1") {
			t.Errorf("the account of the token: %s", read.raw)
		}
		// The context is sent back as it was read, with a file that was picked.
		sent := strings.Replace(string(read.raw), `"site":"eu"`, `"site":"us","drive_items":{"truto_obj_store":true,"data":[{"id":1}]},"api_key":"mine"`, 1)
		read = me.patch("/integrated-account/me", sent)
		got = read.ok()
		if got.str("context", "site") != "us" || !strings.Contains(string(read.raw), `"drive_items":[{"id":1}]`) || got.str("context", "oauth", "token", "access_token") != "access-1" {
			t.Errorf("after a change: %s", read.raw)
		}
		if stored := storetest.Strings(t, w.db, "SELECT CAST(COUNT(*) AS TEXT) FROM event WHERE event = 'integrated_account:updated' AND payload LIKE '%access-1%'"); stored[0] != "0" {
			t.Error("an event has the access token")
		}
		me.get("/integrated-account/" + id).rejected(http.StatusForbidden)
		me.get("/unified/crm/contacts").rejected(http.StatusNotImplemented)
		me.post("/integrated-account/token", `{"integrated_account_id":"`+id+`"}`).rejected(http.StatusForbidden)
		w.get("/integrated-account/me").rejected(http.StatusForbidden)
		w.as(otherToken).post("/integrated-account/token", `{"integrated_account_id":"`+id+`"}`).rejected(http.StatusNotFound)

		if hashes := storetest.Strings(t, w.db, "SELECT hash FROM account_token"); slices.Contains(hashes, me.token) {
			t.Error("the token itself is stored")
		}
		w.delete("/integrated-account/" + id).ok()
		if left := storetest.Strings(t, w.db, "SELECT hash FROM account_token"); len(left) != 0 {
			t.Errorf("%d tokens are left of an account that was deleted", len(left))
		}
	})
}

func TestTokenOfAnAccountEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var later atomic.Int64
		w := newWorld(t, db, func(c *httpapi.Config) {
			c.Clock = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		})
		me := w.accountToken(w.oauthAccount())
		later.Store(int64(millrace.AccountTokenLife - time.Minute))
		me.get("/integrated-account/me").ok()
		later.Store(int64(millrace.AccountTokenLife + time.Minute))
		if text := me.get("/integrated-account/me").rejected(http.StatusUnauthorized).str("message"); !strings.Contains(text, "the token expired at") {
			t.Errorf("got %s", text)
		}
	})
}

func TestTokenOfAnAccountChangesNoCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.account("acme").id()
		install := w.get("/integrated-account/" + id).ok().str("environment_integration_id")
		w.patch("/environment-integration/"+install, `{"override":{"credentials":{"api_key":{"config":{"fields":[{"name":"host","type":"text"},{"name":"api_key","type":"password"}]}}}}}`).ok()
		w.patch("/integrated-account/"+id, `{"context":{"host":"a.test"}}`).ok()
		me := w.accountToken(id)
		me.patch("/integrated-account/me", `{"context":{"host":"a.test","more":1}}`).ok()
		me.patch("/integrated-account/me", `{"context":{"host":"attacker.test"}}`).rejected(http.StatusForbidden)
		if got := w.get("/integrated-account/"+id).ok().str("context", "host"); got != "a.test" {
			t.Errorf("host is %s", got)
		}
	})
}

func TestBulkDelete(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two, three := w.account("first").id(), w.account("second").id(), w.account("third").id()
		for id, tenant := range map[string]string{one: "acme", two: "acme", three: "globex"} {
			w.patch("/integrated-account/"+id, `{"tenant_id":"`+tenant+`"}`).ok()
		}
		w.post("/integrated-account/bulk-delete", `{}`).rejected(400)
		w.post("/integrated-account/bulk-delete", `{"tenant_id":"acme","ids":["`+one+`"]}`).rejected(400)
		w.post("/integrated-account/bulk-delete", `{"ids":[`+strings.Repeat(`"`+one+`",`, 99)+`"`+two+`"]}`).rejected(400)
		if got := w.as(otherToken).post("/integrated-account/bulk-delete", `{"ids":["`+one+`"]}`).ok(); got.m["matched_count"] != 0.0 {
			t.Errorf("another environment: got %v", got.m)
		}
		if got := w.post("/integrated-account/bulk-delete", `{"ids":["`+strings.ToUpper(one)+`","`+noID+`"]}`).ok(); got.m["matched_count"] != 1.0 || got.m["deleted_count"] != 1.0 || got.m["success"] != nil {
			t.Errorf("by ids: got %v", got.m)
		}
		if got := w.post("/integrated-account/bulk-delete", `{"tenant_id":"globex"}`).ok(); got.m["matched_count"] != 1.0 {
			t.Errorf("of a tenant: got %v", got.m)
		}
		if got := w.post("/integrated-account/bulk-delete", `{"query":{"tenant_id":"acme"}}`).ok(); got.m["deleted_count"] != 1.0 || got.m["success"] != true {
			t.Errorf("in the older form: got %v", got.m)
		}
		if left := w.get("/integrated-account").ok().ids(); len(left) != 0 {
			t.Errorf("left are %v", left)
		}
	})
}

func TestSandboxAccounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.account("first").id(), w.account("second").id()
		w.get("/sandbox-integrated-account/" + one).rejected(404)
		if got := w.create("/sandbox-integrated-account", `{"id":"`+one+`"}`); got.id() != one || got.str("integrated_account", "id") != one {
			t.Errorf("got %v", got.m)
		}
		w.create("/sandbox-integrated-account", `{"id":"`+one+`"}`)
		if got := w.get("/sandbox-integrated-account").ok().ids(); len(got) != 1 || got[0] != one {
			t.Errorf("sandbox accounts: %v", got)
		}
		w.get("/sandbox-integrated-account/" + one).ok()
		if got := w.get("/integrated-account/" + one).ok(); got.m["is_sandbox"] != true {
			t.Errorf("got %v", got.m)
		}
		w.delete("/sandbox-integrated-account/" + two).rejected(404)
		w.delete("/sandbox-integrated-account/" + one).ok()
		if got := w.get("/integrated-account/" + one).ok(); got.m["is_sandbox"] != false {
			t.Errorf("got %v", got.m)
		}
	})
}

func TestTenants(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if got := w.post("/tenant", `{"id":"acme","metadata":{"plan":"pro"}}`).is(http.StatusCreated); got.str("name") != "acme" || got.str("metadata", "plan") != "pro" {
			t.Errorf("got %v", got.m)
		}
		w.post("/tenant", `{"id":"acme"}`).rejected(409)
		w.post("/tenant", `{"id":"a b"}`).rejected(400, "id")
		w.post("/tenant/bulk", `{"tenants":[{"id":"ok"},{"id":"a/b"}]}`).rejected(400, "tenants[1].id")
		w.as(otherToken).get("/tenant/acme").rejected(404)
		if got := w.patch("/tenant/acme", `{"name":"Acme Inc","metadata":{"x":1}}`).ok(); got.str("name") != "Acme Inc" || got.at("metadata", "plan") != nil {
			t.Errorf("got %v", got.m)
		}
		got := w.post("/tenant/bulk", `{"tenants":[{"id":"acme"},{"id":"Globex"},{"id":"Globex"},{"id":"globex"}]}`).ok()
		created, _ := got.m["created"].([]any)
		skipped, _ := got.m["skipped"].([]any)
		if len(created) != 2 || len(skipped) != 2 {
			t.Errorf("got %v", got.m)
		}
		id := w.account("newest").id()
		tenant := w.get("/integrated-account/" + id).ok().str("tenant_id")
		if ids := w.get("/tenant?id=" + tenant).ok().ids(); len(ids) != 1 {
			t.Errorf("the tenant of a new account: %v", ids)
		}
		w.patch("/integrated-account/"+id, `{"tenant_id":"moved/here"}`).ok()
		w.get("/tenant/moved%2Fhere").ok()
		w.delete("/tenant/moved%2Fhere").rejected(409)
		w.get("/tenant/Globex?environment_id=" + string(w.env)).ok()
		w.delete("/tenant/Globex").ok()
		w.get("/tenant/Globex").rejected(404)
		w.get("/tenant/globex").ok()
	})
}

// asked is a provider that remembers for which account it was called.
type asked struct{ account millrace.IntegratedAccountID }

func (p *asked) Call(_ context.Context, call *provider.Call) (*provider.Response, error) {
	p.account = call.AccountID
	return nil, millrace.Errorf(millrace.KindUnavailable, "the token endpoint is down")
}

func (*asked) Log(context.Context, millrace.CallLog) {}

func TestTokenOfAnAccountCallsForThatAccount(t *testing.T) {
	t.Parallel()
	provider := &asked{}
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), func(c *httpapi.Config) { c.Proxy = provider })
	id, other := w.oauthAccount(), w.account("globex").id()
	me := w.accountToken(id)
	for _, path := range []string{"/proxy/contacts", "/custom/x", "/proxy/contacts?integrated_account_id=" + id} {
		provider.account = ""
		me.get(path).rejected(http.StatusServiceUnavailable)
		if string(provider.account) != id {
			t.Errorf("%s was called for %q, want %s", path, provider.account, id)
		}
	}
	provider.account = ""
	me.get("/proxy/contacts?integrated_account_id=" + other).rejected(http.StatusForbidden)
	me.post("/custom/x?integrated_account_id="+other, `{}`).rejected(http.StatusForbidden)
	if provider.account != "" {
		t.Errorf("the token of one account has called for %s", provider.account)
	}
}
