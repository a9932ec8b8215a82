package dashboard_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// post sends a form of a page of this server.
func (w *hall) post(session, path string, form url.Values) (int, string, string) {
	w.t.Helper()
	rec := w.do(http.MethodPost, path, session, form, "Sec-Fetch-Site", "same-origin")
	return rec.Code, rec.Header().Get("Location"), rec.Body.String()
}

func (w *hall) environment(id millrace.EnvironmentID) *millrace.Environment {
	w.t.Helper()
	var v *millrace.Environment
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		var err error
		v, err = tx.Environments().Get(w.t.Context(), id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// settingsForm is what the form of an environment says.
func settingsForm(v *millrace.Environment) url.Values {
	return url.Values{
		"base": {strconv.FormatInt(int64(v.UpdatedAt), 10)}, "name": {v.Name}, "weight": {strconv.FormatInt(v.Weight, 10)},
		"connect.name": {v.Connect.Name}, "connect.logo_url": {v.Connect.LogoURL}, "connect.color": {v.Connect.Color},
		"connect.origins": {strings.Join(v.Connect.Origins, "\r\n")}, "connect.callback_url": {v.Connect.CallbackURL},
	}
}

// TestEnvironmentIsMadeChangedAndDeleted does so as each role, and looks for its trace in the audit log.
func TestEnvironmentIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		list := dashboard.Root + "/environments"
		for role, session := range w.roles {
			if rec := w.do(http.MethodPost, list, session, url.Values{"name": {"x"}, "weight": {"1"}}, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"); rec.Code != http.StatusForbidden {
				t.Errorf("%s: from another site: %d", role, rec.Code)
			}
			name := "made by " + string(role)
			code, to, body := w.post(session, list, url.Values{"name": {name}, "weight": {"200"}})
			if !role.AtLeast(millrace.RoleAdmin) {
				if code != http.StatusForbidden {
					t.Errorf("%s makes an environment: %d", role, code)
				}
				continue
			}
			id, _, _ := strings.Cut(strings.TrimPrefix(to, dashboard.Root+"/environment/"), "/")
			if code != http.StatusSeeOther || !millrace.IsID(id) {
				t.Fatalf("%s: %d to %q: %s", role, code, to, body)
			}
			made := w.environment(millrace.EnvironmentID(id))
			if made.Name != name || made.Weight != 200 {
				t.Errorf("%s: got %+v", role, made)
			}
			at := dashboard.Root + "/environment/" + id + "/settings"
			form := settingsForm(made)
			form.Set("connect.color", "#0b5fff")
			form.Set("connect.origins", "https://app.example.com\r\nhttps://b.example.com")
			for _, denied := range []millrace.Role{millrace.RoleMember, millrace.RoleViewer} {
				if code, _, _ := w.post(w.roles[denied], at, form); code != http.StatusForbidden {
					t.Errorf("%s changes it: %d", denied, code)
				}
				if page := w.do(http.MethodGet, at, w.roles[denied], nil).Body.String(); strings.Contains(page, `name="connect.color"`) || !strings.Contains(page, name) {
					t.Errorf("%s has a form, or sees nothing: %s", denied, page)
				}
			}
			if code, _, body := w.post(session, at, form); code != http.StatusSeeOther {
				t.Errorf("%s changes it: %d %s", role, code, body)
			}
			if got := w.environment(made.ID).Connect; got.Color != "#0b5fff" || len(got.Origins) != 2 {
				t.Errorf("%s: got %+v", role, got)
			}
			w.deletes(role, session, made)
		}
	})
}

// deletes deletes an environment, which only an owner may, who types its name.
func (w *hall) deletes(role millrace.Role, session string, v *millrace.Environment) {
	w.t.Helper()
	at := dashboard.Root + "/environment/" + string(v.ID) + "/settings/delete"
	if role != millrace.RoleOwner {
		if code, _, _ := w.post(session, at, url.Values{"name": {v.Name}}); code != http.StatusForbidden {
			w.t.Errorf("%s deletes it: %d", role, code)
		}
		return
	}
	for _, wrong := range []string{"", "made by", strings.ToUpper(v.Name)} {
		if code, _, body := w.post(session, at, url.Values{"name": {wrong}}); code != http.StatusBadRequest || !strings.Contains(body, "is not the name") {
			w.t.Errorf("deleted with the name %q: %d", wrong, code)
		}
	}
	code, to, body := w.post(session, at, url.Values{"name": {" " + v.Name + " "}})
	if code != http.StatusSeeOther || to != dashboard.Root+"/environments/"+string(v.ID) {
		w.t.Fatalf("deleted: %d to %q: %s", code, to, body)
	}
	page := w.do(http.MethodGet, to, w.roles[millrace.RoleViewer], nil)
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "is being deleted") {
		w.t.Errorf("its page: %d %s", page.Code, page.Body)
	}
	if list := w.do(http.MethodGet, dashboard.Root+"/environments", session, nil).Body.String(); !strings.Contains(list, "Being deleted") || strings.Contains(list, at) {
		w.t.Errorf("the list does not say so: %s", list)
	}
	for _, path := range []string{"", "/settings", "/settings/delete"} {
		if rec := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(v.ID)+path, session, nil); rec.Code != http.StatusNotFound {
			w.t.Errorf("%q of a deleted environment: %d", path, rec.Code)
		}
		if code, _, _ := w.post(session, dashboard.Root+"/environment/"+string(v.ID)+path, settingsForm(v)); path != "" && code != http.StatusNotFound {
			w.t.Errorf("%q of a deleted environment is changed: %d", path, code)
		}
	}
	log := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/audit?of=installation&resource_id="+string(v.ID), session, nil).Body.String()
	for _, want := range []string{"environment created", "environment changed", "POST /environment", "PATCH /environment/{id}", "DELETE /environment/{id}", "connect.color"} {
		if !strings.Contains(log, want) {
			w.t.Errorf("the audit log has no %q: %s", want, log)
		}
	}
}

// TestEnvironmentSaysWhatIsWrong sends what the API rejects, and what two people send at once.
func TestEnvironmentSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		owner := w.roles[millrace.RoleOwner]
		at := dashboard.Root + "/environment/" + string(w.env) + "/settings"
		for _, c := range []struct{ field, value, id, says string }{
			{"name", "  ", "name-problem", "must not be empty"},
			{"name", "ELSEWHERE", "name-problem", "already"},
			{"name", "right\u202eleft", "name-problem", "cannot be seen"},
			{"name", strings.Repeat("x", 201), "name-problem", "200"},
			{"name", string(w.other), "name-problem", "UUID"},
			{"weight", "heavy", "weight-problem", "whole number"},
			{"weight", "0", "weight-problem", "1"},
			{"weight", "99999999999999999999", "weight-problem", "whole number"},
			{"connect.color", "blue", "connect-color-problem", "hexadecimal"},
			{"connect.logo_url", "javascript:alert(1)", "connect-logo_url-problem", "https"},
			{"connect.origins", "https://a.example\nhttp://b.example/x", "connect-origins-problem", "number 2"},
			{"connect.callback_url", markup, "connect-callback_url-problem", "https"},
		} {
			form := settingsForm(w.environment(w.env))
			form.Set(c.field, c.value)
			code, _, body := w.post(owner, at, form)
			_, problem, found := strings.Cut(body, `id="`+c.id+`">`)
			problem, _, _ = strings.Cut(problem, "</p>")
			if code != http.StatusBadRequest && code != http.StatusConflict || !found || !strings.Contains(problem, c.says) || strings.Contains(body, "<script>alert") {
				t.Errorf("%s %.40q: %d, it says %q, want %q", c.field, c.value, code, problem, c.says)
			}
		}
		large := settingsForm(w.environment(w.env))
		large.Set("name", strings.Repeat("x", 4<<20))
		for _, path := range []string{at, dashboard.Root + "/environments", at + "/delete"} {
			if code, _, body := w.post(owner, path, large); code != http.StatusRequestEntityTooLarge || len(body) > 1<<16 {
				t.Errorf("%s with 4 MiB: %d, %d bytes", path, code, len(body))
			}
		}
		w.overtakes(owner, at)
	})
}

// overtakes changes an environment between a form and its being sent.
func (w *hall) overtakes(session, at string) {
	w.t.Helper()
	mine := settingsForm(w.environment(w.env))
	theirs := settingsForm(w.environment(w.env))
	theirs.Set("connect.name", "Theirs")
	if code, _, body := w.post(w.roles[millrace.RoleAdmin], at, theirs); code != http.StatusSeeOther {
		w.t.Fatalf("the first: %d %s", code, body)
	}
	mine.Set("connect.name", "Mine")
	code, _, body := w.post(session, at, mine)
	if code != http.StatusConflict || !strings.Contains(body, "Somebody else has saved") || !strings.Contains(body, "Theirs") || !strings.Contains(body, `value="Mine"`) {
		w.t.Fatalf("the second: %d %s", code, body)
	}
	now := w.environment(w.env)
	if now.Connect.Name != "Theirs" {
		w.t.Errorf("it is %q", now.Connect.Name)
	}
	if !strings.Contains(body, `name="base" value="`+settingsForm(now).Get("base")+`"`) {
		w.t.Error("saving again would be a conflict again")
	}
	mine.Set("base", settingsForm(now).Get("base"))
	if code, _, _ := w.post(session, at, mine); code != http.StatusSeeOther || w.environment(w.env).Connect.Name != "Mine" {
		w.t.Errorf("once more: %d, it is %q", code, w.environment(w.env).Connect.Name)
	}
}

// TestSwitchLeadsToTheSamePage looks at where the list of environments leads from each page.
func TestSwitchLeadsToTheSamePage(t *testing.T) {
	t.Parallel()
	w := newHall(t, storetest.Open(t, storetest.SQLite(t)))
	here, there := dashboard.Root+"/environment/"+string(w.env), dashboard.Root+"/environment/"+string(w.other)
	for from, to := range map[string]string{
		"": "", "/runs": "/runs", "/runs?status=failed": "/runs?status=failed", "/runs/" + w.ids["runs"]: "/runs", "/runs?integrated_account_id=" + w.ids["accounts"]: "/runs",
		"/schedules/calendar?hours=24": "/schedules/calendar?hours=24", "/settings?done=saved": "/settings", "/workflows/" + w.ids["workflows"] + "/edit?as=json": "/workflows",
		"/workflows/new": "/workflows/new", "/audit?of=installation": "/audit?of=installation", "/search?q=crm": "/search?q=crm", "/settings/delete": "/settings/delete",
	} {
		page := w.do(http.MethodGet, here+from, w.roles[millrace.RoleOwner], nil).Body.String()
		if !strings.Contains(page, `href="`+strings.ReplaceAll(there+to, "&", "&amp;")+`"`) {
			t.Errorf("%s does not lead to %s", from, to)
		}
		if rec := w.do(http.MethodGet, there+to, w.roles[millrace.RoleOwner], nil); rec.Code != http.StatusOK {
			t.Errorf("%s leads to %s: %d", from, to, rec.Code)
		}
	}
	if page := w.do(http.MethodGet, dashboard.Root+"/people", w.roles[millrace.RoleOwner], nil).Body.String(); !strings.Contains(page, `href="`+there+`"`) {
		t.Error("the page of people leads to no environment")
	}
}

// TestSavingDoesNotUndoDeleting saves the settings of environments while somebody else deletes them.
func TestSavingDoesNotUndoDeleting(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		owner := w.roles[millrace.RoleOwner]
		for i := range 10 {
			_, to, _ := w.post(owner, dashboard.Root+"/environments", url.Values{"name": {"round " + strconv.Itoa(i)}, "weight": {"100"}})
			id, _, _ := strings.Cut(strings.TrimPrefix(to, dashboard.Root+"/environment/"), "/")
			v := w.environment(millrace.EnvironmentID(id))
			at := dashboard.Root + "/environment/" + id + "/settings"
			form := settingsForm(v)
			form.Set("weight", "7")
			var saving sync.WaitGroup
			saving.Go(func() { w.post(owner, at, form) })
			code, _, _ := w.post(owner, at+"/delete", url.Values{"name": {v.Name}})
			saving.Wait()
			if rec := w.do(http.MethodGet, at, owner, nil); code != http.StatusSeeOther || rec.Code != http.StatusNotFound {
				t.Errorf("round %d: deleted with %d, and its page responds %d", i, code, rec.Code)
			}
		}
	})
}
