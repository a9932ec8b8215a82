package dialect

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/millrace/millrace/jsonata"
)

// TestEveryFunctionIsCovered reminds of what a new function needs besides its code: a test that calls it, beside it or in
// testdata.
func TestEveryFunctionIsCovered(t *testing.T) {
	t.Parallel()
	var tests []byte
	for _, pattern := range []string{"testdata/*.jsonl", "*_test.go", "*/*_test.go", "*/testdata/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tests = append(tests, text...)
		}
	}
	missing := map[string]bool{} // they only say that they are not here
	for _, f := range heavyFunctions() {
		missing[f.Name] = true
	}
	known, added := jsonata.Standard().Names(), 0
	for _, name := range Library().Names() {
		if slices.Contains(known, name) {
			continue
		}
		if !missing[name] && !regexp.MustCompile(`\$`+name+`\b`).Match(tests) {
			t.Errorf("no test calls $%s", name)
		}
		added++
	}
	if added < 50 {
		t.Errorf("the dialect adds %d functions, want more: does the test still find them?", added)
	}
}
