package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/millrace/millrace/internal/millracetest/tokens"
)

func TestForm(t *testing.T) {
	w := newWorld(t)
	w.forms()
	for name, walk := range map[string]func(*testing.T, *world){
		"steps": formSteps, "search": formSearch, "invalid": formInvalid, "provider fails": formFails, "fixed": formFixed, "SDK": formSDK,
		"after connecting": formAfter, "after connecting in a frame": formInFrame, "no scripts": formNoScripts,
	} {
		t.Run(name, func(t *testing.T) { walk(t, w) })
	}
}

// forms installs an integration whose form has two steps, and one that is connected by OAuth and has a short form.
func (w *world) forms() {
	w.t.Helper()
	w.integration("boards", "Boards", `"api_key": {"format": "api_key", "config": {"fields": [{"name": "api_key", "label": "API key", "type": "password", "required": true}]}}`, `
"post_connect_user_form": {"steps": [
 {"type": "form", "config": {"label": "What to sync", "help_text": "You can change this later.", "fields": [
  {"name": "workspace", "label": "Workspace", "type": "single_select", "required": true, "help_text": "All projects belong to one.", "data_source": {"resource": "workspaces"}},
  {"name": "projects", "label": "Projects", "type": "multi_select", "required": true, "depends_on": ["workspace"], "disabled_text": "Choose a workspace first.",
   "data_source": {"resource": "projects", "query": {"workspace": "{{workspace}}"}}, "options": {"value": "id", "label": "title", "subText": "owner"}}]}},
 {"type": "form", "config": {"label": "How", "fields": [
  {"name": "depth", "label": "Depth", "type": "number", "default": 3, "validation_expression": "value > 9 ? 'At most 9.' : true"},
  {"name": "kind", "label": "Kind", "type": "single_select", "options": [{"value": "a", "label": "All of them"}, {"value": "b", "label": "Some"}]},
  {"name": "archived", "label": "Archived ones, too", "type": "checkbox"},
  {"name": "pass", "label": "Passphrase", "type": "password"},
  {"name": "plan", "label": "Plan", "type": "text", "default": "gold", "disabled": true}]}}]}`)
	w.integration("cases", "Cases", fmt.Sprintf(`"oauth2": {"format": "oauth2", "config": {"client": {"id": "%s", "secret": "%s"},
 "auth": {"tokenHost": "%s", "tokenPath": "/token", "authorizeHost": "%s", "authorizePath": "/consent"}}}`, tokens.ClientID, tokens.ClientSecret, w.provider.URL, w.product.URL), `
"post_connect_user_form": {"steps": [{"type": "form", "config": {"fields": [{"name": "workspace", "label": "Workspace", "type": "single_select", "required": true, "data_source": {"resource": "workspaces"}}]}}]}`)
}

// lists are those of the provider: 40,000 projects, a hundred at a time.
func (w *world) lists(mux *http.ServeMux) {
	reply := func(rw http.ResponseWriter, rows []map[string]any) {
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(rows) // a test sees what is missing
	}
	mux.HandleFunc("GET /workspaces", func(rw http.ResponseWriter, r *http.Request) {
		if w.noLists.Load() {
			http.Error(rw, `{"message": "We are down for maintenance."}`, http.StatusServiceUnavailable)
			return
		}
		if r.URL.Query().Get("page") > "1" {
			reply(rw, []map[string]any{})
			return
		}
		reply(rw, []map[string]any{{"id": "w1", "name": "Sales & Marketing"}, {"id": "w2", "name": "Bundesministerium für Wirtschaftsangelegenheitenverwaltung"}})
	})
	mux.HandleFunc("GET /projects", func(rw http.ResponseWriter, r *http.Request) {
		if w.noLists.Load() {
			http.Error(rw, `{"message": "We are down for maintenance."}`, http.StatusServiceUnavailable)
			return
		}
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		rows := []map[string]any{}
		for i := (max(page, 1) - 1) * 100; i < min(max(page, 1)*100, 40_000); i++ {
			rows = append(rows, map[string]any{"id": i, "title": fmt.Sprintf("%s: project %d", r.URL.Query().Get("workspace"), i), "owner": fmt.Sprintf("Élodie %d", i%7)})
		}
		reply(rw, rows)
	})
}

// board connects an account and returns its id and a token of it.
func (w *world) board(tenant string) (string, string) {
	w.t.Helper()
	installs, _ := w.send(http.MethodGet, "/environment-integration?integration.name=boards", "")["result"].([]any)
	install, _ := installs[0].(map[string]any)["id"].(string)
	id, _ := w.send(http.MethodPost, "/integrated-account",
		`{"tenant_id": "`+tenant+`", "environment_integration_id": "`+install+`", "authentication_method": "api_key", "context": {"api_key": "k"}}`)["id"].(string)
	token, _ := w.send(http.MethodPost, "/integrated-account/token", `{"integrated_account_id": "`+id+`"}`)["integrated_account_token"].(string)
	return id, token
}

func (w *world) context(id string) map[string]any {
	w.t.Helper()
	out, _ := w.send(http.MethodGet, "/integrated-account/"+id, "")["context"].(map[string]any)
	return out
}

func (b *tab) form(token, more string) *tab {
	b.t.Helper()
	return b.visit(base + "/connect-account/post-connect?integrated_account_session_token=" + token + more)
}

// choose clicks the option of a field by its label.
func (b *tab) choose(field, label string) *tab {
	b.t.Helper()
	find := `[...document.querySelectorAll('[data-field="` + field + `"] .option')].find((o) => o.firstElementChild.nextElementSibling.firstChild.textContent === "` + label + `")`
	b.w.until(label+" to be offered", func() bool {
		var there bool
		b.eval("Boolean("+find+")", &there)
		return there
	})
	b.eval(find+".click()", nil)
	return b
}

// options counts those of a field.
func (b *tab) options(field string) int {
	b.t.Helper()
	var n int
	b.eval(`document.querySelectorAll('[data-field="`+field+`"] .option').length`, &n)
	return n
}

// formSteps goes through both steps, forth and back.
func formSteps(t *testing.T, w *world) {
	id, token := w.board("steps")
	b := w.open(t).form(token, "").kind("fields").says("Set up Boards", "Choose a workspace first.").state("fields-first")
	b.choose("workspace", "Sales & Marketing").waits(`[data-field="projects"]:enabled .option`).state("fields-follow")
	if n := b.options("projects"); n != 50 {
		t.Errorf("%d options, want 50", n)
	}
	b.click("[data-next]").says("This is required.").state("fields-required")
	b.choose("projects", "w1: project 4").click(`[data-field="projects"] [data-more] button`).choose("projects", "w1: project 61")
	b.click("[data-next]").waits(`[data-field="depth"]`).says("How").state("fields-second")
	b.click("[data-back]").waits(`[data-field="workspace"]`).click("[data-next]").waits(`[data-field="depth"]`)
	b.fill(`[data-field="pass"] input`, "typed-secret").click("[data-save]").kind("saved").says("Your answers are stored").state("saved")
	got := w.context(id)
	if fmt.Sprint(got["projects"]) != "[4 61]" || got["workspace"] != "w1" || fmt.Sprint(got["depth"]) != "3" || got["plan"] != "gold" {
		t.Errorf("the context is %v", got)
	}
	// Another workspace takes the projects of the first away.
	b.form(token, "").kind("fields").choose("workspace", "Bundesministerium für Wirtschaftsangelegenheitenverwaltung")
	b.choose("projects", "w2: project 1").click("[data-next]").waits(`[data-field="depth"]`).click("[data-save]").kind("saved")
	if got := w.context(id); fmt.Sprint(got["projects"]) != "[1]" || got["workspace"] != "w2" {
		t.Errorf("the context is %v", got)
	}
}

// formSearch finds one of 40,000 options, with the keyboard only.
func formSearch(t *testing.T, w *world) {
	id, token := w.board("search")
	b := w.open(t).form(token, "").kind("fields").choose("workspace", "Sales & Marketing").waits(`[data-field="projects"]:enabled .option`)
	b.do(chromedp.Focus(`[data-field="projects"] input[type=search]`, chromedp.ByQuery))
	b.keys("projéct 5432").choose("projects", "w1: project 5432").state("fields-search")
	if n := b.options("projects"); n > 3 {
		t.Errorf("%d options are shown", n)
	}
	b.do(chromedp.Focus(`[data-field="projects"] input[type=search]`, chromedp.ByQuery))
	b.keys(strings.Repeat(kb.Backspace, 12) + "zzz")
	b.w.until("the search to say so", func() bool {
		var text string
		b.eval(`document.querySelector('[data-field="projects"] [data-status]').textContent`, &text)
		return text == "Nothing found so far."
	})
	b.says("w1: project 5432", "Search further").state("fields-nothing")
	b.click("[data-next]").waits(`[data-field="depth"]`).click("[data-save]").kind("saved")
	if got := w.context(id); fmt.Sprint(got["projects"]) != "[5432]" {
		t.Errorf("the context is %v", got)
	}
}

func formInvalid(t *testing.T, w *world) {
	_, token := w.board("invalid")
	b := w.open(t).form(token, "").kind("fields").choose("workspace", "Sales & Marketing").choose("projects", "w1: project 4").click("[data-next]")
	b.waits(`[data-field="depth"]`).fill(`[data-field="depth"] input`, "3").click("[data-save]").waits(`[data-field="depth"] [aria-invalid]`).says("At most 9.").state("fields-invalid")
	var focused string
	b.eval("document.activeElement.name", &focused)
	if focused != "field.depth" {
		t.Errorf("the focus is on %q", focused)
	}
	b.keys(strings.Repeat(kb.Backspace, 2) + strings.Repeat(kb.Delete, 2) + "5" + kb.Enter).kind("saved")
}

func formFails(t *testing.T, w *world) {
	_, token := w.board("fails")
	w.noLists.Store(true)
	defer w.noLists.Store(false)
	b := w.open(t).form(token, "").kind("failed").says("could not be fetched", "down for maintenance").state("fields-failed")
	w.noLists.Store(false)
	b.click("main a.button").kind("fields")
	w.noLists.Store(true)
	b.choose("workspace", "Sales & Marketing")
	b.w.until("the list to say why", func() bool {
		var text string
		b.eval(`document.querySelector('[data-field="projects"] [data-error]').textContent`, &text)
		return strings.Contains(text, "down for maintenance")
	})
	b.state("fields-list-failed")
	w.open(t).form("00000000-0000-4000-8000-000000000000", "").kind("failed").says("not valid or has expired").state("fields-token")
}

func formFixed(t *testing.T, w *world) {
	id, token := w.board("fixed")
	w.send(http.MethodPatch, "/integrated-account/"+id, `{"context": {"workspace": "w1", "projects": [2]}}`)
	q := url.Values{"truto_disabled_fields": {`{"workspace": {"message": "Ask your administrator."}}`}, "truto_prevent_deselect": {`{"projects": {"message": "Syncing ones stay."}}`}}
	b := w.open(t).form(token, "&"+q.Encode()).kind("fields").says("Ask your administrator.", "Syncing ones stay.").state("fields-fixed")
	b.choose("projects", "w1: project 2").choose("projects", "w1: project 5").click("[data-next]").waits(`[data-field="depth"]`).click("[data-save]").kind("saved")
	if got := w.context(id); fmt.Sprint(got["projects"]) != "[2 5]" || got["workspace"] != "w1" {
		t.Errorf("the context is %v", got)
	}
}

// formSDK lets the SDK open the form in a frame and in a window.
func formSDK(t *testing.T, w *world) {
	id, token := w.board("sdk")
	b := w.open(t).product("frame", token, "&form=1")
	frame := b.window("iframe", base).kind("fields")
	frame.axe("form in a frame")
	frame.choose("workspace", "Sales & Marketing").choose("projects", "w1: project 4").click("[data-next]")
	frame.waits(`[data-field="depth"]`).away("[data-save]")
	if out := b.outcome(); !strings.HasPrefix(out, "resolved") || !strings.Contains(out, id) || !strings.Contains(out, `"integration":"boards"`) {
		t.Errorf("the SDK says %s", out)
	}
	w.noLists.Store(true)
	b.product("window", token, "&form=1")
	out := b.outcome() // the SDK closes the window
	w.noLists.Store(false)
	if !strings.HasPrefix(out, "rejected") || !strings.Contains(out, "rapid_form_error") || !strings.Contains(out, "down for maintenance") {
		t.Errorf("the SDK says %s", out)
	}
	b.product("window", token, "&form=1")
	b.window("page", base).kind("fields").away("[data-close]")
	if out := b.outcome(); !strings.Contains(out, "closed") {
		t.Errorf("the SDK says %s", out)
	}
}

// formAfter connects with a key, and goes on to the form.
func formAfter(t *testing.T, w *world) {
	b := w.open(t).start(w.link(`{"tenant_id": "after", "redirect_uri": "`+w.product.URL+`/done"}`), "&integration=boards").kind("form")
	b.fill("#f0", "key-1").click("button[type=submit]").kind("fields").choose("workspace", "Sales & Marketing").choose("projects", "w1: project 4")
	b.click("[data-next]").waits(`[data-field="depth"]`).click("[data-save]").waits("#done")
	if all := w.accounts("after"); len(all) != 1 || all[0]["context"].(map[string]any)["workspace"] != "w1" {
		t.Errorf("got the accounts %v", all)
	}
}

// formInFrame signs in from a frame, which shows the form itself when the provider's window has closed.
func formInFrame(t *testing.T, w *world) {
	b := w.open(t).product("frame", w.link(`{"tenant_id": "in-frame"}`), "&integration=cases")
	b.window("iframe", base).kind("form").click("button[type=submit]")
	b.window("page", w.product.URL+"/consent").click("#allow")
	frame := b.window("iframe", base).kind("fields")
	frame.choose("workspace", "Sales & Marketing").away("[data-save]")
	if out := b.outcome(); !strings.HasPrefix(out, "resolved") || !strings.Contains(out, `"integration":"cases"`) {
		t.Errorf("the SDK says %s", out)
	}
	if all := w.accounts("in-frame"); len(all) != 1 || all[0]["context"].(map[string]any)["workspace"] != "w1" {
		t.Errorf("got the accounts %v", all)
	}
}

// formNoScripts fills in both steps, which are on one page, in a browser that runs no script.
func formNoScripts(t *testing.T, w *world) {
	id, token := w.board("plain")
	b := w.open(t).withoutScripts().form(token, "").waits(`[data-field="workspace"]`)
	b.click(`[data-field="workspace"] .option:nth-of-type(1)`).click(".actions button[value=look]").waits(`[data-field="projects"]:enabled .option`)
	b.click(`[data-field="projects"] .option:nth-of-type(3)`).click("[data-save]").kind("saved")
	if got := w.context(id); fmt.Sprint(got["projects"]) != "[2]" {
		t.Errorf("the context is %v", got)
	}
}
