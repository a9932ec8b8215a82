package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestAdminManagesEnvironments(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		admin := w.as(adminToken)
		made := admin.create("/environment", `{"name":"Acme","weight":1000}`)
		path := "/environment/" + made.id()
		for _, name := range []string{"acme", " ACME ", "default"} {
			admin.post("/environment", `{"name":"`+name+`"}`).rejected(http.StatusConflict)
		}
		for _, name := range []string{"", "  ", string(w.env), strings.Repeat("x", 201), `a\nb`} {
			admin.post("/environment", `{"name":"`+name+`"}`).rejected(http.StatusBadRequest, "name")
		}
		if got := admin.get("/environment").ok().ids(); len(got) != 3 {
			t.Errorf("an admin token sees %v", got)
		}
		if got := w.get("/environment").ok().ids(); len(got) != 1 || got[0] != string(w.env) {
			t.Errorf("a token of an environment sees %v", got)
		}
		w.get(path).rejected(http.StatusNotFound)
		if got := admin.patch(path, `{"name":"Globex"}`).ok().str("name"); got != "Globex" {
			t.Errorf("renamed to %q", got)
		}
		admin.patch(path, `{"name":"DEFAULT"}`).rejected(http.StatusConflict)
		if got := made.at("weight"); got != 1000.0 {
			t.Errorf("an environment of weight 1000 weighs %v", got)
		}
		if got := w.get("/environment/" + string(w.env)).ok().at("weight"); got != 100.0 {
			t.Errorf("the default environment weighs %v", got)
		}
		if got := admin.patch(path, `{"weight":250}`).ok(); got.at("weight") != 250.0 || got.str("name") != "Globex" {
			t.Errorf("after a change of the weight: %v", got.m)
		}
		admin.patch(path, `{"connect":{"name":"Acme","color":"#0b5fff","origins":["https://a.test"]}}`).ok()
		page, _ := admin.patch(path, `{"connect":{"logo_url":"https://a.test/logo.svg","name":""}}`).ok().at("connect").(map[string]any)
		if page["color"] != "#0b5fff" || page["logo_url"] != "https://a.test/logo.svg" || page["name"] != "" || len(page["origins"].([]any)) != 1 {
			t.Errorf("after a change of some members the page is %v", page)
		}
		admin.patch(path, `{"connect":{"color":"blue"}}`).rejected(http.StatusBadRequest, "connect.color")
		if got := w.db.Weight(millrace.EnvironmentID(made.id())); got != 250 {
			t.Errorf("the store still knows the weight %d", got)
		}
		for _, weight := range []string{"0", "-1", "1001", "1.5", `"100"`, "1e99"} {
			admin.post("/environment", `{"name":"Other","weight":`+weight+`}`).rejected(http.StatusBadRequest, "weight")
			admin.patch(path, `{"weight":`+weight+`}`).rejected(http.StatusBadRequest, "weight")
		}

		until := millrace.TimeOf(time.Now().Add(time.Hour)).String()
		token := admin.create("/api-token", `{"environment_id":"`+made.id()+`","name":"CI","expires_at":"`+until+`"}`)
		tenant := w.as(token.str("token"))
		if got := tenant.get("/environment").ok().ids(); len(got) != 1 || got[0] != made.id() {
			t.Errorf("the new token sees %v", got)
		}
		if raw := string(tenant.get("/api-token").raw); strings.Contains(raw, token.str("token")) || !strings.Contains(raw, until) {
			t.Errorf("got %s", raw)
		}
		admin.post("/api-token", `{"environment_id":"`+noID+`"}`).rejected(http.StatusNotFound)
		admin.post("/api-token", `{"environment_id":"`+made.id()+`","scope":"admin"}`).rejected(http.StatusBadRequest, "environment_id")
		admin.post("/api-token", `{"environment_id":"`+made.id()+`","scope":"environment"}`).rejected(http.StatusBadRequest, "scope")
		admin.post("/api-token", `{"name":"CI"}`).rejected(http.StatusBadRequest, "environment_id")
		admin.post("/api-token", `{"environment_id":"`+made.id()+`","expires_at":"2001-01-01T00:00:00Z"}`).rejected(http.StatusBadRequest, "expires_at")
		tenant.create("/webhook", `{"target_url":"https://a.test/in"}`)

		rejected := admin.delete(path).rejected(http.StatusConflict)
		if !strings.Contains(rejected.str("message"), "webhooks: 1") {
			t.Errorf("got %v", rejected.m)
		}
		admin.delete(path+"?force=maybe").rejected(http.StatusBadRequest, "force")
		admin.delete(path + "?force=true").ok()
		admin.get(path).rejected(http.StatusNotFound)
		admin.delete(path + "?force=true").rejected(http.StatusNotFound)
		if got := admin.get("/environment").ok().ids(); len(got) != 2 {
			t.Errorf("after the deletion there are %v", got)
		}
		tasks := storetest.Tasks(w.db)
		if last := tasks[len(tasks)-1]; last != millrace.EraseEnvironmentTask(millrace.EnvironmentID(made.id())) {
			t.Errorf("got the task %+v", last)
		}
		admin.create("/environment", `{"name":"globex"}`)

		short := admin.create("/api-token", `{"environment_id":"`+string(w.env)+`"}`)
		admin.delete("/api-token/" + short.id()).ok()
		w.as(short.str("token")).get("/environment").rejected(http.StatusUnauthorized)
		admin.delete("/api-token/" + short.id()).rejected(http.StatusNotFound)
		err := w.db.View(t.Context(), func(tx *store.Tx) error {
			work, err := tx.Tasks().Open(t.Context())
			if len(work) == 0 || work[len(work)-1] != millrace.EraseEnvironmentTask(millrace.EnvironmentID(made.id())) {
				t.Errorf("got the open work %+v", work)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
