package jsonata_test

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// skipUnlessAlone skips tests that measure time and memory, unless they have the machine for themselves: other tests, and the
// race detector, would multiply both.
func skipUnlessAlone(t *testing.T) {
	t.Helper()
	if os.Getenv("MILLRACE_HOSTILE") == "" {
		t.Skip("SKIPPED beside other tests, because it measures time and memory; make hostile runs it")
	}
}

// stopwatch returns a function that tells how much time has passed: by the clock, or of the processor if that is less,
// because other programs may take the processor away.
func stopwatch(t *testing.T) func() time.Duration {
	t.Helper()
	start, before := time.Now(), processorTime(t)
	return func() time.Duration { return min(time.Since(start), processorTime(t)-before) }
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
