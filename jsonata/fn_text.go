package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

func textFuncs() []builtin {
	return []builtin{
		{"string", "<x-b?:s>", 1, defined(fnString)},
		{"substring", "<s-nn?:s>", 3, defined(fnSubstring)},
		{"substringBefore", "<s-s:s>", 2, defined(fnSubstringBefore)},
		{"substringAfter", "<s-s:s>", 2, defined(fnSubstringAfter)},
		{"lowercase", "<s-:s>", 1, defined(func(c *Call) (Value, error) { return cased(c, lower) })},
		{"uppercase", "<s-:s>", 1, defined(func(c *Call) (Value, error) { return cased(c, upper) })},
		{"length", "<s-:n>", 1, defined(func(c *Call) (Value, error) {
			return float64(countRunes(c.Arg(0).(string))), nil
		})},
		{"trim", "<s-:s>", 1, defined(fnTrim)},
		{"pad", "<s-ns?:s>", 3, defined(fnPad)},
		{"contains", "<s-(sf):b>", 2, defined(fnContains)},
		{"match", "<s-f<s:o>n?:a<o>>", 3, defined(fnMatch)},
		{"replace", "<s-(sf)(sf)n?:s>", 4, defined(fnReplace)},
		{"split", "<s-(sf)n?:a<s>>", 3, defined(fnSplit)},
		{"join", "<a<s>s?:s>", 2, defined(fnJoin)},
	}
}

func fnString(c *Call) (Value, error) {
	pretty, _ := c.Arg(1).(bool)
	return c.ev.stringify(c.Arg(0), pretty)
}

// runeSize returns the length of the first character. Half of a surrogate pair is
// one character.
func runeSize(s string) int {
	if _, half := halfPair(s); half {
		return 3
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

func countRunes(s string) int {
	if utf8.ValidString(s) {
		return utf8.RuneCountInString(s)
	}
	n := 0
	for ; s != ""; n++ {
		s = s[runeSize(s):]
	}
	return n
}

// skipRunes returns the offset after the first n characters.
func skipRunes(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		i += runeSize(s[i:])
	}
	return i
}

func fnSubstring(c *Call) (Value, error) {
	s := c.Arg(0).(string)
	start, _ := c.Arg(1).(float64)
	n := float64(countRunes(s))
	if n+start < 0 {
		start = 0
	}
	end := n
	if length, ok := c.Arg(2).(float64); ok {
		if length <= 0 || c.Arg(1) == nil {
			return "", nil
		}
		end = start + length
		if start < 0 {
			end += n
		}
	}
	from, to := sliceBounds(start, end, n)
	i := skipRunes(s, from)
	return s[i : i+skipRunes(s[i:], to-from)], nil
}

// sliceBounds converts the arguments of JavaScript's slice.
func sliceBounds(start, end, n float64) (from, to int) { //nolint:nonamedreturns // two values of one type
	clamp := func(x float64) int {
		x = math.Trunc(x)
		if x != x {
			return 0
		}
		if x < 0 {
			x += n
		}
		return int(max(0, min(x, n)))
	}
	from, to = clamp(start), clamp(end)
	return from, max(from, to)
}

func fnSubstringBefore(c *Call) (Value, error) {
	before, _, err := c.cut()
	return before, err
}

func fnSubstringAfter(c *Call) (Value, error) {
	_, after, err := c.cut()
	return after, err
}

// cut returns what is before and after the second argument in the first, which is both if the second does not occur.
func (c *Call) cut() (before, after string, err error) { //nolint:nonamedreturns // two values of one type
	whole := c.Arg(0).(string)
	sep, ok := c.Arg(1).(string)
	s, sep, halves, err := c.searched(whole, sep)
	if err != nil {
		return "", "", err
	}
	before, after, found := strings.Cut(s, sep)
	switch {
	case !found || !ok:
		return whole, whole, nil
	case halves:
		return joinHalves(before), joinHalves(after), nil
	}
	return before, after, nil
}

func cased(c *Call, fn func(string) string) (Value, error) {
	s := c.Arg(0).(string)
	if err := c.Grow(len(s)); err != nil {
		return nil, err
	}
	return fn(s), c.Step(len(s) / 64)
}

func fnTrim(c *Call) (Value, error) {
	s := c.Arg(0).(string)
	if err := c.Grow(len(s)); err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, word := range strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\n' || r == '\r'
	}) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String(), nil
}

func fnPad(c *Call) (Value, error) {
	s := c.Arg(0).(string)
	width, _ := c.Arg(1).(float64)
	char, _ := c.Arg(2).(string)
	if char == "" {
		char = " "
	}
	width = math.Trunc(width)
	missing := math.Abs(width) - float64(countRunes(s))
	if !(missing > 0) {
		return s, nil
	}
	if missing > float64(c.ev.limits.Output) {
		return nil, newError(CodeOutput, c.ev.limits.Output)
	}
	n, unit := int(missing), countRunes(char)
	size := n/unit*len(char) + skipRunes(char, n%unit)
	if err := c.Grow(len(s) + size); err != nil {
		return nil, err
	}
	padding := strings.Repeat(char, size/len(char)) + char[:size%len(char)]
	if width > 0 {
		return joinHalves(s + padding), nil
	}
	return joinHalves(padding + s), nil
}

func fnJoin(c *Call) (Value, error) {
	a := c.Arg(0).(*Array)
	sep, _ := c.Arg(1).(string)
	size := max(0, a.Len()-1) * len(sep)
	parts := make([]string, a.Len())
	for i := range parts {
		var err error
		if parts[i], err = c.toText(a.At(i), 0); err != nil {
			return nil, err
		}
		if size += len(parts[i]); size > c.ev.limits.Output {
			break
		}
	}
	if err := c.Grow(size); err != nil {
		return nil, err
	}
	if err := c.Step(a.Len() / 4); err != nil {
		return nil, err
	}
	if sep == "" {
		return joinText(parts, size), nil
	}
	return joinHalves(strings.Join(parts, sep)), nil
}

// toText converts an item as JavaScript's join does. Only partial applications have other items than texts here.
func (c *Call) toText(v Value, depth int) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil, Null:
		return "", nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return FormatNumber(v), nil
	case *Array:
		if err := c.ev.nest(depth, v.Len()); err != nil {
			return "", err
		}
		parts := make([]string, v.Len())
		size := 0
		for i := range parts {
			var err error
			if parts[i], err = c.toText(v.At(i), depth+1); err != nil {
				return "", err
			}
			if size += len(parts[i]) + 1; size > c.ev.limits.Output {
				return "", newError(CodeOutput, c.ev.limits.Output)
			}
		}
		return strings.Join(parts, ","), c.Grow(size)
	}
	e := argError("T0412", 0, c.Arg(0))
	e.expected = "an array of " + subtypes('s')
	return "", e
}
