//go:build race

package jsonata_test

import "testing"

// skipUnderRace skips tests that measure time and memory: the race detector multiplies both.
func skipUnderRace(t *testing.T) {
	t.Helper()
	t.Skip("SKIPPED under the race detector, which multiplies time and memory; make hostile runs it")
}
