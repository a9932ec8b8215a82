package browser

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// house is a server whose users sign in at an identity provider that others wrote, oidc-provider from npm.
type house struct {
	*world
	issuer string
	log    output
}

const (
	houseAddr    = "127.0.0.1:5174"
	houseBase    = "http://localhost:5174"
	clientSecret = "a secret that is in no log"
)

func newHouse(t *testing.T) *house {
	t.Helper()
	binary, npm := needed(t)
	if _, err := os.Stat(filepath.Join(npm, "node_modules/oidc-provider")); err != nil {
		t.Skip("SKIPPED: oidc-provider is not among the packages from npm")
	}
	h := &house{world: &world{t: t, npm: npm, base: houseBase}}
	h.provide()
	data := t.TempDir()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "serve", "--dev", "--data-dir", data, "--addr", houseAddr, "--public-url", houseBase,
		"--oidc-issuer", h.issuer, "--oidc-client-id", "millrace", "--oidc-name", "Acme", "--oidc-domain", "corp.example")
	cmd.Env = append(os.Environ(), "MILLRACE_OIDC_CLIENT_SECRET="+clientSecret)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &h.log, &h.log, data
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for _, secret := range []string{clientSecret, "eyJ[A-Za-z0-9_-]{20}", "[?&]code="} {
			if found := h.log.find("(" + secret + ")"); found != "" {
				t.Errorf("the log has %s", found)
			}
		}
		if t.Failed() {
			t.Logf("the log:\n%s", h.log.find("(?s)(.*)"))
		}
	})
	h.until("the server to be ready", func() bool {
		resp, err := http.Get(houseBase + "/readyz") //nolint:noctx // the loop bounds it
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	link, err := exec.CommandContext(t.Context(), binary, "sign-in-link", "--data-dir", data, "--server", houseBase).Output()
	if err != nil {
		t.Fatal(err)
	}
	b := h.open(t).visit(strings.TrimSpace(string(link))).click("main button").waits(".side")
	b.visit(houseBase+"/dashboard/people").fill("#email", "ann@example.com").click("form p button.main").waits("code.copy")
	return h
}

// provide starts the identity provider.
func (h *house) provide() {
	h.t.Helper()
	script, err := os.ReadFile("testdata/identity-provider.mjs")
	if err != nil {
		h.t.Fatal(err)
	}
	at := filepath.Join(h.npm, "millrace-identity-provider.mjs") // beside what it imports
	if err := os.WriteFile(at, script, 0o600); err != nil {
		h.t.Fatal(err)
	}
	var out output
	cmd := exec.CommandContext(context.WithoutCancel(h.t.Context()), "node", at)
	cmd.Env = append(os.Environ(), "CLIENT_SECRET="+clientSecret, "REDIRECT_URI="+houseBase+"/dashboard/sign-in/oidc/callback")
	cmd.Stdout = &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	h.until("the identity provider to listen", func() bool {
		h.issuer = out.find(`(http://127\.0\.0\.1:\d+)\n`)
		return h.issuer != ""
	})
}

// forget drops what the pages of the provider have said in the console.
func (b *tab) forget() *tab {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = nil
	return b
}

// prove says at the provider who the person is.
func (b *tab) prove(name string) *tab {
	b.t.Helper()
	b.waits("input[name=login]").fill("input[name=login]", name).fill("input[name=password]", "any"+kb.Enter)
	b.do(chromedp.WaitReady("input[name=prompt][value=consent]", chromedp.ByQuery))
	return b.click("button[type=submit]")
}

func TestSigningInAtAProvider(t *testing.T) {
	h := newHouse(t)
	b := h.open(t).visit(houseBase + "/dashboard/people").waits("a.button").says("Sign in with Acme").state("dash-sign-in-oidc")

	// By the keyboard: the button is what comes after the link to the content.
	b.visit(houseBase + "/dashboard/people").waits("a.button").keys(kb.Tab).keys(kb.Tab)
	var on string
	b.eval("document.activeElement.textContent", &on)
	if on != "Sign in with Acme" {
		t.Fatalf("the second stop of the keyboard is %q", on)
	}
	b.keys(kb.Enter).prove("ann").waits("main h1")
	var at string
	b.do(chromedp.Location(&at))
	if at != houseBase+"/dashboard/people" {
		t.Errorf("after signing in the browser is at %s", at)
	}
	b.says("ann@example.com").forget()
	b.click(".self form button").waits("a.button").says("Sign in with Acme")

	// Back to the redirect, whose sign-in is over.
	b.visit(houseBase + "/dashboard/sign-in/oidc/callback?code=x&state=y").says("Please begin again").state("dash-sign-in-lost")

	stranger := h.open(t).visit(houseBase + "/dashboard/sign-in").click("a.button").prove("zoe")
	stranger.waits(".problem").says("Ask an owner to invite zoe@example.com, who is no user here yet.").forget().state("dash-sign-in-unknown")

	unverified := h.open(t).visit(houseBase + "/dashboard/sign-in").click("a.button").prove("unverified")
	unverified.waits(".problem").says("does not vouch for the address unverified@example.com")

	cancelled := h.open(t).visit(houseBase + "/dashboard/sign-in").click("a.button").waits("input[name=login]")
	cancelled.click(`a[href$="/abort"]`).waits(".problem").says("Acme did not let you in, or you did not allow it.").forget().state("dash-sign-in-denied")
}
