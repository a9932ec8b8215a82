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
		if body := wrong.Body.String(); wrong.Code != http.StatusBadRequest || !strings.Contains(body, `data-line="4" data-from="19"`) || !strings.Contains(body, "note != (\n") {
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
		if !strings.Contains(versions, `<span class="sign">− </span>label: orders`) || !strings.Contains(versions, `<span class="sign">+ </span>label: third`) || strings.Contains(versions, "restore") {
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
		if took > 5*time.Second {
			t.Errorf("%s takes %s", name, took)
		}
	}
	if rec := w.send("workflows/new", strings.Repeat("x", 14<<20), "check", ""); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("14 MiB: %d", rec.Code)
	}
}
