package dashboard_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/people"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// markup is what hostile people call things.
const markup = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>` + "\u202e"

// hall is a dashboard over a database, with a user of each role and one row of everything.
type hall struct {
	t     *testing.T
	db    *store.DB
	h     *dashboard.Handler
	p     *people.People
	log   bytes.Buffer
	env   millrace.EnvironmentID
	other millrace.EnvironmentID
	roles map[millrace.Role]string // sessions
	ids   map[string]string        // of the rows, by the name of their list
}

func newHall(t *testing.T, db *store.DB) *hall {
	t.Helper()
	w := &hall{t: t, db: db, p: people.New(db), roles: map[millrace.Role]string{}, ids: map[string]string{}}
	db.SetQueue(storetest.NoQueue{})
	logger := slog.New(slog.NewTextHandler(&w.log, nil))
	api := httpapi.New(httpapi.Config{DB: db, Accepter: event.NewAccepter(db, 1), Logger: logger})
	var err error
	w.h, err = dashboard.New(dashboard.Config{DB: db, People: w.p, API: api, Clock: time.Now, Logger: logger, PublicURL: func() string { return "https://millrace.example.com" }})
	if err != nil {
		t.Fatal(err)
	}
	w.fill()
	w.enter()
	return w
}

// enter signs a user of each role in. The viewer may not see payloads.
func (w *hall) enter() {
	w.t.Helper()
	link, err := w.p.FirstLink(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	session := func(link string) string {
		token, err := w.p.SignInByLink(w.t.Context(), link, "test")
		if err != nil {
			w.t.Fatal(err)
		}
		return token
	}
	w.roles[millrace.RoleOwner] = session(link)
	boss, err := w.p.Find(w.t.Context(), w.roles[millrace.RoleOwner])
	if err != nil {
		w.t.Fatal(err)
	}
	for _, role := range millrace.Roles()[1:] {
		link, err := w.p.Invite(w.t.Context(), boss, &millrace.User{Email: string(role) + "@example.com", Role: role, SeesPayloads: role != millrace.RoleViewer})
		if err != nil {
			w.t.Fatal(err)
		}
		w.roles[role] = session(link)
	}
}

// fill stores one row of everything, named as hostile people would.
func (w *hall) fill() {
	w.t.Helper()
	name, _ := json.Marshal(markup)
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		ctx := w.t.Context()
		env, other := &millrace.Environment{Name: "shop"}, &millrace.Environment{Name: "elsewhere"}
		for _, e := range []*millrace.Environment{env, other} {
			if err := tx.Environments().Create(ctx, e); err != nil {
				return err
			}
		}
		integration := &millrace.Integration{EnvironmentID: env.ID, Name: "crm", Category: markup, Config: json.RawMessage(`{"base_url":"https://example.com","label":` + string(name) + `}`)}
		if err := tx.Integrations().Create(ctx, integration); err != nil {
			return err
		}
		install := &millrace.EnvironmentIntegration{EnvironmentID: env.ID, IntegrationID: integration.ID, IsEnabled: true, Override: json.RawMessage(`{}`)}
		if err := tx.Installs().Create(ctx, install); err != nil {
			return err
		}
		account := &millrace.IntegratedAccount{
			EnvironmentID: env.ID, EnvironmentIntegrationID: install.ID, TenantID: markup, Status: millrace.AccountNeedsReauth, LastError: markup,
			Context: json.RawMessage(`{"who":` + string(name) + `}`), Features: json.RawMessage("{}"), UnifiedModelOverride: json.RawMessage("{}"), IntegrationOverride: json.RawMessage("{}"),
		}
		if err := tx.Accounts().Create(ctx, account); err != nil {
			return err
		}
		kept := &millrace.StateEntry{EnvironmentID: env.ID, Key: markup, Value: name}
		if err := tx.States().Save(ctx, kept); err != nil {
			return err
		}
		job := &millrace.SyncJob{EnvironmentID: env.ID, Label: markup, IntegrationName: "crm", Resources: json.RawMessage(`[{"name":` + string(name) + `,"resource":"contacts","method":"list"},{"name":"b","type":"request","depends_on":` + string(name) + `,"resource":"deals"}]`)}
		if err := tx.SyncJobs().Create(ctx, job); err != nil {
			return err
		}
		workflow := &millrace.Workflow{EnvironmentID: env.ID, Label: markup, TriggerName: "custom:x", Event: "custom:x", Config: millrace.WorkflowConfig{
			RunIf: "note = 'a'", Steps: []millrace.Step{{Type: "run", Action: "run_sync_job", Config: json.RawMessage(`{}`)}},
		}}
		if err := tx.Workflows().Create(ctx, workflow); err != nil {
			return err
		}
		hook := &millrace.Webhook{EnvironmentID: env.ID, TargetURL: "https://example.com/" + markup, IsActive: true, Secret: "a secret of the webhook", FailingSince: tx.Now(), NextSequence: 1, SentSequence: 1}
		if err := tx.Webhooks().Create(ctx, hook); err != nil {
			return err
		}
		happened := &millrace.Event{EnvironmentID: env.ID, Name: "custom:x", Payload: json.RawMessage(`{"note":` + string(name) + `}`)}
		if _, err := tx.Events().Create(ctx, happened); err != nil {
			return err
		}
		started := &millrace.WorkflowRun{EnvironmentID: env.ID, WorkflowID: workflow.ID, WorkflowVersion: 1, EventID: happened.ID, Status: millrace.WorkflowRunFailed, Error: json.RawMessage(`{"message":` + string(name) + `}`)}
		if err := tx.WorkflowRuns().Create(ctx, started); err != nil {
			return err
		}
		if _, err := tx.Decisions().Create(ctx, &millrace.Decision{
			EventID: happened.ID, EnvironmentID: env.ID, WorkflowID: workflow.ID, WorkflowVersion: 1, Outcome: millrace.OutcomeMatched, WorkflowRunID: started.ID,
		}); err != nil {
			return err
		}
		run := &millrace.SyncJobRun{
			EnvironmentID: env.ID, SyncJobID: job.ID, IntegratedAccountID: account.ID, WebhookID: hook.ID, WorkflowRunID: started.ID, Status: millrace.RunFailed,
			Error: json.RawMessage(`{"code":"http_500","message":` + string(name) + `}`), Resources: job.Resources, Args: json.RawMessage(`{"a":` + string(name) + `}`),
			ResourceStats: json.RawMessage(`{"contacts":{"list":{"pages":1,"fetched":2,"persisted":1,"failed":1}}}`), ErrorCount: 1,
		}
		if err := tx.SyncJobRuns().Create(ctx, run); err != nil {
			return err
		}
		destination := &millrace.Webhook{
			EnvironmentID: env.ID, Notification: millrace.NotifySlack, Label: markup, Config: json.RawMessage(`{"webhook_url":"https://slack.test/a secret of the webhook"}`),
			IsActive: true, EventTypes: json.RawMessage(`["custom:x"]`), Ordering: millrace.OrderingStrict,
		}
		if err := tx.Webhooks().Create(ctx, destination); err != nil {
			return err
		}
		delivery := &millrace.Delivery{ID: millrace.EventDeliveryID(happened, hook), EnvironmentID: env.ID, WebhookID: hook.ID, EventID: happened.ID, Sequence: 1, Event: "custom:x", Status: millrace.DeliveryFailed}
		if err := tx.Deliveries().Create(ctx, delivery); err != nil {
			return err
		}
		redelivery, err := store.RedeliveriesOf(tx).Start(ctx, &store.Redelivery{EnvironmentID: env.ID, WebhookID: hook.ID, Filter: json.RawMessage(`{"event":[` + string(name) + `]}`)})
		if err != nil {
			return err
		}
		schedule := &millrace.SyncJobCronTrigger{EnvironmentID: env.ID, SyncJobID: job.ID, IntegratedAccountID: account.ID, CronExpression: "0 * * * *", RestReason: markup}
		if err := tx.Schedules().Create(ctx, schedule); err != nil {
			return err
		}
		w.env, w.other = env.ID, other.ID //commit:allow the rows of a test
		maps.Copy(w.ids, map[string]string{
			"runs": string(run.ID), "workflow-runs": string(started.ID), "events": string(happened.ID), "accounts": string(account.ID), "webhooks": string(hook.ID),
			"deliveries": string(delivery.ID), "workflows": string(workflow.ID), "sync-jobs": string(job.ID), "schedules": string(schedule.ID), "integrations": string(integration.ID),
			"notification-destinations": string(destination.ID), "deliveries/redeliveries": string(redelivery.ID),
		})
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// pages are the addresses of all pages of an environment.
func (w *hall) pages(env millrace.EnvironmentID) []string {
	base := dashboard.Root + "/environment/" + string(env)
	out := []string{base, base + "/search?q=crm", base + "/search?q=" + w.ids["events"], base + "/inbound-hooks", base + "/events/" + w.ids["events"] + "?condition=" + url.QueryEscape("note != 'x'")}
	for list, id := range w.ids {
		if strings.Contains(list, "/") {
			continue
		}
		out = append(out, base+"/"+list, base+"/"+list+"/"+id)
	}
	return append(out, base+"/audit", base+"/audit?of=installation", base+"/audit?resource_id="+w.ids["webhooks"], base+"/tokens", base+"/logs", base+"/logs?log=webhook&status=failed", base+"/logs?log=unified_proxy_api",
		base+"/logs?log=sync_job_cron_trigger", base+"/workflows/"+w.ids["workflows"]+"/edit", base+"/workflows/"+w.ids["workflows"]+"/edit?as=json&version=1",
		base+"/workflows/"+w.ids["workflows"]+"/versions", base+"/sync-jobs/"+w.ids["sync-jobs"]+"/edit",
		base+"/schedules/calendar", base+"/schedules/calendar?hours=24", base+"/sync-jobs/"+w.ids["sync-jobs"]+"/state", base+"/sync-jobs/"+w.ids["sync-jobs"]+"/state?state_key=x", base+"/settings",
		base+"/deliveries/again", base+"/deliveries/redeliveries/"+w.ids["deliveries/redeliveries"], base+"/webhooks/"+w.ids["webhooks"]+"/secret")
}

func (w *hall) do(method, path, session string, form url.Values, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, "https://millrace.example.com"+path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if session != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-millrace_session", Value: session})
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec
}

// TestPagesShowHostileNames opens every page as each role.
func TestPagesShowHostileNames(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		for role, session := range w.roles {
			for _, path := range append(w.pages(w.env), dashboard.Root+"/me", dashboard.Root+"/people", dashboard.Root+"/environments") {
				rec := w.do(http.MethodGet, path, session, nil)
				body := rec.Body.String()
				if rec.Code == http.StatusSeeOther && strings.Contains(path, "search?q="+w.ids["events"]) {
					continue
				}
				if rec.Code != http.StatusOK {
					t.Errorf("%s: %s: %d %s", role, path, rec.Code, body)
					continue
				}
				for _, bad := range []string{"<script>alert", "<img", "onerror=alert(2)>\u202e\"", "a secret of the webhook", "style=\""} {
					if strings.Contains(body, bad) {
						t.Errorf("%s: %s has %s in it", role, path, bad)
					}
				}
				if role == millrace.RoleViewer && strings.Contains(body, `&#34;note&#34;`) {
					t.Errorf("%s shows a payload to a user who may not see them", path)
				}
				policy := rec.Header().Get("Content-Security-Policy")
				if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "require-trusted-types-for 'script'") {
					t.Errorf("%s: policy %q", path, policy)
				}
			}
		}
		if log := w.log.String(); strings.Contains(log, "cannot be shown") || strings.Contains(log, "page failed") {
			t.Error(log)
		}
	})
}

// TestNobodyComesInWithout tries every page without a session, with a stale one, and in an environment that is not there; and that a page
// of one environment shows no row of another.
func TestNobodyComesInWithout(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		gone := w.roles[millrace.RoleMember]
		if rec := w.do(http.MethodPost, dashboard.Root+"/sign-out", gone, url.Values{}); rec.Code != http.StatusSeeOther {
			t.Fatalf("sign out: %d", rec.Code)
		}
		for _, path := range append(w.pages(w.env), dashboard.Root+"/me", dashboard.Root+"/people", dashboard.Root+"/environments", dashboard.Root) {
			for what, session := range map[string]string{"no session": "", "a stale session": gone, "a wrong session": "mr_wrong"} {
				rec := w.do(http.MethodGet, path, session, nil)
				if to := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || !strings.HasPrefix(to, dashboard.Root+"/sign-in?to=") || strings.Contains(rec.Body.String(), "custom:x") {
					t.Errorf("%s: %s: %d to %q", what, path, rec.Code, to)
				}
			}
		}
		viewer := w.roles[millrace.RoleViewer]
		for _, path := range w.pages(w.other) {
			rec := w.do(http.MethodGet, path, viewer, nil)
			one := strings.Count(path, "/") > 4 && !strings.Contains(path, "calendar") && !strings.HasSuffix(path, "/again") // a page of one row
			if one && rec.Code != http.StatusNotFound || !one && strings.Contains(rec.Body.String(), w.ids["runs"]) {
				t.Errorf("%s shows a row of another environment: %d", path, rec.Code)
			}
		}
		for _, path := range w.pages("00000000-0000-4000-8000-00000000ffff") {
			if rec := w.do(http.MethodGet, path, viewer, nil); rec.Code != http.StatusNotFound {
				t.Errorf("%s: %d, want 404", path, rec.Code)
			}
		}
	})
}

// TestFilteredListsFindTheirRows opens lists whose rows are found by an index of their own, and not those of others.
func TestFilteredListsFindTheirRows(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		for query, row := range map[string]string{
			"events?event=custom:x": "events", "deliveries?event_id=" + w.ids["events"]: "deliveries", "accounts?status=needs_reauth": "accounts",
			"accounts?tenant_id=" + url.QueryEscape(markup): "accounts", "runs?status=failed": "runs", "deliveries?status=failed": "deliveries",
			"runs?integrated_account_id=" + w.ids["accounts"]: "runs", "workflow-runs?status=failed": "workflow-runs",
		} {
			for env, has := range map[millrace.EnvironmentID]bool{w.env: true, w.other: false} {
				rec := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(env)+"/"+query, w.roles[millrace.RoleViewer], nil)
				if got := strings.Contains(rec.Body.String(), "/"+row+"/"+w.ids[row]); rec.Code != http.StatusOK || got != has {
					t.Errorf("%s: %d, its row is there: %v, want %v", query, rec.Code, got, has)
				}
			}
		}
		for _, query := range []string{
			"events?event=custom:y", "deliveries?status=pending", "deliveries?sync_job_run_id=" + w.ids["runs"], "accounts?status=validation_error",
			"accounts?tenant_id=x", "runs?is_partial=true", "accounts?status=active",
		} {
			rec := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/"+query, w.roles[millrace.RoleViewer], nil)
			if rec.Code != http.StatusOK || strings.Contains(rec.Body.String(), "<tbody>") {
				t.Errorf("%s: %d, and it has rows", query, rec.Code)
			}
		}
	})
}

// TestFormsAskForRoles sends every form as each role, and from another site.
func TestFormsAskForRoles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		base := dashboard.Root + "/environment/" + string(w.env)
		forms := map[string]millrace.Role{
			"/runs/" + w.ids["runs"] + "/again": millrace.RoleMember, "/workflows/" + w.ids["workflows"] + "/pause": millrace.RoleMember,
			"/workflows/" + w.ids["workflows"] + "/resume": millrace.RoleMember, "/webhooks/" + w.ids["webhooks"] + "/off": millrace.RoleMember,
			"/webhooks/" + w.ids["webhooks"] + "/on": millrace.RoleMember, "/deliveries/" + w.ids["deliveries"] + "/redeliver": millrace.RoleMember,
			"/accounts/" + w.ids["accounts"] + "/link": millrace.RoleMember, "/workflows/new": millrace.RoleMember, "/sync-jobs/new": millrace.RoleMember,
			"/workflows/" + w.ids["workflows"] + "/edit": millrace.RoleMember, "/sync-jobs/" + w.ids["sync-jobs"] + "/edit": millrace.RoleMember,
			"/notification-destinations/" + w.ids["notification-destinations"] + "/off": millrace.RoleMember, "/notification-destinations/" + w.ids["notification-destinations"] + "/on": millrace.RoleMember,
			"/deliveries/again": millrace.RoleMember, "/deliveries/redeliveries/" + w.ids["deliveries/redeliveries"] + "/stop": millrace.RoleMember, "/webhooks/" + w.ids["webhooks"] + "/secret": millrace.RoleMember,
			"/sync-jobs/" + w.ids["sync-jobs"] + "/run": millrace.RoleMember, "/sync-jobs/" + w.ids["sync-jobs"] + "/state": millrace.RoleMember,
		}
		for path, needs := range forms {
			for role, session := range w.roles {
				rec := w.do(http.MethodPost, base+path, session, url.Values{}, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
				if rec.Code != http.StatusForbidden {
					t.Errorf("%s: %s from another site: %d", role, path, rec.Code)
				}
				rec = w.do(http.MethodPost, base+path, session, url.Values{"back": {base}}, "Sec-Fetch-Site", "same-origin")
				may := role.AtLeast(needs)
				if may == (rec.Code == http.StatusForbidden) {
					t.Errorf("%s: %s: %d", role, path, rec.Code)
				}
				asks := strings.HasSuffix(path, "/run") || strings.HasSuffix(path, "/state") || strings.HasSuffix(path, "/again") || strings.HasSuffix(path, "/secret") // for what is not there
				if may && rec.Code >= http.StatusBadRequest && rec.Code != http.StatusConflict && !asks {
					t.Errorf("%s: %s: %d %s", role, path, rec.Code, rec.Body)
				}
			}
			if rec := w.do(http.MethodPost, strings.Replace(base+path, string(w.env), string(w.other), 1), w.roles[millrace.RoleOwner], url.Values{}, "Sec-Fetch-Site", "same-origin"); rec.Code != http.StatusNotFound && !strings.HasSuffix(path, "/new") && !strings.HasSuffix(path, "/again") {
				t.Errorf("%s in another environment: %d", path, rec.Code)
			}
			if rec := w.do(http.MethodPost, base+path, "", url.Values{}, "Sec-Fetch-Site", "same-origin"); rec.Code != http.StatusSeeOther || !strings.Contains(rec.Header().Get("Location"), "/sign-in") {
				t.Errorf("%s without a session: %d", path, rec.Code)
			}
		}
		rec := w.do(http.MethodPost, dashboard.Root+"/people", w.roles[millrace.RoleMember], url.Values{"email": {"x@example.com"}, "role": {"viewer"}}, "Sec-Fetch-Site", "same-origin")
		if rec.Code != http.StatusForbidden {
			t.Errorf("a member invites: %d", rec.Code)
		}
		rec = w.do(http.MethodPost, dashboard.Root+"/people", w.roles[millrace.RoleAdmin], url.Values{"email": {"x@example.com"}, "role": {"viewer"}}, "Sec-Fetch-Site", "same-origin")
		if link := regexp.MustCompile(`https://millrace\.example\.com/dashboard/sign-in/mr_[A-Za-z0-9_-]+`).FindString(rec.Body.String()); rec.Code != http.StatusOK || link == "" {
			t.Errorf("an admin invites: %d %s", rec.Code, rec.Body)
		}
		for action, want := range map[string]bool{"pause": true, "resume": false} {
			w.do(http.MethodPost, base+"/workflows/"+w.ids["workflows"]+"/"+action, w.roles[millrace.RoleMember], url.Values{}, "Sec-Fetch-Site", "same-origin")
			err := db.View(t.Context(), func(tx *store.Tx) error {
				v, err := tx.Workflows().Get(t.Context(), w.env, millrace.WorkflowID(w.ids["workflows"]))
				if err == nil && v.IsPaused != want {
					t.Errorf("after %s the workflow is paused: %v", action, v.IsPaused)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestWhatIsWrongIsSaid sends what the API rejects.
func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	w := newHall(t, storetest.Open(t, storetest.SQLite(t)))
	owner := w.roles[millrace.RoleOwner]
	base := dashboard.Root + "/environment/" + string(w.env)
	for _, c := range []struct {
		path string
		form url.Values
		code int
		says string
	}{
		{base + "/runs/no-id/stop", url.Values{}, http.StatusNotFound, "not found"},
		{base + "/webhooks/" + w.ids["webhooks"] + "/test", url.Values{"event_type": {"no:such"}}, http.StatusBadRequest, "event_type"},
		{base + "/workflows/00000000-0000-4000-8000-00000000ffff/pause", url.Values{}, http.StatusNotFound, "workflow"},
		{dashboard.Root + "/me/password", url.Values{"password": {"short"}}, http.StatusBadRequest, "at least 12 characters"},
		{dashboard.Root + "/people", url.Values{"email": {"no address"}, "role": {"king"}}, http.StatusBadRequest, "must be an address"},
		{dashboard.Root + "/sign-in", url.Values{"email": {"owner"}, "password": {"wrong"}, "to": {"https://evil.example"}}, http.StatusUnauthorized, "the address or the password is wrong"},
		{dashboard.Root + "/sign-in/mr_wrong", url.Values{}, http.StatusUnauthorized, "used already"},
	} {
		rec := w.do(http.MethodPost, c.path, owner, c.form, "Sec-Fetch-Site", "same-origin")
		if rec.Code != c.code || !strings.Contains(rec.Body.String(), c.says) || strings.Contains(rec.Body.String(), "evil.example") {
			t.Errorf("%s: %d, want %d and %q:\n%s", c.path, rec.Code, c.code, c.says, rec.Body)
		}
	}
	for _, path := range []string{"/dashboard/nothing", base + "/nothing", base + "/runs/" + w.ids["runs"] + "/nothing", base + "/live?page=https://evil.example"} {
		if rec := w.do(http.MethodGet, path, owner, nil); rec.Code != http.StatusNotFound && rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

// TestAfterSigningInOnlyOurPages follows where a sign-in leads.
func TestAfterSigningInOnlyOurPages(t *testing.T) {
	t.Parallel()
	w := newHall(t, storetest.Open(t, storetest.SQLite(t)))
	who, err := w.p.Find(t.Context(), w.roles[millrace.RoleAdmin])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.p.SetPassword(t.Context(), who, "", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		"/dashboard/people": "/dashboard/people", "https://evil.example/dashboard": dashboard.Root, "//evil.example": dashboard.Root, "/dashboard\\@evil.example": dashboard.Root,
		"/dashboardx": dashboard.Root, "/environment": dashboard.Root, "/dashboard/sign-in": dashboard.Root, "": dashboard.Root,
	} {
		rec := w.do(http.MethodPost, dashboard.Root+"/sign-in", "", url.Values{"email": {"admin@example.com"}, "password": {"correct horse battery"}, "to": {to}}, "Sec-Fetch-Site", "same-origin")
		if got := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
		if cookie := rec.Header().Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-millrace_session=mr_") || !strings.Contains(cookie, "HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("the cookie is %q", cookie)
		}
	}
}

// TestStreamTellsOfChanges listens to a page that changes.
func TestStreamTellsOfChanges(t *testing.T) {
	t.Parallel()
	w := newHall(t, storetest.Open(t, storetest.SQLite(t)))
	server := httptest.NewServer(w.h)
	t.Cleanup(server.Close)
	t.Cleanup(w.h.Stop)
	page := w.do(http.MethodGet, dashboard.Root+"/environment/"+string(w.env)+"/events", w.roles[millrace.RoleViewer], nil).Body.String()
	live := regexp.MustCompile(`data-live="([^"]+)"`).FindStringSubmatch(page)
	if live == nil {
		t.Fatalf("the page has no stream:\n%s", page)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+strings.ReplaceAll(live[1], "&amp;", "&"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "millrace_session", Value: w.roles[millrace.RoleViewer]})
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	err = w.db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Events().Create(t.Context(), &millrace.Event{EnvironmentID: w.env, Name: "custom:y", Payload: json.RawMessage(`{}`)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 256)
	n, err := resp.Body.Read(b)
	if err != nil || !strings.Contains(string(b[:n]), "event: changed") || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("the stream says %q, %v", b[:n], err)
	}
	w.h.Stop()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

// TestTemplatesHaveNothingInline reads the templates and the scripts.
func TestTemplatesHaveNothingInline(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile(`(?i)\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:|<script>`)
	err := fs.WalkDir(os.DirFS("html"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile("html/" + path)
		if found := inline.FindString(string(text)); found != "" {
			t.Errorf("%s has %q", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var script []byte
	for _, name := range []string{"app.js", "editor.js"} {
		text, err := os.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		script = append(script, text...)
	}
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write", "new Function"} {
		if bytes.Contains(script, []byte(sink)) {
			t.Errorf("the script uses %s", sink)
		}
	}
	const most = 25 << 10
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(script)
	if err := z.Close(); err != nil || packed.Len() > most {
		t.Errorf("the script has %d bytes, compressed: at most %d; %v", packed.Len(), most, err)
	}
	t.Logf("the script has %d bytes, compressed", packed.Len())
}
