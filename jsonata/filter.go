package jsonata

import (
	"math"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// stage is a predicate of a step. In a path with variables it may also bind the
// positions at that point to a variable.
type stage struct {
	expr  expr
	index int  // of a constant position
	fixed bool // the predicate is a constant position
	same  bool // the predicate is the same for all items
	bind  int  // the slot for the position, or -1
}

func (c *compiler) stages(nodes []syntax.Stage) ([]stage, error) {
	var out []stage
	for _, n := range nodes {
		s := stage{bind: -1}
		if n.Filter == nil {
			s.bind = c.scope.declare(n.Index)
		} else {
			var err error
			if s.expr, err = c.expr(n.Filter); err != nil {
				return nil, err
			}
			if n.Filter.Kind == syntax.Number {
				s.fixed, s.index = true, clampInt(math.Floor(n.Filter.Num))
			}
			s.same = isSame(s.expr)
		}
		out = append(out, s)
	}
	return out, nil
}

// isSame tells whether an expression computes a number from variables only, which is the same number for each item.
func isSame(e expr) bool {
	switch e := e.(type) {
	case *literal, *variable:
		return true
	case *negate:
		return isSame(e.value)
	case *arithmetic:
		return isSame(e.left) && isSame(e.right)
	}
	return false
}

// filter applies the predicate to a value. A value that is not an array is
// treated as a sequence of one item.
func (s *stage) filter(ev *evaluator, f *frame, v Value) (Value, error) {
	a, ok := v.(*Array)
	if !ok {
		return s.filterOne(ev, f, v)
	}
	if a.has(flagTuples) {
		return s.filterTuples(ev, a, func(t *tuple) *frame { return t.frame(f.scope, f.parent) })
	}
	if s.fixed {
		return a.At(position(s.index, a.Len())), nil
	}
	if err := ev.enter(); err != nil {
		return nil, err
	}
	out := newSequence(0)
	if s.same && a.Len() > 1 {
		res, err := s.expr.eval(ev, f, nil)
		if err != nil {
			return nil, err
		}
		if x, ok := res.(float64); ok && x == x {
			x, _, err := number(x)
			if v := a.At(position(clampInt(math.Floor(x)), a.Len())); v != nil {
				out.items = append(out.items, v)
			}
			ev.depth--
			return out, err
		}
	}
	for i := range a.Len() {
		if err := ev.step(1); err != nil {
			return nil, err
		}
		item := a.At(i)
		res, err := s.expr.eval(ev, f, item)
		if err != nil {
			return nil, err
		}
		n, err := ev.selects(res, i, a.Len())
		if err != nil {
			return nil, err
		}
		for range n {
			out.items = append(out.items, item)
		}
	}
	ev.depth--
	return out, ev.growItems(len(out.items))
}

func (s *stage) filterOne(ev *evaluator, f *frame, v Value) (Value, error) {
	if s.fixed {
		if s.index == 0 || s.index == -1 {
			return v, nil
		}
		return nil, nil
	}
	if err := ev.enter(); err != nil {
		return nil, err
	}
	res, err := s.expr.eval(ev, f, v)
	if err != nil {
		return nil, err
	}
	ev.depth--
	n, err := ev.selects(res, 0, 1)
	switch {
	case n == 0 || err != nil:
		return nil, err
	case n == 1 && v != nil:
		return v, nil
	}
	out := newSequence(n)
	for range n {
		out.items = append(out.items, v)
	}
	return out, ev.growItems(n)
}

// selects tells how often the result of a predicate selects the item at i of n:
// as often as its position occurs among the numbers of the result, or once if
// the result is true.
func (ev *evaluator) selects(res Value, i, n int) (int, error) {
	switch res := res.(type) {
	case bool:
		if res {
			return 1, nil
		}
		return 0, nil
	case float64:
		x, ok, err := number(res)
		if ok && position(clampInt(math.Floor(x)), n) == i {
			return 1, nil
		}
		return 0, err
	case *Array:
		count, numbers := 0, true
		if err := ev.step(res.Len()); err != nil {
			return 0, err
		}
		for k := 0; k < res.Len() && numbers; k++ {
			x, ok, err := number(res.At(k))
			if err != nil {
				return 0, err
			}
			numbers = ok
			if ok && position(clampInt(math.Floor(x)), n) == i {
				count++
			}
		}
		if numbers {
			return count, nil
		}
	}
	yes, err := ev.boolean(res)
	if yes {
		return 1, err
	}
	return 0, err
}

// position counts negative positions from the end.
func position(i, n int) int {
	if i < 0 {
		return i + n
	}
	return i
}

// clampInt converts a number to an int, and numbers that do not fit to one that
// is out of every range.
func clampInt(x float64) int {
	switch {
	case x >= 1<<53:
		return 1 << 53
	case x <= -(1 << 53):
		return -1 << 53
	}
	return int(x)
}
