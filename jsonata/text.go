package jsonata

import (
	"math"
	"strings"

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

// joinText concatenates texts of the given total size. Halves of a surrogate pair
// that meet become one character.
func joinText(texts []string, size int) string {
	var b strings.Builder
	b.Grow(size)
	for i, t := range texts {
		if _, half := halfPair(t); half && i > 0 {
			return joinUnits(texts)
		}
		b.WriteString(t)
	}
	return b.String()
}

func joinUnits(texts []string) string {
	var buf []byte
	for _, t := range texts {
		for unit, half := halfPair(t); half; unit, half = halfPair(t) {
			buf = syntax.AppendUnit(buf, unit)
			t = t[3:]
		}
		buf = append(buf, t...)
	}
	return string(buf)
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
		// Characters from U+E000 on have code units above those of the surrogate
		// pairs, which stand for the characters beyond U+FFFF.
		if a >= 0xEE && b >= 0xEE && (a >= 0xF0) != (b >= 0xF0) {
			a, b = b, a
		}
		if a < b {
			return -1
		}
		return 1
	}
	return len(s) - len(t)
}
