package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// tab is a tab of a fresh browser.
type tab struct {
	w    *world
	t    *testing.T
	ctx  context.Context
	mu   sync.Mutex
	said []string // errors in the console and reports about the policy

	asked atomic.Int64 // how often the browser has asked before a text was left
}

// open starts a browser with an empty tab.
func (w *world) open(t *testing.T) *tab {
	t.Helper()
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium()), chromedp.NoSandbox, chromedp.Flag("lang", "en"))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	b := &tab{w: w, t: t, ctx: ctx}
	b.listen()
	b.do(chromedp.EmulateViewport(900, 900))
	return b
}

func chromium() string {
	if path := os.Getenv("MILLRACE_CHROMIUM"); path != "" {
		return path
	}
	return "chromium"
}

// listen collects what the browser complains about.
func (b *tab) listen() {
	chromedp.ListenTarget(b.ctx, func(event any) {
		line := ""
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				line = fmt.Sprintf("console: %s", e.Args[0].Value)
			}
		case *runtime.EventExceptionThrown:
			line = "exception: " + e.ExceptionDetails.Error()
		case *page.EventJavascriptDialogOpening: // the browser asks before a text is left
			b.asked.Add(1)
			go func() { _ = chromedp.Run(b.ctx, page.HandleJavaScriptDialog(true)) }() // not from the listener, which it would wait for
		case *cdplog.EventEntryAdded:
			// That the page of a problem has the status of one is no error of the page.
			// A text that a script has typed is left without a question, which the browser says.
			if e.Entry.Level == cdplog.LevelError && !strings.Contains(e.Entry.Text, "'beforeunload'") && !(e.Entry.Source == cdplog.SourceNetwork && (strings.HasPrefix(e.Entry.URL, base+"/connect") || strings.Contains(e.Entry.URL, "/dashboard/sign-in/") || strings.Contains(e.Entry.Text, "status of 400"))) {
				line = fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		}
		if line != "" {
			b.mu.Lock()
			b.said = append(b.said, line)
			b.mu.Unlock()
		}
	})
}

// do runs actions, each of which has some seconds.
func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	for i, action := range actions {
		// Without the first, the browser would end with the time.
		if chromedp.FromContext(b.ctx).Target == nil {
			if err := chromedp.Run(b.ctx); err != nil {
				b.t.Fatalf("start the browser: %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
		err := chromedp.Run(ctx, action)
		cancel()
		if err != nil {
			var html, at string
			ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second) // of a page that is gone there is nothing to say
			_ = chromedp.Run(ctx, chromedp.Location(&at), chromedp.OuterHTML("html", &html, chromedp.ByQuery))
			cancel()
			b.t.Fatalf("action %d: %v; at %s:\n%s", i, err, at, html)
		}
	}
}

func (b *tab) visit(address string) *tab {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
	return b
}

// start opens the connect page with a link token.
func (b *tab) start(token, more string) *tab {
	b.t.Helper()
	return b.visit(base + "/connect-account?link_token=" + token + more)
}

func (b *tab) click(what string) *tab {
	b.t.Helper()
	b.do(chromedp.Click(what, chromedp.ByQuery, chromedp.NodeVisible))
	return b
}

// press clicks what a live page may replace at any time: it is clicked where it is found.
func (b *tab) press(what string) *tab {
	b.t.Helper()
	b.waits(what).eval("document.querySelector("+strconv.Quote(what)+").click()", nil)
	return b
}

// away clicks what may close the page that it is on, so that nothing is heard of the click. What follows says whether it was made.
func (b *tab) away(what string) {
	b.t.Helper()
	b.waits(what)
	ctx, cancel := context.WithTimeout(b.ctx, 3*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Click(what, chromedp.ByQuery)); err != nil {
		b.t.Logf("a click on %s: %v", what, err)
	}
}

func (b *tab) fill(what, text string) *tab {
	b.t.Helper()
	b.do(chromedp.SendKeys(what, text, chromedp.ByQuery, chromedp.NodeVisible))
	return b
}

// keys types on the keyboard, wherever the focus is.
func (b *tab) keys(text string) *tab {
	b.t.Helper()
	b.do(chromedp.KeyEvent(text))
	return b
}

func (b *tab) waits(what string) *tab {
	b.t.Helper()
	b.do(chromedp.WaitVisible(what, chromedp.ByQuery))
	return b
}

// kind waits for a state of the page.
func (b *tab) kind(kind string) *tab {
	b.t.Helper()
	return b.waits(`body[data-kind="` + kind + `"] main`)
}

func (b *tab) eval(script string, out any) {
	b.t.Helper()
	b.do(chromedp.Evaluate(script, out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

func (b *tab) says(texts ...string) *tab {
	b.t.Helper()
	var all string
	b.eval("document.body.innerText", &all)
	for _, text := range texts {
		if !strings.Contains(all, text) {
			b.t.Errorf("the page does not say %q:\n%s", text, all)
		}
	}
	return b
}

// look is how wide a window is, and which colours the person likes.
type look struct {
	name, scheme string
	width        int64
}

// looks are those that pages are checked in. The dashboard has many pages of one design: two looks have all of it.
func (b *tab) looks() []look {
	all := []look{{"", "light", 900}, {"-narrow-dark", "dark", 320}, {"-dark", "dark", 900}, {"-narrow", "light", 320}}
	if b.w.base != base {
		return all[:2]
	}
	return all
}

// state checks a state of the page in every look, and takes a picture of it.
func (b *tab) state(name string) *tab {
	b.t.Helper()
	for _, look := range b.looks() {
		b.do(chromedp.EmulateViewport(look.width, 800), chromedp.ActionFunc(func(ctx context.Context) error {
			return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}).Do(ctx)
		}))
		var scrolls bool
		b.eval("document.documentElement.scrollWidth > document.documentElement.clientWidth", &scrolls)
		if scrolls {
			b.t.Errorf("%s%s: it scrolls sideways", name, look.name)
		}
		b.axe(name + look.name)
		b.picture(name + look.name)
	}
	if b.w.base != base {
		b.zoomed(name)
	}
	b.do(chromedp.EmulateViewport(900, 900), chromedp.ActionFunc(func(ctx context.Context) error { return emulation.SetEmulatedMedia().Do(ctx) }))
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.said {
		b.t.Errorf("%s: %s", name, line)
	}
	b.said = nil
	return b
}

// zoomed checks a state of the page at 200 %: a window of 1280 pixels has 640 of CSS then; and with text of twice the size in such a window.
func (b *tab) zoomed(name string) {
	b.t.Helper()
	light := chromedp.ActionFunc(func(ctx context.Context) error { return emulation.SetEmulatedMedia().Do(ctx) })
	b.do(chromedp.EmulateViewport(640, 400, chromedp.EmulateScale(2)), light)
	b.fits(name + "-zoom")
	b.do(chromedp.EmulateViewport(1280, 800))
	b.eval("document.documentElement.style.fontSize = '200%'", nil)
	b.fits(name + "-large-text")
	b.eval("document.documentElement.style.fontSize = ''", nil)
}

// misfits finds texts that are cut off, or that lie on others. What can be scrolled, what is meant for screen readers only, and the editor, whose
// colours lie under its text, are left out.
const misfits = `(() => {
  const out = [], boxes = [], out_of_sight = ".unseen, .skip, .search label, .pad, svg, dialog, datalist";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const on = n.parentElement, text = n.data.trim();
    if (!text || on.closest(out_of_sight) || !on.checkVisibility()) continue;
    for (let e = on; e !== document.body; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.overflowX === "hidden" && e.scrollWidth > e.clientWidth + 1 || s.overflowY === "hidden" && e.scrollHeight > e.clientHeight + 1) out.push("cut off: " + text.slice(0, 60));
    }
    if (on.closest(".environments ul")) continue; // it lies on the page
    const seen = on.closest(".scroll, pre")?.getBoundingClientRect();
    const r = document.createRange();
    r.selectNodeContents(n);
    for (let box of r.getClientRects()) {
      if (seen) box = {left: Math.max(box.left, seen.left), right: Math.min(box.right, seen.right), top: Math.max(box.top, seen.top), bottom: Math.min(box.bottom, seen.bottom)};
      if (box.right - box.left > 2 && box.bottom - box.top > 2) boxes.push([box, n, text]);
    }
  }
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [a, n, t] = boxes[i], [b, m, u] = boxes[j];
    if (n === m) continue;
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left), y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (x > 2 && y > Math.min(a.bottom - a.top, b.bottom - b.top) / 2) out.push(t.slice(0, 40) + " lies on " + u.slice(0, 40));
  }
  return out.slice(0, 5);
})()`

// fits checks that the page does not scroll sideways, and that no text is cut off or lies on another.
func (b *tab) fits(name string) {
	b.t.Helper()
	var scrolls bool
	b.eval("document.documentElement.scrollWidth > document.documentElement.clientWidth", &scrolls)
	if scrolls {
		b.t.Errorf("%s: it scrolls sideways", name)
	}
	var found []string
	b.eval(misfits, &found)
	for _, line := range found {
		b.t.Errorf("%s: %s", name, line)
	}
	b.picture(name)
}

// axe looks for what people with a screen reader, or who see badly, cannot use. The driver runs it in a world of its own, which the policy
// of the page does not reach.
func (b *tab) axe(name string) {
	b.t.Helper()
	source, err := os.ReadFile(filepath.Join(b.w.npm, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	var raw []byte
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		frame := chromedp.FromContext(ctx).Target.TargetID
		world, err := page.CreateIsolatedWorld(cdp.FrameID(frame)).WithWorldName("axe").Do(ctx)
		if err != nil {
			return err
		}
		script := string(source) + `;axe.run().then((r) => JSON.stringify(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html + " " + n.failureSummary).join("; "))))`
		result, exception, err := runtime.Evaluate(script).WithContextID(world).WithAwaitPromise(true).WithReturnByValue(true).Do(ctx)
		if err != nil {
			return err
		}
		if exception != nil {
			return exception
		}
		raw = result.Value
		return nil
	}))
	var text string
	var found []string
	if err := json.Unmarshal(raw, &text); err != nil {
		b.t.Fatalf("axe: %s: %v", raw, err)
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.t.Fatalf("axe: %s: %v", text, err)
	}
	for _, line := range found {
		b.t.Errorf("%s: axe: %s", name, line)
	}
}

// picture stores a picture, where the environment names a directory for them.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("MILLRACE_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.do(chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// window returns the next window or frame whose address begins with a text.
func (b *tab) window(kind, prefix string) *tab {
	b.t.Helper()
	var id target.ID
	b.w.until("a "+kind+" at "+prefix, func() bool {
		all, err := chromedp.Targets(b.ctx)
		if err != nil {
			return false
		}
		for _, info := range all {
			if info.Type == kind && strings.HasPrefix(info.URL, prefix) && info.TargetID != chromedp.FromContext(b.ctx).Target.TargetID {
				id = info.TargetID
				return true
			}
		}
		return false
	})
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	b.t.Cleanup(cancel)
	other := &tab{w: b.w, t: b.t, ctx: ctx}
	other.listen()
	return other
}

// withoutScripts switches them off.
func (b *tab) withoutScripts() *tab {
	b.t.Helper()
	b.do(chromedp.ActionFunc(func(ctx context.Context) error { return emulation.SetScriptExecutionDisabled(true).Do(ctx) }))
	return b
}
