package definition_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
)

func found(failures []millrace.Failure) []string {
	out := make([]string, len(failures))
	for i, f := range failures {
		out[i] = f.Path + ": " + f.Message
	}
	return out
}

func TestWorkflowIsCheckedWithoutHTTP(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trigger, config string
		want            []string
	}{
		"nothing is wrong": {
			"integrated_account:active", `{"run_if":"a = 1","steps":[{"type":"run","action":"run_sync_job","config":"{}"}]}`, []string{},
		},
		"no steps": {"integrated_account:active", `{}`, []string{"config.steps: is required"}},
		"all at once, in order": {
			"integrated_acount:active",
			`{"delay":"31d","steps":[{"action":"run_sync_jobs","config":"","timezone":"UTC"},{"action":"run_sync_job","config":{"sync_job":1},"cron_expression":""}]}`,
			[]string{
				`trigger_name: unknown trigger "integrated_acount:active"; did you mean "integrated_account:active"?`,
				"config.delay: must be 1s to 30d",
				`config.steps[0].action: unknown action "run_sync_jobs"; known are run_sync_job; did you mean "run_sync_job"?`,
				"config.steps[0].config: must not be empty",
				"config.steps[0].timezone: has no meaning without cron_expression",
				`config.steps[1].config.sync_job: run_sync_job has no input "sync_job"; did you mean "sync_job_id"?`,
				"config.steps[1].config.sync_job_id: is required",
				`config.steps[1].cron_expression: "" has 0 fields, must have 5: minute, hour, day of month, month, day of week`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := definition.Workflow{Trigger: &c.trigger, Config: &definition.Config{}}
			if err := json.Unmarshal([]byte(c.config), w.Config); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, found(w.CheckWhole())); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
		})
	}
}

func TestSyncJobIsCheckedWithoutHTTP(t *testing.T) {
	t.Parallel()
	job := definition.SyncJob{Version: 5, Resources: json.RawMessage(`[{"name":"a","type":"request","method":"list"}]`), ArgsValidation: "(1 +"}
	var paths []string
	for _, f := range job.Check() {
		paths = append(paths, f.Path)
	}
	if diff := cmp.Diff([]string{"default_runtime_version", "args_validation", "resources[0].resource"}, paths); diff != "" {
		t.Errorf("paths (-want +got)\n%s", diff)
	}
}

func TestIntegrationIsCheckedWithoutHTTP(t *testing.T) {
	t.Parallel()
	got := found(definition.CheckIntegrationConfig(json.RawMessage(`{"base_url":"https://a.test","actions":{"a":{"cron_expression":"x","timezone":"Nowhere","steps":[{"type":"form"}]},
"b":{"cron_expression":"* * *","steps":[{"type":"get_context"}]},"c":{"cron_expression":"0 * * * *"},"validation":{"cron_expression":"0 * * * *","steps":[{"type":"get_context"}]}}}`)))
	want := []string{
		"config.actions.a.steps[0].type: a form waits for a user", "config.actions.c: has no steps",
		"config.actions.validation.cron_expression: the action validation belongs to the connection of an account; it has no schedule",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	got = found(definition.CheckIntegrationConfig(json.RawMessage(`{"actions":{"a":{"cron_expression":"* * *","timezone":"Nowhere","steps":[{"type":"get_context"}]}}}`)))
	want = []string{
		`config.actions.a.cron_expression: "* * *" has 3 fields, must have 5: minute, hour, day of month, month, day of week`,
		`config.actions.a.timezone: "Nowhere" is not an IANA time zone such as Europe/Berlin`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	failures := definition.CheckIntegrationConfig(json.RawMessage(`{"credentials":{"oauth2":{"format":"oauth2","config":{}}}}`))
	if len(failures) == 0 || !failures[0].IsBelow("config.credentials") {
		t.Errorf("got %v, want what is missing of the credentials", found(failures))
	}
	if got := found(definition.CheckIntegrationName("a/b")); len(got) != 1 {
		t.Errorf("got %v, want one finding about the name", got)
	}
}
