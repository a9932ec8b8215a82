package millrace

import (
	"fmt"
	"strings"
)

// Suggest adds to a failure about an unknown name which of the known names was probably meant, if one is near.
func (f *Failure) Suggest(got string, known []string) {
	if f.Suggestion = Nearest(got, known); f.Suggestion != "" {
		f.Message += fmt.Sprintf("; did you mean %q?", f.Suggestion)
	}
}

// Unknown returns an error of KindNotFound about a name that a request has at path, and suggests the known name that is near.
func Unknown(path, what, name string, known []string) *Error {
	err := NotFound(what, Shorten(name))
	f := Failure{Path: path, Message: err.Message}
	if f.Suggest(name, known); f.Suggestion != "" {
		err.Message, err.Failures = f.Message, []Failure{f}
	}
	return err
}

// Nearest returns the name that was probably meant by one that is not known, "" when none is near: one that differs in case and
// separators only, or in about one letter of four and at most three. It is never the one that was given, which may be known in another
// place.
func Nearest(got string, names []string) string {
	const most = 3
	best, distance := "", most+1
	for _, name := range names {
		if name == got {
			continue
		}
		if plainName(name) == plainName(got) {
			return name
		}
		limit := min((len(name)+1)/4, distance-1)
		if d := editDistance(got, name, limit); d <= limit {
			best, distance = name, d
		}
	}
	return best
}

// plainName returns a name without what tells spellings of the same words apart.
func plainName(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between a and b; it may stop at
// anything above limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 200 {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
