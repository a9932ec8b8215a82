package expr

import (
	"math"
	"strings"
)

// normalizeName keeps the lower-case ASCII letters and digits of a name, so that "First Name" and
// "first_name" compare as equal.
func normalizeName(s string) string {
	return strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return -1
	}, lowerCase(s))
}

// dice is the Sørensen-Dice coefficient over pairs of neighbouring characters of two normalised names. Two
// names without any pair give NaN.
func dice(a, b string) float64 {
	left, right := pairs(a), pairs(b)
	unmatched := make(map[string]int, len(right))
	for _, pair := range right {
		unmatched[pair]++
	}
	shared := 0
	for _, pair := range left {
		if unmatched[pair] > 0 {
			unmatched[pair]--
			shared++
		}
	}
	if len(left)+len(right) == 0 {
		return math.NaN()
	}
	return 2 * float64(shared) / float64(len(left)+len(right))
}

// pairs lists the neighbouring characters of a name; a single character stands for itself.
func pairs(s string) []string {
	if len(s) == 1 {
		return []string{s}
	}
	out := make([]string, 0, max(len(s)-1, 0))
	for i := 0; i+1 < len(s); i++ {
		out = append(out, s[i:i+2])
	}
	return out
}
