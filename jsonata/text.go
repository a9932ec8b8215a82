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

// joinText concatenates texts of the given total size. Halves of a surrogate pair
// that meet become one character.
func joinText(texts []string, size int) string {
	var b strings.Builder
	b.Grow(size)
	for i, t := range texts {
		if i > 0 && len(t) >= 3 && t[0] == 0xED && t[1] >= 0xB0 {
			return joinUnits(texts)
		}
		b.WriteString(t)
	}
	return b.String()
}

func joinUnits(texts []string) string {
	var buf []byte
	for _, t := range texts {
		for len(t) >= 3 && t[0] == 0xED && t[1] >= 0xB0 {
			buf = syntax.AppendUnit(buf, 0xD000|uint16(t[1]&0x3F)<<6|uint16(t[2]&0x3F))
			t = t[3:]
		}
		buf = append(buf, t...)
	}
	return string(buf)
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
