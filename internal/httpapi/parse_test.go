package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"run_if", "steps", "config", "integrated_account:active"}
	for got, want := range map[string]string{
		"run_fi": "run_if", "runif": "run_if", "step": "steps", "confg": "config", "integrated_acount:actve": "integrated_account:active",
		"zebra": "", "": "", "x": "",
	} {
		if n := millrace.Nearest(got, names); n != want {
			t.Errorf("Nearest(%q): got %q, want %q", got, n, want)
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	in := `{"label":"X","credentials":{"oauth2":{"format":"oauth2","config":{"client":{"id":"i","secret":"s"},"auth":{"tokenHost":"h"}}},` +
		`"api_key":{"format":"api_key","config":{"fields":[{"name":"api_key","type":"password"}]}}},` +
		`"webhook":{"signature_verification":{"config":{"secret":"s","algorithm":"sha256"}}},"secret_environment_variables":{"A":"s"},` +
		`"headers":{"X":"{{api_key}}"}}`
	want := `{"label":"X","credentials":{"oauth2":{"format":"oauth2","config":{"client":{"id":"i"},"auth":{"tokenHost":"h"}}},` +
		`"api_key":{"format":"api_key","config":{"fields":[{"name":"api_key","type":"password"}]}}},` +
		`"webhook":{"signature_verification":{"config":{"algorithm":"sha256"}}},"headers":{"X":"{{api_key}}"}}`
	if diff := cmp.Diff(want, string(withoutSecrets(json.RawMessage(in), nil))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := string(withoutSecrets(json.RawMessage(`"oops`), nil)); got != "{}" {
		t.Errorf("broken config: got %s, want {}", got)
	}
}
