package account

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	in := `{"label":"X","credentials":{"oauth2":{"format":"oauth2","config":{"client":{"id":"i","secret":"s"},"auth":{"tokenHost":"h"}}},` +
		`"api_key":{"format":"api_key","config":{"fields":[{"name":"api_key","type":"password"}]}}},` +
		`"webhook":{"signature_verification":{"config":{"secret":"s","algorithm":"sha256"}}},"secret_environment_variables":{"A":"s"},` +
		`"headers":{"X":"{{api_key}}"}}`
	want := `{"label":"X","credentials":{"oauth2":{"format":"oauth2","config":{"client":{"id":"i"},"auth":{"tokenHost":"h"}}},` +
		`"api_key":{"format":"api_key","config":{"fields":[{"name":"api_key","type":"password"}]}}},` +
		`"webhook":{"signature_verification":{"config":{"algorithm":"sha256"}}},"headers":{"X":"{{api_key}}"}}`
	if diff := cmp.Diff(want, string(WithoutSecrets(json.RawMessage(in), nil))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := string(WithoutSecrets(json.RawMessage(`"oops`), nil)); got != "{}" {
		t.Errorf("broken config: got %s, want {}", got)
	}
}
