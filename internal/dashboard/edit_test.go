package dashboard_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

const draft = `label: orders
trigger_name: custom:x
config:
  run_if: note != 'x'
  steps:
    - type: run
      action: run_sync_job
      config: "{}"
`

// send sends a text to the editor.
func (w *hall) send(path, text, do, base string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(http.MethodPost, dashboard.Root+"/environment/"+string(w.env)+"/"+path, w.roles[millrace.RoleMember],
		url.Values{"text": {text}, "do": {do}, "base": {base}}, "Sec-Fetch-Site", "same-origin")
}

// TestEditorSavesThroughTheAPI makes a workflow, changes it, and restores its first version; between, it is told what is wrong.
func TestEditorSavesThroughTheAPI(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		made := w.send("workflows/new", strings.ReplaceAll(draft, "\n", "\r\n"), "save", "")
		found := regexp.MustCompile(`/(workflows/([0-9a-f-]{36}))\?done=saved`).FindStringSubmatch(made.Header().Get("Location"))
		if found == nil {
			t.Fatalf("the save leads to %q: %d %s", made.Header().Get("Location"), made.Code, made.Body)
		}
		at := found[1]
		page := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/"+at+"/edit", w.roles[millrace.RoleMember], nil).Body.String()
		if !strings.Contains(page, `name="base" value="1"`) || !strings.Contains(page, "run_if: note != &#39;x&#39;") || !strings.Contains(page, "It can be saved") {
			t.Errorf("the editor shows:\n%s", page)
		}
		wrong := w.send(at+"/edit", strings.Replace(draft, "note != 'x'", "note != (", 1), "save", "1")
		if body := wrong.Body.String(); wrong.Code != http.StatusBadRequest || !strings.Contains(body, `data-line="4" data-from="18"`) || !strings.Contains(body, "note != (\n") {
			t.Errorf("a wrong text: %d\n%s", wrong.Code, body)
		}
		if rec := w.send(at+"/edit", strings.Replace(draft, "orders", "second", 1), "save", "1"); rec.Code != http.StatusSeeOther {
			t.Fatalf("the second save: %d %s", rec.Code, rec.Body)
		}
		late := w.send(at+"/edit", strings.Replace(draft, "orders", "third", 1), "save", "1")
		body := late.Body.String()
		if late.Code != http.StatusConflict || !strings.Contains(body, "Somebody else has saved it") || !strings.Contains(body, `name="base" value="2"`) ||
			!strings.Contains(body, "label: second") || !strings.Contains(body, "label: third") {
			t.Errorf("a late save: %d\n%s", late.Code, body)
		}
		// A pause makes a version with the same text, which is no conflict.
		w.do(http.MethodPost, dashboard.Root+"/environment/"+string(w.env)+"/"+at+"/pause", w.roles[millrace.RoleMember], url.Values{}, "Sec-Fetch-Site", "same-origin")
		if rec := w.send(at+"/edit", strings.Replace(draft, "orders", "third", 1), "save", "2"); rec.Code != http.StatusSeeOther {
			t.Errorf("a save after a pause: %d %s", rec.Code, rec.Body)
		}
		versions := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/"+at+"/versions?left=1&right=4", w.roles[millrace.RoleViewer], nil).Body.String()
		if !strings.Contains(versions, `<span class="sign">− </span>label: orders`) || !strings.Contains(versions, `<span class="sign">+ </span>label: third`) || strings.Contains(versions, "restore") || strings.Count(versions, "<td>member@example.com</td>") != 4 {
			t.Errorf("the versions are:\n%s", versions)
		}
		old := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/"+at+"/edit?version=1", w.roles[millrace.RoleMember], nil).Body.String()
		if !strings.Contains(old, "label: orders") || !strings.Contains(old, `name="base" value="4"`) || !strings.Contains(old, "the text of version 1") {
			t.Errorf("version 1 is restored as:\n%s", old)
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			v, err := tx.Workflows().Get(t.Context(), w.env, millrace.WorkflowID(found[2]))
			if err == nil && (v.Label != "third" || v.Version != 4 || !v.IsPaused) {
				t.Errorf("the workflow is %+v", v)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestEditorTriesTheCondition tries the condition of a text that is not saved.
func TestEditorTriesTheCondition(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		for text, says := range map[string]string{
			draft: "Of the last 1 events custom:x it holds for 1.", strings.Replace(draft, "note != 'x'", "note = 'x'", 1): "it holds for 0.",
			strings.Replace(draft, "custom:x", "custom:y", 1): "There is no event custom:y", "label: x\n": "nothing to try the condition on",
		} {
			if body := w.send("workflows/new", text, "try", "").Body.String(); !strings.Contains(body, says) {
				t.Errorf("%q is not said of:\n%s", says, body)
			}
		}
		boss, err := w.p.Find(t.Context(), w.roles[millrace.RoleOwner])
		if err != nil {
			t.Fatal(err)
		}
		link, err := w.p.Invite(t.Context(), boss, &millrace.User{Email: "blind@example.com", Role: millrace.RoleMember})
		if err != nil {
			t.Fatal(err)
		}
		if w.roles[millrace.RoleMember], err = w.p.SignInByLink(t.Context(), link, "test"); err != nil {
			t.Fatal(err)
		}
		if rec := w.send("workflows/new", draft, "try", ""); rec.Code != http.StatusForbidden {
			t.Errorf("who may not see payloads tries a condition: %d", rec.Code)
		}
	})
}

// TestEditorTakesAnyText sends what is large, deep and strange. It says what is wrong, keeps the text, and is soon done.
func TestEditorTakesAnyText(t *testing.T) {
	t.Parallel()
	w := newHall(t, storetest.Open(t, storetest.SQLite(t)))
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 8) + "*" + string(c-1) + "]\n"
	}
	for name, text := range map[string]string{
		"1 MiB of text":       "label: " + strings.Repeat("x", 1<<20) + "\n",
		"1 MiB of lines":      strings.Repeat("- a: b\n", 150_000),
		"4 MiB of JSON":       `{"label":"` + strings.Repeat("\\u0041", 700_000) + `"}`,
		"deep JSON":           strings.Repeat(`{"config":`, 10_000) + "1" + strings.Repeat("}", 10_000),
		"deep lists":          strings.Repeat("[", 10_000),
		"deep YAML":           strings.Repeat("- ", 10_000) + "x",
		"a bomb of aliases":   bomb,
		"tabs":                "config:\n\trun_if: x\n",
		"markup":              "label: " + markup + "\ntrigger_name: </textarea><script>alert(1)</script>\n",
		"from right to left":  "label: \u202eabc\u2066 \u05d0\u05d1\u05d2\n",
		"bytes that are none": "label: \xff\xfe\x00\n",
		"nothing":             "",
	} {
		began := time.Now()
		rec := w.send("workflows/new", text, "check", "")
		took := time.Since(began)
		body := rec.Body.String()
		if rec.Code != http.StatusOK || !strings.Contains(body, "problem") || strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") {
			t.Errorf("%s: %d %.2000s", name, rec.Code, body)
		}
		if took > time.Minute { // on a busy machine under the race detector, where most take a second
			t.Errorf("%s takes %s", name, took)
		}
	}
	if rec := w.send("workflows/new", strings.Repeat("x", 14<<20), "check", ""); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("14 MiB: %d", rec.Code)
	}
}

// TestRunsStartWithArguments starts a run by the form of its arguments.
func TestRunsStartWithArguments(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		job := &millrace.SyncJob{EnvironmentID: w.env, Label: "with arguments", Resources: []byte(`[]`), ArgsSchema: []byte(`{"since":{"type":"string","format":"date","required":true,"description":"from <b>when</b>"},` +
			`"most":{"type":"integer","default":10},"kind":{"type":"string","enum":["new","all"]},"deep":{"type":"object"},"flag":{"type":"boolean"}}`)}
		err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.SyncJobs().Create(t.Context(), job) })
		if err != nil {
			t.Fatal(err)
		}
		path := dashboard.Root + "/environment/" + string(w.env) + "/sync-jobs/" + string(job.ID) + "/run"
		page := w.do(http.MethodGet, path, w.roles[millrace.RoleMember], nil).Body.String()
		for _, part := range []string{`name="args.since"`, `required</span>`, "from &lt;b&gt;when&lt;/b&gt;", `name="args.most" value="10"`, `<option>&#34;new&#34;</option>`, `<textarea id="field-3" name="args.deep"`, `<option>true</option>`, w.ids["webhooks"]} {
			if !strings.Contains(page, part) {
				t.Errorf("the form does not have %s:\n%s", part, page)
			}
		}
		send := func(form url.Values) *httptest.ResponseRecorder {
			return w.do(http.MethodPost, path, w.roles[millrace.RoleMember], form, "Sec-Fetch-Site", "same-origin")
		}
		wrong := send(url.Values{"args.since": {"yesterday"}, "args.most": {"many"}, "args.deep": {"{"}})
		for _, part := range []string{`value="yesterday"`, `id="field-0-problem">must be an ISO 8601 date`, `id="field-1-problem">must be of type integer`, `id="field-3-problem">must be of type object`} {
			if !strings.Contains(wrong.Body.String(), part) || wrong.Code != http.StatusBadRequest {
				t.Errorf("%d, and the form does not say %s:\n%s", wrong.Code, part, wrong.Body)
			}
		}
		rec := send(url.Values{"args.since": {"2026-01-01"}, "args.most": {"7"}, "args.kind": {`"all"`}, "args.deep": {`{"a": 1}`}, "args.flag": {"true"}, "integrated_account_id": {w.ids["accounts"]}, "all": {"on"}})
		_, id, ok := strings.Cut(rec.Header().Get("Location"), "/runs/")
		if !ok {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			run, err := tx.SyncJobRuns().Get(t.Context(), w.env, millrace.SyncJobRunID(id))
			if err == nil && (!strings.Contains(string(run.Args), `"most":7`) || !strings.Contains(string(run.Args), `"deep":{"a":1}`) || !strings.Contains(string(run.Args), `"flag":true`) || !run.IgnorePreviousRun) {
				t.Errorf("the run has %s", run.Args)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestStateIsShownAndChanged changes what runs keep.
func TestStateIsShownAndChanged(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		path := dashboard.Root + "/environment/" + string(w.env) + "/sync-jobs/" + w.ids["sync-jobs"] + "/state"
		for role, sees := range map[millrace.Role]bool{millrace.RoleMember: true, millrace.RoleViewer: false} {
			body := w.do(http.MethodGet, path, w.roles[role], nil).Body.String()
			if strings.Contains(body, "<textarea") != sees || strings.Contains(body, "may not see payloads") == sees {
				t.Errorf("%s sees:\n%s", role, body)
			}
		}
		send := func(do, key, value string) *httptest.ResponseRecorder {
			return w.do(http.MethodPost, path, w.roles[millrace.RoleMember], url.Values{"do": {do}, "key": {key}, "value": {value}, "state_key": {""}}, "Sec-Fetch-Site", "same-origin")
		}
		has := func(key string) string {
			var value string
			err := db.View(t.Context(), func(tx *store.Tx) error {
				e, err := tx.States().Get(t.Context(), w.env, "", key)
				if e != nil {
					value = string(e.Value)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		for _, key := range []string{"plain", "with/slash", "..", "é %"} {
			if rec := send("save", key, `{"a": [1]}`); rec.Code != http.StatusSeeOther || strings.ReplaceAll(has(key), " ", "") != `{"a":[1]}` {
				t.Errorf("%s: %d, has %s", key, rec.Code, has(key))
			}
			if rec := send("delete", key, ""); rec.Code != http.StatusSeeOther || has(key) != "" {
				t.Errorf("%s: deleted with %d %s, has %s", key, rec.Code, rec.Body, has(key))
			}
		}
		for value, code := range map[string]int{"no JSON": http.StatusBadRequest, `"` + strings.Repeat("x", 2<<20) + `"`: http.StatusBadRequest} {
			if rec := send("save", "k", value); rec.Code != code || has("k") != "" {
				t.Errorf("%.20s: %d, want %d", value, rec.Code, code)
			}
		}
	})
}
