package dialect

import (
	"math"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
)

// normalizeName keeps the lower-case ASCII letters and digits of a name, so that "First Name" and
// "first_name" compare as equal.
func normalizeName(s string) string {
	return strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return -1
	}, js.LowerCase(s))
}

// bigrams counts the pairs of neighbouring characters of a normalised name; a single character counts as one.
type bigrams struct {
	counts map[[2]byte]int
	total  int
}

func newBigrams(s string) bigrams {
	b := bigrams{counts: make(map[[2]byte]int)}
	if len(s) == 1 {
		b.add(s[0], 0)
	}
	for i := 0; i+1 < len(s); i++ {
		b.add(s[i], s[i+1])
	}
	return b
}

func (b *bigrams) add(first, second byte) {
	b.counts[[2]byte{first, second}]++
	b.total++
}

// dice is the Sørensen-Dice coefficient of two names: how many of their pairs they share. Two names without any pair
// give NaN.
func (b *bigrams) dice(other bigrams) float64 {
	if b.total+other.total == 0 {
		return math.NaN()
	}
	shared := 0
	for pair, n := range b.counts {
		shared += min(n, other.counts[pair])
	}
	return 2 * float64(shared) / float64(b.total+other.total)
}
