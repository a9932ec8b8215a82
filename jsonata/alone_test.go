package jsonata_test

import (
	"os"
	"testing"
)

// skipUnlessAlone skips tests that measure time and memory, unless they have the machine for themselves: other tests, and the
// race detector, would multiply both.
func skipUnlessAlone(t *testing.T) {
	t.Helper()
	if os.Getenv("MILLRACE_HOSTILE") == "" {
		t.Skip("SKIPPED beside other tests, because it measures time and memory; make hostile runs it")
	}
}
