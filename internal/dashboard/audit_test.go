package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestTokensAndTheirTrace makes and revokes a token as each role, and looks for both in the audit log.
func TestTokensAndTheirTrace(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		base := dashboard.Root + "/environment/" + string(w.env)
		elsewhere := dashboard.Root + "/environment/" + string(w.other)
		form := url.Values{"name": {markup[:20]}, "scope": {"read"}, "back": {base + "/tokens"}}
		for role, session := range w.roles {
			if rec := w.do(http.MethodPost, base+"/tokens", session, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"); rec.Code != http.StatusForbidden {
				t.Errorf("%s: from another site: %d", role, rec.Code)
			}
			rec := w.do(http.MethodPost, base+"/tokens", session, form, "Sec-Fetch-Site", "same-origin")
			if !role.AtLeast(millrace.RoleAdmin) {
				if rec.Code != http.StatusForbidden {
					t.Errorf("%s makes a token: %d", role, rec.Code)
				}
				continue
			}
			token := regexp.MustCompile(`mr_[A-Za-z0-9_-]+`).FindString(rec.Body.String())
			if rec.Code != http.StatusOK || token == "" {
				t.Fatalf("%s: %d %s", role, rec.Code, rec.Body)
			}
			page := w.do(http.MethodGet, base+"/tokens", session, nil).Body.String()
			id := regexp.MustCompile(`/tokens/([0-9a-f-]{36})/revoke`).FindStringSubmatch(page)
			if len(id) != 2 || strings.Contains(page, token) || strings.Contains(page, "<script>alert") {
				t.Fatalf("%s: the page has the token, or no way to revoke it: %s", role, page)
			}
			for _, denied := range []string{w.roles[millrace.RoleMember], w.roles[millrace.RoleViewer]} {
				if rec := w.do(http.MethodPost, base+"/tokens/"+id[1]+"/revoke", denied, form, "Sec-Fetch-Site", "same-origin"); rec.Code != http.StatusForbidden {
					t.Errorf("revoked by who may not: %d", rec.Code)
				}
			}
			if rec := w.do(http.MethodPost, elsewhere+"/tokens/"+id[1]+"/revoke", session, form, "Sec-Fetch-Site", "same-origin"); rec.Code != http.StatusNotFound {
				t.Errorf("revoked from another environment: %d", rec.Code)
			}
			if rec := w.do(http.MethodPost, base+"/tokens/"+id[1]+"/revoke", session, form, "Sec-Fetch-Site", "same-origin"); rec.Code != http.StatusSeeOther {
				t.Errorf("%s revokes: %d %s", role, rec.Code, rec.Body)
			}
			log := w.do(http.MethodGet, base+"/audit?resource_id="+id[1], w.roles[millrace.RoleViewer], nil).Body.String()
			for _, want := range []string{"api token created", "api token deleted", "POST /api-token", "DELETE /api-token/{id}"} {
				if !strings.Contains(log, want) {
					t.Errorf("%s: the audit log has no %q: %s", role, want, log)
				}
			}
			if strings.Contains(log, token) || strings.Contains(log, "<script>alert") {
				t.Errorf("%s: the audit log shows the token, or runs its name", role)
			}
			if other := w.do(http.MethodGet, elsewhere+"/audit", session, nil).Body.String(); strings.Contains(other, id[1]) {
				t.Errorf("%s: another environment shows the entry", role)
			}
		}
		for role, sees := range map[millrace.Role]bool{millrace.RoleOwner: true, millrace.RoleAdmin: true, millrace.RoleMember: false, millrace.RoleViewer: false} {
			page := w.do(http.MethodGet, base+"/audit?of=installation", w.roles[role], nil).Body.String()
			if got := strings.Contains(page, "signed in"); got != sees {
				t.Errorf("%s sees what is of the installation: %v, want %v", role, got, sees)
			}
		}
	})
}

// TestAuditHidesPayloads changes the context of an account, which not everybody may see.
func TestAuditHidesPayloads(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			ctx := store.By(t.Context(), store.Actor{Kind: store.ActorToken, ID: "t", Name: markup, Via: "PATCH /integrated-account/{id}"})
			v, err := tx.Accounts().Get(ctx, w.env, millrace.IntegratedAccountID(w.ids["accounts"]))
			if err != nil {
				return err
			}
			v.Context, v.Sealed, v.Region = []byte(`{"who":"a person"}`), true, "eu-north"
			return tx.Accounts().Update(ctx, v)
		})
		if err != nil {
			t.Fatal(err)
		}
		for role, sees := range map[millrace.Role]bool{millrace.RoleMember: true, millrace.RoleViewer: false} {
			page := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/audit", w.roles[role], nil).Body.String()
			if got := strings.Contains(page, "a person"); got != sees || !strings.Contains(page, "eu-north") || strings.Contains(page, "<script>alert") {
				t.Errorf("%s: sees the payload: %v, want %v: %s", role, got, sees, page)
			}
		}
	})
}
