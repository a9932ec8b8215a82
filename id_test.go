package millrace_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace"
)

func TestNewIDReadsAsVersion4AndGrows(t *testing.T) {
	t.Parallel()
	before := millrace.NewID[string]()
	began := time.Now().UnixMilli()
	seen := map[string]bool{before: true}
	for time.Now().UnixMilli() == began {
		id := millrace.NewID[string]()
		if !millrace.IsID(id) || id[14] != '4' || (id[19] != '8' && id[19] != '9' && id[19] != 'a' && id[19] != 'b') {
			t.Fatalf("%s is no UUID of version 4", id)
		}
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
	if after := millrace.NewID[string](); after <= before {
		t.Errorf("%s was made after %s and stands before it", after, before)
	}
}

func TestNewSecretSharesNothing(t *testing.T) {
	t.Parallel()
	a, b := millrace.NewSecret(), millrace.NewSecret()
	if !millrace.IsID(a) || a[14] != '4' || a[:8] == b[:8] {
		t.Errorf("got %s and %s, want UUIDs that begin differently", a, b)
	}
}

func TestDeriveIDFollowsFromItsParts(t *testing.T) {
	t.Parallel()
	const id = "018F3A2B-11cd-4e00-8000-000000000001"
	a, again, other := millrace.DeriveID[string](id, "1"), millrace.DeriveID[string](id, "1"), millrace.DeriveID[string](id, "2")
	if a != again || a == other || !millrace.IsID(a) || a[14] != '8' {
		t.Errorf("got %s, %s and %s", a, again, other)
	}
	if a[:13] != "018f3a2b-11cd" || other[:13] != a[:13] {
		t.Errorf("%s and %s do not begin like %s", a, other, id)
	}
	if x, y := millrace.DeriveID[string]("ab", "c"), millrace.DeriveID[string]("a", "bc"); x == y || !millrace.IsID(x) {
		t.Errorf("different parts gave %s and %s", x, y)
	}
}
