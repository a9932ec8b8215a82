package fetch

import (
	"strings"

	"github.com/millrace/millrace"
)

// closest returns the name that a misspelt one surely means, or nothing: it differs in case and separators only, or in
// one letter or two neighbours that changed places, or in two such when it is long.
func closest(got string, names []string) string {
	plain := plainName(got)
	best, bestDistance := "", 3
	for _, name := range names {
		if plainName(name) == plain {
			return name
		}
		allowed := min(len(name)/4, 2)
		if d := millrace.EditDistance(got, name, allowed); d <= allowed && d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

func plainName(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}
