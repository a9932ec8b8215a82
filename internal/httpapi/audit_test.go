package httpapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// unrecorded are the routes that write, and whose calls leave no entry in the audit log, with the reason.
func unrecorded() map[string]string {
	return map[string]string{
		"POST /event":                                       "what happens, not how the server is set up; the event itself is the record",
		"POST /webhook/test":                                "nothing is changed",
		"POST /notification-destination/test":               "nothing is changed",
		"POST /webhook-redelivery/preview":                  "nothing is changed",
		"POST /integrated-account/refresh-credentials":      "the account is not changed, only its tokens are renewed, as they are without being asked",
		"POST /integrated-account/run-post-install-actions": "the account is not changed; what its actions do is the server's work",
		"POST /sync-job-cron-trigger/{id}/schedule":         "nothing is changed of a schedule that is active",
	}
}

// lastWalked are the routes that remove what others need, in their order.
func lastWalked() []string {
	return []string{
		"DELETE /webhook/{id}/previous-secret", "DELETE /workflow-run/{id}", "DELETE /sync-job-run-state/{id}", "DELETE /sync-job-cron-trigger/{id}", "DELETE /sync-job-run/{id}", "DELETE /workflow/{id}",
		"DELETE /sync-job/{id}", "DELETE /sync-job-template/{id}", "DELETE /webhook/{id}", "DELETE /notification-destination/{id}",
		"DELETE /sandbox-integrated-account/{id}", "POST /integrated-account/bulk-delete", "DELETE /integrated-account/{id}", "DELETE /tenant/{id}",
		"DELETE /static-gate/{id}", "DELETE /environment-integration/{id}", "DELETE /integration/{id}", "DELETE /api-token/{id}", "DELETE /environment/{id}",
	}
}

// TestEveryWriteIsRecorded makes every request of the API document that writes, with a body that is accepted.
func TestEveryWriteIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := &walk{t: t, counts: map[string]int{}}
		k.victim = &side{world: w, env: w.env, objects: map[string]string{}}
		k.attacker = &side{world: w.as(otherToken), env: w.other, objects: map[string]string{}}
		k.addTokens(w.db)
		k.victim.build()
		k.victim.objects["notification-destination"] = w.create("/notification-destination", walkBodies()["POST /notification-destination"]).id()
		writes := slices.DeleteFunc(k.operations(), func(op operation) bool {
			return op.method == http.MethodGet || op.isPublic || op.isThirdParty() || strings.HasSuffix(op.path, "/me")
		})
		slices.SortStableFunc(writes, func(a, b operation) int {
			return slices.Index(lastWalked(), a.name()) - slices.Index(lastWalked(), b.name())
		})
		for _, op := range writes {
			if op.method == http.MethodDelete && !slices.Contains(lastWalked(), op.name()) {
				t.Errorf("%s: the walk does not know when to do it; add it to lastWalked", op.name())
			}
			k.writes(op, k.changing(op))
		}
	})
}

// changing returns a body that changes something, and makes what the request is about where the walk has used it up.
func (k *walk) changing(op operation) string {
	k.t.Helper()
	w, objects := k.victim.world, k.victim.objects
	switch op.name() {
	case "PATCH /environment/{id}":
		return `{"name":"Renamed"}`
	case "PATCH /sync-job-template/{id}":
		return `{"label":"renamed"}`
	case "POST /environment-integration":
		return `{"integration_id":"` + w.create("/integration", `{"name":"fresh","config":{"label":"X"}}`).id() + `"}`
	case "POST /sandbox-integrated-account":
		return `{"id":"` + w.account("fresh-account").id() + `"}`
	case "POST /webhook-redelivery":
		return `{"webhook_id":"` + w.create("/webhook", `{"target_url":"https://a.test/in"}`).id() + `"}`
	case "DELETE /integrated-account/{id}":
		objects["integrated-account"] = w.account("last").id()
	case "DELETE /sync-job-run/{id}":
		objects["sync-job-run"] = w.create("/sync-job-run", k.victim.fill(walkBodies()["POST /sync-job-run"])).id()
	}
	return k.victim.fill(walkBodies()[op.name()])
}

// writes makes a request, and looks for what it leaves.
func (k *walk) writes(op operation, body string) {
	k.t.Helper()
	w, before := k.victim.world, k.victim.recorded()
	path := k.fillPath(op, k.victim) + strings.TrimRight(op.query(), "?&")
	switch {
	case op.name() == "DELETE /environment/{id}":
		path += "?force=true"
	case op.name() == "DELETE /tenant/{id}":
		path += "?erase=true"
	}
	who := ownToken
	if op.forAdmins() {
		w, who = w.as(adminToken), adminToken
	}
	a := w.send(op.method, path, body)
	after := k.victim.recorded()
	fresh := after[len(before):]
	reason, isException := unrecorded()[op.name()]
	switch {
	case isException && len(fresh) > 0:
		k.t.Errorf("%s leaves %+v; it is an exception because %s", op.name(), fresh, reason)
	case isException:
	case a.status >= http.StatusBadRequest:
		k.t.Errorf("%s: got %d, want a body that is accepted: %s", a.what, a.status, a.raw)
	case len(fresh) == 0:
		k.t.Errorf("%s leaves no entry in the audit log; watch its table, or record it", op.name())
	}
	for _, e := range fresh {
		if e.ActorType != store.ActorToken || e.ActorName != who || e.ActorID == "" || e.Via != op.name() || e.Action == "" || e.Resource == "" {
			k.t.Errorf("%s: got %+v", op.name(), e)
		}
		if strings.Contains(string(e.Before)+string(e.After), "k-secret") {
			k.t.Errorf("%s: a secret is in %+v", op.name(), e)
		}
	}
}

// recorded returns all entries, the oldest first.
func (s *side) recorded() []store.AuditEntry {
	s.t.Helper()
	var all []store.AuditEntry
	err := s.db.View(s.t.Context(), func(tx *store.Tx) error {
		page, err := store.AuditOf(tx).List(s.t.Context(), "", millrace.Query{Sort: []millrace.Sort{{Field: "created_at"}}})
		all = page.Result
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// audit returns the entries that a query of the API lists.
func (w *world) audit(query string) []store.AuditEntry {
	w.t.Helper()
	var page millrace.Page[store.AuditEntry]
	if err := json.Unmarshal(w.as(adminToken).get("/audit"+query).raw, &page); err != nil {
		w.t.Fatal(err)
	}
	return page.Result
}

func TestAuditSaysWhatWasChanged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const hostile = `<script>alert(1)</script>\u202e\u0000`
		hook := w.create("/webhook", `{"target_url":"https://a.test/in","event_types":["custom:a"]}`)
		w.patch("/webhook/"+hook.id(), `{"target_url":"https://b.test/in","event_types":["custom:a","custom:b"]}`).ok()
		w.patch("/webhook/"+hook.id(), `{"target_url":"https://b.test/in"}`).ok() // no change
		w.post("/webhook/"+hook.id()+"/rotate-secret", `{}`).ok()
		w.patch("/webhook/"+hook.id(), `{"is_active":"no"}`).rejected(http.StatusBadRequest)
		w.delete("/webhook/" + hook.id()).ok()
		got := w.audit("?resource_id=" + hook.id())
		slices.Reverse(got)
		if len(got) != 4 {
			t.Fatalf("got %+v", got)
		}
		for i, want := range []struct{ action, before, after string }{
			{"created", `{}`, ""},
			{"changed", `{"target_url":"https://a.test/in"}`, `{"event_types[1]":"custom:b","target_url":"https://b.test/in"}`},
			{"changed", `{"secret":"[secret]"}`, ""},
			{"deleted", "", `{}`},
		} {
			e := got[i]
			if e.Action != want.action || want.before != "" && string(e.Before) != want.before || want.after != "" && string(e.After) != want.after {
				t.Errorf("%d: got %s %s -> %s", i, e.Action, e.Before, e.After)
			}
			if e.EnvironmentID != w.env || e.Resource != "webhook" || e.ActorName != ownToken {
				t.Errorf("%d: got %+v", i, e)
			}
		}
		tenant := w.create("/integration", `{"name":"x","config":{"label":"`+strings.ReplaceAll(hostile, `\u0000`, "")+`"}}`)
		if e := w.audit("?resource_id=" + tenant.id()); len(e) != 1 || !strings.Contains(string(e[0].After), "alert(1)") {
			t.Errorf("got %+v", e)
		}
		large := w.create("/sync-job", `{"integration_name":"x","label":"`+strings.Repeat("l", 400)+`","resources":[{"name":"contacts","type":"request","resource":"contacts","method":"list","query":{"q":"`+
			strings.Repeat("ü", 300_000)+`"}}]}`)
		if e := w.audit("?resource_id=" + large.id()); len(e) != 1 || len(e[0].After) > 40<<10 {
			t.Errorf("got %d entries, %d bytes", len(e), len(e[0].After))
		}
	})
}

// Nobody but an admin sees the log, and the filters keep environments apart.
func TestAuditIsForAdmins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.create("/webhook", `{"target_url":"https://a.test/in"}`)
		w.as(otherToken).create("/webhook", `{"target_url":"https://b.test/in"}`)
		for _, token := range []string{ownToken, readToken, otherToken} {
			w.as(token).get("/audit").rejected(http.StatusForbidden)
			w.as(token).get("/audit/" + noID).rejected(http.StatusForbidden)
		}
		w.as(adminToken).get("/audit/" + noID).rejected(http.StatusNotFound)
		for env, other := range map[millrace.EnvironmentID]string{w.env: "b.test", w.other: "a.test"} {
			got := w.audit("?environment_id=" + string(env))
			if len(got) != 1 || strings.Contains(string(got[0].After), other) {
				t.Errorf("%s: got %+v", env, got)
			}
		}
		first := w.as(adminToken).get("/audit?limit=1").ok()
		next, _ := first.m["next_cursor"].(string)
		second := w.as(adminToken).get("/audit?limit=1&next_cursor=" + url.QueryEscape(next)).ok()
		if a, b := first.ids(), second.ids(); len(a) != 1 || len(b) != 1 || a[0] == b[0] {
			t.Errorf("got the pages %v and %v", a, b)
		}
		for _, filter := range slices.Sorted(maps.Keys(map[string]bool{"before": true, "after": true, "subject": true})) {
			w.as(adminToken).get("/audit?" + filter + "=x").rejected(http.StatusBadRequest)
		}
	})
}
