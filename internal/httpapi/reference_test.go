package httpapi_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/expr"
)

// The two requests of the reference page, sent as printed there. The second is not JSON: a string in it has
// raw line breaks.
func TestReferencePage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct{ file, trigger, cron string }{
			{"reference_workflow", "integrated_account:active", ""},
			{"reference_workflow_cron", "integrated_account:connected", "0 */6 * * *"},
		} {
			body, err := os.ReadFile("testdata/" + c.file + ".http")
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/workflow", strings.NewReader(string(body)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+ownToken)
			req.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%s: got status %d", c.file, res.StatusCode)
			}
			for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "application/yaml"} {
				w.send("POST", "/workflow", string(body), "Content-Type", contentType).ok()
			}
			for _, variant := range []string{strings.ReplaceAll(string(body), "    ", "\t"), strings.ReplaceAll(string(body), "\n", "\r\n")} {
				steps, _ := w.create("/workflow", variant).at("config", "steps").([]any)
				source, _ := steps[0].(map[string]any)["config"].(string)
				checkReferenceConfig(t, source)
			}
			list := w.get("/workflow?trigger_name=" + c.trigger + "&limit=1").ok()
			v := w.get("/workflow/" + list.ids()[0]).ok()
			if v.str("label") != "Run sync job on account connection" || v.str("trigger_name") != c.trigger || v.m["version"] != 1.0 {
				t.Errorf("%s: got %v", c.file, v.m)
			}
			if v.str("config", "run_if") != "integration.name = 'calcom'" {
				t.Errorf("%s: got %v", c.file, v.m)
			}
			step, _ := v.at("config", "steps").([]any)[0].(map[string]any)
			source, _ := step["config"].(string)
			if got, _ := step["cron_expression"].(string); got != c.cron {
				t.Errorf("%s: got cron expression %q", c.file, got)
			}
			checkReferenceConfig(t, source)
		}
	})
}

// checkReferenceConfig evaluates the config as the workflow would.
func checkReferenceConfig(t *testing.T, source string) {
	t.Helper()
	program, err := expr.Compile(source)
	if err != nil {
		t.Fatalf("compile %q: %v", source, err)
	}
	scope, err := expr.ParseJSON([]byte(`{"integration":{"name":"calcom"},"integrated_account_id":"c7a4fe0b-6a9d-4a59-b53c-5d5a2c1e9d11"}`))
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.Eval(t.Context(), scope, expr.LimitsCondition())
	if err != nil {
		t.Fatalf("evaluate %q: %v", source, err)
	}
	got, err := expr.EncodeJSON(out)
	want := `{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b","integrated_account_id":"c7a4fe0b-6a9d-4a59-b53c-5d5a2c1e9d11","webhook_id":"9fda519d-148f-4cc5-bbac-4e373b16e5d4"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestWorkflowAsYAML(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		body := "label: From YAML\ntrigger_name: custom:invoice_paid\nconfig:\n  run_if: total > 100\n  steps:\n    - type: run\n      action: run_sync_job\n" +
			"      config:\n        sync_job_id: 51b79ace-a7b4-4077-93ba-8048a06ece2b\n        args: { since: '{{event.created_at}}' }\n"
		for _, contentType := range []string{"application/yaml", "application/x-yaml", "text/yaml; charset=utf-8", "application/json", "text/plain"} {
			v := w.send("POST", "/workflow", body, "Content-Type", contentType).ok()
			if v.str("label") != "From YAML" || v.str("config", "run_if") != "total > 100" {
				t.Errorf("%s: got %v", contentType, v.m)
			}
		}
	})
}
