package browser

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// edit makes a workflow: types it with completion, is told what is wrong, tries its condition, saves it, and compares its versions.
func edit(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env + "/workflows").click("main a[href$='/workflows/new']").waits(".pad.on").state("dash-editor-new")
	var typed string
	b.text("")
	b.do(chromedp.Focus("#text", chromedp.ByQuery))
	b.keys("label: big orders").enter().keys("trig").waits("#words li").enter()
	b.keys("custom:order").enter().keys("config:").enter().keys("run_if: total > (100").enter()
	b.keys("st").waits("#words li[aria-selected]").keys(kb.Escape).keys("eps:").enter().keys("- type: run").enter()
	b.keys("  acton: run_sync_job").enter().keys("config: \"{}\"").keys(kb.Escape)
	b.eval("text.value", &typed)
	if want := "label: big orders\ntrigger_name: custom:order\nconfig:\n  run_if: total > (100\n  steps:\n    - type: run\n      acton: run_sync_job\n      config: \"{}\""; typed != want {
		t.Errorf("typed is %q, want %q", typed, want)
	}
	b.waits(".problems .wrong").state("dash-editor-problems")
	var marked []string
	b.eval("[...document.querySelectorAll('.code .bad')].map((m) => m.textContent)", &marked)
	if !slices.Contains(marked, "acton") {
		t.Errorf("%q are marked", marked)
	}
	var same bool
	b.eval("[...document.querySelectorAll('.code > div')].map((r) => r.textContent).join('\\n') === document.querySelector('#text').value", &same)
	if !same {
		t.Error("the copy says something else than the text")
	}
	// The browser takes back what was typed, completions too.
	b.do(chromedp.Focus("#text", chromedp.ByQuery))
	var earlier, undone string
	b.eval("document.querySelector('#text').value", &earlier)
	b.eval("document.execCommand('undo'); document.querySelector('#text').value", &undone)
	if undone == earlier {
		t.Error("nothing is taken back")
	}

	b.text("label: big orders\ntrigger_name: custom:order\nconfig:\n  run_if: total > 5 and (total < 100)\n  steps:\n    - type: run\n      action: run_sync_job\n      config: |\n        (\n          /* what it is */\n          $id := \"51b79ace-a7b4-4077-93ba-8048a06ece2b\";\n          { \"sync_job_id\": $id, \"integrated_account_id\": $string(account) }\n        )\n")
	b.click("button[value=try]").waits("#tried").says("Of the last", "it holds for 1").state("dash-editor-tried")
	b.click("button[value=save]").waits("a[href$='/edit']").says("It is saved")
	b.click("a[href$='/edit']").waits(".pad.on")
	b.text("label: bigger orders\ntrigger_name: custom:order\nconfig:\n  run_if: total > 50\n  steps:\n    - type: run\n      action: run_sync_job\n      config: \"{}\"\n")
	b.click("button[value=save]").waits("a[href$='/versions']").click("a[href$='/versions']").waits(".diff").says("Version 1", "Version 2", "− ", "+ ").state("dash-editor-versions")
	b.do(chromedp.Click("//a[text()='restore']", chromedp.BySearch, chromedp.NodeVisible))
	b.waits(".pad.on").says("this is the text of version 1")
	var at string
	b.do(chromedp.Location(&at))

	// Somebody else saves while the text is open.
	id := at[strings.Index(at, "/workflows/")+len("/workflows/"):][:36]
	w.send("PATCH", "/workflow/"+id, `{"label": "by somebody else"}`)
	b.click("button[value=save]").waits(".conflict").says("Somebody else has saved it", "by somebody else").quiet(" 409 ").state("dash-editor-conflict")

	// The browser asks before what was not saved is left, and not where all is.
	before := b.asked.Load()
	if b.visit(w.env + "/workflows"); b.asked.Load() != before+1 {
		t.Errorf("the browser has asked %d times before a text was left that is not saved", b.asked.Load()-before)
	}
	b.click("main a[href$='/workflows/new']").waits(".pad.on")
	if b.visit(w.env + "/workflows"); b.asked.Load() != before+1 {
		t.Error("the browser asks before a page is left on which nothing was typed")
	}
}

// editHostile opens what is large and strange.
func editHostile(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env + "/workflows/new?as=json").waits(".pad.on")
	b.text("label: <script>document.title = 'taken'</script> \u202eabc\u2066 \u05d0\u05d1\u05d2\n# \tcomment\n" + strings.Repeat("a: [1, 'x', \"{{y}}\"]\n", 40_000))
	var rows int
	b.eval("document.querySelectorAll('.code > div').length", &rows)
	if rows > 100 {
		t.Errorf("%d lines are drawn", rows)
	}
	b.state("dash-editor-hostile")
	b.text(`{"a": "` + strings.Repeat("x", 1<<20) + `"}`)
	b.waits(".pad.plain")
	b.text(strings.Repeat(`{"config":`, 10_000)).waits(".pad.plain")
	var title string
	b.do(chromedp.Title(&title))
	if strings.Contains(title, "taken") {
		t.Error("the text has run")
	}
}

// editJob opens the editor of a sync job, with its graph.
func editJob(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env + "/sync-jobs").click("main table tbody a").waits("main h1").click("a[href$='/edit']").waits("#outcome .graph").state("dash-editor-job")
	var at string
	b.do(chromedp.Location(&at))
	job := strings.TrimSuffix(at, "/edit")
	id := job[strings.LastIndex(job, "/")+1:]
	for range 6 {
		w.send("POST", "/sync-job-cron-trigger", `{"sync_job_id": "`+id+`", "cron_expression": "0 */5 * * *", "webhook_id": "9fda519d-148f-4cc5-bbac-4e373b16e5d4", "args": {"integrated_account_id": "`+w.account+`"}, "integrated_account_id": "`+w.account+`"}`)
	}
	b.visit(w.env + "/schedules/calendar?hours=24").waits(".load").says("spread: 180").state("dash-calendar")
	b.visit(job+"/run").waits(".field").fill(".field input", "nobody").click("main button.main").waits(".field .reason").quiet(" 400 ").state("dash-run-job")
	b.visit(job+"/state").waits("#key").fill("#key", "cursor").fill("#value", `{"after": 7}`).click("#value ~ *, form:has(#key) button").waits("pre, #value-0").says("cursor").state("dash-state")
}

// text puts a text in the place of what is there.
func (b *tab) text(text string) *tab {
	b.t.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Evaluate("text.value = "+string(encoded)+"; text.dispatchEvent(new InputEvent('input', {inputType: 'insertFromPaste'}))", nil))
	return b
}

// enter presses the key, as a browser does: what it would type is not typed when the page has dealt with it.
func (b *tab) enter() *tab {
	b.t.Helper()
	key := input.DispatchKeyEvent(input.KeyDown).WithKey("Enter").WithCode("Enter").WithWindowsVirtualKeyCode(13).WithText("\r")
	b.do(key, input.DispatchKeyEvent(input.KeyUp).WithKey("Enter").WithCode("Enter").WithWindowsVirtualKeyCode(13))
	return b
}

// quiet forgets what the console has said about a status that is meant.
func (b *tab) quiet(status string) *tab {
	b.mu.Lock()
	defer b.mu.Unlock()
	var rest []string
	for _, line := range b.said {
		if !strings.Contains(line, status) {
			rest = append(rest, line)
		}
	}
	b.said = rest
	return b
}
