package jsonata

import "math"

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
