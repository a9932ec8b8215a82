package jsonata

import (
	"errors"
	"strconv"

	"github.com/millrace/millrace/jsonata/internal/jsregexp"
	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// regex is a regular expression in the source. Its value is a function.
type regex struct {
	re     *jsregexp.Regexp
	source string
	value  *Function
}

func (c *compiler) regex(n *syntax.Node) (expr, error) {
	if c.pattern += len(n.Text); c.pattern > maxPatterns {
		return nil, &syntax.Error{Code: CodeSize, Pos: n.Pos, Token: strconv.Itoa(maxPatterns) + " bytes of regular expressions"}
	}
	re, err := jsregexp.Compile(n.Text, n.Flags)
	if err != nil {
		return nil, &syntax.Error{Code: "S0303", Pos: n.Pos, Token: n.Text, Value: err.Error()}
	}
	x := &regex{re: re, source: n.Text}
	x.value = &Function{params: 2, regex: x, call: x.match, static: true}
	return x, nil
}

func (x *regex) eval(*evaluator, *frame, Value) (Value, error) { return x.value, nil }

// match is what the function does: it returns the first match in a text.
func (x *regex) match(c *Call) (Value, error) {
	text, ok := c.Arg(0).(string)
	if !ok {
		return nil, nil
	}
	from, _ := c.Arg(1).(float64)
	m := &regexMatches{x: x, ev: c.ev, m: x.re.Matcher(text), at: clampInt(from), first: true}
	found, err := m.next()
	if found == nil || err != nil {
		return nil, err
	}
	return found.object(m), nil
}

// match is one match of a pattern. Offsets count UTF-16 code units.
type match struct {
	text       string
	start, end int
	groups     *Array
	value      Value // what a matcher function returned
}

// matches finds one match after the other. next returns nil at the end, and what it
// returned before must not be used any more.
type matches interface {
	next() (*match, error)
}

// object returns the match as a matcher function does.
func (m *match) object(rest matches) Value {
	if m.value != nil {
		return m.value
	}
	o := NewObject(5)
	o.add("match", m.text)
	o.add("start", float64(m.start))
	o.add("end", float64(m.end))
	o.add("groups", m.groups)
	o.add("next", &Function{call: func(*Call) (Value, error) {
		found, err := rest.next()
		if found == nil || err != nil {
			return nil, err
		}
		return found.object(rest), nil
	}})
	return o
}

// findAll returns the matches of a pattern, which is a regular expression or any
// function that behaves like one.
func findAll(c *Call, pattern Value, text string) (matches, error) {
	fn, ok := pattern.(*Function)
	if !ok {
		return nil, newError("T1010", pattern)
	}
	if fn.regex == nil {
		return &customMatches{c: c, fn: fn, args: []Value{text}}, nil
	}
	if err := c.Grow(2 * len(text)); err != nil {
		return nil, err
	}
	return &regexMatches{x: fn.regex, ev: c.ev, m: fn.regex.re.Matcher(text), first: true}, nil
}

type regexMatches struct {
	x     *regex
	ev    *evaluator
	m     *jsregexp.Matcher
	at    int
	first bool
	found match // the last one, which next overwrites
	work  func(int) error
}

func (s *regexMatches) next() (*match, error) {
	if !s.first && s.at >= s.m.Len() {
		return nil, nil
	}
	const unitsPerStep = 4
	if s.work == nil {
		s.work = func(n int) error { return s.ev.step(n/unitsPerStep + 1) }
	}
	found, err := s.m.Match(s.at, s.work)
	if errors.Is(err, jsregexp.ErrLimit) {
		e := newError(CodeOutput, s.ev.limits.Output)
		e.cause = err
		return nil, e
	}
	if found == nil || err != nil {
		return nil, err
	}
	if found[0] == found[1] && !s.first {
		return nil, newError("D1004", s.x.source)
	}
	s.at, s.first = found[1], false
	out := &s.found
	*out = match{text: s.m.Slice(found[0], found[1]), start: found[0], end: found[1]}
	var groups []Value
	if n := len(found)/2 - 1; n > 0 {
		groups = make([]Value, n)
	}
	size := len(out.text)
	for i := range groups {
		if from, to := found[2*i+2], found[2*i+3]; from >= 0 {
			text := s.m.Slice(from, to)
			groups[i], size = text, size+len(text)
		}
	}
	out.groups = &Array{items: groups}
	return out, s.ev.grow(size + 16*len(groups))
}

// customMatches calls a matcher function, and then the next functions of its
// results.
type customMatches struct {
	c    *Call
	fn   Value
	args []Value
}

func (s *customMatches) next() (*match, error) {
	v, err := s.c.Apply(s.fn, s.args...)
	if err != nil || v == nil {
		return nil, err
	}
	o, ok := v.(*Object)
	if !ok {
		if !truthy(v) {
			return nil, nil
		}
		return nil, newError("T1010", v)
	}
	start, hasStart := field(o, "start").(float64)
	end, hasEnd := field(o, "end").(float64)
	groups, hasGroups := field(o, "groups").(*Array)
	next, hasNext := field(o, "next").(*Function)
	if !hasStart && !hasEnd && !hasGroups && !hasNext {
		return nil, newError("T1010", v)
	}
	if groups == nil {
		groups = NewArray()
	}
	text, _ := field(o, "match").(string)
	s.fn, s.args = next, nil
	if next == nil {
		s.fn = &Function{call: func(*Call) (Value, error) { return nil, nil }}
	}
	return &match{text: text, start: clampInt(start), end: clampInt(end), groups: groups, value: v}, nil
}

func field(o *Object, key string) Value {
	v, _ := o.Get(key)
	return v
}

// truthy is what JavaScript takes for true.
func truthy(v Value) bool {
	switch v := v.(type) {
	case nil, Null:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0 && v == v
	}
	return true
}
