package httpapi_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// warnings returns the warnings of a resource as path: message.
func warnings(r doc) []string {
	var out []string
	list, _ := r.m["warnings"].([]any)
	for _, item := range list {
		f, _ := item.(map[string]any)
		out = append(out, fmt.Sprintf("%v: %v", f["path"], f["message"]))
	}
	return out
}

// References of a definition that the environment does not have are reported when it is saved, not at its first run.
func TestSavingTellsWhatIsMissing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.create("/integration", `{"name":"desk","config":{"base_url":"https://desk.example","resources":{"tickets":{"list":{"path":"/t"}}}}}`)
		const (
			graph    = `{"label":"x","default_runtime_version":4,"integration_name":%q,"resources":%s}`
			tickets  = `{"name":"tickets","type":"request","resource":"tickets","method":"list","persist":true}`
			absent   = "00000000-0000-4000-8000-00000000dead"
			missing  = `does not exist in this environment`
			mistyped = `[{"name":"t","type":"request","resource":"tickts","method":"list"},{"name":"u","type":"request","config":{"resource":"tickets","method":"lst"}}]`
		)
		for name, c := range map[string]struct {
			body string
			want []string
		}{
			"all is there":   {fmt.Sprintf(graph, "desk", "["+tickets+"]"), nil},
			"no integration": {fmt.Sprintf(graph, "deskk", "["+tickets+"]"), []string{`integration_name: this environment has no integration called "deskk"`}},
			"methods": {fmt.Sprintf(graph, "desk", mistyped), []string{
				`resources[0].resource: the integration has no resource "tickts"; did you mean "tickets"?`,
				`resources[1].config.method: the integration has no method "lst"; did you mean "list"?`,
			}},
			"ids": {fmt.Sprintf(graph, "", `[{"name":"t","type":"request","resource":"a","method":"list","integrated_account_id":"`+absent+`"},
				{"name":"d","type":"destination","destination_type":"webhook","config":{"id":"`+absent+`"},"resources_to_persist":["t"]}]`), []string{
				`resources[0].integrated_account_id: integrated account "` + absent + `" ` + missing,
				`resources[1].config.id: webhook "` + absent + `" ` + missing,
			}},
			"nothing": {fmt.Sprintf(graph, "desk", "[]"), []string{"resources: is empty: a run fetches nothing"}},
		} {
			v := w.create("/sync-job", c.body)
			if diff := cmp.Diff(c.want, warnings(v)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", name, diff)
			}
			if diff := cmp.Diff(c.want, warnings(w.get("/sync-job/"+v.id()).ok())); diff != "" {
				t.Errorf("%s, read later (-want +got)\n%s", name, diff)
			}
		}
		job := w.create("/sync-job", fmt.Sprintf(graph, "desk", "["+tickets+"]")).id()
		flow := `{"trigger_name":%q,"config":{"steps":[{"type":"run","action":"run_sync_job","config":{"sync_job_id":"` + job + `"}}]}}`
		account := `config.steps[0].config: resources[0] of the sync job reads from an account: events webhook:disabled have none, and there is no integrated_account_id`
		hook := `config.steps[0].config: resources[0] of the sync job sends its records to the webhook of the run, and there is no webhook_id: each run will fail at its start`
		for event, want := range map[string][]string{"webhook:disabled": {account, hook}, "integrated_account:active": {hook}, "custom:x": {hook}} {
			v := w.create("/workflow", fmt.Sprintf(flow, event))
			if diff := cmp.Diff(want, warnings(v)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", event, diff)
			}
		}
	})
}

// A function that nothing defines, or that this server does not have, is rejected with its place.
func TestUnknownFunctionsAreRejected(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		flow := func(expression string) string {
			return fmt.Sprintf(`{"trigger_name":"custom:x","config":{"run_if":%q,"steps":[{"type":"run","action":"run_sync_job","config":"{}"}]}}`, expression)
		}
		w.post("/workflow", flow(`$lowercas(name) = 'a'`)).rejectedFor("config.run_if", `there is no function $lowercas; did you mean "lowercase"?`)
		w.post("/workflow", flow(`name ~> $noSuchFunction`)).rejectedFor("config.run_if", `there is no function $noSuchFunction`)
		w.post("/workflow", flow(`$parseDocument(name)`)).rejectedFor("config.run_if", `the function $parseDocument is not available in this server`)
		w.create("/workflow", flow(`($f := function($x){ $g($x) }; $g := $uppercase; $f(name) = 'A' and $map([1], $noFunctionButOnlyAValue) = 2)`))
		w.create("/workflow", flow(`($eval("$f := function(){1}"); $f())`))
		w.post("/sync-job", `{"resources":[{"name":"a","type":"request","resource":"a","method":"list","query":"{\"q\":$noSuch()}"}]}`).
			rejectedFor("resources[0].query", `there is no function $noSuch`)
		w.post("/sync-job", `{"resources":[{"name":"a","type":"request","resource":"crm/contacts","method":"list"}]}`).
			rejectedFor("resources[0].resource", `a resource of the unified API, which is not available in this server`)
		w.post("/sync-job-run", `{"sync_job_id":"00000000-0000-4000-8000-00000000dead","super_query":"apac","datastore_id":"x"}`).
			rejectedFor("datastore_id", `datastores are not available in this server`)
	})
}

// A member that means nothing is never taken in silence.
func TestUnknownMembersAreTold(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const flow = `{"trigger_name":"custom:x","config":{"steps":[{"type":"run","action":"run_sync_job","config":"{}"}]}%s}`
		v := w.create("/workflow", fmt.Sprintf(flow, ""))
		path := "/workflow/" + v.id()
		w.patch(path, `{"is_actve":false}`).rejectedFor("is_actve", `unknown member "is_actve"; did you mean "is_active"?`)
		w.post("/workflow", fmt.Sprintf(flow, `,"lable":"x"`)).rejectedFor("lable", `did you mean "label"?`)
		w.post("/webhook", `{"target_url":"https://hooks.example","event_typs":["custom:x"]}`).rejectedFor("event_typs", `did you mean "event_types"?`)
		if got := w.patch(path, string(w.get(path).raw)); got.status != http.StatusOK || got.header.Get("Warning") != "" {
			t.Errorf("sending back what was read: got %d, warning %q", got.status, got.header.Get("Warning"))
		}
		got := w.patch(path, `{"label":"y","super_query":"apac","é\"\n":1}`)
		want := []string{`299 millrace "the unknown member super_query has no effect"`, `299 millrace "the unknown member \u00e9\"\n has no effect"`}
		if diff := cmp.Diff(want, got.header.Values("Warning")); diff != "" || got.status != http.StatusOK {
			t.Errorf("status %d, warnings (-want +got)\n%s", got.status, diff)
		}
	})
}

// Webhooks that can never be reached, or never have anything to send, and configs with unknown members have warnings.
func TestWebhooksAndIntegrationsAreWarnedOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		cfg := egress.TransportConfig{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
		w := newWorld(t, db, func(c *httpapi.Config) { c.BlockReason = cfg.BlockReason })
		for target, warned := range map[string]bool{
			"http://10.0.0.5": true, "http://10.1.0.5/x": false, "https://hooks.example": false, "http://localhost:8080": true, "http://[::1]:1": true,
		} {
			v := w.create("/webhook", `{"target_url":"`+target+`","event_types":["webhook:disabled","batch_job:failed"]}`)
			want := []string{"event_types[1]: this server never emits batch_job:failed"}
			if warned {
				want = append([]string{"target_url: nothing will be sent to " + v.str("target_url")}, want...)
			}
			for _, got := range [][]string{warnings(v), warnings(w.get("/webhook/" + v.id()).ok()), warnings(w.patch("/webhook/"+v.id(), `{}`).ok())} {
				if len(got) != len(want) || !strings.HasSuffix(got[len(got)-1], want[len(want)-1]) || warned && !strings.Contains(got[0], "--allow-network") {
					t.Errorf("%s: got the warnings %q, want %q", target, got, want)
				}
			}
		}
		const config = `{"base_url":"https://a.example","pagination":{"format":"cursor","config":{"cursor_path":"next","has_next_page_path":"more"}},"resources":{},
			"credentials":{"oauth2":{"format":"oauth2","config":{"auth":{"tokenHost":"https://a.example"}}}}}`
		v := w.create("/integration", `{"name":"desk","config":`+config+`}`)
		want := []string{
			"config.pagination.config.has_next_page_path: has no effect: it means nothing here",
		}
		if diff := cmp.Diff(want, warnings(v)); diff != "" {
			t.Errorf("warnings (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(want, warnings(w.get("/integration/"+v.id()).ok())); diff != "" {
			t.Errorf("warnings later (-want +got)\n%s", diff)
		}
	})
}

// rejectedFor asserts a 400 with a failure at path whose message contains text.
func (a *response) rejectedFor(path, text string) {
	a.t.Helper()
	message, _ := a.rejected(http.StatusBadRequest, path).failure(path)["message"].(string)
	if !strings.Contains(message, text) {
		a.t.Errorf("%s: %s has the message %q, want one with %q", a.what, path, message, text)
	}
}
