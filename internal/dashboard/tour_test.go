package dashboard_test

import (
	"encoding/json"
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

// completes stores a run like the one that failed, which is completed.
func (w *hall) completes() millrace.SyncJobRunID {
	w.t.Helper()
	run, err := store.Compute(w.t.Context(), w.db, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		was, err := tx.SyncJobRuns().Get(w.t.Context(), w.env, millrace.SyncJobRunID(w.ids["runs"]))
		if err != nil {
			return nil, err
		}
		run := &millrace.SyncJobRun{
			EnvironmentID: was.EnvironmentID, SyncJobID: was.SyncJobID, IntegratedAccountID: was.IntegratedAccountID, WebhookID: was.WebhookID,
			WorkflowRunID: was.WorkflowRunID, Status: millrace.RunCompleted, Resources: was.Resources, StepIndex: 1,
			ResourceStats: json.RawMessage(`{"contacts":{"list":{"persisted":340}},"b":{"list":{"persisted":2}}}`),
		}
		return run, tx.SyncJobRuns().Create(w.t.Context(), run)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return run.ID
}

// TestTourIsOfWhatHappened opens Home as each role, follows the links of the tour, and ends it as one of them.
func TestTourIsOfWhatHappened(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		home := dashboard.Root + "/environment/" + string(w.env)
		toured := func(role millrace.Role) (bool, string) {
			body := w.do(http.MethodGet, home, w.roles[role], nil).Body.String()
			return strings.Contains(body, "What happened here"), body
		}
		if shown, _ := toured(millrace.RoleOwner); shown {
			t.Error("there is a tour of a run that failed")
		}
		run := w.completes()
		links := regexp.MustCompile(`href="([^"#]+)`)
		for role, session := range w.roles {
			shown, body := toured(role)
			if !shown {
				t.Fatalf("%s sees no tour: %s", role, body)
			}
			_, tour, _ := strings.Cut(body, "What happened here")
			tour, _, _ = strings.Cut(tour, "</section>")
			for _, want := range []string{"342 records", w.ids["accounts"], w.ids["events"], w.ids["workflows"], w.ids["webhooks"], string(run), "note = &#39;a&#39;"} {
				if !strings.Contains(tour, want) {
					t.Errorf("%s: the tour has no %s: %s", role, want, tour)
				}
			}
			if breaks := strings.Contains(tour, "Now break it"); breaks != role.AtLeast(millrace.RoleMember) || strings.Contains(tour, "<script>alert") {
				t.Errorf("%s is asked to break it: %v; %s", role, breaks, tour)
			}
			for _, link := range links.FindAllStringSubmatch(tour, -1) {
				if rec := w.do(http.MethodGet, strings.ReplaceAll(link[1], "&amp;", "&"), session, nil); rec.Code != http.StatusOK {
					t.Errorf("%s: %s leads to %d", role, link[1], rec.Code)
				}
			}
		}
		done := dashboard.Root + "/me/tour"
		if rec := w.do(http.MethodPost, done, w.roles[millrace.RoleViewer], url.Values{}, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"); rec.Code != http.StatusForbidden {
			t.Errorf("ended from another site: %d", rec.Code)
		}
		if code, to, _ := w.post(w.roles[millrace.RoleViewer], done, url.Values{"back": {"https://evil.example"}}); code != http.StatusSeeOther || to != dashboard.Root {
			t.Errorf("ended: %d to %s", code, to)
		}
		if code, to, _ := w.post("", done, url.Values{}); code != http.StatusSeeOther || !strings.Contains(to, "/sign-in") {
			t.Errorf("ended without a session: %d to %s", code, to)
		}
		for role := range w.roles {
			if shown, _ := toured(role); shown != (role != millrace.RoleViewer) {
				t.Errorf("after the viewer has ended it, %s sees it: %v", role, shown)
			}
		}
		if log := w.do(http.MethodGet, home+"/audit?of=installation", w.roles[millrace.RoleOwner], nil).Body.String(); strings.Contains(log, "toured") {
			t.Error("the audit log has it")
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Workflows().Delete(t.Context(), w.env, millrace.WorkflowID(w.ids["workflows"]))
		})
		if shown, _ := toured(millrace.RoleOwner); err != nil || shown {
			t.Errorf("there is a tour of a workflow that is deleted; %v", err)
		}
		w.steps()
	})
}

// steps opens Home of an environment in which there is nothing.
func (w *hall) steps() {
	w.t.Helper()
	other := dashboard.Root + "/environment/" + string(w.other)
	body := w.do(http.MethodGet, other, w.roles[millrace.RoleMember], nil).Body.String()
	if !strings.Contains(body, "Nothing has happened here yet") || strings.Count(body, `aria-current="step"`) != 1 {
		w.t.Errorf("an empty environment: %s", body)
	}
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		integration := &millrace.Integration{EnvironmentID: w.other, Name: "crm", Config: json.RawMessage(`{}`)}
		if err := tx.Integrations().Create(w.t.Context(), integration); err != nil {
			return err
		}
		return tx.Installs().Create(w.t.Context(), &millrace.EnvironmentIntegration{EnvironmentID: w.other, IntegrationID: integration.ID, Override: json.RawMessage(`{}`)})
	})
	body = w.do(http.MethodGet, other, w.roles[millrace.RoleMember], nil).Body.String()
	if _, next, _ := strings.Cut(body, `aria-current="step"`); err != nil || !strings.HasPrefix(next, `><span class="badge wait">next</span> <a href="`+other+`/webhooks">`) {
		w.t.Errorf("%v; after the first step the next is %.300s", err, next)
	}
	if body := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env), w.roles[millrace.RoleMember], nil).Body.String(); strings.Contains(body, `class="steps"`) {
		w.t.Error("an environment with accounts has steps")
	}
}
