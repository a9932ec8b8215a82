package browser

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	whyJob      = "00000000-0000-4000-8000-00000000a0b0"
	whyFirst    = "00000000-0000-4000-8000-00000000f011" // runs
	whySecond   = "00000000-0000-4000-8000-00000000f012"
	whyDisabled = "00000000-0000-4000-8000-00000000f013"
	whySchedule = "00000000-0000-4000-8000-00000000c001"
	whyHook     = `"webhook_id": "9fda519d-148f-4cc5-bbac-4e373b16e5d4"`
)

// misconfigure adds what the demo and spoil have not done wrong: of the twelve reasons why something did not run, as docs/operations.md
// lists them.
func (w *board) misconfigure() {
	w.t.Helper()
	account := map[string]string{}
	for _, name := range []string{"down", "disabled"} {
		id, _ := w.send(http.MethodPost, "/integration", `{"name": "`+name+`", "category": "crm", "config": {"label": "`+name+`", "base_url": "http://127.0.0.1:9", "resources": {"things": {"list": {"method": "get", "path": "/things"}}}}}`)["id"].(string)
		install, _ := w.send(http.MethodPost, "/environment-integration", `{"integration_id": "`+id+`"}`)["id"].(string)
		account[name], _ = w.send(http.MethodPost, "/integrated-account", `{"tenant_id": "`+name+`", "environment_integration_id": "`+install+`", "authentication_method": "api_key", "context": {"api_key": "key"}}`)["id"].(string)
		if name == "disabled" {
			w.send(http.MethodPatch, "/environment-integration/"+install, `{"is_enabled": false}`)
		}
	}
	w.send(http.MethodPost, "/sync-job", `{"id": "`+whyJob+`", "label": "Things", "mutex_key": "{{args.integrated_account_id}}", "resources": [
{"name": "things", "type": "request", "resource": "things", "method": "list", "integrated_account_id": "{{args.integrated_account_id}}"},
{"name": "hook", "type": "destination", "destination_type": "webhook", "config": {"id": "{{args.webhook_id}}"}, "resources_to_persist": ["things"]}]}`)
	for _, run := range [][2]string{{whyFirst, "down"}, {whySecond, "down"}, {whyDisabled, "disabled"}} {
		w.send(http.MethodPost, "/sync-job-run", `{"id": "`+run[0]+`", "sync_job_id": "`+whyJob+`", "integrated_account_id": "`+account[run[1]]+`", `+whyHook+`}`)
	}
	w.send(http.MethodPost, "/sync-job-cron-trigger", `{"id": "`+whySchedule+`", "sync_job_id": "`+whyJob+`", "integrated_account_id": "`+account["down"]+`", `+whyHook+`, "cron_expression": "0 0 29 2 *"}`)
	for event, config := range map[string]string{
		"custom:unmapped": `"( $job := $mapValues(plan, {\"gold\": \"` + whyJob + `\"}); {\"sync_job_id\": $job, \"integrated_account_id\": account, \"webhook_id\": \"9fda519d-148f-4cc5-bbac-4e373b16e5d4\"} )"`,
		"custom:no-hook":  `{"sync_job_id": "` + whyJob + `", "integrated_account_id": "{{account}}", "webhook_id": "00000000-0000-4000-8000-0000000000ff"}`,
		"custom:paused":   `{"sync_job_id": "` + whyJob + `", "integrated_account_id": "{{account}}", ` + whyHook + `}`,
	} {
		active := "true"
		if event == "custom:paused" {
			active = "false"
		}
		w.send(http.MethodPost, "/workflow", `{"label": "`+event+`", "is_active": `+active+`, "trigger_name": "`+event+`", "config": {"steps": [{"type": "run", "action": "run_sync_job", "config": `+config+`}]}}`)
		w.send(http.MethodPost, "/event", `{"event": "`+event+`", "payload": {"plan": "silver", "account": "`+account["down"]+`"}}`)
	}
	w.send(http.MethodPost, "/event", `{"event": "custom:ordr", "payload": {"total": 700}}`)
	w.until("the workflow runs to fail", func() bool {
		rows, _ := w.send(http.MethodGet, "/workflow-run?status=failed", "")["result"].([]any)
		return len(rows) >= 2
	})
	w.until("the second run to wait for the first", func() bool {
		return w.send(http.MethodGet, "/sync-job-run/"+whySecond, "")["waiting_for"] == whyFirst &&
			w.send(http.MethodGet, "/sync-job-run/"+whyFirst, "")["wait_reason"] != nil &&
			w.send(http.MethodGet, "/sync-job-run/"+whyDisabled, "")["status"] == "failed"
	})
}

// why goes from Home to the reason of each misconfiguration, by links only, in three clicks at most.
func why(t *testing.T, w *board, b *tab) {
	b.t, w.t, b.w.boardAt = t, t, w.env
	w.misconfigure()
	const events, runs = `.stripbox[href$="/events"]`, `.stripbox[href$="/runs"]`
	row := func(text string) string { return "row:" + text }
	for name, c := range map[string]struct {
		clicks []string // a selector, or the text of a row of a list
		says   []string
	}{
		"condition-does-not-hold": {[]string{events, `tbody a[href$="e001"]`}, []string{"not matched", "total"}},
		"condition-fails":         {[]string{events, `tbody a[href$="e002"]`}, []string{"error", "many"}},
		"other-event":             {[]string{events, row("custom:ordr")}, []string{"No workflow"}},
		"workflow-paused":         {[]string{events, row("custom:paused")}, []string{"paused"}},
		"value-not-mapped":        {[]string{row("custom:unmapped")}, []string{"silver", "$mapValues(plan"}},
		"no-such-webhook":         {[]string{row("custom:no-hook")}, []string{"0000000000ff"}},
		"integration-disabled":    {[]string{`a[href$="` + whyDisabled + `"]`}, []string{"not enabled"}},
		"credentials-rejected":    {[]string{`.trouble a[href*="/accounts/"]`}, []string{"needs reauth"}},
		"provider-down":           {[]string{runs, `tbody a[href$="` + whyFirst + `"]`}, []string{"connection refused"}},
		"receiver-down":           {[]string{`.trouble a[href$="dead"]`}, []string{"failing", "The last: no response", "refused"}},
		"mutex":                   {[]string{runs, `tbody a[href$="` + whySecond + `"]`}, []string{"has the same mutex_key", whyFirst}},
		"schedule-not-due":        {[]string{`.side a[href$="/schedules"]`, `tbody a[href$="` + whySchedule + `"]`}, []string{"0 0 29 2 *", "-02-29"}},
	} {
		if len(c.clicks) > 3 {
			t.Errorf("%s takes %d clicks", name, len(c.clicks))
		}
		b.visit(w.env).waits(".strips")
		for _, click := range c.clicks {
			b.follow(click)
		}
		b.says(c.says...).axe("why-" + name)
		b.picture("why-" + name)
	}
}

// follow clicks a link, or that of the row of a list with a text, and waits for the page that it leads to.
func (b *tab) follow(to string) {
	b.t.Helper()
	var at string
	b.do(chromedp.Location(&at))
	var found bool // and clicked at once: the page is live, and may be another one soon
	b.eval(`(() => { const to = `+strconv.Quote(to)+`, row = to.startsWith("row:") && to.slice(4);
const link = row ? [...document.querySelectorAll("main tr, main li")].filter((e) => e.textContent.includes(row)).map((e) => e.querySelector("a[href]"))[0] : document.querySelector(to);
if (link?.checkVisibility()) { setTimeout(() => link.click()); return true; } return false; })()`, &found)
	if !found {
		var text string
		b.eval("document.body.innerText", &text)
		b.t.Fatalf("there is no link %s on the page:\n%s", to, text)
	}
	b.w.until("the page behind "+to, func() bool {
		var now string
		b.do(chromedp.Location(&now))
		return now != at
	})
	b.waits("main h1")
}
