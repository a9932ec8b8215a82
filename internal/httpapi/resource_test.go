package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestIntegrationLifecycle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.create("/integration", `{"name":"calcom","category":"calendar","config":{"label":"Cal.com","base_url":"https://a",
			"credentials":{"oauth2":{"format":"oauth2","config":{"auth":{"tokenHost":"https://a"},"client":{"id":"i","secret":"topsecret"}}}},"query":{"x":"1","y":"2"}}}`)
		if v.m["version"] != 1.0 || v.str("sharing") != "deny" || strings.Contains(fmt.Sprint(v.m), "topsecret") {
			t.Errorf("created: got %v", v.m)
		}
		path := "/integration/" + v.id()
		patched := w.patch(path, `{"version":1,"config":{"base_url":"https://b","query":{"x":null,"z":"3"},"logo":null},"unknown":1}`).ok()
		want := map[string]any{
			"label": "Cal.com", "base_url": "https://b", "query": map[string]any{"y": "2", "z": "3"},
			"credentials": map[string]any{"oauth2": map[string]any{"format": "oauth2", "config": map[string]any{
				"auth": map[string]any{"tokenHost": "https://a"}, "client": map[string]any{"id": "i"},
			}}},
		}
		if diff := cmp.Diff(want, patched.at("config")); diff != "" {
			t.Errorf("merged config (-want +got)\n%s", diff)
		}
		// The secret is still there, although no response shows it.
		err := w.db.View(t.Context(), func(tx *store.Tx) error {
			stored, err := tx.Integrations().Get(t.Context(), w.env, millrace.IntegrationID(v.id()))
			if err == nil && !strings.Contains(string(stored.Config), "topsecret") {
				t.Errorf("the patch lost the secret: %s", stored.Config)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.patch(path, `{"version":1}`).rejected(400, "version")
		if got := w.patch(path, `{"version":2,"is_beta":true,"category":null}`).ok(); got.m["is_beta"] != true || got.str("category") != "" || got.m["version"] != 3.0 {
			t.Errorf("got %v", got.m)
		}
		if got := w.get("/integration?name=calcom").ok().ids(); len(got) != 1 {
			t.Errorf("list by name: got %v", got)
		}
		if got := w.delete(path).ok(); got.id() != v.id() {
			t.Errorf("delete: got %v", got.m)
		}
		w.get(path).rejected(404)
		w.delete(path).rejected(404)
	})
}

func TestInstallLifecycle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		integration := w.create("/integration", `{"name":"calcom","config":{"label":"Cal.com"}}`)
		body := `{"integration_id":"` + integration.id() + `","override":{"headers":{"X-B":"1"},"secret_environment_variables":{"K":"topsecret"}}}`
		v := w.create("/environment-integration", body)
		if v.m["is_enabled"] != true || v.str("integration", "name") != "calcom" || v.str("integration", "config", "label") != "Cal.com" {
			t.Errorf("got %v", v.m)
		}
		if again := w.create("/environment-integration", body); again.id() != v.id() {
			t.Errorf("installed twice: %s and %s", v.id(), again.id())
		}
		path := "/environment-integration/" + v.id()
		patched := w.patch(path, `{"is_enabled":false,"override":{"label":"c"}}`).ok()
		if diff := cmp.Diff(map[string]any{"label": "c"}, patched.at("override")); diff != "" || patched.m["is_enabled"] != false {
			t.Errorf("got %v", patched.m)
		}
		if patched = w.patch(path, `{"is_enabled":null,"override":null}`).ok(); len(patched.at("override").(map[string]any)) != 0 || patched.m["is_enabled"] != false {
			t.Errorf("got %v", patched.m)
		}
		if got := w.get("/environment-integration?integration.name=calcom&integration_id=" + integration.id()).ok().ids(); len(got) != 1 {
			t.Errorf("list: got %v", got)
		}
		var accounts []string
		for range 3 {
			accounts = append(accounts, w.create("/integrated-account", `{"tenant_id":"t","authentication_method":"api_key","context":{},"environment_integration_id":"`+v.id()+`"}`).id())
		}
		w.delete(path).ok()
		for _, id := range accounts {
			w.get("/integrated-account/" + id).rejected(404)
		}
		count := map[string]int{}
		for _, name := range w.events() {
			count[name]++
		}
		want := map[string]int{
			"environment_integration:created": 1, "environment_integration:updated": 2, "environment_integration:deleted": 1,
			"integrated_account:created": 3, "integrated_account:active": 3, "integrated_account:deleted": 3,
		}
		if diff := cmp.Diff(want, count); diff != "" {
			t.Errorf("events (-want +got)\n%s", diff)
		}
	})
}

// payloads returns the payloads of the events with a name.
func (w *world) payloads(name string) []map[string]any {
	w.t.Helper()
	rows, _ := w.get("/event?sort_by[created_at]=asc&event=" + name).ok().m["result"].([]any)
	var out []map[string]any
	for _, r := range rows {
		payload, _ := r.(map[string]any)["payload"].(map[string]any)
		out = append(out, payload)
	}
	return out
}

// TestNumbersOfAContextKeepTheirDigits: ids of providers may have more digits than a float64.
func TestNumbersOfAContextKeepTheirDigits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		install := w.install("calcom")
		id := w.create("/integrated-account", `{"tenant_id":"acme","authentication_method":"api_key","environment_integration_id":"`+install+`","context":{
			"company_id":9007199254740993,"oauth":{"owner":9007199254740995}}}`).id()
		path := "/integrated-account/" + id
		w.patch(path, `{"context":{"team_id":9007199254740997,"oauth":{"scope":"read"}}}`).ok()
		w.patch(path+"/credentials", `{"context":{"api_key":"k"}}`).ok()
		raw := string(w.get(path).raw)
		for _, want := range []string{`"company_id":9007199254740993`, `"owner":9007199254740995`, `"team_id":9007199254740997`} {
			if !strings.Contains(raw, want) {
				t.Errorf("no %s in %s", want, raw)
			}
		}
	})
}

func TestAccountLifecycle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		install := w.install("calcom")
		w.patch("/environment-integration/"+install, `{"override":{"environment_variables":{"HOST":"h"},"secret_environment_variables":{"S":"topsecret"}}}`).ok()
		v := w.create("/integrated-account", `{"tenant_id":"acme","authentication_method":"oauth2","environment_integration_id":"`+install+`","context":{
			"subdomain":"acme","nested":{"a":1,"b":2},"api_key":"topsecret","environment_variables":{"X":"dropped"},
			"oauth":{"scope":"read","token":{"access_token":"topsecret","refresh_token":"topsecret","expires_in":3600}}}}`)
		want := map[string]any{
			"subdomain": "acme", "nested": map[string]any{"a": 1.0, "b": 2.0}, "environment_variables": map[string]any{"HOST": "h"},
			"oauth": map[string]any{"scope": "read", "token": map[string]any{"expires_in": 3600.0}},
		}
		if diff := cmp.Diff(want, v.at("context")); diff != "" {
			t.Errorf("created (-want +got)\n%s", diff)
		}
		if v.str("status") != "active" || v.str("region") != "wnam" || v.str("integration", "name") != "calcom" || v.str("environment_integration", "id") != install {
			t.Errorf("created: got %v", v.m)
		}
		path := "/integrated-account/" + v.id()
		patched := w.patch(path, `{"tenant_id":"acme2","context":{"nested":{"c":3},"oauth":{"token":{"expires_in":60}},"new":null,"environment_variables":{"Y":"dropped"}}}`).ok()
		want["nested"], want["new"] = map[string]any{"c": 3.0}, nil
		want["oauth"] = map[string]any{"scope": "read", "token": map[string]any{"expires_in": 60.0}}
		if diff := cmp.Diff(want, patched.at("context")); diff != "" || patched.str("tenant_id") != "acme2" {
			t.Errorf("patched %v (-want +got)\n%s", patched.m, diff)
		}
		full := w.fullContext(v.id())
		if full["api_key"] != "topsecret" || fmt.Sprint(full["oauth"]) != "map[scope:read token:map[access_token:topsecret expires_in:60 refresh_token:topsecret]]" || full["environment_variables"] != nil {
			t.Errorf("stored context: got %v", full)
		}
		w.patch(path, `{"status":"needs_reauth"}`).ok()
		w.patch(path, `{"status":"active"}`).ok()
		w.patch(path+"/credentials", `{"context":{"api_key":"new"}}`).ok()
		w.patch(path+"/credentials", `{"credentials":{"password":"new"},"authentication_method":"basic"}`).ok()
		if full := w.fullContext(v.id()); full["api_key"] != "new" || full["password"] != "new" || full["subdomain"] != "acme" {
			t.Errorf("reconnected: got %v", full)
		}
		w.delete(path).ok()
		w.get(path).rejected(404)
		w.checkAccountEvents(v.id())
		for _, what := range []string{string(w.get("/event").raw), string(w.get("/integrated-account").raw), w.logs.String()} {
			if strings.Contains(what, "topsecret") {
				t.Errorf("a credential got out: %s", what)
			}
		}
	})
}

func (w *world) fullContext(id string) map[string]any {
	w.t.Helper()
	var full map[string]any
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		v, err := tx.Accounts().Get(w.t.Context(), w.env, millrace.IntegratedAccountID(id))
		if err != nil {
			return err
		}
		full, err = v.FullContext()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return full
}

func (w *world) checkAccountEvents(id string) {
	w.t.Helper()
	created, active := w.payloads("integrated_account:created"), w.payloads("integrated_account:active")
	updated, deleted := w.payloads("integrated_account:updated"), w.payloads("integrated_account:deleted")
	if len(created) != 1 || len(active) != 4 || len(updated) != 5 || len(deleted) != 1 {
		w.t.Fatalf("got %d created, %d active, %d updated, %d deleted", len(created), len(active), len(updated), len(deleted))
	}
	if created[0]["status"] != "connecting" || active[0]["status"] != "active" || updated[3]["status"] != "connecting" {
		w.t.Errorf("statuses: got %v, %v, %v", created[0]["status"], active[0]["status"], updated[3]["status"])
	}
	if diff := cmp.Diff(map[string]any{"id": id}, deleted[0]); diff != "" {
		w.t.Errorf("deleted (-want +got)\n%s", diff)
	}
	for _, key := range []string{
		"id", "tenant_id", "environment_integration_id", "context", "created_at", "updated_at", "is_sandbox", "unified_model_override",
		"environment_id", "integration", "environment_integration", "status", "authentication_method", "region",
	} {
		if _, ok := created[0][key]; !ok {
			w.t.Errorf("payload of created has no %s: %v", key, created[0])
		}
	}
	if shown := fmt.Sprint(created[0]); strings.Contains(shown, "HOST") {
		w.t.Errorf("environment variables are in an event: %s", shown)
	}
}

func TestWebhookLifecycle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.create("/webhook", `{"target_url":"https://example.com/hooks?x=1","event_types":["sync_job_run:record","custom:x"]}`)
		if !millrace.IsID(v.str("secret")) || v.m["is_active"] != true || v.str("signature_encoding") != "base64" {
			t.Errorf("created: got %v", v.m)
		}
		own := w.create("/webhook", `{"target_url":"http://127.0.0.1:1/x","secret":"whsec_abc","signature_encoding":"hex","is_active":false,"event_types":null}`)
		if own.str("secret") != "whsec_abc" || own.m["event_types"] != nil || own.m["is_active"] != false {
			t.Errorf("created: got %v", own.m)
		}
		path := "/webhook/" + v.id()
		for _, a := range []*response{w.get(path), w.get("/webhook"), w.patch(path, `{}`)} {
			if strings.Contains(string(a.raw), `"secret"`) || strings.Contains(string(a.raw), v.str("secret")) {
				t.Errorf("the secret is shown again: %s", a.raw)
			}
		}
		got := w.patch(path, `{"target_url":"https://example.com/2","event_types":["all"],"is_active":false,"id":"ignored","secret":"ignored"}`).ok()
		if got.str("target_url") != "https://example.com/2" || got.m["is_active"] != false || fmt.Sprint(got.m["event_types"]) != "[all]" {
			t.Errorf("patched: got %v", got.m)
		}
		if ids := w.get("/webhook?is_active=false").ok().ids(); len(ids) != 2 {
			t.Errorf("list: got %v", ids)
		}
		if tasks := storetest.Tasks(w.db); len(tasks) != 0 {
			t.Errorf("got tasks %v", tasks)
		}
		if got := w.patch(path, `{"is_active":true,"event_types":null}`).ok(); got.m["event_types"] != nil {
			t.Errorf("patched: got %v", got.m)
		}
		want := []millrace.Task{{Kind: millrace.TaskPump, Key: millrace.TaskKey(w.env, v.id()), Wake: true, Environment: w.env}}
		if diff := cmp.Diff(want, storetest.Tasks(w.db)); diff != "" {
			t.Errorf("a revived webhook wakes its pump (-want +got)\n%s", diff)
		}
		if d := w.post("/webhook/test", `{"id":"`+v.id()+`"}`).ok(); d.m["success"] != true {
			t.Errorf("test: got %v", d.m)
		}
		if got := w.tester.sent; got.Name != "test" || string(got.Payload) != `{"foo":"bar"}` || got.ID == "" || got.CreatedAt == 0 {
			t.Errorf("test event: got %+v", got)
		}
		w.post("/webhook/test", `{"id":"`+v.id()+`","event_type":"integrated_account:active"}`).ok()
		if got := w.tester.sent; got.Name != "integrated_account:active" || !strings.Contains(string(got.Payload), `"name":"calcom"`) {
			t.Errorf("test of another event: got %+v", got)
		}
		w.post("/webhook/test", `{"id":"`+v.id()+`","event_type":"integrated_acount:active"}`).rejected(400, "event_type")
		w.post("/webhook/test", `{"id":"`+v.id()+`","event_type":"batch_job:failed"}`).rejected(400, "event_type")
		w.delete(path).ok()
		w.get(path).rejected(404)
	})
}

// A client reads a job, changes a field, and sends the whole file back, read-only members and all.
func TestSyncJobRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.create("/sync-job", `{"integration_name":"zendesk","default_runtime_version":"4","mutex_key":"{{args.integrated_account_id}}",
			"args_schema":{"integrated_account_id":{"type":"string","required":true}},"args_validation":null,"x_unknown":1,
			"resources":[{"name":"a","type":"request","resource":"tickets","method":"list"}]}`)
		if v.str("label") != "Untitled" || v.m["default_runtime_version"] != 4.0 {
			t.Errorf("created: got %v", v.m)
		}
		v.m["label"], v.m["team"], v.m["state_key"], v.m["args_validation"] = "Changed", map[string]any{}, nil, nil
		whole, err := json.Marshal(v.m)
		if err != nil {
			t.Fatal(err)
		}
		patched := w.patch("/sync-job/"+v.id(), string(whole)).ok()
		for _, key := range []string{"id", "label", "environment_id", "created_at", "integration_name", "resources", "args_schema", "mutex_key"} {
			if diff := cmp.Diff(v.m[key], patched.m[key]); diff != "" {
				t.Errorf("%s (-want +got)\n%s", key, diff)
			}
		}
		if got := w.patch("/sync-job/"+v.id(), `{"resources":null,"mutex_key":null}`).ok(); len(got.m["resources"].([]any)) != 0 || got.m["mutex_key"] != nil {
			t.Errorf("nulls: got %v", got.m)
		}
		w.delete("/sync-job/" + v.id()).ok()
		w.get("/sync-job/" + v.id()).rejected(404)
	})
}

func TestSyncJobRunLifecycle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{"mutex_key":"m","error_handling":"fail_fast","default_runtime_version":4,"resources":[{"name":"a","type":"request","resource":"x","method":"list"}]}`)
		account := w.account("calcom").id()
		hook := w.create("/webhook", `{"target_url":"https://example.com"}`).id()
		// What the TypeScript SDK sends, and what a customer with a graph sends.
		for _, body := range []string{
			`{"sync_job_id":"` + job.id() + `","integrated_account_id":"` + account + `","webhook_id":"` + hook + `","status":"created","daemon_id":null,"daemon_group_key":"","force":true}`,
			`{"sync_job_id":"` + job.id() + `","args":{"integrated_account_id":"` + account + `","webhook_id":"` + hook + `","x":1.50}}`,
		} {
			v := w.create("/sync-job-run", body)
			if v.str("integrated_account_id") != account || v.str("args", "integrated_account_id") != account || v.str("webhook_id") != hook || v.str("args", "webhook_id") != hook {
				t.Errorf("%s: got %v", body, v.m)
			}
			if v.str("status") != "created" || v.m["version"] != 4.0 || v.str("error_handling") != "fail_fast" || v.str("mutex_key") != "m" || v.m["started_at"] != nil {
				t.Errorf("%s: got %v", body, v.m)
			}
			if diff := cmp.Diff(job.m["resources"], v.m["resources"]); diff != "" {
				t.Errorf("resources (-want +got)\n%s", diff)
			}
			slice := func(task millrace.Task) bool {
				return task.Kind == millrace.TaskSlice && task.Key == millrace.TaskKey(w.env, v.id())
			}
			if tasks := storetest.Tasks(w.db); !slices.ContainsFunc(tasks, slice) {
				t.Errorf("got tasks %v, want one that works on the run", tasks)
			}
		}
		bare := w.create("/sync-job-run", `{"sync_job_id":"`+job.id()+`","ignore_previous_run":true,"error_handling":"batch","resources":[],"force":true}`)
		if bare.m["webhook_id"] != nil || bare.m["integrated_account_id"] != nil || len(bare.at("args").(map[string]any)) != 0 || bare.str("error_handling") != "batch" {
			t.Errorf("got %v", bare.m)
		}
		if got := w.payloads("sync_job_run:created"); len(got) != 3 || got[2]["id"] != bare.id() {
			t.Errorf("events: got %v", got)
		}
		path := "/sync-job-run/" + bare.id()
		if got := w.patch(path, `{"status":"running","started_at":"2025-02-07T20:39:06Z"}`).ok(); got.str("started_at") != "2025-02-07T20:39:06.000Z" {
			t.Errorf("got %v", got.m)
		}
		w.patch(path, `{"status":"created"}`).rejected(400, "status")
		stopped := w.delete(path).ok()
		if stopped.str("status") != "stopped" || stopped.str("finished_at") == "" || stopped.id() != bare.id() {
			t.Errorf("got %v", stopped.m)
		}
		if again := w.delete(path).ok(); again.str("finished_at") != stopped.str("finished_at") {
			t.Errorf("stopped twice: got %v", again.m)
		}
		w.patch(path, `{"status":"running"}`).rejected(400, "status")
		if got := w.get("/sync-job-run?status=created&sync_job_id=" + job.id() + "&sort=-created_at").ok().ids(); len(got) != 2 {
			t.Errorf("list: got %v", got)
		}
	})
}

func TestCronTriggerLifecycle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{}`).id()
		account := w.account("calcom").id()
		v := w.create("/sync-job-cron-trigger", `{"sync_job_id":"`+job+`","integrated_account_id":"`+account+`","cron_expression":"0 */6 * * *","args":{"a":1},
			"webhook_id":null,"daemon_group_key":null,"super_query":null,"error_handling":null,"events_to_send":["sync_job_run:record"],"meta":{"k":"v"}}`)
		if v.str("integrated_account_id") != account || v.str("args", "integrated_account_id") != account || v.m["webhook_id"] != nil || v.m["error_handling"] != nil {
			t.Errorf("created: got %v", v.m)
		}
		next, err := time.Parse(time.RFC3339, v.str("next_run_at"))
		if err != nil || next.Hour()%6 != 0 || next.Minute() != 0 || !next.After(time.Now()) || time.Until(next) > 6*time.Hour {
			t.Errorf("next run: got %v, %v", next, err)
		}
		path := "/sync-job-cron-trigger/" + v.id()
		same := w.patch(path, `{"meta":{"k":"w"}}`).ok()
		if same.str("next_run_at") != v.str("next_run_at") || same.str("meta", "k") != "w" || fmt.Sprint(same.m["events_to_send"]) != "[sync_job_run:record]" {
			t.Errorf("got %v", same.m)
		}
		hook := w.create("/webhook", `{"target_url":"https://example.com"}`).id()
		changed := w.patch(path, `{"cron_expression":"30 4 * * *","timezone":"Asia/Kolkata","webhook_id":"`+hook+`","sync_job_id":"ignored"}`).ok()
		if next, err = time.Parse(time.RFC3339, changed.str("next_run_at")); err != nil || next.Hour() != 23 || next.Minute() != 0 || changed.str("args", "webhook_id") != hook {
			t.Errorf("04:30 in Kolkata is 23:00 UTC: got %v", changed.m)
		}
		cleared := w.patch(path, `{"webhook_id":null}`).ok()
		if cleared.m["webhook_id"] != nil || cleared.at("args", "webhook_id") != nil {
			t.Errorf("got %v", cleared.m)
		}
		if d := w.post(path+"/schedule", "").ok(); d.m["success"] != true {
			t.Errorf("got %v", d.m)
		}
		policy := w.patch(path, `{"catch_up":"none","overlap":"allow","spread":600}`).ok()
		moved, err := time.Parse(time.RFC3339, policy.str("next_run_at"))
		if v.str("catch_up") != "one" || v.str("overlap") != "queue" || policy.str("catch_up") != "none" || err != nil || moved.Before(next) || moved.Sub(next) >= 10*time.Minute {
			t.Errorf("policy: got %v after %v, %v", policy.m, v.m, err)
		}
		if back := w.patch(path, `{"catch_up":null,"overlap":null,"spread":null}`).ok(); back.str("catch_up") != "one" || back.str("overlap") != "queue" || !strings.HasPrefix(back.str("next_run_at"), next.Format("2006-01-02T15:04:05")) {
			t.Errorf("back to the defaults: got %v", back.m)
		}
		w.delete("/integrated-account/" + account).ok()
		w.get(path).rejected(404)
		again := w.create("/sync-job-cron-trigger", `{"sync_job_id":"`+job+`","cron_expression":"0 0 * * *"}`).id()
		w.delete("/sync-job-cron-trigger/" + again).ok()
		again = w.create("/sync-job-cron-trigger", `{"sync_job_id":"`+job+`","cron_expression":"0 0 * * *"}`).id()
		w.delete("/sync-job/" + job).ok()
		w.get("/sync-job-cron-trigger/" + again).rejected(404)
	})
}

func TestFires(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		path := "/sync-job-cron-trigger/" + w.create("/sync-job-cron-trigger", `{"sync_job_id":"`+w.create("/sync-job", `{}`).id()+`","cron_expression":"0 6 * * *"}`).id()
		id := millrace.SyncJobCronTriggerID(strings.TrimPrefix(path, "/sync-job-cron-trigger/"))
		day := millrace.TimeOf(time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC))
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			for i, outcome := range []millrace.FireOutcome{millrace.FireRan, millrace.FireSkipped, millrace.FireMissed} {
				f := &millrace.CronFire{EnvironmentID: w.env, CronTriggerID: id, DueAt: day.Add(time.Duration(i) * 24 * time.Hour), Outcome: outcome}
				if _, err := tx.Schedules().CreateFire(t.Context(), f); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]string{
			"": "missed skipped ran", "?outcome=skipped": "skipped", "?outcome[in]=ran,missed": "missed ran", "?limit=1": "missed", "?sort=due_at": "ran skipped missed",
			"?due_at[gte]=2026-11-24&due_at[lt]=2026-11-25": "skipped", "?due_at=2026-11-23T06:00:00Z": "ran", "?environment_id=" + noID: "-",
		} {
			if want == "-" {
				w.get(path + "/fires" + query).rejected(404)
				continue
			}
			page := w.get(path + "/fires" + query).ok()
			var got []string
			for _, row := range page.m["result"].([]any) {
				got = append(got, row.(map[string]any)["outcome"].(string))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: got %v, want %s", query, got, want)
			}
			if query == "?limit=1" {
				next := w.get(path + "/fires?limit=1&next_cursor=" + page.str("next_cursor")).ok()
				if row := next.m["result"].([]any)[0].(map[string]any); row["outcome"] != "skipped" || row["sync_job_run_id"] != nil || row["instants"] != 1.0 {
					t.Errorf("next page: got %v", row)
				}
			}
		}
		w.get(path + "/fires?colour=red").rejected(400)
		w.get("/sync-job-cron-trigger/" + noID + "/fires").rejected(404)
		w.delete(path).ok()
		w.get(path + "/fires").rejected(404)
	})
}

func TestWorkflowLifecycle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		step := `{"type":"run","action":"run_sync_job","run_if":"true","config":{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b","args":{"big":12345678901234567890}},"cron_expression":"0 0 * * *","timezone":"Europe/Berlin"}`
		v := w.create("/workflow", `{"name":"Named","trigger_name":"custom:x","run_if":"$x > 3 and a < 5","steps":[`+step+`],"unknown":1}`)
		if v.str("label") != "Named" || v.str("config", "run_if") != "$x > 3 and a < 5" || v.m["run_if"] != nil || v.m["version"] != 1.0 {
			t.Errorf("top-level run_if and steps: got %v", v.m)
		}
		if steps, _ := v.at("config", "steps").([]any); len(steps) != 1 || steps[0].(map[string]any)["timezone"] != "Europe/Berlin" {
			t.Errorf("got %v", v.m)
		}
		path := "/workflow/" + v.id()
		got := w.patch(path, `{"trigger_name":"integrated_account:connected","label":null}`).ok()
		if got.str("trigger_name") != "integrated_account:connected" || got.m["version"] != 2.0 || got.str("config", "run_if") != "$x > 3 and a < 5" || got.str("label") != "" {
			t.Errorf("got %v", got.m)
		}
		if got = w.patch(path, `{"config":{"steps":[`+step+`,`+step+`]}}`).ok(); got.at("config", "run_if") != nil || got.m["version"] != 3.0 {
			t.Errorf("a config replaces the one before: got %v", got.m)
		}
		if got = w.patch(path, `{"run_if":"a"}`).ok(); got.str("config", "run_if") != "a" || len(got.at("config", "steps").([]any)) != 2 {
			t.Errorf("run_if beside config: got %v", got.m)
		}
		err := w.db.View(t.Context(), func(tx *store.Tx) error {
			first, err := tx.Workflows().GetVersion(t.Context(), w.env, millrace.WorkflowID(v.id()), 1)
			if err == nil && (first.Event != "custom:x" || first.Config.RunIf != "$x > 3 and a < 5") {
				t.Errorf("version 1: got %+v", first)
			}
			now, _, err2 := tx.Workflows().ByEvent(t.Context(), store.WorkflowPage{EnvironmentID: w.env, Event: "integrated_account:active", Until: math.MaxInt64, Most: 10})
			if err2 == nil && len(now) != 1 {
				t.Errorf("connected is an alias of active: got %v", now)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.patch("/workflow/"+noID, `{}`).rejected(404)
		w.delete(path).ok()
		w.get(path).rejected(404)
	})
}

func TestEventsAndRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.create("/event", `{"event":"custom:x","payload":{"b":1,"a":1.50},"idempotency_key":"k"}`)
		if again := w.create("/event", `{"event":"custom:x","payload":{"other":true},"idempotency_key":"k"}`); again.id() != e.id() || again.at("payload", "other") != nil {
			t.Errorf("the same key again: got %v, want %v", again.m, e.m)
		}
		if a := w.get("/event/" + e.id()); !strings.Contains(string(a.raw), `"payload":{"b":1,"a":1.50}`) {
			t.Errorf("the payload is not as it was sent: %s", a.raw)
		}
		if d := w.get("/event/" + e.id()).ok(); len(d.m["decisions"].([]any)) != 0 {
			t.Errorf("got %v", d.m)
		}
		run := &millrace.WorkflowRun{EnvironmentID: w.env, WorkflowID: noID, EventID: millrace.EventID(e.id()), Status: millrace.WorkflowRunCreated}
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.Decisions().Create(context.Background(), &millrace.Decision{
				EventID: millrace.EventID(e.id()), EnvironmentID: w.env, WorkflowID: noID, WorkflowVersion: 2, Outcome: millrace.OutcomeNotMatched,
			}); err != nil {
				return err
			}
			return tx.WorkflowRuns().Create(t.Context(), run)
		})
		if err != nil {
			t.Fatal(err)
		}
		decisions, _ := w.get("/event/" + e.id()).ok().m["decisions"].([]any)
		if len(decisions) != 1 || decisions[0].(map[string]any)["outcome"] != "not_matched" {
			t.Errorf("got %v", decisions)
		}
		path := "/workflow-run/" + string(run.ID)
		if d := w.get(path).ok(); d.str("status") != "created" || d.m["result"] != nil {
			t.Errorf("got %v", d.m)
		}
		if ids := w.get("/workflow-run?workflow_id=" + noID + "&status=created").ok().ids(); len(ids) != 1 {
			t.Errorf("got %v", ids)
		}
		w.delete(path).ok()
		w.get(path).rejected(404)
	})
}
