package integrations_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/integrations"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// With OAuth, the site that was named before the redirect is found among those that the token is for.
func TestJiraFindsItsSite(t *testing.T) {
	t.Parallel()
	jira, err := integrations.Get("jira")
	if err != nil {
		t.Fatal(err)
	}
	steps := configOf(t, jira).Actions["post_install"]
	if len(steps) != 2 {
		t.Fatalf("got %d steps", len(steps))
	}
	const sites = `[{"id":"1","url":"https://other.atlassian.net"},{"id":"2","url":"https://acme.atlassian.net"}]`
	for context, want := range map[string]string{
		`{"site":"acme"}`:  `2`,
		`{"site":"acm"}`:   `error: the user did not allow access to https://acm.atlassian.net`,
		`{"site":"other"}`: `1`,
		`{"site":"acme","email":"bot@acme.example","api_token":"t"}`: `skipped`,
	} {
		scope := jsonata.NewObject(2)
		scope.Set("context", parsed(t, []byte(context)))
		scope.Set("previous", parsed(t, []byte(sites)))
		got := "skipped"
		for _, step := range steps {
			run, err := step.RunIf.Eval(t.Context(), scope, expr.LimitsTransform())
			if err != nil {
				t.Fatal(err)
			}
			if !expr.Truthy(run) || step.Type != "update_context" {
				continue
			}
			v, err := step.Expression.Eval(t.Context(), scope, expr.LimitsTransform())
			if err != nil {
				got = "error: " + err.Error()
				continue
			}
			members, _ := v.(*jsonata.Object)
			got, _ = expr.Member(members, "cloud_id").(string)
		}
		if reason, fails := strings.CutPrefix(want, "error: "); got != want && (!fails || !strings.Contains(got, reason)) {
			t.Errorf("%s: got %q, want %q", context, got, want)
		}
	}
}
