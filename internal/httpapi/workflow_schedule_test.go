package httpapi_test

import (
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
)

// A workflow is paused, changed and deleted over HTTP, and its schedules follow; one that is edited does not.
func TestSchedulesOfAWorkflow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		job := w.create("/sync-job", `{}`).id()
		flow := w.create("/workflow", `{"trigger_name":"custom:x","steps":[{"type":"run","action":"run_sync_job","cron_expression":"0 6 * * *","overlap":"skip","spread":0,"config":{"sync_job_id":"`+job+`"}}]}`)
		if flow.m["is_active"] != true {
			t.Errorf("got is_active %v, want true", flow.m["is_active"])
		}
		made := func(account string) string {
			v := &millrace.SyncJobCronTrigger{
				EnvironmentID: w.env, WorkflowID: millrace.WorkflowID(flow.id()), SyncJobID: millrace.SyncJobID(job), CronExpression: "0 6 * * *",
				IntegratedAccountID: millrace.IntegratedAccountID(account), Args: []byte("{}"),
			}
			err := w.db.Update(t.Context(), func(tx *store.Tx) error {
				if err := schedule.Reschedule(v, nil, tx.Now()); err != nil {
					return err
				}
				return tx.Schedules().Create(t.Context(), v)
			})
			if err != nil {
				t.Fatal(err)
			}
			return "/sync-job-cron-trigger/" + string(v.ID)
		}
		follows, edited, path := made(""), made(w.account("calcom").id()), "/workflow/"+flow.id()
		if got := w.patch(edited, `{"spread":60}`).ok(); got.m["is_detached"] != true {
			t.Errorf("got %v, want is_detached", got.m)
		}
		if got := w.patch(path, `{"is_active":false}`).ok(); got.m["is_active"] != false {
			t.Errorf("got is_active %v, want false", got.m["is_active"])
		}
		if got := w.get("/workflow?is_active=false").ok().ids(); len(got) != 1 {
			t.Errorf("got the paused workflows %v", got)
		}
		rests := w.get(follows).ok()
		if rests.m["next_run_at"] != nil || rests.str("rest_reason") != "its workflow is not active" {
			t.Errorf("got %v", rests.m)
		}
		if fires, _ := w.get(follows + "/fires").ok().at("result").([]any); len(fires) != 1 || fires[0].(map[string]any)["outcome"] != "stopped" {
			t.Errorf("got the fires %v", fires)
		}
		w.post(follows+"/schedule", `{}`).rejected(400, "id")
		if got := w.get(edited).ok(); got.m["next_run_at"] == nil {
			t.Errorf("a detached schedule rests: %v", got.m)
		}
		w.patch(path, `{"is_active":true,"config":{"steps":[{"type":"run","action":"run_sync_job","cron_expression":"0 9 * * *","config":{"sync_job_id":"`+job+`"}}]}}`).ok()
		if got := w.get(follows).ok(); got.str("cron_expression") != "0 9 * * *" || got.m["next_run_at"] == nil || got.m["rest_reason"] != nil {
			t.Errorf("got %v, want 0 9 * * * and due", got.m)
		}
		w.delete(path).ok()
		if got := w.get(follows).ok(); got.str("rest_reason") != "its workflow was deleted" || got.m["next_run_at"] != nil {
			t.Errorf("got %v", got.m)
		}
		if got := w.get(edited).ok(); got.m["next_run_at"] == nil || got.str("cron_expression") != "0 6 * * *" {
			t.Errorf("a detached schedule follows: %v", got.m)
		}
	})
}
