package js

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// ParseNumber converts text to a number by the rules of JavaScript's Number(): surrounding white space is
// ignored, nothing at all is zero, anything else that is not a number is NaN.
func ParseNumber(s string) float64 {
	s = TrimSpace(s)
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		if base := radixOf(s[1]); base != 0 {
			return parseRadix(s[2:], base)
		}
	}
	end := decimalPrefix(s)
	if end != len(s) {
		return math.NaN()
	}
	return ParseDecimal(s)
}

func radixOf(marker byte) int {
	switch marker {
	case 'x', 'X':
		return 16
	case 'o', 'O':
		return 8
	case 'b', 'B':
		return 2
	}
	return 0
}

// parseRadix reads unsigned digits of the given base; a sign or a separator is no digit.
func parseRadix(digits string, base int) float64 {
	if strings.ContainsAny(digits, "+-_") {
		return math.NaN()
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return math.NaN()
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// ParseFloat is JavaScript's parseFloat: the longest number at the start of the text, or NaN.
func ParseFloat(s string) float64 {
	s = TrimSpace(s)
	end := decimalPrefix(s)
	if end == 0 {
		return math.NaN()
	}
	return ParseDecimal(s[:end])
}

// ParseInt is JavaScript's parseInt without a radix: decimal digits at the start of the text, or
// hexadecimal ones after 0x.
func ParseInt(s string) float64 {
	s = TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s[:min(1, len(s))], "+-") + s[min(1, len(s)):]
	base, digits := 10, "0123456789"
	if len(s) >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s, base, digits = s[2:], 16, "0123456789abcdefABCDEF"
	}
	end := 0
	for end < len(s) && strings.IndexByte(digits, s[end]) >= 0 {
		end++
	}
	if end == 0 {
		return math.NaN()
	}
	n := ParseDecimal(s[:end])
	if base == 16 {
		n = parseRadix(s[:end], base)
	}
	if negative {
		n = math.Copysign(n, -1)
	}
	return n
}

// decimalPrefix returns the length of the longest decimal number (or Infinity) that s starts with.
func decimalPrefix(s string) int {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	if strings.HasPrefix(s[i:], "Infinity") {
		return i + len("Infinity")
	}
	whole := countDigits(s[i:])
	i += whole
	fraction := 0
	if i < len(s) && s[i] == '.' {
		fraction = countDigits(s[i+1:])
		if whole+fraction > 0 {
			i += 1 + fraction
		}
	}
	if whole+fraction == 0 {
		return 0
	}
	return i + exponentLength(s[i:])
}

func exponentLength(s string) int {
	if s == "" || (s[0] != 'e' && s[0] != 'E') {
		return 0
	}
	i := 1
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	digits := countDigits(s[i:])
	if digits == 0 {
		return 0
	}
	return i + digits
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// ParseDecimal converts text that decimalPrefix accepted; a value that is too large becomes an infinity.
func ParseDecimal(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// IsSpace reports whether JavaScript regards r as white space.
func IsSpace(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

// TrimSpace removes what JavaScript regards as white space from both ends of a text.
func TrimSpace(s string) string { return strings.TrimFunc(s, IsSpace) }

// IsWhole reports whether a number has no fraction. NaN and the infinities have one.
func IsWhole(v float64) bool { return math.Mod(v, 1) == 0 }
