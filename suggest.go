package millrace

import "fmt"

// Suggest adds to a failure about an unknown name which of the known names was probably meant, if one is near.
func (f *Failure) Suggest(got string, known []string) {
	if f.Suggestion = Nearest(got, known); f.Suggestion != "" {
		f.Message += fmt.Sprintf("; did you mean %q?", f.Suggestion)
	}
}

// Nearest returns the name that was probably meant by one that is not known, "" when none is near. It is never the one that was
// given, which may be known in another place.
func Nearest(got string, names []string) string {
	best, distance := "", 1+len(got)/3
	for _, name := range names {
		if name == got {
			continue
		}
		if d := EditDistance(got, name, distance); d <= distance && (best == "" || d < distance) {
			best, distance = name, d
		}
	}
	return best
}

// EditDistance counts the insertions, deletions, replacements and swaps of neighbours between a and b; it may stop at
// anything above limit.
func EditDistance(a, b string, limit int) int {
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
