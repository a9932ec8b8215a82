package jsregexp_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata/internal/jsregexp"
)

var errBudget = errors.New("budget")

// budget allows a number of units of work.
func budget(units int) func(int) error {
	return func(n int) error {
		if units -= n; units < 0 {
			return errBudget
		}
		return nil
	}
}

// TestHostile matches expressions that take forever, or all memory, in a
// backtracking engine without bounds. Each must end in an error soon.
func TestHostile(t *testing.T) {
	as := strings.Repeat("a", 1<<20)
	tests := map[string]struct{ pattern, text string }{
		"nested plus":             {`^(a+)+$`, strings.Repeat("a", 40) + "b"},
		"nested star":             {`(a*)*b`, strings.Repeat("a", 40)},
		"overlapping choice":      {`(a|aa)+$`, strings.Repeat("a", 60) + "b"},
		"same choice":             {`(a|a)*c`, strings.Repeat("a", 60)},
		"quadratic scan":          {`a*b`, as},
		"quadratic lazy":          {`a.*?b`, as},
		"cubic":                   {`a*a*a*b`, as},
		"polynomial":              {strings.Repeat(`\w*`, 20) + "!", as},
		"counted":                 {`(?:a|b|c|d){1,100000}x`, as},
		"counted twice":           {`((a{1,1000}){1,1000}){1,1000}x`, as},
		"counted huge":            {`(?:){2147483647}`, ""},
		"counted empty group":     {`(a?){2000000000}x`, "aa"},
		"many frames":             {`(?:(a)|(b))*c`, as},
		"look-ahead of all":       {`(?:(?=.*x).)*y`, as},
		"look-behind of all":      {`(?<=^b.*)x`, strings.Repeat("x", 1<<16)},
		"look-behind backtracks":  {`(?<=^(a+)+b)c`, "!" + strings.Repeat("a", 50) + "bc"},
		"back reference":          {`(a*)*\1b`, strings.Repeat("a", 60)},
		"back references of all":  {`(a+)\1+b`, as},
		"wide text":               {`(é+)+$`, strings.Repeat("é", 50) + "x"},
		"case-insensitive nested": {`^(([a-z])+.)+[A-Z]([a-z])+$`, strings.Repeat("a", 60)},
		"many captures":           {`(?:` + strings.Repeat(`(a)?`, 900) + `)*b`, as},
		"email":                   {`^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$`, as[:60] + "!"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			re, err := jsregexp.Compile(test.pattern, "")
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			got, err := re.Matcher(test.text).Match(0, budget(2_000_000))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, errBudget) && !errors.Is(err, jsregexp.ErrLimit) {
				t.Errorf("got %v, %v, want an error", got, err)
			}
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 5*time.Second || allocated > 64 {
				t.Errorf("took %v and %d MiB", took, allocated)
			}
		})
	}
}

// TestCheap matches what looks hostile but needs little work.
func TestCheap(t *testing.T) {
	t.Parallel()
	as := strings.Repeat("a", 1<<20)
	tests := map[string]struct {
		pattern, text string
		want          int
	}{
		"dot star":       {`^.*$`, as, len(as)},
		"lazy to end":    {`^a*?$`, as, len(as)},
		"class":          {`[a-z]+`, as, len(as)},
		"literal at end": {`b`, as + "b", len(as) + 1},
		"anchored":       {`^b`, as, -1},
		"counted run":    {`^a{1,100000}`, as, 100000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			re, err := jsregexp.Compile(test.pattern, "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := re.Matcher(test.text).Match(0, budget(8_000_000))
			end := -1
			if got != nil {
				end = got[1]
			}
			if err != nil || end != test.want {
				t.Errorf("got end %d, %v, want %d", end, err, test.want)
			}
		})
	}
}

func TestCompileLimits(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{
		"nested groups":       strings.Repeat("(", 10000) + strings.Repeat(")", 10000),
		"nested look-aheads":  strings.Repeat("(?=", 5000) + strings.Repeat(")", 5000),
		"many captures":       strings.Repeat("()", 2000),
		"a very long pattern": strings.Repeat("[a-z]", 10000),
	} {
		if _, err := jsregexp.Compile(pattern, ""); !errors.Is(err, jsregexp.ErrLimit) {
			t.Errorf("%s: got %v, want ErrLimit", name, err)
		}
	}
	start := time.Now()
	if _, err := jsregexp.Compile(strings.Repeat("[^é-ü]", 4000), "i"); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("many classes took %v to compile", took)
	}
}

func FuzzMatch(f *testing.F) {
	for _, seed := range [][3]string{
		{`(?<=(\d+)(\d+))$`, "", "1053"},
		{`(z)((a+)?(b+)?(c))*`, "i", "zaacbbbcac"},
		{`^(a+)+$`, "m", "aaaab"},
		{`[^\w-é]{2,}?\1|(?<n>x)\k<n>`, "s", "😀é"},
		{`(?:(?!(a))b\1|\B){0,3}`, "", "bb"},
		{`\u0041\x41\cA\07[\b]`, "", "A"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, pattern, flags, text string) {
		re, err := jsregexp.Compile(pattern, flags)
		var syntax *jsregexp.SyntaxError
		if err != nil {
			if !errors.As(err, &syntax) && !errors.Is(err, jsregexp.ErrLimit) {
				t.Errorf("got untyped error %v", err)
			}
			return
		}
		m := re.Matcher(text)
		groups, err := m.Match(0, budget(100_000))
		if err != nil {
			return
		}
		for i := 0; i < len(groups); i += 2 {
			from, to := groups[i], groups[i+1]
			if (from < 0) != (to < 0) || from > to || to > m.Len() {
				t.Errorf("/%s/%s on %q: group %d is %d to %d", pattern, flags, text, i/2, from, to)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 200) + "someone@example.com"
	for _, pattern := range []string{`\w+@\w+\.com`, `lazy cat`, `(?i)x`, `[aeiou]{3}`, `(\w+) (\w+) (\w+)$`} {
		pattern = strings.TrimPrefix(pattern, "(?i)")
		re, err := jsregexp.Compile(pattern, "i")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(pattern, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := re.Matcher(text).Match(0, unlimited); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
