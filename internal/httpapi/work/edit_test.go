package work_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestEditorsCheckAndReplace checks and saves as an editor does: nothing is stored by a check, what a text leaves out is gone, and who saves
// over a change of somebody else is told.
func TestEditorsCheckAndReplace(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		db.SetQueue(storetest.NoQueue{})
		api := httpapi.New(httpapi.Config{DB: db, Accepter: event.NewAccepter(db, 1)})
		env := &millrace.Environment{Name: "shop"}
		workflow := &millrace.Workflow{Label: "first", TriggerName: "custom:x", Event: "custom:x", IsPaused: true, Config: millrace.WorkflowConfig{
			RunIf: "true", Steps: []millrace.Step{{Type: "run", Action: "run_sync_job", Config: []byte(`{"sync_job_id":"{{a}}"}`)}},
		}}
		job := &millrace.SyncJob{Label: "first", MutexKey: "a", ArgsSchema: []byte(`{}`), Resources: []byte(`[]`)}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.Environments().Create(t.Context(), env); err != nil {
				return err
			}
			workflow.EnvironmentID, job.EnvironmentID = env.ID, env.ID
			if err := tx.Workflows().Create(t.Context(), workflow); err != nil {
				return err
			}
			return tx.SyncJobs().Create(t.Context(), job)
		})
		if err != nil {
			t.Fatal(err)
		}
		send := func(e *rest.Edit, method, path, body string) *httptest.ResponseRecorder {
			ctx := rest.Acting(t.Context(), env.ID, millrace.ScopeWrite, "user 1")
			if e != nil {
				ctx = rest.Editing(ctx, *e)
			}
			r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/yaml")
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			return w
		}
		const text = "trigger_name: custom:y\nconfig:\n  steps:\n    - type: run\n      action: run_sync_job\n      config: '{}'\n"
		now := func() (string, string) {
			return send(nil, "GET", "/workflow/"+string(workflow.ID), "").Body.String(), send(nil, "GET", "/sync-job/"+string(job.ID), "").Body.String()
		}
		w0, j0 := now()
		for _, c := range []struct {
			edit               rest.Edit
			method, path, body string
			code               int
			says               string
		}{
			{rest.Edit{Check: true}, "POST", "/workflow", text, http.StatusOK, `"label":""`},
			{rest.Edit{Check: true}, "PATCH", "/workflow/" + string(workflow.ID), text, http.StatusOK, `"label":""`},
			{rest.Edit{Check: true}, "PATCH", "/workflow/" + string(workflow.ID), "label: x\n", http.StatusBadRequest, "trigger_name"},
			{rest.Edit{Check: true}, "PATCH", "/workflow/" + string(workflow.ID), "trigger_name: custom:y\nconfig:\n  run_if: 1 +\n", http.StatusBadRequest, "config.run_if"},
			{rest.Edit{Check: true}, "POST", "/sync-job", "label: x\n", http.StatusOK, "is empty"},
			{rest.Edit{Check: true}, "PATCH", "/sync-job/" + string(job.ID), "resources: [{}]\n", http.StatusBadRequest, "resources[0]"},
			{rest.Edit{Base: "7"}, "PATCH", "/workflow/" + string(workflow.ID), text, http.StatusConflict, "changed"},
			{rest.Edit{Base: "7"}, "PATCH", "/sync-job/" + string(job.ID), "label: x\n", http.StatusConflict, "changed"},
		} {
			if got := send(&c.edit, c.method, c.path, c.body); got.Code != c.code || !strings.Contains(got.Body.String(), c.says) {
				t.Errorf("%s %s of %q: %d %s, want %d and %s", c.method, c.path, c.body, got.Code, got.Body, c.code, c.says)
			}
		}
		if w, j := now(); w != w0 || j != j0 {
			t.Errorf("a check or a conflict has stored something:\n%s\n%s", w, j)
		}
		if got := send(&rest.Edit{Base: "1"}, "PATCH", "/workflow/"+string(workflow.ID), text); got.Code != http.StatusOK {
			t.Errorf("the save of a workflow: %d %s", got.Code, got.Body)
		}
		if got := send(&rest.Edit{Base: rest.BaseOf(job)}, "PATCH", "/sync-job/"+string(job.ID), "label: second\n"); got.Code != http.StatusOK {
			t.Errorf("the save of a sync job: %d %s", got.Code, got.Body)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			v, err := tx.Workflows().Get(t.Context(), env.ID, workflow.ID)
			if err != nil {
				return err
			}
			if v.Label != "" || v.Event != "custom:y" || v.Config.RunIf != "" || !v.IsPaused || v.Version != 2 || v.CreatedAt != workflow.CreatedAt {
				t.Errorf("the workflow is %+v", v)
			}
			j, err := tx.SyncJobs().Get(t.Context(), env.ID, job.ID)
			if err == nil && (j.Label != "second" || j.MutexKey != "" || j.CreatedAt != job.CreatedAt) {
				t.Errorf("the job is %+v", j)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
