package millracetest

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// formWorld is a server with an integration that asks for a form, and a provider with lists.
type formWorld struct {
	*connectWorld
	lists    *httptest.Server
	requests atomic.Int64
	mu       sync.Mutex
	fault    http.HandlerFunc // in place of a list
	asked    []string         // queries of lists
	install  string
}

const formFields = `[
 {"name": "workspace", "label": "Workspace", "type": "single_select", "required": true, "data_source": {"resource": "workspaces", "method": "list"}},
 {"name": "projects", "label": "Projects", "type": "multi_select", "depends_on": ["workspace"], "disabled_text": "First the workspace.", "data_source": {"type": "proxy", "resource": "projects", "query": {"workspace": "{{workspace}}"}}, "options": {"value": "id", "label": "title", "subText": "owner.name"}},
 {"name": "people", "label": "People", "type": "multi_select", "data_source": {"resource": "people", "query": {"q": "{{search}}"}}},
 {"name": "depth", "label": "Depth", "type": "number", "default": 3, "validation_expression": "value > 9 ? 'At most 9.' : true"},
 {"name": "archived", "label": "Archived too", "type": "boolean", "help_text": "Old ones."},
 {"name": "tag", "label": "Tag", "type": "text", "pattern": "^[a-z ]+$", "transform": "uppercase", "transform_expression": "$trim(value) & '!'"},
 {"name": "pass", "label": "Passphrase", "type": "password"},
 {"name": "kind", "label": "Kind", "type": "single_select", "options": [{"value": 1, "label": "One"}, {"value": 2, "label": "Two"}]},
 {"name": "plan", "label": "Plan", "type": "text", "disabled": true, "default": "gold"},
 {"name": "origin", "type": "hidden", "default": "from {{workspace}}"}]`

func newFormWorld(t *testing.T, s *Server, fields string) *formWorld {
	t.Helper()
	w := &formWorld{connectWorld: newConnectWorld(t, s)}
	w.lists = httptest.NewServer(http.HandlerFunc(w.list))
	t.Cleanup(w.lists.Close)
	config := strings.NewReplacer("$URL", w.lists.URL, "$FIELDS", fields).Replace(`{"name": "forms", "category": "crm", "config": {"label": "Forms of tests", "base_url": "$URL",
"pagination": {"format": "page", "config": {"page_key": "page"}},
"credentials": {"api_key": {"format": "api_key", "config": {"fields": [{"name": "api_key", "label": "Key", "type": "password", "required": true}, {"name": "site", "label": "Site"}]}}},
"resources": {"workspaces": {"list": {"path": "/workspaces"}}, "projects": {"list": {"path": "/projects"}}, "people": {"list": {"path": "/people", "pagination": null}}},
"actions": {"post_connect_user_form": {"steps": [{"type": "form", "config": {"fields": $FIELDS}}]}}}}`)
	var integration, install struct{ ID string }
	w.send("POST", "/integration", config, &integration)
	w.send("POST", "/environment-integration", `{"integration_id": "`+integration.ID+`", "show_in_catalog": true, "is_enabled": true}`, &install)
	w.install = install.ID
	return w
}

// list has two workspaces, 40,000 projects of each, a page of 100 at a time, and people who are found by what is searched for.
func (w *formWorld) list(rw http.ResponseWriter, r *http.Request) {
	w.requests.Add(1)
	w.mu.Lock()
	fault := w.fault
	w.asked = append(w.asked, r.URL.RawQuery)
	w.mu.Unlock()
	if fault != nil {
		fault(rw, r)
		return
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	page = max(page, 1)
	var out []map[string]any
	switch r.URL.Path {
	case "/workspaces":
		if page == 1 {
			out = append(out, map[string]any{"id": "w1", "name": attack}, map[string]any{"id": 2, "name": "Second"})
		}
	case "/projects":
		for i := (page - 1) * 100; i < min(page*100, 40_000); i++ {
			out = append(out, map[string]any{"id": i, "title": fmt.Sprintf("Project %d of %s", i, r.URL.Query().Get("workspace")), "owner": map[string]any{"name": "Élodie"}})
		}
	case "/people":
		if q := r.URL.Query().Get("q"); q != "" {
			out = append(out, map[string]any{"id": "p-" + q, "name": "Found " + q})
		}
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(out) // a test sees what is missing
}

func (w *formWorld) fail(fault http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// account adds an account and returns its id and a token of it.
func (w *formWorld) account(context string) (string, string) {
	w.t.Helper()
	var account struct{ ID string }
	w.send("POST", "/integrated-account", `{"tenant_id": "acme", "environment_integration_id": "`+w.install+`", "authentication_method": "api_key", "context": `+context+`}`, &account)
	return account.ID, w.token(account.ID)
}

func (w *formWorld) token(id string) string {
	w.t.Helper()
	var out struct {
		Token string `json:"integrated_account_token"`
	}
	w.send("POST", "/integrated-account/token", `{"integrated_account_id": "`+id+`"}`, &out)
	return out.Token
}

func (w *formWorld) context(id string) map[string]any {
	w.t.Helper()
	var out struct{ Context map[string]any }
	w.send("GET", "/integrated-account/"+id, "", &out)
	return out.Context
}

// submitted returns the payloads of the events about submitted forms.
func (w *formWorld) submitted() []map[string]any {
	w.t.Helper()
	rows, err := w.List(w.t.Context(), "/event?event=integrated_account:post_connect_form_submitted")
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (b *browser) form(token, more string) *browser {
	b.w.t.Helper()
	return b.get("/connect-account/post-connect?integrated_account_session_token=" + token + more)
}

var optionInput = regexp.MustCompile(`<input type="(?:radio|checkbox)" name="field\.([a-z_]+)" value="([^"]*)" ([^>]*)><span>([^<]*)`)

// option returns what the page sends for an option, by its label.
func (b *browser) option(field, label string) string {
	b.w.t.Helper()
	for _, m := range optionInput.FindAllStringSubmatch(b.last, -1) {
		if m[1] == field && html.UnescapeString(m[4]) == label {
			return html.UnescapeString(m[2])
		}
	}
	b.w.t.Fatalf("%s: there is no %q to choose for %s:\n%s", b.at, label, field, b.last)
	return ""
}

// lookFor searches the list of a field, and goes on where a slow machine has not come to the end of it in the time of one request.
func (b *browser) lookFor(field, text string, typed url.Values) *browser {
	b.w.t.Helper()
	const most = 60
	b.post("/connect-account/post-connect", "look", typed)
	for range most {
		if strings.Contains(html.UnescapeString(b.last), text) {
			return b
		}
		b.post("/connect-account/post-connect", "more:"+field, typed)
	}
	return b.shows(text)
}

// post sends the form of the page: do says what for.
func (b *browser) post(path, do string, typed url.Values) *browser {
	b.w.t.Helper()
	form := url.Values{}
	for _, m := range hiddenInput.FindAllStringSubmatch(b.last, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	form.Set("do", do)
	for name, values := range typed {
		if strings.Contains(name, ".") || name == "ticket" || name == "changed" || name == "list" || strings.HasSuffix(name, "token") {
			form[name] = values
			continue
		}
		form["field."+name] = values
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.Base+path, strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.do(req, err)
}

func (b *browser) save(typed url.Values) *browser {
	b.w.t.Helper()
	return b.post("/connect-account/post-connect", "save", typed)
}

func TestAFormIsFilledInWithoutScripts(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, formFields)
		id, token := w.account(`{"api_key": "key-of-a-test", "site": "one", "kind": 2}`)
		b := w.browser().form(token, "").unharmed().shows(`data-kind="fields"`, "Forms of tests", "First the workspace.", `value="3"`, `value="gold"`, `<option value="2" selected>Two`)
		second := b.option("workspace", "Second")
		b.post("/connect-account/post-connect", "look", url.Values{"workspace": {second}, "pass": {"typed-secret"}}).shows("Project 0 of 2", "Élodie", "Show more")
		if strings.Contains(b.last, "typed-secret") || strings.Contains(b.last, "key-of-a-test") {
			t.Error("the page shows a secret")
		}
		if n := len(optionInput.FindAllString(b.last, -1)); n > 60 {
			t.Errorf("the page has %d options of 40,000", n)
		}
		first := b.option("projects", "Project 7 of 2")
		b.post("/connect-account/post-connect", "more:projects", url.Values{"workspace": {second}, "projects": {first}}).shows("Project 7 of 2", "Project 50 of 2", "Project 99 of 2")
		b.lookFor("projects", "Project 5432 of 2", url.Values{"workspace": {second}, "projects": {first}, "search.projects": {"projéct 5432 "}}).shows("Project 7 of 2", "Project 5432 of 2")
		far := b.option("projects", "Project 5432 of 2")
		asked := w.requests.Load()
		b.lookFor("projects", "Project 5430 of 2", url.Values{"workspace": {second}, "projects": {first, far}, "search.projects": {"project 543"}})
		if n := w.requests.Load() - asked; n > 10 {
			t.Errorf("a letter less costs the provider %d requests", n)
		}
		b.post("/connect-account/post-connect", "look", url.Values{"workspace": {second}, "projects": {first, far}, "search.people": {"ann"}})
		ann := b.option("people", "Found ann")
		answers := url.Values{"workspace": {second}, "projects": {first, far}, "people": {ann}, "depth": {"12"}, "archived": {"true"}, "tag": {"red"}, "pass": {"typed-secret"}, "kind": {"1"}}
		b.save(answers).shows("At most 9.", `aria-invalid="true"`, "Project 5432 of 2", "Found ann")
		if b.code != http.StatusUnprocessableEntity || strings.Contains(b.last, "typed-secret") || len(w.submitted()) != 0 {
			t.Errorf("%d, with %d events, for a form that is not valid", b.code, len(w.submitted()))
		}
		answers.Set("depth", "5")
		b.save(answers).shows(`data-kind="saved"`)
		got := w.context(id)
		want := map[string]any{
			"workspace": 2.0, "projects": []any{7.0, 5432.0}, "people": []any{"p-ann"}, "depth": 5.0, "archived": true, "tag": "RED!", "kind": 1.0, "plan": "gold", "origin": "from 2", "site": "one",
		}
		for name, value := range want {
			if fmt.Sprint(got[name]) != fmt.Sprint(value) {
				t.Errorf("%s is %v, want %v", name, got[name], value)
			}
		}
		if fmt.Sprint(got["pass"]) == "typed-secret" {
			t.Error("the context shows the passphrase")
		}
		events := w.submitted()
		if len(events) != 1 {
			t.Fatalf("%d events, want 1", len(events))
		}
		payload, _ := json.Marshal(events[0])
		if strings.Contains(string(payload), "typed-secret") || strings.Contains(string(payload), "key-of-a-test") || !strings.Contains(string(payload), `"workspace":2`) {
			t.Errorf("the event is %s", payload)
		}

		// Shown again it has what is stored; empty answers take it away, but for the passphrase.
		b.form(token, "").shows(`value="5"`, "RED!", "Leave it empty to keep")
		b.option("projects", "5432") // beyond the first page
		b.save(url.Values{"workspace": {b.option("workspace", "Second")}}).shows(`data-kind="saved"`)
		got = w.context(id)
		if got["tag"] != nil || fmt.Sprint(got["projects"]) != "[]" || got["archived"] != false || got["plan"] != "gold" || len(w.submitted()) != 2 {
			t.Errorf("the context is %v, with %d events", got, len(w.submitted()))
		}
		b.form(token, "").shows("Leave it empty to keep")
	})
}

// TestAFormHasSteps: what a step asks for counts only where its run_if holds.
func TestAFormHasSteps(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, `[{"name": "mode", "label": "Mode", "type": "single_select", "required": true, "options": ["simple", "expert"]}]}},
 {"type": "form", "run_if": "mode = 'expert'", "config": {"label": "For experts", "fields": [{"name": "depth", "label": "Depth", "type": "number", "required": true}]}},
 {"type": "form", "run_if": "$exists(depth) and depth > 5", "config": {"fields": [{"name": "sure", "label": "Sure", "type": "checkbox", "required": true}]`)
		id, token := w.account(`{"api_key": "k"}`)
		b := w.browser().form(token, "").shows("For experts", `data-step disabled hidden`)
		b.save(url.Values{"mode": {"simple"}, "depth": {"7"}, "sure": {"true"}}).shows(`data-kind="saved"`)
		if got := w.context(id); got["mode"] != "simple" || got["depth"] != nil || got["sure"] != nil {
			t.Errorf("the context is %v", got)
		}
		b.form(token, "").save(url.Values{"mode": {"expert"}}).shows("This is required.")
		b.save(url.Values{"mode": {"expert"}, "depth": {"7"}}).shows("This is required.")
		b.post("/connect-account/post-connect/options", "", url.Values{"mode": {"expert"}, "depth": {"7"}, "changed": {"depth"}})
		if !strings.Contains(b.last, `"hidden":[false,false,false]`) {
			t.Errorf("the script got %s", b.last)
		}
		b.form(token, "").save(url.Values{"mode": {"expert"}, "depth": {"7"}, "sure": {"true"}}).shows(`data-kind="saved"`)
		if got := w.context(id); got["mode"] != "expert" || got["depth"] != 7.0 || got["sure"] != true {
			t.Errorf("the context is %v", got)
		}
	})
}

// TestAFrameBeginsAgain: a page in a frame whose attempt has failed begins again by its session, and learns of the next one.
func TestAFrameBeginsAgain(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newConnectWorld(t, s)
		b := w.browser().get("/connect-account?integration=crm&link_token=" + w.link(`{"tenant_id": "acme"}`))
		b.submit(url.Values{"subdomain": {"acme"}})
		b.get(html.UnescapeString(goTo.FindStringSubmatch(b.last)[1]) + "&deny=1").shows(`data-kind="failed"`)
		failed := b.at.Query().Get("session")
		b.get("/connect-account?integration=crm&session=" + failed)
		b.last = strings.Replace(b.last, "<form", `<input type="hidden" name="page" value="page-2"><form`, 1)
		b.submit(url.Values{"subdomain": {"acme"}}).goOn().settled().shows(`data-kind="connected"`)
		b.last = ""
		b.post("/connect-account/status", "", nil)
		if !strings.Contains(b.last, `"state":"open"`) {
			t.Errorf("a stranger got %s", b.last)
		}
		b.last = `<input type="hidden" name="session" value="` + failed + `"><input type="hidden" name="page" value="page-2">`
		b.post("/connect-account/status", "", nil)
		if !strings.Contains(b.last, `"state":"connected"`) || !strings.Contains(b.last, `"result":"success"`) {
			t.Errorf("the frame got %s", b.last)
		}
	})
}
