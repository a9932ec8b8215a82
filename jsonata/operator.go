package jsonata

import (
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
