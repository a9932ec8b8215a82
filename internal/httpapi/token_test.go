package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// TestScopes makes each request of the API document with a token of each scope.
func TestScopes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := &walk{t: t, counts: map[string]int{}, victim: &side{world: w}}
		accountToken := w.create("/integrated-account/token", `{"integrated_account_id":"`+w.account("scopes").id()+`"}`).str("integrated_account_token")
		changed, seen := 0, 0
		for _, op := range k.operations() {
			if op.isPublic {
				continue
			}
			path := strings.NewReplacer("{resource}", "x", "{method}", "x", "{action}", "x", "{path}", "x", "{name}", "x", "{id}", noID).Replace(op.path)
			isRead := op.method == http.MethodGet || op.path == "/webhook-redelivery/preview"
			isAdmins := op.kind() == "environment" || op.kind() == "api-token"
			isAudit := op.kind() == "audit"
			isOwn := op.path == "/integrated-account/me"
			for token, allowed := range map[string]bool{
				readToken:    isRead && !isOwn && !isAudit,
				ownToken:     (isRead || !isAdmins) && !isOwn && !isAudit,
				adminToken:   isAdmins || isAudit,
				accountToken: isOwn || op.isThirdParty(),
			} {
				a := w.as(token).send(op.method, path, "")
				if got := a.status != http.StatusForbidden && a.status != http.StatusUnauthorized; got != allowed {
					t.Errorf("%s with %s: got %d: %s", op.name(), token, a.status, a.raw)
				}
				if token == readToken && !allowed && !isAdmins && !isOwn && !isAudit {
					changed++
					if !strings.Contains(string(a.raw), "has the scope read, and this needs write") {
						t.Errorf("%s with %s: got %s", op.name(), token, a.raw)
					}
				}
				seen++
			}
		}
		if changed < 40 || seen < 250 {
			t.Errorf("these are few: %d changes that a read token was denied, %d requests", changed, seen)
		}
	})
}

func TestTokensOfEachScope(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		admin := w.as(adminToken)
		hook := w.create("/webhook", `{"target_url":"https://a.test/in","event_types":["api_token:created","api_token:deleted"]}`)
		body := `{"environment_id":"` + string(w.env) + `","name":"CI","scope":"read"}`
		w.post("/api-token", body).rejected(http.StatusForbidden)
		w.as(readToken).post("/api-token", body).rejected(http.StatusForbidden)
		made := admin.create("/api-token", body)
		reader := w.as(made.str("token"))
		reader.get("/webhook/" + hook.id()).ok()
		reader.delete("/webhook/" + hook.id()).rejected(http.StatusForbidden)
		if got := reader.get("/api-token/" + made.id()).ok(); got.str("scope") != "read" || got.m["token"] != nil || got.str("created_by") == "" {
			t.Errorf("got %v", got.m)
		}
		if got := admin.get("/api-token?environment_id=" + string(w.other)).ok().ids(); len(got) != 1 {
			t.Errorf("an admin token sees %v of one environment", got)
		}
		if got, all := reader.get("/api-token").ok().ids(), admin.get("/api-token").ok().ids(); len(got) != 4 || len(all) != 6 {
			t.Errorf("got %d tokens of the environment and %d of all, want 4 and 6", len(got), len(all))
		}

		unused := admin.create("/api-token", `{"environment_id":"`+string(w.other)+`"}`) // one that was used is known for 5 s
		for _, id := range []string{made.id(), unused.id()} {
			if got := admin.delete("/api-token/" + id).ok(); got.m["warnings"] != nil {
				t.Errorf("got %v", got.m)
			}
		}
		gone := w.as(unused.str("token")).get("/webhook").rejected(http.StatusUnauthorized).str("message")
		if !strings.Contains(gone, "the token was deleted at ") {
			t.Errorf("a deleted token is told %q", gone)
		}
		if got := w.as(oldToken).get("/webhook").rejected(http.StatusUnauthorized).str("message"); !strings.Contains(got, "the token expired at 1970-") {
			t.Errorf("an expired token is told %q", got)
		}
		if got := w.as("mr_never").get("/webhook").rejected(http.StatusUnauthorized).str("message"); !strings.Contains(got, "no such token is known") {
			t.Errorf("an unknown token is told %q", got)
		}
		var names []string
		for _, e := range w.get("/event").ok().m["result"].([]any) {
			names = append(names, e.(map[string]any)["event"].(string))
			if e.(map[string]any)["payload"].(map[string]any)["id"] != made.id() || strings.Contains(string(w.get("/event").raw), made.str("token")) {
				t.Errorf("got the event %v", e)
			}
		}
		slices.Sort(names)
		if strings.Join(names, " ") != "api_token:created api_token:deleted" {
			t.Errorf("got the events %v", names)
		}
		if got := w.get("/webhook-delivery?webhook_id=" + hook.id()).ok().ids(); len(got) != 2 {
			t.Errorf("got %d deliveries", len(got))
		}
	})
}

// An admin token that ends makes no admin token that outlives it, and may delete itself.
func TestAdminTokensOfAdminTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		at := func(d time.Duration) string { return millrace.TimeOf(time.Now().Add(d)).String() }
		first := w.as(adminToken).create("/api-token", `{"scope":"admin","expires_at":"`+at(time.Hour)+`"}`)
		if got := first.m["environment_id"]; got != "" {
			t.Errorf("an admin token is of %v", got)
		}
		short := w.as(first.str("token"))
		for _, end := range []string{"", `,"expires_at":null`, `,"expires_at":"` + at(2*time.Hour) + `"`} {
			short.post("/api-token", `{"scope":"admin"`+end+`}`).rejected(http.StatusBadRequest, "expires_at")
		}
		short.create("/api-token", `{"scope":"admin","expires_at":"`+at(time.Minute)+`"}`)
		short.create("/api-token", `{"environment_id":"`+string(w.env)+`"}`)
		own := short.delete("/api-token/" + strings.ToUpper(first.id())).ok()
		if !strings.Contains(fmt.Sprint(own.m), "the token of the request") {
			t.Errorf("got %v", own.m)
		}
		err := w.db.View(t.Context(), func(tx *store.Tx) error {
			all, err := tx.Events().List(t.Context(), "", millrace.Query{})
			if len(all.Result) > 0 {
				t.Errorf("an admin token has events: %+v", all.Result)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		other := w.as(adminToken).delete("/api-token/" + url.PathEscape(noID)).rejected(http.StatusNotFound)
		if strings.Contains(fmt.Sprint(other.m), "of the request") {
			t.Errorf("got %v", other.m)
		}
	})
}
