package jsregexp_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata/internal/jsregexp"
)

// TestWindow compares the search with one that tries every position: the same pattern behind an empty alternative of a
// look-ahead, which begins with anything.
func TestWindow(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	var pattern func(depth int) string
	pattern = func(depth int) string {
		if depth == 0 {
			return pick("a", "b", "c", "ab", "abc", "[ab]", "[^a]", ".", `\w`, `\b`, "é", "[a-é]", "^", "$", "(?=b)", "(?<=a)", "(?!c)", "")
		}
		p := func() string { return pattern(depth - 1) }
		switch rnd.IntN(7) {
		case 0:
			return "(?:" + p() + "|" + p() + ")"
		case 1:
			return "(" + p() + ")" + pick("", `\1`)
		case 2:
			return "(?:" + p() + ")" + pick("*", "+", "?", "{2}", "{1,3}", "*?", "{0}")
		}
		return p() + p()
	}
	for range 5_000 {
		src, flags := pattern(3), pick("", "i", "m")
		var text strings.Builder
		for range rnd.IntN(24) {
			text.WriteString(pick("a", "b", "c", "A", " ", "é", "\n"))
		}
		s := text.String()
		if rnd.IntN(2) == 0 {
			s = strings.ReplaceAll(s, "é", "b") // ASCII
		}
		fast, err := jsregexp.Compile(src, flags)
		if err != nil {
			continue
		}
		slow, err := jsregexp.Compile(src+"|(?!)", flags) // as good as nothing, but of length 0
		if err != nil {
			t.Fatal(err)
		}
		got, err := fast.Matcher(s).Match(0, unlimited)
		if err != nil {
			t.Fatal(err)
		}
		want, err := slow.Matcher(s).Match(0, unlimited)
		if err != nil {
			t.Fatal(err)
		}
		if (got == nil) != (want == nil) || got != nil && (got[0] != want[0] || got[1] != want[1]) {
			t.Errorf("/%s/%s on %q: got %v, want %v", src, flags, s, got, want)
		}
	}
}

// TestNestedRepeatsCompile compiles what would walk a pattern again and again.
func TestNestedRepeatsCompile(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	if _, err := jsregexp.Compile(strings.Repeat("(?:", 180)+"a"+strings.Repeat(")*", 180), ""); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
