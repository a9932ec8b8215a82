package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/store/storetest"
)

func TestSyncJobRunState(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const path = "/sync-job-run-state"
		keys := []string{"last_processed_id", "a/b c?&%", "ключ", "..", "%2F"}
		for i, key := range keys {
			v := w.create(path+"?state_key=ns", fmt.Sprintf(`{"key":%q,"value":{"n":%d}}`, key, i))
			if v.str("key") != key || v.at("value", "n") != float64(i) || v.str("created_at") == "" || v.m["sync_job_run_id"] != nil {
				t.Errorf("created: got %v", v.m)
			}
			entry := path + "/" + strings.ReplaceAll(url.PathEscape(key), ".", "%2E") + "?state_key=ns"
			if got := w.get(entry).ok(); got.str("key") != key || got.at("value", "n") != float64(i) {
				t.Errorf("%s: got %v", entry, got.m)
			}
			w.get(path + "/" + url.PathEscape("no "+key) + "?state_key=ns").rejected(404)
			w.get(strings.Replace(entry, "ns", "other", 1)).rejected(404)
			w.as(otherToken).get(entry).rejected(404)
			if got := w.patch(entry, `{"value":null}`).ok(); got.m["value"] != nil || got.str("created_at") != v.str("created_at") {
				t.Errorf("changed: got %v", got.m)
			}
			again := w.create(path+"?state_key=ns", fmt.Sprintf(`{"key":%q,"value":"text"}`, key))
			if again.m["value"] != "text" || again.str("created_at") != v.str("created_at") {
				t.Errorf("created again: got %v, want that of %s", again.m, v.str("created_at"))
			}
			if got := w.delete(entry).ok(); got.id() != key {
				t.Errorf("deleted: got %v", got.m)
			}
			w.delete(entry).rejected(404)
			w.patch(entry, `{"value":1}`).rejected(404)
		}
		w.create(path+"?state_key=", `{"key":"shared","value":false}`)
		w.create(path+"?state_key=ns", `{"key":"own","value":[1.50]}`)
		for namespace, want := range map[string]string{"": "shared", "ns": "own"} {
			got := w.get(path + "?state_key=" + namespace + "&limit=10").ok()
			if diff := cmp.Diff([]any{want}, column(got, "key")); diff != "" {
				t.Errorf("list of %q (-want +got)\n%s", namespace, diff)
			}
		}
		if got := w.as(otherToken).get(path + "?state_key=ns").ok().at("result").([]any); len(got) != 0 {
			t.Errorf("another environment sees %v", got)
		}
	})
}

// column returns a member of every row of a list.
func column(list doc, name string) []any {
	var out []any
	for _, row := range list.at("result").([]any) {
		out = append(out, row.(map[string]any)[name])
	}
	return out
}

func TestSyncJobRunStateRejections(t *testing.T) {
	each(t, func(_ *testing.T, w *world) {
		const path = "/sync-job-run-state"
		w.get(path).rejected(400, "state_key")
		w.get(path+"/k").rejected(400, "state_key")
		w.post(path, `{"key":"k","value":1}`).rejected(400, "state_key")
		w.patch(path+"/k", `{"value":1}`).rejected(400, "state_key")
		w.delete(path+"/k").rejected(400, "state_key")
		w.get(path+"?state_key=a&state_key=b").rejected(400, "state_key")
		w.get(path+"?state_key=%00").rejected(400, "state_key")
		w.post(path+"?state_key=a", `{"value":1}`).rejected(400, "key")
		w.post(path+"?state_key=a", `{"key":"k"}`).rejected(400, "value")
		w.post(path+"?state_key=a", `{"key":"","value":1}`).rejected(400, "key")
		w.post(path+"?state_key=a", `{"key":5,"value":1}`).rejected(400, "key")
		w.post(path+"?state_key=a", `{"key":"`+strings.Repeat("é", 300)+`","value":1}`).rejected(400, "key")
		w.post(path+"?state_key=a", `{"key":"k","value":"`+strings.Repeat("x", 1<<20)+`"}`).rejected(400, "value")
		w.create(path+"?state_key=a", `{"key":"k","value":1}`)
		w.patch(path+"/k?state_key=a", `{}`).rejected(400, "value")
	})
}

func TestSyncJobTemplate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.create("/sync-job-template", `{"label":"Bookings","default_runtime_version":"4","integration_name":"calcom","sharing":"ask",
			"args_schema":{"since":{"type":"string","format":"date"}},"args_validation":"args.since","description":"All bookings.",
			"resources":[{"name":"a","type":"spool"}]}`)
		if v.m["default_runtime_version"] != 4.0 || v.str("sharing") != "ask" || v.str("args_schema", "since", "format") != "date" || v.str("integration_name") != "calcom" {
			t.Errorf("created: got %v", v.m)
		}
		path := "/sync-job-template/" + v.id()
		if diff := cmp.Diff(v.m, w.get(path).ok().m); diff != "" {
			t.Errorf("read again (-want +got)\n%s", diff)
		}
		bare := w.create("/sync-job-template", `{"label":"Bare","default_runtime_version":3}`)
		if bare.str("sharing") != "deny" || bare.m["integration_name"] != nil || len(bare.at("resources").([]any)) != 0 {
			t.Errorf("bare: got %v", bare.m)
		}
		for query, want := range map[string]string{"integration_name=calcom": v.id(), "label=Bare": bare.id(), "id=" + v.id(): v.id()} {
			if got := w.get("/sync-job-template?" + query).ok().ids(); len(got) != 1 || got[0] != want {
				t.Errorf("%s: got %v, want %s", query, got, want)
			}
		}
		if got := w.get("/sync-job-template?team_id=" + v.str("team_id")).ok().ids(); len(got) != 2 {
			t.Errorf("team_id: got %v", got)
		}
		changed := w.patch(path, `{"label":"All","integration_name":null,"sharing":"allow"}`).ok()
		if changed.str("label") != "All" || changed.m["integration_name"] != nil || changed.str("sharing") != "allow" || changed.str("description") != "All bookings." {
			t.Errorf("changed: got %v", changed.m)
		}
		w.as(otherToken).get(path).rejected(404)
		w.delete(path).ok()
		w.get(path).rejected(404)
	})
}

func TestSyncJobTemplateRejections(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const path = "/sync-job-template"
		w.post(path, `{"default_runtime_version":4}`).rejected(400, "label")
		w.post(path, `{"label":"x"}`).rejected(400, "default_runtime_version")
		w.post(path, `{"label":"x","default_runtime_version":9}`).rejected(400, "default_runtime_version")
		w.post(path, `{"label":"x","default_runtime_version":4,"sharing":"everybody"}`).rejected(400, "sharing")
		w.post(path, `{"label":"x","default_runtime_version":4,"args_validation":"(1 +"}`).rejected(400, "args_validation")
		w.post(path, `{"label":"x","default_runtime_version":4,"resources":[{"name":"a","type":"requst"}]}`).rejected(400, "resources[0].type")
		w.post(path, `{"label":"x","default_runtime_version":4,"args_schema":{"a":{"type":"strin"}}}`).rejected(400, "args_schema.a.type")
		w.patch(path+"/"+w.create(path, `{"label":"x","default_runtime_version":4}`).id(), `{"label":""}`).rejected(400, "label")
	})
}

func TestArgumentsOfRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{"default_runtime_version":4,"args_schema":{"integrated_account_id":{"format":"integrated_account_id","required":true},
			"second":{"format":"integrated_account_id"},"size":{"type":"number","default":50}},
			"args_validation":"args.size > 100 ? {\"message\": \"size must be at most 100\"}"}`).id()
		account := w.account("calcom").id()
		foreign := w.as(otherToken).account("calcom").id()
		start := func(members string) *response { return w.post("/sync-job-run", `{"sync_job_id":"`+job+`"`+members+`}`) }
		v := start(`,"integrated_account_id":"` + account + `","error_handling":"batch","ignore_previous_run":true,"events_to_send":["sync_job_run:record"]`).ok()
		if v.at("args", "size") != 50.0 || v.str("args", "integrated_account_id") != account || v.m["ignore_previous_run"] != true ||
			v.str("error_handling") != "batch" || fmt.Sprint(v.m["events_to_send"]) != "[sync_job_run:record]" {
			t.Errorf("got %v", v.m)
		}
		start(``).rejected(400, "args.integrated_account_id")
		start(`,"args":{"integrated_account_id":"`+foreign+`"}`).rejected(404, "integrated_account_id")
		start(`,"args":{"second":"`+foreign+`","size":"5"}`).rejected(400, "args.integrated_account_id", "args.second", "args.size")
		start(`,"integrated_account_id":"`+account+`","args":{"second":"`+foreign+`"}`).rejected(400, "args.second")
		start(`,"integrated_account_id":"`+account+`","resources":[{"name":"a","type":"requst"}]`).rejected(400, "resources[0].type")
		start(`,"integrated_account_id":"`+account+`","resources":{}`).rejected(400, "resources")
		start(`,"integrated_account_id":"`+account+`","events_to_send":"all"`).rejected(400, "events_to_send")
		start(`,"integrated_account_id":"`+account+`","error_handling":"panic"`).rejected(400, "error_handling")
		start(`,"integrated_account_id":"`+account+`","force":"yes"`).rejected(400, "force")
		start(`,"integrated_account_id":"`+account+`","mutex_key":"{{args.nothing}}"`).rejected(400, "mutex_key")
		rejected := start(`,"integrated_account_id":"`+account+`","args":{"size":101}`).rejected(400, "args")
		if rejected.str("message") != "size must be at most 100" {
			t.Errorf("got the message %q", rejected.str("message"))
		}
		if got := w.get("/sync-job-run").ok().ids(); len(got) != 1 {
			t.Errorf("rejected runs were stored: %v", got)
		}
	})
}

func TestRunsWaitForEachOther(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{"default_runtime_version":4,"mutex_key":"{{args.integrated_account_id}}"}`).id()
		account := w.account("calcom").id()
		start := func(members string) doc {
			return w.create("/sync-job-run", `{"sync_job_id":"`+job+`","integrated_account_id":"`+account+`"`+members+`}`)
		}
		first, second, forced := start(""), start(""), start(`,"force":true`)
		if first.m["waiting_for"] != nil || second.m["waiting_for"] != first.id() || second.str("status") != "created" || forced.m["waiting_for"] != nil {
			t.Errorf("got %v, %v and %v", first.m["waiting_for"], second.m["waiting_for"], forced.m["waiting_for"])
		}
		if got := w.get("/sync-job-run?waiting_for=" + first.id()).ok().ids(); len(got) != 1 || got[0] != second.id() {
			t.Errorf("the runs that wait: got %v", got)
		}
		w.patch("/sync-job-run/"+second.id(), `{"status":"running"}`).rejected(400, "status")
		failed := w.patch("/sync-job-run/"+first.id(), `{"status":"failed"}`).ok()
		if failed.str("error", "code") != "failed_by_client" {
			t.Errorf("got %v", failed.m["error"])
		}
		if got := w.get("/sync-job-run/" + second.id()).ok(); got.m["waiting_for"] != nil {
			t.Errorf("after the first has ended: got %v", got.m["waiting_for"])
		}
		tasks := storetest.Tasks(w.db)
		if last := tasks[len(tasks)-1]; last.Key != string(w.env)+"/"+second.id() {
			t.Errorf("the last task is %v, want one for %s", last, second.id())
		}
	})
}
