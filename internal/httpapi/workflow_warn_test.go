package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWorkflowWarnings(t *testing.T) {
	t.Parallel()
	const step = `{"type":"run","action":"run_sync_job","config":%s}`
	const job = `{"id":"51b79ace-a7b4-4077-93ba-8048a06ece2b","default_runtime_version":4,"resources":[` +
		`{"name":"a","type":"request","resource":"a","method":"list","integrated_account_id":"{{args.a}}"}]}`
	plain := fmt.Sprintf(step, `{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b","integrated_account_id":"{{integrated_account_id}}"}`)
	for name, c := range map[string]struct {
		trigger, runIf, step string
		want                 []string
	}{
		"the reference": {"integrated_account:connected", "integration.name = 'calcom'", plain, nil},
		"a mistyped name": {
			"integrated_account:active", "status = 'active' and integraton.name = 'calcom'", plain,
			[]string{`config.run_if 1:23 an event integrated_account:active has nothing called "integraton"; did you mean "integration"?`},
		},
		"in an expression of a step": {
			"sync_job_run:completed", "", fmt.Sprintf(step, `"{ \"sync_job_id\": sync_job_id, \"integrated_account_id\": account_id }"`),
			[]string{`config.steps[0].config 1:56 an event sync_job_run:completed has nothing called "account_id"`},
		},
		"in a placeholder": {
			"sync_job_run:record", "", fmt.Sprintf(step, `{"sync_job_id":"{{meta.sync_job_id}}","args":{"n":"{{record.0.id|records.0.id}}"}}`),
			[]string{`config.steps[0].config 0:0 an event sync_job_run:record has nothing called "record"; did you mean "records"?`},
		},
		"a second name": {
			"integrated_account:active", "integration.nme = 'calcom'", plain,
			[]string{`config.run_if 1:1 integration of an event integrated_account:active has nothing called "nme"; did you mean "name"?`},
		},
		"ids that do not exist": {
			"integrated_account:active", "", fmt.Sprintf(step, `{"sync_job_id":"00000000-0000-4000-8000-00000000dead","webhook_id":"00000000-0000-4000-8000-00000000beef"}`),
			[]string{
				`config.steps[0].config.sync_job_id 0:0 sync job "00000000-0000-4000-8000-00000000dead" does not exist in this environment`,
				`config.steps[0].config.webhook_id 0:0 webhook "00000000-0000-4000-8000-00000000beef" does not exist in this environment`,
			},
		},
		"ids and members in an expression": {
			"integrated_account:active", "", fmt.Sprintf(step, `"{ \"sync_job_id\": \"00000000-0000-4000-8000-00000000dead\", \"webhok_id\": tenant_id }"`),
			[]string{
				`config.steps[0].config.webhok_id 0:0 run_sync_job has no input "webhok_id"; did you mean "webhook_id"?`,
				`config.steps[0].config.sync_job_id 0:0 sync job "00000000-0000-4000-8000-00000000dead" does not exist in this environment`,
			},
		},
		"a payload of one's own": {"custom:paid", "whatever > 1", plain, nil},
		"a trigger that never comes": {
			"batch_job:failed", "anything", plain, []string{"trigger_name 0:0 this server never emits batch_job:failed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				body, err := json.Marshal(map[string]any{"trigger_name": c.trigger, "config": map[string]any{"run_if": c.runIf, "steps": json.RawMessage("[" + c.step + "]")}})
				if err != nil {
					t.Fatal(err)
				}
				w.create("/sync-job", job)
				v := w.create("/workflow", string(body))
				var got []string
				list, _ := v.m["warnings"].([]any)
				for _, item := range list {
					f, _ := item.(map[string]any)
					line, _ := f["line"].(float64)
					column, _ := f["column"].(float64)
					message, _ := f["message"].(string)
					if i := strings.Index(message, "; did you mean"); i > 0 && len(c.want) > 0 && !strings.Contains(c.want[0], "did you mean") {
						message = message[:i]
					}
					got = append(got, fmt.Sprintf("%v %v:%v %s", f["path"], line, column, message))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("warnings (-want +got):\n%s", diff)
				}
				again, _ := w.get("/workflow/" + v.id()).ok().m["warnings"].([]any)
				if len(again) != len(c.want) {
					t.Errorf("got %d warnings later, want %d", len(again), len(c.want))
				}
			})
		})
	}
}
