package httpapi

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The document lists what is not served, and no route is hidden by it.
func TestWhatIsNotServedIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, u := range unserved() {
		fmt.Fprintf(&want, "| `/%s` | %s |\n", u[0], u[1])
		if got := missingFeature("/" + strings.ReplaceAll(u[0], "*", "x") + "/more"); got != u[1] {
			t.Errorf("below /%s: got %q, want %q", u[0], got, u[1])
		}
	}
	if _, table, _ := strings.Cut(string(doc), "|---|---|\n"); table != want.String() {
		t.Errorf("docs/compatibility.md has the rows\n%s\nwant\n%s", table, want.String())
	}
	raw, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var api struct{ Paths map[string]any }
	if err := json.Unmarshal(raw, &api); err != nil {
		t.Fatal(err)
	}
	for path := range api.Paths {
		if feature := missingFeature(path); feature != "" {
			t.Errorf("%s is a route and would be rejected as one of %s", path, feature)
		}
	}
}
