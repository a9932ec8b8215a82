package jsonata

import (
	"math"
	"slices"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// binaryExpr returns the expression for an operator with two sides.
func binaryExpr(n *syntax.Node, left, right expr) expr {
	sides := sides{left, right, n.Pos, n.Text}
	switch n.Text {
	case "=", "!=":
		return &equality{sides, n.Text == "!="}
	case "<", "<=", ">", ">=":
		return &comparison{sides}
	case "and", "or":
		return &logic{sides, n.Text == "or"}
	case "in":
		return &inclusion{sides}
	case "..":
		return &rangeExpr{sides}
	}
	return &arithmetic{sides, n.Text[0]}
}

type sides struct {
	left, right expr
	pos         int
	op          string
}

// both evaluates both sides.
func (x *sides) both(ev *evaluator, f *frame, in Value) (l, r Value, err error) { //nolint:nonamedreturns // two values of one type
	if err = ev.enter(); err != nil {
		return nil, nil, err
	}
	if l, err = x.left.eval(ev, f, in); err != nil {
		return nil, nil, err
	}
	r, err = x.right.eval(ev, f, in)
	ev.depth--
	return l, r, err
}

func (x *sides) fail(code string, v Value) error { return at(newError(code, v), x.pos, x.op) }

type equality struct {
	sides
	negated bool
}

func (x *equality) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	l, r, err := x.both(ev, f, in)
	if err != nil || l == nil || r == nil {
		return false, err
	}
	if s, ok := l.(string); ok {
		t, ok := r.(string)
		return (ok && s == t) != x.negated, ev.compared(l)
	}
	same, err := ev.equal(l, r, 0)
	return same != x.negated, err
}

type comparison struct{ sides }

func (x *comparison) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	l, r, err := x.both(ev, f, in)
	if err != nil {
		return nil, err
	}
	lok, rok := ordered(l), ordered(r)
	if !lok || !rok {
		if lok && l != nil {
			l = r
		}
		return nil, x.fail("T2010", l)
	}
	if l == nil || r == nil {
		return nil, nil
	}
	if s, ok := l.(string); ok {
		if t, ok := r.(string); ok {
			c, err := ev.compareTexts(s, t)
			return x.holds(c < 0, c == 0, c > 0), err
		}
	} else if m, ok := r.(float64); ok {
		n := l.(float64)
		return x.holds(n < m, n == m, n > m), nil
	}
	return nil, x.fail("T2009", l)
}

func (x *comparison) holds(less, equal, greater bool) bool {
	switch x.op {
	case "<":
		return less
	case "<=":
		return less || equal
	case ">":
		return greater
	}
	return greater || equal
}

// ordered tells whether a value can be compared by order, or is undefined.
func ordered(v Value) bool {
	switch v.(type) {
	case nil, string, float64:
		return true
	}
	return false
}

type logic struct {
	sides
	or bool
}

func (x *logic) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	for _, side := range [2]expr{x.left, x.right} {
		v, err := side.eval(ev, f, in)
		if err != nil {
			return nil, err
		}
		yes, err := ev.boolean(v)
		if err != nil {
			return nil, at(err, x.pos, x.op)
		}
		if yes == x.or {
			ev.depth--
			return yes, nil
		}
	}
	ev.depth--
	return !x.or, nil
}

type inclusion struct{ sides }

func (x *inclusion) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	l, r, err := x.both(ev, f, in)
	if err != nil || l == nil || r == nil {
		return false, err
	}
	a, ok := r.(*Array)
	if !ok {
		return identical(l, r), nil
	}
	found, err := ev.includes(a, l)
	return found, err
}

// members is a list and what is in it, for one that is searched again and again.
type members struct {
	list *Array
	set  map[Value]struct{}
	size int // of set, in bytes

	visited int // items that were compared while there was no set
}

// includes tells whether a list has an item that is identical to v. A long list that is searched again and again gets an index.
func (ev *evaluator) includes(a *Array, v Value) (bool, error) {
	const itemsPerStep, long, patience = 8, 64, 4
	x := &ev.members
	if a.Len() >= long && indexable(v) {
		if x.list != a {
			ev.kept -= x.size
			*x = members{list: a}
		}
		if x.set == nil && x.visited > patience*a.Len() {
			if err := ev.index(a); err != nil {
				return false, err
			}
		}
		if x.set != nil {
			_, found := x.set[v]
			return found, ev.compared(v)
		}
	}
	if s, ok := v.(string); ok && len(s) >= comparedPerStep {
		return ev.includesLong(a, s)
	}
	at := find(a, v)
	visited := at + 1
	if at < 0 {
		visited = a.Len()
	}
	if x.list == a {
		x.visited += visited
	}
	return at >= 0, ev.step(visited/itemsPerStep + 1)
}

// includesLong takes steps for each text that it compares.
func (ev *evaluator) includesLong(a *Array, s string) (bool, error) {
	if err := ev.step(a.Len()); err != nil {
		return false, err
	}
	for _, item := range a.items {
		t, ok := item.(string)
		if !ok || len(t) != len(s) {
			continue
		}
		if err := ev.compared(s); err != nil {
			return false, err
		}
		if t == s {
			return true, nil
		}
	}
	return false, nil
}

// find returns where an item is that is identical to v, or -1.
func find(a *Array, v Value) int {
	if n, ok := v.(float64); ok && a.count == 0 {
		for i, item := range a.items {
			if m, ok := item.(float64); ok && m == n {
				return i
			}
		}
		return -1
	}
	s, ok := v.(string)
	if !ok || s == "" {
		for i := range a.Len() {
			if identical(v, a.At(i)) {
				return i
			}
		}
		return -1
	}
	last := s[len(s)-1]
	for i, item := range a.items {
		if t, ok := item.(string); ok && len(t) == len(s) && t[len(t)-1] == last && t == s {
			return i
		}
	}
	return -1
}

// indexable tells whether values of the type are equal as keys of a map if they are identical.
func indexable(v Value) bool {
	switch v.(type) {
	case string, float64, bool, Null, *Array, *Object, *Function:
		return true
	}
	return false
}

func (ev *evaluator) index(a *Array) error {
	const sizeInSet = 3 // in items of an array
	if err := ev.step(a.Len()); err != nil {
		return err
	}
	size := sizeInSet * itemSize * a.Len()
	if err := ev.keep(size); err != nil {
		return err
	}
	ev.members.size = size
	ev.members.set = make(map[Value]struct{}, a.Len())
	for i := range a.Len() {
		v := a.At(i)
		if !indexable(v) {
			continue
		}
		if err := ev.compared(v); err != nil {
			return err
		}
		ev.members.set[v] = struct{}{}
	}
	return nil
}

// rangeLimit is the most items a range may have.
const rangeLimit = 10_000_000

type rangeExpr struct{ sides }

func (x *rangeExpr) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	l, r, err := x.both(ev, f, in)
	if err != nil {
		return nil, err
	}
	first, ok := integer(l)
	if !ok && l != nil {
		return nil, x.fail("T2003", l)
	}
	last, ok := integer(r)
	if !ok && r != nil {
		return nil, x.fail("T2004", r)
	}
	if l == nil || r == nil || first > last {
		return nil, nil
	}
	size := last - first + 1
	if size > rangeLimit {
		return nil, x.fail("D2014", size)
	}
	return &Array{first: first, count: int(size), flags: flagSequence}, nil
}

func integer(v Value) (float64, bool) {
	n, ok := v.(float64)
	return n, ok && n == math.Trunc(n) && !math.IsInf(n, 0)
}

type arithmetic struct {
	sides
	kind byte
}

func (x *arithmetic) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	l, r, err := x.both(ev, f, in)
	if err != nil {
		return nil, err
	}
	a, ok, err := number(l)
	if err != nil || !ok && l != nil {
		return nil, x.mistyped(err, "T2001", l)
	}
	b, ok, err := number(r)
	if err != nil || !ok && r != nil {
		return nil, x.mistyped(err, "T2002", r)
	}
	if l == nil || r == nil {
		return nil, nil
	}
	switch x.kind {
	case '+':
		return a + b, nil
	case '-':
		return a - b, nil
	case '*':
		return a * b, nil
	case '/':
		return a / b, nil
	}
	return math.Mod(a, b), nil
}

func (x *arithmetic) mistyped(err error, code string, v Value) error {
	if err != nil {
		return at(err, x.pos, x.op)
	}
	return x.fail(code, v)
}

// number returns a value as a number. It fails for infinite numbers.
func number(v Value) (float64, bool, error) {
	n, ok := v.(float64)
	if !ok || n != n {
		return n, false, nil
	}
	if math.IsInf(n, 0) {
		return n, false, newError("D1001", n)
	}
	return n, true, nil
}

// concatExpr is a chain of the operator &.
type concatExpr struct {
	parts []expr
	pos   int
}

func (c *compiler) concat(n *syntax.Node) (expr, error) {
	var nodes []*syntax.Node
	for n.Kind == syntax.Binary && n.Text == "&" && len(n.Predicates) == 0 && n.Group == nil {
		nodes = append(nodes, n.Right)
		n = n.Left
	}
	nodes = append(nodes, n)
	x := &concatExpr{pos: n.Pos, parts: make([]expr, len(nodes))}
	for i, part := range nodes {
		e, err := c.expr(part)
		if err != nil {
			return nil, err
		}
		x.parts[len(nodes)-1-i] = e
	}
	return x, nil
}

func (x *concatExpr) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	var space [8]string
	texts, size := space[:0], 0
	for _, part := range x.parts {
		v, err := part.eval(ev, f, in)
		if err != nil {
			return nil, err
		}
		text, err := ev.text(v)
		if err != nil {
			return nil, at(err, x.pos, "&")
		}
		texts, size = append(texts, text), size+len(text)
	}
	ev.depth--
	if len(texts[0]) >= 8*fromHere && !slices.ContainsFunc(texts[1:], beginsWithHalf) {
		return ev.joined(texts[0], texts[1:], size)
	}
	if err := ev.grow(size); err != nil {
		return nil, err
	}
	return joinText(texts, size), nil
}
