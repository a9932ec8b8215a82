package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestDestinationIsMadeChangedAndDeleted does so with each type, by forms; a viewer cannot.
func TestDestinationIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		list := dashboard.Root + "/environment/" + string(w.env) + "/notification-destinations"
		member := w.roles[millrace.RoleMember]
		post := func(session, path string, form url.Values) (int, string, string) {
			rec := w.do(http.MethodPost, path, session, form, "Sec-Fetch-Site", "same-origin")
			return rec.Code, rec.Header().Get("Location"), rec.Body.String()
		}
		mail := url.Values{"type": {"email"}, "label": {markup}, "to": {"ann@example.com\nbob@example.com"}}
		if code, _, _ := post(w.roles[millrace.RoleViewer], list, mail); code != http.StatusForbidden {
			t.Errorf("a viewer makes a destination: %d", code)
		}
		for _, wrong := range []url.Values{{"type": {"email"}, "to": {"nobody"}}, {"type": {"slack"}, "address": {"x"}}, {"type": {"pigeon"}}} {
			if code, _, _ := post(member, list, wrong); code != http.StatusBadRequest {
				t.Errorf("%v: %d", wrong, code)
			}
		}
		code, to, body := post(member, list, mail)
		if code != http.StatusSeeOther {
			t.Fatalf("mail: %d %s", code, body)
		}
		at, _, _ := strings.Cut(to, "?")
		page := func() string { return w.do(http.MethodGet, at, member, nil).Body.String() }
		if got := page(); !strings.Contains(got, "bob@example.com") || strings.Contains(got, "<script>alert") {
			t.Errorf("got %s", got)
		}
		mail.Set("to", "carl@example.com")
		mail.Set("event_types", "custom:x")
		for path, form := range map[string]url.Values{"/save": mail, "/off": {}, "/on": {}} {
			if code, _, body := post(member, at+path, form); code != http.StatusSeeOther {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
		if got := page(); !strings.Contains(got, "carl@example.com") || strings.Contains(got, "bob@example.com") || !strings.Contains(got, "custom:x") {
			t.Errorf("got %s", got)
		}
		slack := list + "/" + w.ids["notification-destinations"]
		if code, _, body := post(member, slack+"/save", url.Values{"label": {"ops"}, "address": {"https://slack.test/..."}}); code != http.StatusSeeOther {
			t.Errorf("with the masked address: %d %s", code, body)
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			v, err := tx.Notifications().Get(t.Context(), w.env, millrace.WebhookID(w.ids["notification-destinations"]))
			if err == nil && (v.Label != "ops" || v.Notice().WebhookURL != "https://slack.test/a secret of the webhook") {
				t.Errorf("got %s, %s", v.Label, v.Notice().WebhookURL)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		code, _, body = post(member, list, url.Values{"type": {"webhook"}, "address": {"https://example.com/in"}})
		if code != http.StatusOK || !strings.Contains(body, `class="copy"`) {
			t.Errorf("the secret of a new endpoint is not shown: %d %s", code, body)
		}
		if code, _, _ := post(member, strings.Replace(at, string(w.env), string(w.other), 1)+"/delete", url.Values{}); code != http.StatusNotFound {
			t.Errorf("deleted from another environment: %d", code)
		}
		if code, to, _ := post(member, at+"/delete", url.Values{}); code != http.StatusSeeOther || to != list+"?done=deleted" {
			t.Errorf("delete: %d to %s", code, to)
		}
	})
}
