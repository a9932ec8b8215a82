package browser

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// find returns what an expression finds in the output.
func (o *output) find(expression string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if found := regexp.MustCompile(expression).FindStringSubmatch(o.b.String()); found != nil {
		return found[1]
	}
	return ""
}

// board is the dashboard of the demo, after everything in it has happened.
type board struct {
	*world
	link    string // signs in once
	account string
	env     string // address of the pages of the environment
}

func newBoard(t *testing.T) *board {
	t.Helper()
	binary, npm := needed(t)
	w := &board{world: &world{t: t, npm: npm}}
	var out output
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "demo", "--keep")
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &out, t.TempDir()
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	w.until("the demo to be over", func() bool {
		w.link = out.find(`dashboard +(\S+)`)
		return w.link != ""
	})
	w.base, w.token = out.find(`address +(\S+)`), out.find(`token +(mr_\S+)`)
	w.account = out.find(`"integrated_account_id":"([^"]+)"`)
	return w
}

// spoil lets things go wrong: a webhook that does not respond, a run for an account whose key is wrong, a workflow whose condition fails.
func (w *board) spoil(account string) {
	w.t.Helper()
	w.send(http.MethodPost, "/webhook", `{"id": "00000000-0000-4000-8000-00000000dead", "target_url": "http://127.0.0.1:9/hook", "event_types": ["custom:order"]}`)
	w.send(http.MethodPost, "/workflow", `{"label": "orders <b>bold</b>", "trigger_name": "custom:order", "config": {"run_if": "total > 100", "steps": [{"type": "run", "action": "run_sync_job", "config": {"sync_job_id": "51b79ace-a7b4-4077-93ba-8048a06ece2b", "integrated_account_id": "`+account+`", "webhook_id": "9fda519d-148f-4cc5-bbac-4e373b16e5d4"}}]}}`)
	w.send(http.MethodPost, "/event", `{"event": "custom:order", "id": "00000000-0000-4000-8000-00000000e001", "payload": {"total": 7, "note": "<script>document.title = 'taken'</script> \u202eright to left"}}`)
	w.send(http.MethodPost, "/event", `{"event": "custom:order", "id": "00000000-0000-4000-8000-00000000e002", "payload": {"total": "many"}}`)
	w.send(http.MethodPatch, "/integrated-account/"+account, `{"context": {"api_key": "wrong"}}`)
	w.send(http.MethodPost, "/sync-job-run", `{"id": "00000000-0000-4000-8000-00000000f001", "sync_job_id": "51b79ace-a7b4-4077-93ba-8048a06ece2b", "integrated_account_id": "`+account+`", "webhook_id": "9fda519d-148f-4cc5-bbac-4e373b16e5d4"}`)
	w.until("the webhook to fail", func() bool {
		return w.send(http.MethodGet, "/webhook/00000000-0000-4000-8000-00000000dead", "")["failing_since"] != nil
	})
	w.until("the account to need attention", func() bool {
		return w.send(http.MethodGet, "/integrated-account/"+account, "")["status"] == "needs_reauth"
	})
}

// enter signs in with the link.
func (w *board) enter(t *testing.T) *tab {
	t.Helper()
	b := w.open(t).visit(w.link).waits("main button").state("dash-link")
	b.click("main button").waits(".side")
	var at string
	b.do(chromedp.Location(&at))
	w.env = at
	return b
}

func TestDashboard(t *testing.T) {
	w := newBoard(t)
	b := w.enter(t)
	t.Run("tour", func(t *testing.T) { tour(t, w, b) })
	w.spoil(w.account)
	t.Run("pages", func(t *testing.T) { pages(t, w, b) })
	t.Run("why not", func(t *testing.T) { whyNot(t, w, b) })
	t.Run("editor", func(t *testing.T) { edit(t, w, b) })
	t.Run("editor of jobs", func(t *testing.T) { editJob(t, w, b) })
	t.Run("hostile texts", func(t *testing.T) { editHostile(t, w, b) })
	t.Run("keys", func(t *testing.T) { keys(t, w, b) })
	t.Run("live", func(t *testing.T) { live(t, w, b) })
	t.Run("why", func(t *testing.T) { why(t, w, b) })
	t.Run("environments", func(t *testing.T) { environments(t, w, b) })
	t.Run("people", func(t *testing.T) { people(t, w, b) })
}

// tour follows the first visit: what happened, and how to break it, without scripts.
func tour(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env).waits(".steps").says("What happened here", "342 records", "Now break it").state("dash-tour")
	var links []string
	b.eval("[...document.querySelectorAll('.first .steps a')].map((a) => a.href)", &links)
	if len(links) < 7 {
		t.Fatalf("the tour has the links %v", links)
	}
	for _, link := range links {
		b.visit(link).waits("main h1")
	}
	b.visit(links[len(links)-2]).eval("confirm = () => true", nil)
	b.press("main .do button.danger").waits(".done").says("inactive")
	b.visit(links[len(links)-1]).press("main .do form[action$=again] button").waits("#picture").says("webhook").state("dash-tour-broken")
	b.visit(w.env).says("Needs attention").visit(links[len(links)-2]).press("main .do form[action$=on] button").waits(".done")
	b.visit(w.env).press(".first form button").do(chromedp.WaitNotPresent(".first", chromedp.ByQuery))
	b.visit(w.env).waits(".strips")
	var left int
	b.eval("document.querySelectorAll('.first').length", &left)
	if left != 0 {
		t.Error("the tour is there again")
	}
}

// environments makes an environment, changes it, and deletes it.
func environments(t *testing.T, w *board, b *tab) {
	b.t = t
	for _, spoilt := range []string{"marginBottom = '-2rem'", "height = '0'; h1.style.overflow = 'hidden'"} { // what is looked for is found
		b.visit(w.base + "/dashboard/environments").waits("main table")
		var found []string
		b.eval("{const h1 = document.querySelector('h1'); h1.style."+spoilt+"}; "+misfits, &found)
		if len(found) == 0 {
			t.Errorf("nothing is found after %s", spoilt)
		}
	}
	b.visit(w.base+"/dashboard/server").waits("main h1").says("Health", "Nodes", "Encryption keys").state("dash-server")
	b.visit(w.base + "/dashboard/environments").waits("main table").state("dash-environments")
	b.do(chromedp.SetValue("#weight", "heavy", chromedp.ByQuery))
	b.fill("#name", "Second shop").click("main form button.main").waits("#weight-problem").says("must be a whole number").state("dash-environments-problem")
	b.do(chromedp.SetValue("#weight", "200", chromedp.ByQuery))
	b.click("main form button.main").waits("#connect-color").says("Settings of Second shop").state("dash-environment")
	b.fill("#connect-color", "blue").click("main form button.main").waits("#connect-color-problem").says("hexadecimal").state("dash-environment-problem")
	b.do(chromedp.SetValue("#connect-color", "#0b5fff", chromedp.ByQuery))
	b.click("main form button.main").waits(".done").says("It is saved")
	b.click(".environments summary").waits(".environments ul").state("dash-environment-switch")
	b.click(".side a").waits(".steps").says("Nothing has happened here yet").state("dash-steps")
	b.visit(w.base + "/dashboard/environments").waits("main table")
	var at string
	b.eval("[...document.querySelectorAll('main tr')].find((r) => r.innerText.includes('Second shop')).querySelector('a[href$=settings]').href", &at)
	b.visit(at + "/delete").waits("#confirm").says("What is deleted").state("dash-erase")
	b.eval("confirm = () => true", nil)
	b.fill("#confirm", "Second shop"+kb.Enter).waits("main .more").says("is being deleted").state("dash-erasing")
}

// first goes to the page of the first row of a list, and looks at both.
func (b *tab) first(list, name string) {
	b.t.Helper()
	b.visit(b.w.boardAt + list).waits("main table tbody a").state("dash-" + name + "-list")
	b.click("main table tbody a").waits("main h1").state("dash-" + name)
}

func pages(t *testing.T, w *board, b *tab) {
	b.t, b.w.boardAt = t, w.env
	b.visit(w.env).waits(".strips").says("Needs attention", "needs reauth", "failing").state("dash-home")
	for _, p := range [][2]string{
		{"/runs?status=completed", "run"},
		{"/workflow-runs", "workflow-run"},
		{"/events?event=integrated_account:active", "event"},
		{"/accounts", "account"},
		{"/webhooks", "webhook"},
		{"/deliveries?status=delivered", "delivery"},
		{"/workflows", "workflow"},
		{"/sync-jobs", "sync-job"},
		{"/integrations", "integration"},
	} {
		b.first(p[0], p[1])
	}
	for _, p := range []string{"schedules", "inbound-hooks", "search?q=acme", "search?q=nothing-at-all", "tokens", "audit", "audit?of=installation", "notification-destinations", "logs"} {
		b.visit(w.env + "/" + p).waits("main h1").state("dash-" + strings.NewReplacer("?", "-", "=", "-").Replace(p))
	}
	b.visit(w.env + "/runs/00000000-0000-4000-8000-00000000f001").waits("#picture").state("dash-run-waits")
	redeliver(t, w, b)
}

// redeliver looks at what would be delivered again, and changes the secret of the webhook.
func redeliver(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env + "/deliveries/again").waits("#webhook_id").state("dash-again")
	var hook string
	b.eval("document.querySelector('#webhook_id option[value]:not([value=\"\"])').value", &hook)
	b.visit(w.env + "/deliveries/again?webhook_id=" + hook + "&status=failed+or+cancelled").waits("#preview").state("dash-again-preview")
	b.visit(w.env + "/webhooks/" + hook + "/secret").waits("#secret").state("dash-webhook-secret")
	b.click("form.fields button.main").waits("code.copy").says("not shown again", "End the old secret now").state("dash-webhook-secret-made")
	b.click("main section button.danger").waits(".done").says("does not sign any more")
}

// whyNot finds out why a workflow did not run, from the search on.
func whyNot(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env).waits("#q").fill("#q", "00000000-0000-4000-8000-00000000e001"+kb.Enter).waits("#decisions")
	b.says("custom:order", "not matched", "The condition did not hold", "total", "7").state("dash-event-why-not")
	b.do(chromedp.SetValue("#condition", "total > 5", chromedp.ByQuery))
	b.click("#try button").waits(".tried").says("For this event: matched", "it holds for 1").state("dash-event-tried")
	var title string
	b.do(chromedp.Title(&title))
	if !strings.HasPrefix(title, "custom:order") {
		t.Errorf("the payload has run: the title is %q", title)
	}
}

// keys walks with the keyboard.
func keys(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env).waits(".strips").keys("?").waits("dialog[open]").state("dash-keys").keys(kb.Escape)
	b.keys("g").keys("r").waits("table.list").keys("j").keys(kb.Enter).waits("#picture")
	b.keys("/")
	var on string
	b.eval("document.activeElement.id", &on)
	if on != "q" {
		t.Errorf("/ leads to %q", on)
	}
}

// live sees an event on an open page that came afterwards.
func live(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.env + "/events?event=custom:order").waits("table.list")
	var before int
	b.eval("document.querySelectorAll('tbody tr').length", &before)
	w.send(http.MethodPost, "/event", `{"event": "custom:order", "payload": {"total": 1}}`)
	w.until("the page to show the event", func() bool {
		var now int
		b.eval("document.querySelectorAll('tbody tr').length", &now)
		return now == before+1
	})
}

// people invites a viewer, who signs in and may only look.
func people(t *testing.T, w *board, b *tab) {
	b.t = t
	b.visit(w.base+"/dashboard/people").waits("#email").fill("#email", "viewer@example.com")
	b.do(chromedp.SetValue("#role", "viewer", chromedp.ByQuery), chromedp.Click("form p input[name=sees_payloads]", chromedp.ByQuery))
	b.click("form p button.main").waits("code.copy").state("dash-people")
	var link string
	b.do(chromedp.TextContent("code.copy", &link, chromedp.ByQuery))
	v := w.open(t)
	v.w.boardAt = w.env
	v.visit(link).click("main button").waits(".side")
	v.visit(w.env + "/events/00000000-0000-4000-8000-00000000e001").waits("#decisions").says("may not see payloads").state("dash-viewer")
	var forms int
	v.eval("document.querySelectorAll('main form').length", &forms)
	if forms != 0 {
		t.Errorf("a viewer has %d forms", forms)
	}
	v.visit(w.base+"/dashboard/me").waits("#new").fill("#new", "short enough?").click("main section button").waits(".done").state("dash-me")
	v.visit(link).says("used already").state("dash-link-used")
}
