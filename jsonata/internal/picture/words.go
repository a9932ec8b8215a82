package picture

import (
	"math"
	"strings"
	"unicode/utf8"
)

// vocabulary is English number words. It is built where it is needed: the
// package keeps no state.
type vocabulary struct {
	small, smallOrdinals, tens, magnitudes []string
}

func newVocabulary() *vocabulary {
	return &vocabulary{
		small: strings.Fields(`Zero One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve
			Thirteen Fourteen Fifteen Sixteen Seventeen Eighteen Nineteen`),
		smallOrdinals: strings.Fields(`Zeroth First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth
			Eleventh Twelfth Thirteenth Fourteenth Fifteenth Sixteenth Seventeenth Eighteenth Nineteenth`),
		tens:       strings.Fields(`Twenty Thirty Forty Fifty Sixty Seventy Eighty Ninety`),
		magnitudes: strings.Fields(`Thousand Million Billion Trillion`),
	}
}

// words spells a non-negative number. It fails with ErrRange where the
// reference recurses without end.
func words(value float64, ordinal bool) (string, error) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "", ErrRange
	}
	w := &wordWriter{vocabulary: newVocabulary()}
	w.spell(value, false, ordinal)
	return string(w.text), nil
}

type wordWriter struct {
	*vocabulary
	text []byte
}

func (w *wordWriter) write(word string) { w.text = append(w.text, word...) }

// spell writes num. With after set something precedes it in the same number,
// and the joint is "and" below one hundred and a comma above.
func (w *wordWriter) spell(num float64, after, ordinal bool) {
	switch {
	case after && num < 100:
		w.write(" and ")
	case after:
		w.write(", ")
	}
	switch {
	case num < 100:
		w.belowHundred(num, ordinal)
	case num < 1000:
		w.write(w.small[int(num/100)] + " Hundred")
		w.remainder(math.Mod(num, 100), ordinal)
	default:
		magnitude, factor := 0, 1e3
		for magnitude+1 < len(w.magnitudes) && num >= factor*1000 {
			magnitude++
			factor *= 1000
		}
		mantissa := math.Floor(num / factor)
		w.spell(mantissa, false, false)
		w.write(" " + w.magnitudes[magnitude])
		product := mantissa * factor
		w.remainder(num-product, ordinal)
	}
}

func (w *wordWriter) belowHundred(num float64, ordinal bool) {
	if num != math.Floor(num) || num < 0 {
		w.write("undefined") // there is no word for a fraction
		return
	}
	n := int(num)
	switch {
	case n < 20 && ordinal:
		w.write(w.smallOrdinals[n])
	case n < 20:
		w.write(w.small[n])
	case n%10 > 0:
		w.write(w.tens[n/10-2] + "-")
		w.belowHundred(float64(n%10), ordinal)
	case ordinal:
		w.write(strings.TrimSuffix(w.tens[n/10-2], "y") + "ieth")
	default:
		w.write(w.tens[n/10-2])
	}
}

func (w *wordWriter) remainder(num float64, ordinal bool) {
	switch {
	case num > 0:
		w.spell(num, true, ordinal)
	case ordinal:
		w.write("th")
	}
}

// wordValue is one word that text in words may contain.
type wordValue struct {
	word  string
	value float64
}

// values lists all words in the order in which a parser tries them.
func (v *vocabulary) values() []wordValue {
	var all []wordValue
	add := func(word string, value float64) {
		all = append(all, wordValue{strings.ToLower(word), value})
	}
	for i, word := range v.small {
		add(word, float64(i))
	}
	for i, word := range v.smallOrdinals {
		add(word, float64(i))
	}
	for i, word := range v.tens {
		add(word, float64(10*i+20))
		add(strings.TrimSuffix(word, "y")+"ieth", float64(10*i+20))
	}
	add("Hundred", 100)
	add("Hundreieth", 100) // the reference derives it like twentieth
	add("Hundredth", 100)
	for i, word := range v.magnitudes {
		add(word, math.Pow10(3*i+3))
		add(word+"th", math.Pow10(3*i+3))
	}
	return all
}

// parseWords reads a number in words, or NaN if it has an unknown word. Words
// below one hundred add to the running group, larger ones multiply it.
func parseWords(text string) float64 {
	values := make(map[string]float64)
	for _, w := range newVocabulary().values() {
		values[w.word] = w.value
	}
	sum, group := 0.0, 0.0
	text = strings.ToLower(text)
	for more := true; more; {
		var word string
		word, text, more = cutWord(text)
		value, known := values[word]
		switch {
		case !known:
			return math.NaN()
		case value >= 100:
			group *= value
		case group >= 1000:
			sum, group = sum+group, value
		default:
			group += value
		}
	}
	return sum + group
}

// cutWord cuts text at the first separator: a comma and a space, " and ", or a
// single space, hyphen or backslash.
func cutWord(text string) (string, string, bool) {
	for i, r := range text {
		rest := text[i+utf8.RuneLen(max(r, 0)):]
		if r == utf8.RuneError {
			continue
		}
		switch {
		case r == ',':
			if next, size := utf8.DecodeRuneInString(rest); isSpace(next) {
				return text[:i], rest[size:], true
			}
		case isSpace(r):
			if after, ok := strings.CutPrefix(rest, "and"); ok {
				if next, size := utf8.DecodeRuneInString(after); isSpace(next) {
					return text[:i], after[size:], true
				}
			}
			return text[:i], rest, true
		case r == '-' || r == '\\':
			return text[:i], rest, true
		}
	}
	return text, "", false
}
