package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestConnectPage(t *testing.T) {
	w := newWorld(t)
	for name, walk := range map[string]func(*testing.T, *world){
		"picker": picker, "key": key, "wrong key": wrongKey, "setup fails": setupFails, "validating": validating, "OAuth": oauth, "denied": denied, "again": again,
		"links": links, "stranger": stranger, "SDK in a window": sdkWindow, "SDK in a frame": sdkFrame, "no scripts": noScripts,
	} {
		t.Run(name, func(t *testing.T) { walk(t, w) })
	}
}

// picker finds an integration with the keyboard only.
func picker(t *testing.T, w *world) {
	b := w.open(t).start(w.link(`{"tenant_id": "picker"}`), "").kind("picker").state("picker")
	var order string
	b.eval(`[...document.querySelectorAll(".choices li")].map((li) => li.dataset.name[0]).join("")`, &order)
	if at := strings.Index(order, "É"); at < 0 || at > strings.Index(order, "H") {
		t.Errorf("the first letters of the integrations are %s", order)
	}
	b.keys("elan").waits(`.choices li[data-name="Élan Projects"]`).state("picker-found")
	b.keys("zzz").waits("[data-none]").says("Nothing found").state("picker-none")
	b.keys(strings.Repeat(kb.Backspace, 7)).keys("ledger" + kb.Enter).kind("form").says("Connect Ledger Books")
	var focused string
	b.keys(kb.Tab)
	b.eval("document.activeElement.tagName", &focused)
	if focused != "A" {
		t.Errorf("the first stop is %s", focused)
	}
}

// key connects with a key, with the keyboard only.
func key(t *testing.T, w *world) {
	b := w.open(t).start(w.link(`{"tenant_id": "key", "redirect_uri": "`+w.product.URL+`/done"}`), "&integration=books").kind("form").state("form-key")
	b.do(chromedp.Focus("#f0", chromedp.ByQuery))
	b.keys("key-1" + kb.Tab + "e" + kb.Tab + kb.Tab + kb.Enter).waits("#done")
	var at string
	b.do(chromedp.Location(&at))
	if !strings.Contains(at, "result=success") || !strings.Contains(at, "integrated_account_id=") {
		t.Errorf("the product got %s", at)
	}
	if all := w.accounts("key"); len(all) != 1 || all[0]["status"] != "active" {
		t.Errorf("got the accounts %v", all)
	}
}

// wrongKey tries a key that the provider rejects, and then one that it takes.
func wrongKey(t *testing.T, w *world) {
	token := w.link(`{"tenant_id": "wrong"}`)
	b := w.open(t).start(token, "&integration=books").kind("form")
	b.do(chromedp.RemoveAttribute("#f0", "required", chromedp.ByQuery))
	b.click("button[type=submit]").waits("#f0[aria-invalid]").says("This is required.").state("form-invalid")
	w.badKey.Store(true)
	b.fill("#f0", "key-wrong").click("button[type=submit]").waits(".problem").kind("form").says("did not pass the check", "The key is not valid.").state("form-rejected")
	if all := w.accounts("wrong"); len(all) != 0 {
		t.Errorf("got the accounts %v", all)
	}
	w.badKey.Store(false)
	b.fill("#f0", "key-right").click("button[type=submit]").kind("connected").state("connected")
	if all := w.accounts("wrong"); len(all) != 1 || all[0]["status"] != "active" {
		t.Errorf("got the accounts %v", all)
	}
}

func setupFails(t *testing.T, w *world) {
	w.badKey.Store(true)
	defer w.badKey.Store(false)
	b := w.open(t).start(w.link(`{"tenant_id": "setup"}`), "&integration=hr").kind("form")
	b.fill("#f0", "key-1").click("button[type=submit]").kind("failed").says("setting it up failed").state("failed-setup")
}

// validating waits for a workflow that may reject the account, which never says anything.
func validating(t *testing.T, w *world) {
	w.send(http.MethodPost, "/workflow", `{"trigger_name": "integrated_account:validating", "config": {"run_if": "tenant_id = 'validating'", "delay": "1h",
"steps": [{"type": "run", "action": "run_sync_job", "config": {"sync_job_id": "00000000-0000-4000-8000-000000000000"}}]}}`)
	b := w.open(t).start(w.link(`{"tenant_id": "validating"}`), "&integration=books").kind("form")
	b.fill("#f0", "key-1").click("button[type=submit]")
	// The page loads again and again: where it says what it is to say, it is stopped at once, so that it can be looked at.
	w.until("the last check to be named", func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
		defer cancel()
		var says bool
		err := chromedp.Run(ctx, chromedp.Evaluate(`(() => {
  const text = document.querySelector('[data-kind="working"]')?.innerText ?? "";
  if (!text.includes("Checking the connection") || !text.includes("A last check is under way")) return false;
  window.setTimeout = () => 0; // of the script, which may not have run yet
  for (let i = 0; i < 10000; i++) clearTimeout(i);
  return true;
})()`, &says))
		return err == nil && says // a page that is being left gives no response
	})
	b.state("validating")
	if all := w.accounts("validating"); len(all) != 1 || all[0]["status"] != "connecting" {
		t.Errorf("got the accounts %v", all)
	}
}

func oauth(t *testing.T, w *world) {
	token := w.link(`{"tenant_id": "oauth"}`)
	b := w.open(t).start(token, "&integration=crm").kind("form").state("form-oauth")
	b.fill("#f0", "Not Allowed").click("button[type=submit]").waits("#f0[aria-invalid]").state("form-oauth-invalid")
	b.eval("document.querySelector('#f0').value = ''", nil)
	b.fill("#f0", "acme").click("button[type=submit]").click("#allow").kind("connected").says("Connected")
	b.start(token, "").kind("failed").says("used already").state("link-used")
}

// denied says no at the provider, and begins again without a new link.
func denied(t *testing.T, w *world) {
	b := w.open(t).start(w.link(`{"tenant_id": "denied"}`), "&integration=crm").kind("form")
	b.fill("#f0", "acme").click("button[type=submit]").click("#deny").kind("failed").says("not allowed", "The user said no.").state("failed-denied")
	b.click("main a.button").kind("form").fill("#f0", "acme").click("button[type=submit]").click("#allow").kind("connected")
	if all := w.accounts("denied"); len(all) != 1 || all[0]["status"] != "active" {
		t.Errorf("got the accounts %v", all)
	}
}

// again connects an account again: as another one at the provider, which is rejected, and as the same.
func again(t *testing.T, w *world) {
	first := w.open(t).start(w.link(`{"tenant_id": "again"}`), "&integration=crm").kind("form")
	first.fill("#f0", "acme").click("button[type=submit]").click("#allow").kind("connected")
	id, _ := w.accounts("again")[0]["id"].(string)
	b := w.open(t).start(w.link(`{"integrated_account_id": "`+id+`"}`), "").kind("form").state("form-again")
	w.provider.Redirect = map[string][]string{"realmId": {"company-2"}}
	b.fill("#f0", "acme").click("button[type=submit]").click("#allow").kind("failed").says("another account").state("failed-other-account")
	w.provider.Redirect = map[string][]string{"realmId": {"company-1"}}
	b.click("main a.button").kind("form").fill("#f0", "acme").click("button[type=submit]").click("#allow").kind("connected")
}

func links(t *testing.T, w *world) {
	w.open(t).start("00000000-0000-4000-8000-000000000000", "").kind("failed").says("not valid or has expired").state("link-invalid")
	w.open(t).start(w.link(`{"tenant_id": "links"}`), "&integration=nothing").kind("failed").says("cannot be connected here").state("integration-invalid")
}

func (b *tab) product(mode, token, more string) *tab {
	b.t.Helper()
	return b.visit(b.w.product.URL + "/?mode=" + mode + "&token=" + token + more).waits("#go[data-ready]").click("#go")
}

func (b *tab) outcome() string {
	b.t.Helper()
	var out string
	b.w.until("the SDK to report the outcome", func() bool {
		b.eval(`document.getElementById("out").textContent`, &out)
		return out != ""
	})
	return out
}

// sdkWindow lets the SDK open the page in a window.
func sdkWindow(t *testing.T, w *world) {
	b := w.open(t).product("window", w.link(`{"tenant_id": "window"}`), "&integration=crm")
	other := b.window("page", base).kind("form")
	other.fill("#f0", "acme").click("button[type=submit]").click("#allow")
	if out := b.outcome(); !strings.HasPrefix(out, "resolved") || !strings.Contains(out, `"result":"success"`) || !strings.Contains(out, "integrated_account_id") {
		t.Errorf("the SDK says %s", out)
	}
	b.product("window", w.link(`{"tenant_id": "window"}`), "&integration=crm")
	b.window("page", base).kind("form").away("[data-close]")
	if out := b.outcome(); !strings.Contains(out, "closed") {
		t.Errorf("the SDK says %s", out)
	}
	b.product("window", w.link(`{"tenant_id": "window"}`), "&integration=crm")
	b.window("page", base).kind("form").fill("#f0", "acme").click("button[type=submit]").click("#deny")
	if out := b.outcome(); !strings.HasPrefix(out, "rejected") {
		t.Errorf("the SDK says %s", out)
	}
}

// stranger opens the page from an origin that is not listed, which gets no message, and can show it in no frame.
func stranger(t *testing.T, w *world) {
	other := httptest.NewServer(w.pages())
	defer other.Close()
	b := w.open(t).visit(other.URL + "/?mode=window&token=" + w.link(`{"tenant_id": "stranger"}`) + "&integration=books").waits("#go[data-ready]").click("#go")
	b.window("page", base).kind("form").fill("#f0", "key-1").click("button[type=submit]")
	if out := b.outcome(); !strings.HasPrefix(out, "rejected") || !strings.Contains(out, "closed") || strings.Contains(out, "integrated_account_id") {
		t.Errorf("the SDK says %s", out)
	}
	w.until("the account to be there", func() bool { return len(w.accounts("stranger")) == 1 })
	policy, err := http.Get(base + "/connect-account?link_token=" + w.link(`{"tenant_id": "stranger"}`)) //nolint:noctx // of a test
	if err != nil {
		t.Fatal(err)
	}
	_ = policy.Body.Close()
	if text := policy.Header.Get("Content-Security-Policy"); !strings.Contains(text, "frame-ancestors "+w.product.URL+";") {
		t.Errorf("the policy is %s", text)
	}
}

// sdkFrame lets the SDK show the page in a frame of a page of another site, where it gets no cookies.
func sdkFrame(t *testing.T, w *world) {
	b := w.open(t).product("frame", w.link(`{"tenant_id": "frame"}`), "&integration=books")
	frame := b.window("iframe", base).kind("form")
	frame.axe("frame")
	frame.fill("#f0", "key-1").click("button[type=submit]")
	if out := b.outcome(); !strings.Contains(out, `"result":"success"`) {
		t.Errorf("by key the SDK says %s", out)
	}
	b.product("frame", w.link(`{"tenant_id": "frame"}`), "&integration=crm")
	b.picture("frame")
	frame = b.window("iframe", base).kind("form")
	frame.fill("#f0", "acme").click("button[type=submit]")
	b.window("page", w.product.URL+"/consent").click("#allow")
	if out := b.outcome(); !strings.Contains(out, `"result":"success"`) {
		t.Errorf("by OAuth the SDK says %s", out)
	}
	b.product("frame", w.link(`{"tenant_id": "frame"}`), "&integration=crm")
	b.window("iframe", base).kind("form").fill("#f0", "acme").click("button[type=submit]")
	b.window("page", w.product.URL+"/consent").click("#deny")
	if out := b.outcome(); !strings.HasPrefix(out, "rejected") || !strings.Contains(out, "connection_error") {
		t.Errorf("after a denial the SDK says %s", out)
	}
	b.product("frame", w.link(`{"tenant_id": "frame"}`), "")
	b.window("iframe", base).kind("picker").away("[data-close]")
	if out := b.outcome(); !strings.Contains(out, "closed") {
		t.Errorf("closed, the SDK says %s", out)
	}
	for _, line := range append(frame.said, b.said...) {
		t.Error(line)
	}
}

// noScripts connects with a key in a browser that runs none.
func noScripts(t *testing.T, w *world) {
	b := w.open(t).withoutScripts().start(w.link(`{"tenant_id": "plain"}`), "")
	b.waits(`.choices a[href*="books"]`).click(`.choices a[href*="books"]`).waits("#f0")
	b.fill("#f0", "key-1").click("button[type=submit]").kind("connected")
	if all := w.accounts("plain"); len(all) != 1 {
		t.Errorf("got the accounts %v", all)
	}
}
