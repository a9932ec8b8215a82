package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/store/storetest"
)

// wrong is a body that must be rejected, with the path of a finding about it.
type wrong struct {
	body   string
	status int
	path   string
}

func bad(path, body string) wrong     { return wrong{body, 400, path} }
func missing(path, body string) wrong { return wrong{body, 404, path} }

// rejectAll sends wrong bodies and checks that each is rejected and that nothing of any is stored.
func rejectAll(t *testing.T, w *world, method, path string, cases ...wrong) {
	t.Helper()
	resource := "/" + strings.Split(strings.TrimPrefix(path, "/"), "/")[0]
	before := string(w.get(resource).raw)
	for _, c := range cases {
		paths := []string{c.path}
		if c.path == "" {
			paths = nil
		}
		w.send(method, path, c.body).rejected(c.status, paths...)
	}
	if after := string(w.get(resource).raw); after != before {
		t.Errorf("%s %s: something of a rejected request was stored: before %s, after %s", method, path, before, after)
	}
}

func TestEnvironmentRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.patch("/environment/"+string(w.env), `{"name":"Production"}`).rejected(403)
		w = w.as(adminToken)
		rejectAll(t, w, "PATCH", "/environment/"+string(w.env),
			bad("name", `{"name":""}`), bad("name", `{"name":1}`), bad("name", `{"name":["x"]}`), bad("name", `{"name":{}}`),
			bad("name", `{"name":true}`), bad("name", `{"name":"`+strings.Repeat("x", 201)+`"}`), bad("", `[]`), bad("", `null`),
			bad("", `{`), bad("", ``))
		if got := w.patch("/environment/"+string(w.env), `{"name":"Production","team_id":"ignored"}`).ok().str("name"); got != "Production" {
			t.Errorf("got name %q", got)
		}
		if got := w.patch("/environment/"+string(w.env), `{"name":null}`).ok().str("name"); got != "Production" {
			t.Errorf("got name %q after null", got)
		}
	})
}

func TestIntegrationRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rejectAll(t, w, "POST", "/integration",
			bad("name", `{"config":{}}`), bad("config", `{"name":"x"}`), bad("name", `{"name":"","config":{}}`), bad("name", `{"name":"a b","config":{}}`),
			bad("name", `{"name":7,"config":{}}`), bad("config", `{"name":"x","config":[]}`), bad("config", `{"name":"x","config":"{}"}`),
			bad("config", `{"name":"x","config":null}`), bad("sharing", `{"name":"x","config":{},"sharing":"maybe"}`),
			bad("is_beta", `{"name":"x","config":{},"is_beta":"yes"}`), bad("id", `{"id":"1","name":"x","config":{}}`),
			bad("environment_id", `{"environment_id":"e","name":"x","config":{}}`), missing("", `{"environment_id":"`+noID+`","name":"x","config":{}}`))
		v := w.create("/integration", `{"name":"calcom","config":{"label":"Cal.com","a":{"b":1}}}`)
		w.post("/integration", `{"name":"calcom","config":{}}`).rejected(409)
		rejectAll(t, w, "PATCH", "/integration/"+v.id(),
			bad("version", `{}`), bad("version", `{"version":2}`), bad("version", `{"version":0,"config":{}}`), bad("version", `{"version":"1"}`),
			bad("version", `{"version":1.5}`), bad("version", `{"version":null}`), bad("config", `{"version":1,"config":[1]}`),
			bad("name", `{"version":1,"name":"a/b"}`), bad("sharing", `{"version":1,"sharing":"x"}`), bad("is_beta", `{"version":1,"is_beta":1}`))
		w.patch("/integration/"+noID, `{"version":1}`).rejected(404)
		w.patch("/integration/nonsense", `{"version":1}`).rejected(404)
	})
}

func TestInstallRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.create("/integration", `{"name":"calcom","config":{}}`).id()
		rejectAll(t, w, "POST", "/environment-integration",
			bad("integration_id", `{}`), bad("integration_id", `{"integration_id":"calcom"}`), bad("integration_id", `{"integration_id":1}`),
			bad("integration_id", `{"integration_id":null}`), missing("integration_id", `{"integration_id":"`+noID+`"}`),
			bad("is_enabled", `{"integration_id":"`+id+`","is_enabled":"no"}`), bad("show_in_catalog", `{"integration_id":"`+id+`","show_in_catalog":1}`),
			bad("override", `{"integration_id":"`+id+`","override":[]}`), bad("override", `{"integration_id":"`+id+`","override":"x"}`),
			bad("id", `{"id":"x","integration_id":"`+id+`"}`))
		install := w.create("/environment-integration", `{"integration_id":"`+id+`"}`).id()
		w.delete("/integration/" + id).rejected(409)
		rejectAll(t, w, "PATCH", "/environment-integration/"+install,
			bad("override", `{"override":[]}`), bad("is_enabled", `{"is_enabled":"x"}`), bad("show_in_catalog", `{"show_in_catalog":{}}`))
	})
}

func TestAccountRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		install := w.install("calcom")
		body := func(change string) string {
			base := map[string]any{"tenant_id": "t", "environment_integration_id": install, "context": map[string]any{}, "authentication_method": "api_key"}
			var with map[string]any
			if err := json.Unmarshal([]byte(change), &with); err != nil {
				t.Fatal(err)
			}
			for k, v := range with {
				if base[k] = v; v == "-" {
					delete(base, k)
				}
			}
			raw, _ := json.Marshal(base)
			return string(raw)
		}
		rejectAll(t, w, "POST", "/integrated-account",
			bad("tenant_id", body(`{"tenant_id":"-"}`)), bad("tenant_id", body(`{"tenant_id":""}`)), bad("tenant_id", body(`{"tenant_id":5}`)),
			bad("environment_integration_id", body(`{"environment_integration_id":"-"}`)), bad("environment_integration_id", body(`{"environment_integration_id":"x"}`)),
			missing("environment_integration_id", body(`{"environment_integration_id":"`+noID+`"}`)), bad("context", body(`{"context":"-"}`)),
			bad("context", body(`{"context":[]}`)), bad("context", body(`{"context":"x"}`)), bad("context", body(`{"context":null}`)),
			bad("authentication_method", body(`{"authentication_method":"-"}`)), bad("region", body(`{"region":"mars"}`)),
			bad("is_sandbox", body(`{"is_sandbox":"x"}`)), bad("features", body(`{"features":[]}`)))
		events := w.events()
		account := w.create("/integrated-account", body(`{}`)).id()
		rejectAll(t, w, "PATCH", "/integrated-account/"+account,
			bad("status", `{"status":"happy"}`), bad("status", `{"status":1}`), bad("context", `{"context":[]}`), bad("tenant_id", `{"tenant_id":""}`),
			bad("integration_override", `{"integration_override":1}`), bad("authentication_method", `{"authentication_method":""}`))
		rejectAll(t, w, "PATCH", "/integrated-account/"+account+"/credentials",
			bad("context", `{}`), bad("context", `{"context":"x"}`), bad("credentials", `{"context":{},"credentials":{}}`))
		if got := w.events(); len(got) != len(events)+2 {
			t.Errorf("events of rejected requests were stored: %v", got)
		}
	})
}

func TestWebhookRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		with := func(more string) string { return `{"target_url":"https://example.com",` + more + `}` }
		cases := []wrong{
			bad("target_url", `{"target_url":""}`), bad("target_url", `{"target_url":"example.com"}`), bad("target_url", `{"target_url":"/hooks"}`),
			bad("target_url", `{"target_url":"ftp://example.com"}`), bad("target_url", `{"target_url":"https://"}`), bad("target_url", `{"target_url":"https://a:b@example.com"}`),
			bad("target_url", `{"target_url":"http://[::1"}`), bad("target_url", `{"target_url":5}`), bad("event_types[1]", with(`"event_types":["all","sync_job_run:recordd"]`)),
			bad("event_types[0]", with(`"event_types":["custom:"]`)), bad("event_types[0]", with(`"event_types":[5]`)), bad("event_types", with(`"event_types":"all"`)),
			bad("is_active", with(`"is_active":"yes"`)), bad("signature_encoding", with(`"signature_encoding":"base32"`)),
		}
		rejectAll(t, w, "POST", "/webhook", append(cases, bad("target_url", `{}`), bad("secret", with(`"secret":""`)))...)
		f := w.post("/webhook", with(`"event_types":["sync_job_run:recordd"]`)).rejected(400).failure("event_types[0]")
		if f["suggestion"] != "sync_job_run:record" || f["line"] == nil {
			t.Errorf("got %v, want a suggestion and a place", f)
		}
		hook := w.create("/webhook", with(`"event_types":null`))
		rejectAll(t, w, "PATCH", "/webhook/"+hook.id(), cases...)
		rejectAll(t, w, "POST", "/webhook/test", bad("id", `{}`), bad("id", `{"id":"x"}`), missing("id", `{"id":"`+noID+`"}`), bad("", ``))
		w.tester.status = 500
		if d := w.post("/webhook/test", `{"id":"`+hook.id()+`"}`).rejected(400); !strings.Contains(d.str("message"), "responded with 500: Internal Server Error") {
			t.Errorf("got %q", d.str("message"))
		}
		w.tester.status = 0
		if d := w.post("/webhook/test", `{"id":"`+hook.id()+`"}`).rejected(400); !strings.Contains(d.str("message"), "no response: refused") {
			t.Errorf("got %q", d.str("message"))
		}
	})
}

func TestSyncJobRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		cases := []wrong{
			bad("label", `{"label":1}`), bad("label", `{"label":"`+strings.Repeat("x", 501)+`"}`), bad("integration_name", `{"integration_name":[]}`),
			bad("default_runtime_version", `{"default_runtime_version":5}`), bad("default_runtime_version", `{"default_runtime_version":"four"}`),
			bad("default_runtime_version", `{"default_runtime_version":1.5}`), bad("default_runtime_version", `{"default_runtime_version":true}`),
			bad("args_schema", `{"args_schema":[]}`), bad("args_validation", `{"args_validation":"(1 +"}`), bad("args_validation", `{"args_validation":1}`),
			bad("resources", `{"resources":{}}`), bad("resources[1]", `{"resources":[{},"x"]}`), bad("resources[0].resource", `{"resources":[{"method":"list"}]}`),
			bad("error_handling", `{"error_handling":"panic"}`), bad("mutex_key", `{"mutex_key":5}`),
		}
		rejectAll(t, w, "POST", "/sync-job", append(cases, bad("id", `{"id":"x"}`))...)
		rejectAll(t, w, "PATCH", "/sync-job/"+w.create("/sync-job", `{}`).id(), cases...)
		d := w.post("/sync-job", `{"label":1,"args_validation":[],"resources":"x"}`).rejected(400, "label", "args_validation", "resources")
		if !strings.Contains(d.str("message"), "2 more") {
			t.Errorf("got %q", d.str("message"))
		}
	})
}

func TestSyncJobRunRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{"resources":[{"resource":"bookings","method":"list"}]}`).id()
		account := w.account("calcom").id()
		with := func(more string) string { return fmt.Sprintf(`{"sync_job_id":%q,%s}`, job, more) }
		rejectAll(t, w, "POST", "/sync-job-run",
			bad("sync_job_id", `{}`), bad("sync_job_id", `{"sync_job_id":"zendesk"}`), bad("sync_job_id", `{"sync_job_id":1}`),
			missing("sync_job_id", `{"sync_job_id":"`+noID+`"}`), bad("integrated_account_id", `{"sync_job_id":"`+job+`"}`),
			bad("integrated_account_id", with(`"integrated_account_id":"x"`)), missing("integrated_account_id", with(`"integrated_account_id":"`+noID+`"`)),
			missing("webhook_id", with(`"integrated_account_id":"`+account+`","webhook_id":"`+noID+`"`)), bad("webhook_id", with(`"webhook_id":5`)),
			bad("args", with(`"args":[]`)), bad("args.webhook_id", with(`"args":{"webhook_id":"x"}`)), bad("args.integrated_account_id", with(`"args":{"integrated_account_id":7}`)),
			bad("error_handling", with(`"error_handling":"x"`)), bad("daemon_group_key", with(`"daemon_group_key":"g"`)), bad("resources", with(`"resources":{}`)),
			bad("resources[0]", with(`"resources":[1]`)), bad("ignore_previous_run", with(`"ignore_previous_run":"x"`)))
		if tasks := storetest.Tasks(w.db); len(tasks) != 0 {
			t.Errorf("tasks of rejected requests: %v", tasks)
		}
		run := w.create("/sync-job-run", with(`"integrated_account_id":"`+account+`"`)).id()
		rejectAll(t, w, "PATCH", "/sync-job-run/"+run,
			bad("status", `{"status":"rate_limited"}`), bad("status", `{"status":"happy"}`), bad("started_at", `{"started_at":"yesterday"}`),
			bad("finished_at", `{"finished_at":5}`))
		w.delete("/sync-job-run/" + noID).rejected(404)
	})
}

func TestCronTriggerRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{}`).id()
		with := func(cron, more string) string {
			return fmt.Sprintf(`{"sync_job_id":%q,"cron_expression":%q%s}`, job, cron, more)
		}
		cases := []wrong{
			bad("cron_expression", with("* * * *", "")), bad("cron_expression", with("0 * * * * *", "")), bad("cron_expression", with("@daily", "")),
			bad("cron_expression", with("61 * * * *", "")), bad("cron_expression", with("0 0 31 2 *", "")), bad("cron_expression", with("TZ=UTC 0 * * * *", "")),
			bad("cron_expression", with("a b c d e", "")), bad("cron_expression", with("", "")), bad("timezone", with("0 * * * *", `,"timezone":"Mars/Base"`)),
			bad("catch_up", with("0 * * * *", `,"catch_up":"on"`)), bad("overlap", with("0 * * * *", `,"overlap":true`)), bad("overlap", with("0 * * * *", `,"overlap":"forbid"`)),
			bad("spread", with("0 * * * *", `,"spread":-1`)), bad("spread", with("0 * * * *", `,"spread":86401`)), bad("spread", with("0 * * * *", `,"spread":true`)), bad("spread", with("0 * * * *", `,"spread":1.5`)),
			bad("args", with("0 * * * *", `,"args":"x"`)), bad("daemon_group_key", with("0 * * * *", `,"daemon_group_key":"g"`)),
			bad("super_query", with("0 * * * *", `,"super_query":"mars"`)), bad("meta", with("0 * * * *", `,"meta":[]`)),
			missing("webhook_id", with("0 * * * *", `,"webhook_id":"`+noID+`"`)), bad("webhook_id", with("0 * * * *", `,"webhook_id":"x"`)),
		}
		rejectAll(t, w, "POST", "/sync-job-cron-trigger", append(cases,
			bad("cron_expression", `{"sync_job_id":"`+job+`"}`), bad("sync_job_id", `{"cron_expression":"0 * * * *"}`),
			missing("sync_job_id", `{"sync_job_id":"`+noID+`","cron_expression":"0 * * * *"}`),
			missing("integrated_account_id", with("0 * * * *", `,"integrated_account_id":"`+noID+`"`)))...)
		rejectAll(t, w, "PATCH", "/sync-job-cron-trigger/"+w.create("/sync-job-cron-trigger", with("0 * * * *", "")).id(), cases...)
		w.post("/sync-job-cron-trigger/"+noID+"/schedule", "").rejected(404)

		job = w.create("/sync-job", `{"args_schema":{"since":{"type":"string","format":"date","required":true}}}`).id()
		rejectAll(t, w, "POST", "/sync-job-cron-trigger", bad("args.since", with("0 * * * *", "")), bad("args.since", with("0 * * * *", `,"args":{"since":"soon"}`)))
		schedule := "/sync-job-cron-trigger/" + w.create("/sync-job-cron-trigger", with("0 * * * *", `,"args":{"since":"2026-01-31"}`)).id()
		rejectAll(t, w, "PATCH", schedule, bad("args.since", `{"args":{}}`))
		w.patch(schedule, `{"cron_expression":"5 * * * *"}`).ok()
	})
}

func TestEventRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rejectAll(t, w, "POST", "/event",
			bad("event", `{}`), bad("event", `{"event":""}`), bad("event", `{"event":"integrated_account:active"}`), bad("event", `{"event":"custom:"}`),
			bad("event", `{"event":"custom:a b"}`), bad("event", `{"event":"invoice_paid"}`), bad("event", `{"event":5}`),
			bad("payload", `{"event":"custom:x","payload":[]}`), bad("payload", `{"event":"custom:x","payload":"x"}`),
			bad("idempotency_key", `{"event":"custom:x","idempotency_key":5}`), bad("idempotency_key", `{"event":"custom:x","idempotency_key":"`+strings.Repeat("x", 256)+`"}`),
			bad("id", `{"event":"custom:x","id":"x"}`), missing("", `{"event":"custom:x","environment_id":"`+noID+`"}`))
	})
}

func TestWorkflowRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		step := func(more string) string {
			return `{"trigger_name":"integrated_account:active","config":{"steps":[{` + more + `}]}}`
		}
		run := `"type":"run","action":"run_sync_job",`
		cases := []wrong{
			missing("trigger_name", `{"trigger_name":"integrated_account:activ","config":{"steps":[{`+run+`"config":"{}"}]}}`),
			missing("trigger_name", `{"trigger_name":"custom:","steps":[{`+run+`"config":"{}"}]}`),
			missing("trigger_name", `{"trigger_name":"test","steps":[{`+run+`"config":"{}"}]}`),
			bad("trigger_name", `{"trigger_name":"","steps":[{`+run+`"config":"{}"}]}`),
			bad("config", `{"trigger_name":"custom:x","config":[]}`), bad("config.steps", `{"trigger_name":"custom:x","config":{}}`),
			bad("config.steps", `{"trigger_name":"custom:x","config":{"steps":[]}}`), bad("config.steps", `{"trigger_name":"custom:x","config":{"steps":{}}}`),
			bad("config.stps", `{"trigger_name":"custom:x","config":{"stps":[]}}`), bad("config.steps[0]", `{"trigger_name":"custom:x","config":{"steps":["x"]}}`),
			bad("config.steps[0].type", step(`"action":"run_sync_job","config":"{}"`)), bad("config.steps[0].type", step(`"type":"walk","action":"run_sync_job","config":"{}"`)),
			bad("config.steps[0].action", step(`"type":"run","action":"run_sync_jobs","config":"{}"`)), bad("config.steps[0].action", step(`"type":"run","config":"{}"`)),
			bad("config.steps[0].config", step(`"type":"run","action":"run_sync_job"`)), bad("config.steps[0].config", step(run+`"config":5`)),
			bad("config.steps[0].config", step(run+`"config":"{\"a\": }"`)), bad("config.steps[0].config", step(run+`"config":" "`)), bad("config.steps[0].config", step(run+`"config":null`)),
			bad("config.steps[0].run_fi", step(run+`"config":"{}","run_fi":"x"`)), bad("config.steps[0].run_if", step(run+`"config":"{}","run_if":"a ="`)),
			bad("config.steps[0].run_if", step(run+`"config":"{}","run_if":true`)), bad("config.steps[0].cron_expression", step(run+`"config":"{}","cron_expression":"* *"`)),
			bad("config.steps[0].timezone", step(run+`"config":"{}","cron_expression":"0 * * * *","timezone":"x"`)), bad("config.steps[0].timezone", step(run+`"config":"{}","timezone":"UTC"`)),
			bad("config.steps[0].config.sync_job_id", step(run+`"config":{}`)), bad("config.steps[0].config.sync_job_id", step(run+`"config":{"sync_job_id":"zendesk"}`)),
			bad("config.steps[0].config.sync_job_id", step(run+`"config":{"sync_job_id":5}`)), bad("config.steps[0].config.syncjob_id", step(run+`"config":{"syncjob_id":"{{a}}"}`)),
			bad("config.run_if", `{"trigger_name":"custom:x","config":{"run_if":"integration.name = ","steps":[{`+run+`"config":"{}"}]}}`),
			bad("config.run_if", `{"trigger_name":"custom:x","config":{"run_if":5,"steps":[{`+run+`"config":"{}"}]}}`),
			bad("run_if", `{"trigger_name":"custom:x","run_if":"(","steps":[{`+run+`"config":"{}"}]}`),
			bad("run_if", `{"trigger_name":"custom:x","run_if":"a","config":{"run_if":"b","steps":[{`+run+`"config":"{}"}]}}`),
			bad("steps", `{"trigger_name":"custom:x","steps":[{`+run+`"config":"{}"}],"config":{"steps":[{`+run+`"config":"{}"}]}}`),
			bad("label", `{"label":5,"trigger_name":"custom:x","steps":[{`+run+`"config":"{}"}]}`),
		}
		rejectAll(t, w, "POST", "/workflow", append(cases, bad("config", `{"trigger_name":"custom:x"}`), bad("trigger_name", `{"config":{"steps":[{`+run+`"config":"{}"}]}}`))...)
		rejectAll(t, w, "PATCH", "/workflow/"+w.create("/workflow", workflow).id(), cases...)
	})
}

// A mistake in an expression is reported with its place in the expression, all others with theirs in the body, and all
// of them at once.
func TestWorkflowRejectionSaysWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)))
	d := w.post("/workflow", `{
  "trigger_name": "custom:x",
  "config": {
    "run_iff": "true",
    "steps": [
      {"type": "run", "action": "run_sync_jbo", "config": "(\n  $x := 1;\n  {\"a\": }\n)"}
    ]
  }
}`).rejected(400, "config.run_iff", "config.steps[0].action", "config.steps[0].config")
	unknown, action, config := d.failure("config.run_iff"), d.failure("config.steps[0].action"), d.failure("config.steps[0].config")
	if unknown["suggestion"] != "run_if" || unknown["line"] != 4.0 || unknown["column"] != 5.0 {
		t.Errorf("unknown key: got %v", unknown)
	}
	if action["suggestion"] != "run_sync_job" || action["line"] != 6.0 {
		t.Errorf("action: got %v", action)
	}
	code, _ := config["code"].(string)
	if !strings.HasPrefix(code, "S0") || config["line"] != 3.0 || config["column"] != 9.0 || config["offset"] != 21.0 {
		t.Errorf("expression: got %v", config)
	}
}

func TestWorkflowControlsReject(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		with := func(control string) string {
			return `{"trigger_name":"custom:x","config":{` + control + `,"steps":[{"type":"run","action":"run_sync_job","config":"{}"}]}}`
		}
		rejectAll(t, w, "POST", "/workflow",
			bad("config.idempotency_key", with(`"idempotency_key":7`)), bad("config.idempotency_key", with(`"idempotency_key":"a +"`)),
			bad("config.delay", with(`"delay":"soon"`)), bad("config.delay", with(`"delay":"1.5h"`)), bad("config.delay", with(`"delay":"+5m"`)),
			bad("config.delay", with(`"delay":"31d"`)), bad("config.delay", with(`"delay":0`)), bad("config.delay", with(`"delay":-1`)),
			bad("config.delay", with(`"delay":99999999999`)), bad("config.delay", with(`"delay":""`)), bad("config.delay", with(`"delay":"s"`)),
			bad("config.delay", with(`"delay":true`)), bad("config.delays", with(`"delays":"1s"`)),
			bad("config.debounce.period", with(`"debounce":{}`)), bad("config.debounce.max", with(`"debounce":{"period":"1m","max":"30s"}`)),
			bad("config.debounce.periode", with(`"debounce":{"period":"1m","periode":1}`)), bad("config.debounce.key", with(`"debounce":{"period":"1m","key":")"}`)),
			bad("config.rate_limit.limit", with(`"rate_limit":{"period":"1m"}`)), bad("config.rate_limit.limit", with(`"rate_limit":{"limit":0,"period":"1m"}`)),
			bad("config.rate_limit.limit", with(`"rate_limit":{"limit":10001,"period":"1m"}`)), bad("config.rate_limit.limit", with(`"rate_limit":{"limit":1.5,"period":"1m"}`)),
			bad("config.rate_limit.period", with(`"rate_limit":{"limit":1}`)), bad("config.rate_limit", with(`"rate_limit":5`)),
			bad("config.concurrency.limit", with(`"concurrency":{"key":"a"}`)), bad("config.concurrency.limit", with(`"concurrency":{"limit":1001}`)),
			bad("config.concurrency.on_conflict", with(`"concurrency":{"limit":1,"on_conflict":"skipp"}`)))
		v := w.create("/workflow", with(`"idempotency_key":"id","debounce":{"key":"a","period":60,"max":"2h"},"rate_limit":{"limit":3,"period":"90s"},"concurrency":{"limit":2},"delay":"24h"`))
		got, _ := json.Marshal(v.m["config"])
		for _, want := range []string{`"period":"1m"`, `"max":"2h"`, `"period":"90s"`, `"on_conflict":"queue"`, `"delay":"1d"`} {
			if !strings.Contains(string(got), want) {
				t.Errorf("got config %s, want it to have %s", got, want)
			}
		}
		w.patch("/workflow/"+v.id(), `{"config":{"steps":[{"type":"run","action":"run_sync_job","config":"{}"}]}}`).ok()
		if got := w.get("/workflow/" + v.id()).raw; strings.Contains(string(got), "debounce") {
			t.Errorf("got %s after a config without controls", got)
		}
	})
}
