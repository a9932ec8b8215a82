package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest/tokens"
)

// base is where the server is. The SDK takes messages of a frame from there, and from Truto's own host, only.
const base = "http://localhost:5173"

// world is a server, a provider, and a product whose page has the SDK.
type world struct {
	t        *testing.T
	token    string // of the API
	admin    string // of the settings of environments
	provider *tokens.Server
	product  *httptest.Server
	badKey   atomic.Bool // the provider rejects keys
	noLists  atomic.Bool // the provider has no lists
	npm      string
	base     string // address of the server
	boardAt  string // address of the dashboard's pages of an environment
	browser  context.Context
}

// needed returns the program and the directory of the packages from npm, or skips the test.
func needed(t *testing.T) (string, string) {
	t.Helper()
	binary, npm := os.Getenv("MILLRACE_BINARY"), os.Getenv("MILLRACE_BROWSER_PACKAGES")
	if binary == "" || npm == "" {
		t.Skip("SKIPPED: make browser builds the program and fetches what this test needs")
	}
	return binary, npm
}

// newWorld starts everything, or skips the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	binary, npm := needed(t)
	w := &world{t: t, provider: tokens.Start(), npm: npm, base: base}
	t.Cleanup(w.provider.Close)
	w.provider.Redirect = map[string][]string{"realmId": {"company-1"}}
	w.product = httptest.NewServer(w.pages())
	t.Cleanup(w.product.Close)
	w.serve(binary)
	w.install()
	return w
}

// serve starts the program.
func (w *world) serve(binary string) {
	w.t.Helper()
	var log bytes.Buffer
	data := w.t.TempDir()
	// Without the test's context, which ends before the cleanup that stops it.
	cmd := exec.CommandContext(context.WithoutCancel(w.t.Context()), binary, "serve", "--dev", "--data-dir", data, "--addr", "127.0.0.1:5173", "--public-url", base)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, data
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.t.Failed() {
			text := log.String()
			w.t.Logf("the end of the server's log:\n%s", text[max(0, len(text)-2000):])
		}
	})
	w.until("the server to be ready", func() bool {
		resp, err := http.Get(base + "/readyz") //nolint:noctx // the loop bounds it
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	create := func(more ...string) string {
		out, err := exec.CommandContext(w.t.Context(), binary, append([]string{"token", "create", "--data-dir", data}, more...)...).Output()
		if err != nil {
			w.t.Fatalf("token create: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
	w.token, w.admin = create(), create("--scope", "admin")
}

// until asks until it holds, or fails the test.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			w.t.Fatalf("waited in vain for %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// send calls the API.
func (w *world) send(method, path, body string) map[string]any {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	token := w.token
	if strings.HasPrefix(path, "/environment/") {
		token = w.admin
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		w.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, raw, err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		w.t.Fatalf("%s %s: %s: %v", method, path, raw, err)
	}
	return out
}

// link returns the query of a new link token.
func (w *world) link(body string) string {
	w.t.Helper()
	token, _ := w.send(http.MethodPost, "/link-token", body)["link_token"].(string)
	return token
}

func (w *world) accounts(tenant string) []map[string]any {
	w.t.Helper()
	rows, _ := w.send(http.MethodGet, "/integrated-account?tenant_id="+tenant, "")["result"].([]any)
	var out []map[string]any
	for _, row := range rows {
		out = append(out, row.(map[string]any))
	}
	return out
}

const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' fill='%230f766e'/><path d='M9 17l5 5 9-11' stroke='white' stroke-width='3' fill='none'/></svg>`

// install adds the integrations: one by OAuth or key, one by key that is validated, one whose setup fails, and some to search among.
func (w *world) install() {
	w.t.Helper()
	check := `{"steps": [{"type": "request", "config": {"method": "get", "path": "/check"}}]}`
	key := `"api_key": {"format": "api_key", "config": {"documentation_link": "https://docs.example.com/keys", "help_text": "You find the key in the settings of your account.",
 "fields": [{"name": "api_key", "label": "API key", "type": "password", "required": true, "help_text": "It begins with key-."},
  {"name": "region", "label": "Region", "type": "single_select", "options": [{"label": "Europe", "value": "eu"}, {"label": "America", "value": "us"}]}]}}`
	oauth := `"oauth2": {"format": "oauth2", "config": {"client": {"id": "` + tokens.ClientID + `", "secret": "` + tokens.ClientSecret + `"},
 "auth": {"tokenHost": "` + w.provider.URL + `", "tokenPath": "/token", "authorizeHost": "` + w.product.URL + `", "authorizePath": "/consent"}, "scope": ["read"],
 "keep": {"redirect": ["realmId"]}, "identity": "redirect.realmId",
 "fields": [{"name": "subdomain", "label": "Subdomain", "required": true, "pattern": "^[a-z]+$", "placeholder": "acme", "help_text": "What stands before .crm.example."}]}}`
	w.integration("crm", "Northwind CRM", oauth+","+key, "")
	w.integration("books", "Ledger Books", key, `"validation": `+check)
	w.integration("hr", "People & Payroll", key, `"post_install": `+check)
	for i, label := range []string{"Élan Projects", "Helpdesk", "Invoices of the Federation of Very Long Names That Do Not End GmbH & Co. KG", "Storage", "Tickets"} {
		w.integration(fmt.Sprintf("more-%d", i), label, key, "")
	}
	environment, _ := w.send(http.MethodGet, "/environment", "")["result"].([]any)
	id := environment[0].(map[string]any)["id"].(string)
	w.send(http.MethodPatch, "/environment/"+id, `{"connect": {"name": "Acme Workflows", "logo_url": "", "callback_url": "", "color": "#0b57d0", "origins": ["`+w.product.URL+`"]}}`)
}

func (w *world) integration(name, label, credentials, actions string) {
	w.t.Helper()
	resources := map[string]any{}
	for resource, path := range map[string]string{"things": "/check", "workspaces": "/workspaces", "projects": "/projects"} {
		resources[resource] = map[string]any{"list": map[string]any{"method": "get", "path": path}}
	}
	config := map[string]any{"label": label, "base_url": w.product.URL, "resources": resources, "pagination": map[string]any{"format": "page", "config": map[string]any{"page_key": "page"}}}
	if name == "crm" {
		config["icon"] = icon
	}
	for member, text := range map[string]string{"credentials": credentials, "actions": actions} {
		if text == "" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte("{"+text+"}"), &v); err != nil {
			w.t.Fatal(err)
		}
		config[member] = v
	}
	raw, err := json.Marshal(map[string]any{"name": name, "category": "crm", "config": config})
	if err != nil {
		w.t.Fatal(err)
	}
	id, _ := w.send(http.MethodPost, "/integration", string(raw))["id"].(string)
	w.send(http.MethodPost, "/environment-integration", `{"integration_id": "`+id+`", "show_in_catalog": true, "is_enabled": true}`)
}

// pages are those of the product and of the provider's consent.
func (w *world) pages() http.Handler {
	mux := http.NewServeMux()
	html := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<!doctype html><html lang=en><link rel=icon href='data:,'><title>test</title>"+body)
		}
	}
	mux.HandleFunc("GET /{$}", html(`<h1>The product</h1><button id=go>Connect</button><p id=out></p><script type=module>
import authenticate, { rapidForm } from "/sdk.js";
document.getElementById("go").addEventListener("click", () => {
  const q = new URLSearchParams(location.search), out = document.getElementById("out");
  const options = { baseUrl: "`+base+`", iframe: q.get("mode") !== "window", integration: q.get("integration") || undefined, authFormat: q.get("format") || undefined };
  const begin = q.get("form") ? rapidForm : authenticate;
  begin(q.get("token"), options).then((v) => { out.textContent = "resolved " + JSON.stringify(v); },
    (e) => { out.textContent = "rejected " + (e instanceof Error ? e.message + " " + JSON.stringify({ ...e }) : JSON.stringify(e)); });
});
document.getElementById("go").dataset.ready = "1";
</script>`))
	mux.HandleFunc("GET /sdk.js", func(rw http.ResponseWriter, r *http.Request) {
		http.ServeFile(rw, r, filepath.Join(w.npm, "node_modules/@truto/truto-link-sdk/dist/main.js"))
	})
	mux.HandleFunc("GET /done", html(`<h1 id=done>Back at the product</h1>`))
	mux.HandleFunc("GET /consent", func(rw http.ResponseWriter, r *http.Request) {
		address := w.provider.URL + "/authorize?" + strings.ReplaceAll(r.URL.RawQuery, `"`, "")
		html(`<h1>The provider</h1><a id=allow href="`+address+`">Allow</a> <a id=deny href="`+address+`&deny=1">Deny</a>`)(rw, r)
	})
	w.lists(mux)
	mux.HandleFunc("GET /check", func(rw http.ResponseWriter, _ *http.Request) {
		if w.badKey.Load() {
			http.Error(rw, `{"message":"The key is not valid."}`, http.StatusForbidden)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `[]`)
	})
	return mux
}
