//go:build !race

package jsonata_test

import "testing"

// skipUnderRace does nothing without the race detector.
func skipUnderRace(t *testing.T) { t.Helper() }
