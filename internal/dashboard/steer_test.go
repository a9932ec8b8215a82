package dashboard_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// page opens a page of the environment as a role.
func (w *hall) page(path string, as millrace.Role) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/"+path, w.roles[as], nil)
}

// submit sends a form of the environment as a member.
func (w *hall) submit(path string, form url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(http.MethodPost, dashboard.Root+"/environment/"+string(w.env)+"/"+path, w.roles[millrace.RoleMember], form, "Sec-Fetch-Site", "same-origin")
}

// hiddenFields returns what a form of a page would send of its own.
func hiddenFields(page string) url.Values {
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([a-z_]+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], strings.ReplaceAll(m[2], "&#43;", "+"))
	}
	return form
}

// TestDeliverAgain looks at what was given up, starts its redelivery by the form twice, and stops it.
func TestDeliverAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		w.submit("deliveries/redeliveries/"+w.ids["deliveries/redeliveries"]+"/stop", url.Values{}) // one at a time
		if page := w.page("deliveries?webhook_id="+w.ids["webhooks"], millrace.RoleViewer).Body.String(); !strings.Contains(page, "deliveries/again?webhook_id="+w.ids["webhooks"]) {
			t.Errorf("the list does not lead there:\n%s", page)
		}
		choice := "deliveries/again?webhook_id=" + w.ids["webhooks"] + "&status=failed&event=custom:x"
		for role, may := range map[millrace.Role]bool{millrace.RoleViewer: false, millrace.RoleMember: true} {
			page := w.page(choice, role).Body.String()
			if !strings.Contains(page, "<h2>1 delivery</h2>") || strings.Contains(page, "Deliver it again") != may {
				t.Errorf("%s sees:\n%s", role, page)
			}
		}
		for query, says := range map[string]string{
			"&to=2020-01-01T00:00": "Nothing to deliver again", "&from=2020-01-01T00:00": "<h2>1 delivery</h2>", "&from=noon": "must be a time such as", "&event=custom:y": "Nothing to deliver again",
			"&event=account:activ": "unknown event", "&integrated_account_id=" + w.ids["accounts"]: "Nothing to deliver again", "&integrated_account_id=%3Cb%3E": "filter.integrated_account_id",
			"&status=cancelled": "Nothing to deliver again", "&status=failed+or+cancelled": "<h2>1 delivery</h2>",
		} {
			rec := w.page("deliveries/again?webhook_id="+w.ids["webhooks"]+query, millrace.RoleMember)
			if body := rec.Body.String(); !strings.Contains(body, says) || strings.Contains(body, "<b>") {
				t.Errorf("%s: %d, and it does not say %q:\n%s", query, rec.Code, says, body)
			}
		}
		form := hiddenFields(w.page(choice, millrace.RoleMember).Body.String())
		first := w.submit("deliveries/again", form)
		_, id, ok := strings.Cut(first.Header().Get("Location"), "/deliveries/redeliveries/")
		if !ok || first.Code != http.StatusSeeOther {
			t.Fatalf("the form leads to %q: %d %s", first.Header().Get("Location"), first.Code, first.Body)
		}
		if again := w.submit("deliveries/again", form); again.Header().Get("Location") != first.Header().Get("Location") {
			t.Errorf("sent again, the form leads to %q: %d", again.Header().Get("Location"), again.Code)
		}
		form.Set("status", "cancelled")
		if other := w.submit("deliveries/again", form); other.Code != http.StatusConflict || !strings.Contains(other.Body.String(), "is running") {
			t.Errorf("another one meanwhile: %d %s", other.Code, other.Body)
		}
		page := w.page("deliveries/redeliveries/"+id, millrace.RoleMember).Body.String()
		if !strings.Contains(page, `running</span> Redelivery`) || !strings.Contains(page, ">Stop</button>") || !strings.Contains(page, "<dd>custom:x</dd>") || !strings.Contains(page, "data-live") {
			t.Errorf("it is shown as:\n%s", page)
		}
		if rec := w.submit("deliveries/redeliveries/"+id+"/stop", url.Values{}); !strings.HasSuffix(rec.Header().Get("Location"), "done=halted") {
			t.Errorf("the stop leads to %q: %d %s", rec.Header().Get("Location"), rec.Code, rec.Body)
		}
		if page := w.page("deliveries/redeliveries/"+id, millrace.RoleViewer).Body.String(); !strings.Contains(page, "stopped</span> Redelivery") {
			t.Errorf("stopped it is shown as:\n%s", page)
		}
	})
}

// TestChangeTheSecretOfAWebhook changes it by the form: twice the same, late, and ends the old one.
func TestChangeTheSecretOfAWebhook(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		path := "webhooks/" + w.ids["webhooks"] + "/secret"
		secrets := func() string {
			var out []string
			err := db.View(t.Context(), func(tx *store.Tx) error {
				v, err := tx.Webhooks().Get(t.Context(), w.env, millrace.WebhookID(w.ids["webhooks"]))
				if err == nil {
					out = v.SigningSecrets(tx.Now())
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(out, ", ")
		}
		if page := w.page(path, millrace.RoleViewer).Body.String(); strings.Contains(page, `name="secret"`) || !strings.Contains(page, "change the secret") {
			t.Errorf("a viewer sees:\n%s", page)
		}
		offered := regexp.MustCompile(`name="secret" value="([^"]+)"`)
		rec := w.page(path, millrace.RoleMember)
		found := offered.FindStringSubmatch(rec.Body.String())
		if found == nil || rec.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%v %s", rec.Header(), rec.Body)
		}
		if other := offered.FindStringSubmatch(w.page(path, millrace.RoleMember).Body.String()); other == nil || other[1] == found[1] {
			t.Errorf("two pages offer %v and %v", found, other)
		}
		form := hiddenFields(rec.Body.String())
		form.Set("secret", found[1])
		form.Set("overlap_seconds", "3600")
		want := found[1] + ", a secret of the webhook"
		for range 2 { // a page that is sent again changes it once
			rec := w.submit(path, form)
			if body := rec.Body.String(); rec.Code != http.StatusOK || !strings.Contains(body, `<code class="copy">`+found[1]) || !strings.Contains(body, "It signs beside the new one") || strings.Contains(body, "a secret of the webhook") || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %s", rec.Code, body)
			}
			if got := secrets(); got != want {
				t.Errorf("%q signs, want %q", got, want)
			}
		}
		form.Set("secret", "of a page from before")
		if rec := w.submit(path, form); rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), "was changed since") || secrets() != want {
			t.Errorf("a late form: %d, %q signs\n%s", rec.Code, secrets(), rec.Body)
		}
		page := w.page(path, millrace.RoleMember).Body.String()
		if strings.Contains(page, found[1]) || !strings.Contains(page, "Another change ends it at once") {
			t.Errorf("afterwards the page is:\n%s", page)
		}
		for range 2 {
			if rec := w.submit(path, url.Values{"do": {"end"}}); !strings.HasSuffix(rec.Header().Get("Location"), "done=ended") || secrets() != found[1] {
				t.Errorf("the end of the old one: %d, %q signs", rec.Code, secrets())
			}
		}
		form = hiddenFields(w.page(path, millrace.RoleMember).Body.String())
		form.Set("secret", " "+markup+" ")
		form.Set("overlap_seconds", "0")
		if rec := w.submit(path, form); rec.Code != http.StatusOK || strings.Contains(rec.Body.String(), "<script>alert") || secrets() != markup {
			t.Errorf("a secret of one's own: %d, %q signs\n%s", rec.Code, secrets(), rec.Body)
		}
		for _, wrong := range []url.Values{{"secret": {"x"}, "overlap_seconds": {"-1"}}, {"secret": {strings.Repeat("x", 600)}}, {"secret": {"x"}, "overlap_seconds": {"long"}}, {"secret": {""}}} {
			f := hiddenFields(w.page(path, millrace.RoleMember).Body.String())
			f.Set("overlap_seconds", "60")
			maps.Copy(f, wrong)
			if rec := w.submit(path, f); rec.Code != http.StatusBadRequest || secrets() != markup {
				t.Errorf("%v: %d, %q signs", wrong, rec.Code, secrets())
			}
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			page, err := store.AuditOf(tx).List(t.Context(), w.env, millrace.Query{})
			for _, e := range page.Result {
				if text := string(e.Before) + string(e.After); strings.Contains(text, found[1]) || strings.Contains(text, "alert") || strings.Contains(text, "a secret of") {
					t.Errorf("the audit log has %s", text)
				}
			}
			if n := len(page.Result); n < 3 {
				t.Errorf("the audit log has %d entries", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if log := w.log.String(); strings.Contains(log, found[1]) || strings.Contains(log, "cannot be shown") {
			t.Error(log)
		}
	})
}
