package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/millrace/millrace/jsonata/internal/jsregexp"
	"github.com/millrace/millrace/jsonata/internal/syntax"
)

func fnContains(c *Call) (Value, error) {
	s := c.Arg(0).(string)
	switch token := c.Arg(1).(type) {
	case nil:
		return nil, nil
	case string:
		s, token, _, err := c.searched(s, token)
		if err != nil {
			return nil, err
		}
		return strings.Contains(s, token), c.Step(len(s) / 256)
	default:
		all, err := findAll(c, token, s)
		if err != nil {
			return nil, err
		}
		m, err := all.next()
		return m != nil, err
	}
}

// limitArg returns an optional limit, which must not be negative.
func limitArg(c *Call, i int, code string) (float64, error) {
	limit, ok := c.Arg(i).(float64)
	if !ok {
		return math.Inf(1), nil
	}
	if limit < 0 {
		return 0, argError(code, i, limit)
	}
	return limit, nil
}

func fnMatch(c *Call) (Value, error) {
	limit, err := limitArg(c, 2, "D3040")
	if err != nil {
		return nil, err
	}
	out := newSequence(0)
	if limit == 0 {
		return out, nil
	}
	all, err := findAll(c, c.Arg(1), c.Arg(0).(string))
	if err != nil {
		return nil, err
	}
	// The match after the last one wanted is looked for, too, and may be an error.
	m, err := all.next()
	var made []matchObject
	for n := 0.0; m != nil && n < limit; n++ {
		if len(made) == cap(made) { // a few at a time, because they are small
			const most = 16
			made = make([]matchObject, 0, min(most, 2*cap(made)+1))
		}
		made = append(made, matchObject{})
		o := made[len(made)-1].fill(m)
		out.items = append(out.items, o)
		if err := c.Grow(objectSize(o)); err != nil {
			return nil, err
		}
		m, err = all.next()
	}
	return out, err
}

// matchObject is the object that $match returns for a match, with its members.
type matchObject struct {
	object  Object
	members [3]member
}

func (x *matchObject) fill(m *match) *Object {
	x.members = [3]member{{"match", m.text}, {"index", float64(m.start)}, {"groups", m.groups}}
	x.object.members = x.members[:]
	return &x.object
}

// units gives access to a text by UTF-16 offsets.
type units struct {
	text string
	wide []uint16 // nil if the text is ASCII
}

func newUnits(s string) units {
	if jsregexp.IsASCII(s) {
		return units{text: s}
	}
	return units{s, encodeUnits(s)}
}

// encodeUnits returns the UTF-16 code units of a text, in which halves of
// surrogate pairs may occur.
func encodeUnits(s string) []uint16 {
	out := make([]uint16, 0, len(s))
	for s != "" {
		if unit, half := halfPair(s); half {
			out, s = append(out, unit), s[3:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		out, s = utf16.AppendRune(out, r), s[n:]
	}
	return out
}

func (u units) len() int {
	if u.wide != nil {
		return len(u.wide)
	}
	return len(u.text)
}

// slice returns the text between two offsets, as JavaScript's substring does.
func (u units) slice(from, to int) string {
	n := u.len()
	from, to = max(0, min(from, n)), max(0, min(to, n))
	if from > to {
		from, to = to, from
	}
	if u.wide == nil {
		return u.text[from:to]
	}
	buf := make([]byte, 0, to-from)
	for _, unit := range u.wide[from:to] {
		buf = syntax.AppendUnit(buf, unit)
	}
	return string(buf)
}

func fnSplit(c *Call) (Value, error) {
	limit, err := limitArg(c, 2, "D3020")
	if err != nil {
		return nil, err
	}
	out := &Array{}
	if limit == 0 {
		return out, nil
	}
	s := c.Arg(0).(string)
	if sep, ok := c.Arg(1).(string); ok {
		return splitText(c, s, sep, math.Trunc(limit))
	}
	if c.Arg(1) == nil {
		return NewArray(s), nil
	}
	all, err := findAll(c, c.Arg(1), s)
	if err != nil {
		return nil, err
	}
	text, start := newUnits(s), 0
	for n := 0.0; ; n++ {
		m, err := all.next()
		if err != nil {
			return nil, err
		}
		if m == nil || n >= limit {
			if n < limit {
				out.items = append(out.items, text.slice(start, text.len()))
			}
			return out, nil
		}
		out.items = append(out.items, text.slice(start, m.start))
		start = m.end
		if err := c.growParts(1, 1); err != nil {
			return nil, err
		}
	}
}

// growParts accounts for n short texts in an array.
func (c *Call) growParts(n, steps int) error {
	if err := c.ev.growItems(2 * n); err != nil {
		return err
	}
	return c.Step(steps)
}

func splitText(c *Call, s, sep string, limit float64) (Value, error) {
	parts := strings.Count(s, sep) + 1
	if sep == "" {
		parts = len(s)
	}
	if err := c.growParts(int(min(float64(parts), limit)), parts/8+1); err != nil {
		return nil, err
	}
	out := &Array{}
	s, sep, halves, err := c.searched(s, sep)
	if err != nil {
		return nil, err
	}
	if sep == "" {
		u := newUnits(s)
		for i := 0; i < u.len() && float64(i) < limit; i++ {
			out.items = append(out.items, u.slice(i, i+1))
		}
		return out, nil
	}
	for float64(len(out.items)) < limit {
		before, after, found := strings.Cut(s, sep)
		if halves {
			before = joinHalves(before)
		}
		out.items = append(out.items, before)
		if !found {
			break
		}
		s = after
	}
	return out, nil
}

func fnReplace(c *Call) (Value, error) {
	s := c.Arg(0).(string)
	pattern := c.Arg(1)
	if pattern == "" {
		return nil, argError("D3010", 1, pattern)
	}
	limit, err := limitArg(c, 3, "D3011")
	if err != nil {
		return nil, err
	}
	if limit == 0 || pattern == nil {
		return s, nil
	}
	if text, ok := pattern.(string); ok {
		return replaceText(c, s, text, limit)
	}
	all, err := findAll(c, pattern, s)
	if err != nil {
		return nil, err
	}
	r := replacement{c: c, with: c.Arg(2)}
	text, from := newUnits(s), 0
	var parts []string
	m, err := all.next()
	for n := 0.0; m != nil && n < limit; n++ {
		with, err := r.of(m, all)
		if err != nil {
			return nil, err
		}
		before := text.slice(from, m.start)
		if r.size += len(before) + len(with); r.size > c.ev.limits.Output {
			return nil, newError(CodeOutput, c.ev.limits.Output)
		}
		if err := c.growParts(4, 1); err != nil {
			return nil, err
		}
		parts = append(parts, before, with)
		from = m.start + newUnits(m.text).len()
		if m, err = all.next(); err != nil {
			return nil, err
		}
	}
	if parts == nil || err != nil {
		return s, err
	}
	parts = append(parts, text.slice(from, text.len()))
	if err := c.Grow(r.size); err != nil {
		return nil, err
	}
	return joinText(parts, r.size), nil
}

func replaceText(c *Call, s, pattern string, limit float64) (Value, error) {
	with, ok := c.Arg(2).(string)
	s, pattern, halves, err := c.searched(s, pattern)
	if err != nil {
		return nil, err
	}
	if !ok && strings.Contains(s, pattern) {
		return nil, newError("D3012", c.Arg(2))
	}
	n := -1
	found := strings.Count(s, pattern)
	if limit < float64(found) {
		n = int(math.Ceil(limit))
		found = n
	}
	if err := c.Step(len(s)/64 + 1); err != nil {
		return nil, err
	}
	if size := len(s) + found*(len(with)-len(pattern)); size > 0 {
		if err := c.Grow(size); err != nil {
			return nil, err
		}
	}
	if found == 0 && !halves {
		return s, nil
	}
	return joinHalves(strings.Replace(s, pattern, with, n)), nil
}

// replacement makes the text that replaces a match.
type replacement struct {
	c    *Call
	with Value
	size int
}

func (r *replacement) of(m *match, rest matches) (string, error) {
	if template, ok := r.with.(string); ok {
		return expand(template, m), nil
	}
	v, err := r.c.Apply(r.with, m.object(rest))
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", newError("D3012", v)
	}
	return s, nil
}

// expand replaces $0, $1 and so on in a template by the match and its groups, and
// $$ by a dollar sign.
func expand(template string, m *match) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			rest = rest[1:]
		case strings.HasPrefix(rest, "0"):
			b.WriteString(m.text)
			rest = rest[1:]
		default:
			n, size := groupNumber(rest, m.groups.Len())
			if size == 0 {
				b.WriteByte('$')
			} else if text, ok := m.groups.At(n - 1).(string); ok {
				b.WriteString(text)
			}
			rest = rest[size:]
		}
		template = rest
	}
}

// groupNumber reads the number of a group: as many digits as the largest group
// number has, or one less if there is no group of that number.
func groupNumber(s string, groups int) (n, size int) { //nolint:nonamedreturns // two values of one type
	most := 1
	if groups > 0 {
		most = len(strconv.Itoa(groups))
	}
	read := func(most int) {
		n, size = 0, 0
		for size < most && size < len(s) && s[size] >= '0' && s[size] <= '9' {
			n = n*10 + int(s[size]-'0')
			size++
		}
	}
	read(most)
	if most > 1 && n > groups {
		read(most - 1)
	}
	if size > 0 {
		size = len(strconv.Itoa(n))
	}
	return n, size
}
