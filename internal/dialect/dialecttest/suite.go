package dialecttest

import (
	"os"
	"path/filepath"
	"testing"
)

// suiteFile is JSONata's own test suite, a case a line.
const suiteFile = "jsonata-suite.jsonl"

// Suite returns the path of JSONata's own test suite, which is published data and no part of the repository: in
// $MILLRACE_VECTORS, or in shared/vectors beside the repository. Where it is not, the test is skipped, and make test says so
// at its end (.ci/vectors). Where that folder is but the suite is not in it, CI fails.
func Suite(t testing.TB) string {
	t.Helper()
	dir, expected := os.Getenv("MILLRACE_VECTORS"), true
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "vectors")
		_, err := os.Stat(dir)
		expected = err == nil
	}
	path := filepath.Join(dir, suiteFile)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if expected && os.Getenv("CI") == "true" {
		t.Fatalf("JSONata's own test suite is not at %s; in CI it must be", path)
	}
	t.Skipf("SKIPPED, NOT TESTED: JSONata's own test suite is not at %s; set MILLRACE_VECTORS to the folder that it is in", path)
	return ""
}

// root returns the folder of the repository.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
	}
	t.Fatalf("there is no go.mod above %s", dir)
	return ""
}
