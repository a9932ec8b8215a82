package jsonata

import (
	"math"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// text casts a value to a string as the operator & does; undefined is empty.
func (ev *evaluator) text(v Value) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return ev.stringify(v, false)
}

// stringify is $string for values other than undefined.
func (ev *evaluator) stringify(v Value, pretty bool) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case *Function:
		return "", nil
	case float64:
		if v != v || math.IsInf(v, 0) {
			return "", newError("D3001", v)
		}
		return FormatNumber(round15(v)), nil
	}
	e := encoder{ev: ev, text: true, pretty: pretty}
	if err := e.value(unwrap(v), 0); err != nil {
		return "", err
	}
	return string(e.buf), ev.grow(len(e.buf))
}

// halfPair returns the code unit a text begins with if that is half of a
// surrogate pair, which is kept as the three bytes UTF-8 would have for it.
func halfPair(s string) (uint16, bool) {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2] < 0x80 || s[2] > 0xBF {
		return 0, false
	}
	return 0xD000 | uint16(s[1]&0x3F)<<6 | uint16(s[2]&0x3F), true
}

func beginsWithHalf(s string) bool {
	_, half := halfPair(s)
	return half
}

// joinText concatenates texts of the given total size. Halves of a surrogate pair
// that meet become one character.
func joinText(texts []string, size int) string {
	var b strings.Builder
	b.Grow(size)
	halves := false
	for i, t := range texts {
		halves = halves || i > 0 && beginsWithHalf(t)
		b.WriteString(t)
	}
	if halves {
		return joinHalves(b.String())
	}
	return b.String()
}

// joinHalves makes one character of each two halves of a surrogate pair that meet.
func joinHalves(s string) string {
	first := strings.IndexByte(s, surrogateByte)
	if first < 0 || utf8.ValidString(s) {
		return s
	}
	buf := append(make([]byte, 0, len(s)), s[:first]...)
	for s = s[first:]; s != ""; {
		if unit, half := halfPair(s); half {
			buf, s = syntax.AppendUnit(buf, unit), s[3:]
		} else {
			buf, s = append(buf, s[0]), s[1:]
		}
	}
	return string(buf)
}

// splitHalves writes each character beyond U+FFFF as the two halves of its surrogate pair, so that a half is found in it.
func splitHalves(s string) string {
	buf := make([]byte, 0, len(s)+len(s)/2)
	for i := 0; i < len(s); i++ {
		if s[i] < 0xF0 {
			buf = append(buf, s[i])
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		high, low := utf16.EncodeRune(r)
		buf = syntax.AppendUnit(buf, uint16(high)) //nolint:gosec // a surrogate has 16 bits
		buf = append(buf, surrogateByte, 0x80|byte(low>>6&0x3F), 0x80|byte(low&0x3F))
		i += n - 1
	}
	return string(buf)
}

// surrogateByte is the first of the three bytes of half of a surrogate pair.
const surrogateByte = 0xED

// searched returns a text and what to look for in it, so that comparing bytes finds what comparing UTF-16 code units does,
// and whether halves of surrogate pairs in what is found have to be joined.
func (c *Call) searched(s, sep string) (text, part string, split bool, err error) { //nolint:nonamedreturns // two values of one type
	_, low := halfPair(sep)
	_, high := halfPair(sep[max(0, len(sep)-3):])
	if !low && !high {
		return s, sep, false, nil
	}
	if err := c.Grow(2 * len(s)); err != nil {
		return "", "", false, err
	}
	return splitHalves(s), splitHalves(sep), true, nil
}

// compareTexts is compareStrings within the budget.
func (ev *evaluator) compareTexts(s, t string) (int, error) {
	const perStep = 64
	if n := min(len(s), len(t)); n >= perStep {
		if err := ev.step(n / perStep); err != nil {
			return 0, err
		}
	}
	return compareStrings(s, t), nil
}

// compareStrings compares by UTF-16 code units, as JavaScript does.
func compareStrings(s, t string) int {
	n := min(len(s), len(t))
	for i := range n {
		a, b := s[i], t[i]
		if a == b {
			continue
		}
		// The code units of characters beyond U+FFFF are halves of surrogate pairs, which are less than those of
		// characters from U+E000 on.
		if a >= surrogateByte && b >= surrogateByte && (a >= 0xF0) != (b >= 0xF0) {
			return compareUnits(s[i:], t[i:])
		}
		if a < b {
			return -1
		}
		return 1
	}
	return len(s) - len(t)
}

// compareUnits compares texts that begin with different characters.
func compareUnits(s, t string) int {
	head := func(s string) []uint16 {
		return encodeUnits(s[:skipRunes(s, 2)])
	}
	return slices.Compare(head(s), head(t))
}
