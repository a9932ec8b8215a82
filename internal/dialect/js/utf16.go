package js

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/jsonata"
)

// Half of a surrogate pair is not a character, but JavaScript text can contain one. It is kept as the three bytes that
// UTF-8 would have for it.

// IsHalf reports whether s starts with half of a surrogate pair.
func IsHalf(s string) bool { return len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 }

// HalfUnit returns the code unit of the half that s starts with.
func HalfUnit(s string) rune { return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f) }

func halfText(unit rune) string {
	return string([]byte{0xed, byte(0x80 | unit>>6&0x3f), byte(0x80 | unit&0x3f)}) //nolint:gosec // both are below 0xc0
}

// Characters splits text into UTF-16 code units, which is what JavaScript means by characters.
func Characters(s string) []jsonata.Value {
	out, _ := characters(s, func() error { return nil })
	return out
}

// characters calls between before each character, and ends with its error.
func characters(s string, between func() error) ([]jsonata.Value, error) {
	out := make([]jsonata.Value, 0, min(len(s), roomAtOnce))
	for len(s) > 0 {
		if err := between(); err != nil {
			return nil, err
		}
		r, size := utf8.DecodeRuneInString(s)
		if IsHalf(s) {
			size = 3
		}
		if r < 0x10000 {
			out = append(out, s[:size])
		} else {
			out = append(out, halfText(0xd800+(r-0x10000)>>10), halfText(0xdc00+(r-0x10000)&0x3ff))
		}
		s = s[size:]
	}
	return out, nil
}

// pairHalves joins halves of surrogate pairs that have become neighbours.
func pairHalves(s string) string {
	if !strings.Contains(s, "\xed") {
		return s
	}
	var b strings.Builder
	start := 0
	for i := 0; i+6 <= len(s); i++ {
		if !IsHalf(s[i:]) || !IsHalf(s[i+3:]) {
			continue
		}
		high, low := HalfUnit(s[i:]), HalfUnit(s[i+3:])
		if high >= 0xdc00 || low < 0xdc00 {
			continue
		}
		b.WriteString(s[start:i])
		b.WriteRune(0x10000 + (high-0xd800)<<10 + low - 0xdc00)
		start = i + 6
		i += 5
	}
	b.WriteString(s[start:])
	return b.String()
}
