package millrace_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace"
)

// A secret stays one inside of a value that is marked for the object store, whichever way it is read.
func TestStoredValuesKeepTheirSecrets(t *testing.T) {
	t.Parallel()
	a := &millrace.IntegratedAccount{}
	paths := [][]string{{"drive", "token"}, {"api_key"}}
	sent := `{"drive":{"truto_obj_store":true,"data":{"token":"hidden","id":9007199254740993}},"api_key":{"truto_obj_store":true,"data":"hidden"},"odd":{"truto_obj_store":true}}`
	if err := a.SetContext([]byte(sent), paths); err != nil {
		t.Fatal(err)
	}
	if got := string(a.ReadContext()); strings.Contains(got, "hidden") || !strings.Contains(got, `"drive":{"id":9007199254740993}`) {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(a.StoredFields(), " "); got != "drive" {
		t.Errorf("got stored fields %q, want drive", got)
	}
	full, err := a.FullContext()
	if err != nil {
		t.Fatal(err)
	}
	drive, _ := full["drive"].(map[string]any)
	if drive["token"] != "hidden" || full["api_key"] != "hidden" {
		t.Errorf("got %v", full)
	}
}
