package millrace_test

import (
	"testing"

	"github.com/millrace/millrace"
)

func TestSuggest(t *testing.T) {
	t.Parallel()
	known := []string{"trigger_name", "run_if", "test", "steps", "config", "integrated_account:active"}
	for got, want := range map[string]string{
		"triger_name": "trigger_name", "trigger_anme": "trigger_name", "runif": "run_if", "step": "steps", "webhook": "", "": "", "x": "", "run_fi": "run_if",
		"confg": "config", "integrated_acount:actve": "integrated_account:active", "zebra": "",
		"test": "", // known here, so it was not known there
	} {
		f := millrace.Failure{Message: "unknown"}
		f.Suggest(got, known)
		message := "unknown"
		if want != "" {
			message += `; did you mean "` + want + `"?`
		}
		if f.Suggestion != want || f.Message != message {
			t.Errorf("%q: got %q and %q, want %q", got, f.Suggestion, f.Message, want)
		}
	}
}
