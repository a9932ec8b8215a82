package millracetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

const shortFields = `[
 {"name": "workspace", "type": "single_select", "required": true, "data_source": {"resource": "workspaces"}},
 {"name": "projects", "type": "multi_select", "depends_on": ["workspace"], "data_source": {"resource": "projects", "query": {"workspace": "{{workspace}}"}}, "options": {"value": "id", "label": "title"}},
 {"name": "note", "type": "text"},
 {"name": "plan", "type": "text", "disabled": true, "default": "gold"}]`

// untouched fails if anything of a form was stored.
func (w *formWorld) untouched(id, after string) {
	w.t.Helper()
	if got := w.context(id); got["workspace"] != nil || got["note"] != nil || len(w.submitted()) != 0 {
		w.t.Errorf("after %s the context is %v, with %d events", after, got, len(w.submitted()))
	}
}

func TestAFormTakesOnlyWhatWasOffered(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, shortFields)
		id, token := w.account(`{"api_key": "k"}`)
		_, other := w.account(`{"api_key": "k"}`)
		b := w.browser().form(token, "")
		second, first := b.option("workspace", "Second"), b.option("workspace", attack)
		project := b.post("/connect-account/post-connect", "look", url.Values{"workspace": {second}}).option("projects", "Project 3 of 2")
		foreign := w.browser().form(other, "").option("workspace", "Second")
		again := w.browser().form(w.token(id), "").option("workspace", "Second")
		for name, answers := range map[string]url.Values{
			"a value":                      {"workspace": {"2"}},
			"nothing":                      {"note": {"x"}},
			"an option of another account": {"workspace": {foreign}},
			"an option of another token":   {"workspace": {again}},
			"an option of another field":   {"workspace": {project}},
			"a changed option":             {"workspace": {second[:len(second)-2] + "AA"}},
			"two options":                  {"workspace": {first, second}},
			"a project of another place":   {"workspace": {first}, "projects": {project}},
			"a long text":                  {"workspace": {second}, "note": {strings.Repeat("x", 70_000)}},
			"a field that is fixed":        {"workspace": {second}, "plan": {"platinum"}},
			"too many options":             {"workspace": {second}, "projects": strings.Split(strings.Repeat(project+" ", 1001), " ")},
		} {
			if b.form(token, "").save(answers); b.code != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d %s", name, b.code, b.last)
			}
			b.unharmed()
			w.untouched(id, name)
		}
		page := b.form(token, "").last
		for name, answers := range map[string]url.Values{
			"no ticket": {"ticket": {""}}, "a changed ticket": {"ticket": {strings.Repeat("A", 80)}}, "no token": {"integrated_account_session_token": {""}},
			"a token with the ticket of another account": {"integrated_account_session_token": {other}}, "an API token": {"integrated_account_session_token": {w.Token}},
		} {
			b.last = page
			answers["workspace"] = []string{second}
			if b.save(answers).shows(`data-kind="failed"`); b.code != http.StatusBadRequest {
				t.Errorf("%s: %d", name, b.code)
			}
			w.untouched(id, name)
		}
		// A field that was not asked for is not stored, whatever it is called.
		b.form(token, "").save(url.Values{"workspace": {second}, "api_key": {"stolen"}, "oauth": {"x"}, "__proto__": {"x"}}).shows(`data-kind="saved"`)
		if got := w.context(id); got["oauth"] != nil || got["__proto__"] != nil {
			t.Errorf("the context is %v", got)
		}
	})
}

func TestWhoMaySeeAForm(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, shortFields)
		id, token := w.account(`{"api_key": "k"}`)
		for name, wrong := range map[string]string{"none": "", "a foreign one": "00000000-0000-4000-8000-000000000000", "a long one": strings.Repeat("x", 40_000), "an API token": w.Token, "part of one": token[:len(token)-1]} {
			if b := w.browser().form(wrong, "").unharmed().shows("not valid or has expired"); b.code != http.StatusBadRequest || strings.Contains(b.last, "Forms of tests") {
				t.Errorf("%s: %d %s", name, b.code, b.last)
			}
		}
		for _, name := range []string{"integration", "iframe", "truto_additional_context", "truto_prevent_deselect", "truto_disabled_fields"} {
			w.browser().form(token, "&"+url.Values{name: {attack + "\r\nX-Attack: alert(1)"}}.Encode()).unharmed()
		}
		w.browser().form(token, "&truto_disabled_fields="+url.QueryEscape(`{"workspace": {"message": "`+strings.ReplaceAll(attack, `"`, `\"`)+`"}}`)).unharmed().shows("&lt;script&gt;")

		w.send("PATCH", "/integrated-account/"+id, `{"status": "needs_reauth"}`, nil)
		b := w.browser().form(token, "").shows("not active")
		if strings.Contains(b.last, "data-result") { // there is no origin to tell
			t.Errorf("a page got %s", b.last)
		}
		w.send("PATCH", "/integrated-account/"+id, `{"status": "active"}`, nil)
		b.form(token, "").shows(`data-kind="fields"`)
		page := b.last
		w.send("PATCH", "/integrated-account/"+id, `{"status": "needs_reauth"}`, nil)
		second := b.option("workspace", "Second")
		b.save(url.Values{"workspace": {second}}).shows("not active")
		w.untouched(id, "the account is not active")
		w.send("DELETE", "/integrated-account/"+id, "", nil)
		b.last = page
		b.save(url.Values{"workspace": {second}}).shows("not valid or has expired")

		var account, install struct{ ID string }
		rows, err := w.List(t.Context(), "/environment-integration?integration.name=crm")
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		install.ID, _ = rows[0]["id"].(string)
		w.send("POST", "/integrated-account", `{"tenant_id": "acme", "environment_integration_id": "`+install.ID+`", "authentication_method": "api_key", "context": {"api_key": "k"}}`, &account)
		w.browser().form(w.token(account.ID), "").shows("No form is set up")
	})
}

func TestTheOptionsOfAForm(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, shortFields)
		id, token := w.account(`{"api_key": "k", "site": "one", "workspace": 2, "projects": [3, 4]}`)
		q := url.Values{
			"truto_additional_context": {`{"region": "eu", "workspace": "w9", "api_key": "stolen", "oauth": {"token": {"access_token": "stolen"}}}`},
			"truto_prevent_deselect":   {`{"projects": {"message": "In use."}}`}, "truto_disabled_fields": {`{"note": {"message": "By the product."}}`},
		}
		b := w.browser().form(token, "&"+q.Encode()).shows("In use.", "By the product.")
		second := b.option("workspace", "Second")
		b.save(url.Values{"workspace": {second}, "note": {"x"}}).shows("cannot be changed here")
		b.save(url.Values{"workspace": {second}, "projects": {b.option("projects", "Project 9 of 2")}}).shows(`data-kind="saved"`)
		if got := w.context(id); fmt.Sprint(got["projects"]) != "[3 4 9]" || got["region"] != "eu" || fmt.Sprint(got["workspace"]) != "2" || got["oauth"] != nil || got["note"] != nil {
			t.Errorf("the context is %v", got)
		}
		if len(w.submitted()) != 1 {
			t.Errorf("%d events, want 1", len(w.submitted()))
		}
		// What credentials are sent to is not changed that way, and then nothing else is.
		b.form(token, "&truto_additional_context="+url.QueryEscape(`{"site": "two", "region": "us"}`)).save(url.Values{"workspace": {b.option("workspace", "Second")}, "note": {"x"}})
		if got := w.context(id); b.code != http.StatusBadRequest || got["site"] != "one" || got["region"] != "eu" || got["note"] != nil || len(w.submitted()) != 1 {
			t.Errorf("%d, the context is %v", b.code, got)
		}
	})
}

func TestAFormCountsOnce(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, shortFields)
		id, token := w.account(`{"api_key": "k"}`)
		b := w.browser().form(token, "")
		page, second := b.last, b.option("workspace", "Second")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				one := w.browser()
				one.last = page
				if one.save(url.Values{"workspace": {second}, "note": {"once"}}); one.code != http.StatusOK {
					t.Errorf("%d %s", one.code, one.last)
				}
			})
		}
		all.Wait()
		if n := len(w.submitted()); n != 1 || w.context(id)["note"] != "once" {
			t.Errorf("%d events for one form, the context is %v", n, w.context(id))
		}
		b.last = page // the customer goes back and thinks again
		b.save(url.Values{"workspace": {second}, "note": {"twice"}}).shows(`data-kind="saved"`)
		if n := len(w.submitted()); n != 2 || w.context(id)["note"] != "twice" {
			t.Errorf("%d events, the context is %v", n, w.context(id))
		}
	})
}

func TestTheListsOfAFormFail(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, shortFields)
		id, token := w.account(`{"api_key": "key-of-a-test"}`)
		text := func(status int, kind, body string) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", kind)
				rw.WriteHeader(status)
				_, _ = io.WriteString(rw, body)
			}
		}
		for name, fault := range map[string]http.HandlerFunc{
			"500":       text(500, "application/json", `{"message": "down `+"<script>alert(1)</script>"+`"}`),
			"HTML":      text(502, "text/html", "<html><script>alert(1)</script>"),
			"forbidden": text(403, "application/json", `{"message": "not for key-of-a-test"}`),
			"cut off":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		} {
			w.fail(fault)
			if b := w.browser().form(token, "").unharmed().shows(`data-kind="failed"`, "could not be fetched"); b.code != http.StatusBadRequest || strings.Contains(b.last, "key-of-a-test") {
				t.Errorf("%s: %d %s", name, b.code, b.last)
			}
		}
		w.fail(nil)
		b := w.browser().form(token, "")
		page, second := b.last, b.option("workspace", "Second")
		w.fail(text(500, "application/json", `{"message": "down"}`))
		b.post("/connect-account/post-connect/options", "", url.Values{"workspace": {second}, "changed": {"workspace"}})
		if b.code != http.StatusOK || !strings.Contains(b.last, `"error":"What this form asks about could not be fetched from the provider. `) || b.head.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("the script got %d %s", b.code, b.last)
		}
		w.untouched(id, "the lists have failed")

		// A list that never ends, and one that is very long, cost the provider a bounded number of requests, and the browser some options.
		long, err := json.Marshal(rows(50_000))
		if err != nil {
			t.Fatal(err)
		}
		w.fail(text(200, "application/json", string(long)))
		for search, most := range map[string]int64{"": 10, "nowhere": 70} {
			before := w.requests.Load()
			b.last = page
			b.post("/connect-account/post-connect/options", "", url.Values{"workspace": {second}, "list": {"projects"}, "search.projects": {search}})
			if n := w.requests.Load() - before; n > most || len(b.last) > 100_000 {
				t.Errorf("a search for %q costs %d requests, and %d bytes", search, n, len(b.last))
			}
		}
		w.fail(text(200, "text/html", "<html>"+strings.Repeat("x", 1000)))
		if b.form(token, ""); strings.Contains(b.last, "<html>x") {
			t.Errorf("a page of HTML is a list: %s", b.last)
		}
	})
}

func rows(n int) []map[string]any {
	out := make([]map[string]any, n)
	for i := range out {
		out[i] = map[string]any{"id": i, "title": fmt.Sprintf("Row %d", i), "name": fmt.Sprintf("Row %d", i)}
	}
	return out
}

func TestAConnectionGoesOnToTheForm(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		w := newFormWorld(t, s, shortFields)
		open := func(more string) *browser {
			link := w.link(`{"tenant_id": "after", "redirect_uri": "https://app.example.com/done"}`)
			return w.browser().get("/connect-account?integration=forms&link_token=" + link + more).submit(url.Values{"api_key": {"k"}}).settled()
		}
		b := open("").shows(`data-kind="fields"`)
		if strings.Contains(b.last, "data-result") {
			t.Error("the product got a message before the form")
		}
		if policy := b.head.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors https://app.example.com") {
			t.Errorf("the policy is %q", policy)
		}
		b.save(url.Values{"workspace": {b.option("workspace", "Second")}}).shows(`data-kind="saved"`, "https://app.example.com/done?integrated_account_id=", "data-result")
		if len(w.submitted()) != 1 {
			t.Errorf("%d events, want 1", len(w.submitted()))
		}
		open("&skip_rapid_form=true").shows(`data-kind="connected"`, "data-result")
		b.get("/connect-account/post-connect?session=" + strings.Repeat("a", 72)).shows("not valid or has expired")
	})
}

// TestAFormTokenEnds: the page of a form outlives its token, and stores nothing then.
func TestAFormTokenEnds(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		var ahead atomic.Int64
		s := Start(t, address, func(o *server.Options) {
			o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		w := newFormWorld(t, s, shortFields)
		id, token := w.account(`{"api_key": "k"}`)
		b := w.browser().form(token, "")
		second := b.option("workspace", "Second")
		ahead.Store(int64(16 * time.Minute))
		b.save(url.Values{"workspace": {second}}).shows("not valid or has expired")
		w.untouched(id, "the token has ended")
		b.form(token, "").shows("not valid or has expired")
	})
}
