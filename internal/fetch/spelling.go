package fetch

import "strings"

// closest returns the name that a misspelt one surely means, or nothing: it differs in case and separators only, or in
// two letters that changed places, or in one letter, or in two when it is long.
func closest(got string, names []string) string {
	plain := plainName(got)
	best, bestDistance := "", 3
	for _, name := range names {
		if plainName(name) == plain || isSwapped(got, name) {
			return name
		}
		allowed := min(len(name)/4, 2)
		if d := distance(got, name); d <= allowed && d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

func plainName(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// isSwapped reports whether two neighbouring letters changed places.
func isSwapped(a, b string) bool {
	if len(a) != len(b) || len(a) < 4 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// distance is the number of letters to insert, remove or replace to get from a to b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
