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
		"TriggerName": "trigger_name", "run-if": "run_if", "tset": "test", "text": "test", "txet": "", "trigers_names": "trigger_name",
		"triggeringnames": "", // four letters
		"test":            "", // known here, so it was not known there
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

func TestUnknown(t *testing.T) {
	t.Parallel()
	known := []string{"merge", "split"}
	err := millrace.Unknown("action", "action", "mergee", known)
	want := millrace.Failure{Path: "action", Message: `action "mergee" not found; did you mean "merge"?`, Suggestion: "merge"}
	if err.Kind != millrace.KindNotFound || err.Message != want.Message || len(err.Failures) != 1 || err.Failures[0] != want {
		t.Errorf("got %+v, want one failure %+v", err, want)
	}
	if err := millrace.Unknown("action", "action", "other", known); err.Message != `action "other" not found` || err.Failures != nil {
		t.Errorf("got %+v, want no suggestion", err)
	}
}
