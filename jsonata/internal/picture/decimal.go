package picture

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

const maxExactDecimal = 1e21 // from here on JavaScript writes exponents

// numberText writes a number as JavaScript's Number.prototype.toString does.
func numberText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < maxExactDecimal {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}

// fixedText writes a non-negative number with a fixed number of decimals.
func fixedText(f float64, decimals int) string {
	if math.IsNaN(f) || f >= maxExactDecimal {
		return numberText(f)
	}
	return strconv.FormatFloat(f, 'f', decimals, 64)
}

// shift multiplies by a power of ten through the decimal text, which keeps
// decimal fractions exact where a multiplication would not.
func shift(f float64, places int) float64 {
	mantissa, exponent, ok := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !ok {
		return math.NaN()
	}
	e, err := strconv.Atoi(exponent)
	if err != nil {
		return math.NaN()
	}
	shifted, err := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(e+places), 64)
	if err != nil && !math.IsInf(shifted, 0) {
		return math.NaN()
	}
	return shifted
}

// round rounds to a number of decimals, halves to the even neighbour.
func round(f float64, places int) float64 {
	if places != 0 {
		f = shift(f, places)
	}
	rounded := math.RoundToEven(f)
	if places != 0 {
		rounded = shift(rounded, -places)
	}
	if rounded == 0 {
		return 0 // never the negative zero
	}
	return rounded
}

// powerOfTen is exact up to 22 and correctly rounded beyond; math.Pow is not.
func powerOfTen(n float64) float64 {
	if n != math.Trunc(n) || math.Abs(n) > 400 {
		return math.Pow(10, n)
	}
	p, err := strconv.ParseFloat("1e"+strconv.Itoa(int(n)), 64)
	if err != nil && !math.IsInf(p, 0) {
		return math.NaN()
	}
	return p
}

// parseInt reads a leading integer like JavaScript's parseInt without a radix:
// white space first, then a sign, a 0x prefix, and whatever follows is ignored.
func parseInt(s string) float64 {
	s = strings.TrimLeftFunc(s, isSpace)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	base, digits := 10, "0123456789"
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		base, digits, s = 16, "0123456789abcdefABCDEF", s[2:]
	}
	end := 0
	for end < len(s) && strings.IndexByte(digits, s[end]) >= 0 {
		end++
	}
	if end == 0 {
		return math.NaN()
	}
	text := s[:end]
	if base == 16 {
		text = "0x" + text + "p0"
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	if negative {
		return -f
	}
	return f
}

// isSpace reports what JavaScript's \s matches.
func isSpace(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

// FormatBase writes a number, rounded to an integer, in a base from 2 to 36.
// Other bases fail with D3100.
func FormatBase(value, radix float64) (string, error) {
	value, radix = round(value, 0), round(radix, 0)
	if radix < 2 || radix > 36 {
		return "", fail("D3100", radix)
	}
	if math.IsNaN(radix) {
		return "", ErrRange
	}
	if radix == 10 || math.IsNaN(value) || math.IsInf(value, 0) {
		return numberText(value), nil
	}
	return integerInBase(value, radix), nil
}

// integerInBase writes zeros for the low digits that the 53 bits of a double
// cannot tell, as V8 does, instead of the digits of the exact binary value.
func integerInBase(value, radix float64) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var reversed []byte
	rest := math.Abs(value)
	for rest/radix >= 1<<53 {
		rest /= radix
		reversed = append(reversed, '0')
	}
	for {
		digit := math.Mod(rest, radix)
		reversed = append(reversed, digits[int(digit)])
		rest = math.Floor((rest - digit) / radix)
		if rest <= 0 {
			break
		}
	}
	if value < 0 {
		reversed = append(reversed, '-')
	}
	slices.Reverse(reversed)
	return string(reversed)
}
