package jsonata

import "github.com/millrace/millrace/jsonata/internal/syntax"

// sortExpr is an order-by clause.
type sortExpr struct {
	terms []sortTerm
	pos   int
}

type sortTerm struct {
	expr       expr
	descending bool
}

func (c *compiler) sort(n *syntax.Node) (*sortExpr, error) {
	x := &sortExpr{terms: make([]sortTerm, len(n.Terms)), pos: n.Pos}
	for i, t := range n.Terms {
		e, err := c.expr(t.Expr)
		if err != nil {
			return nil, err
		}
		x.terms[i] = sortTerm{e, t.Descending}
	}
	return x, nil
}

// sortItem is an item and the terms that have been evaluated on it so far.
type sortItem struct {
	item  Value
	frame *frame
	in    Value
	keys  []Value
}

func (x *sortExpr) eval(ev *evaluator, f *frame, in *Array) (*Array, error) {
	if in.Len() <= 1 {
		return in, nil
	}
	return x.order(ev, in, 0, func(item Value) (*frame, Value) { return f, item })
}

func (x *sortExpr) evalTuples(ev *evaluator, f *frame, sc *scope, in *Array) (*Array, error) {
	return x.order(ev, in, flagSequence|flagTuples, func(item Value) (*frame, Value) {
		t := item.(*tuple)
		return t.frame(sc, f), t.val
	})
}

func (x *sortExpr) order(ev *evaluator, in *Array, flags arrayFlags, scoped func(Value) (*frame, Value)) (*Array, error) {
	if err := ev.growItems(in.Len() * 6); err != nil {
		return nil, err
	}
	items := make([]*sortItem, in.Len())
	for i := range items {
		item := in.At(i)
		f, v := scoped(item)
		items[i] = &sortItem{item: item, frame: f, in: v}
	}
	items, err := mergeSort(ev, items, func(a, b *sortItem) (bool, error) { return x.after(ev, a, b) })
	if err != nil {
		return nil, err
	}
	out := &Array{items: make([]Value, len(items)), flags: flags}
	for i, it := range items {
		out.items[i] = it.item
	}
	return out, nil
}

// after tells whether a belongs after b.
func (x *sortExpr) after(ev *evaluator, a, b *sortItem) (bool, error) {
	for i := range x.terms {
		k, err := x.key(ev, a, i)
		if err != nil {
			return false, err
		}
		l, err := x.key(ev, b, i)
		if err != nil {
			return false, err
		}
		c, err := x.compare(ev, k, l)
		if err != nil {
			return false, at(err, x.pos, "^")
		}
		if c == 0 {
			continue
		}
		if x.terms[i].descending && k != nil && l != nil {
			c = -c
		}
		return c > 0, nil
	}
	return false, nil
}

// key evaluates a term on an item, once.
func (x *sortExpr) key(ev *evaluator, it *sortItem, term int) (Value, error) {
	for len(it.keys) <= term {
		v, err := x.terms[len(it.keys)].expr.eval(ev, it.frame, it.in)
		if err != nil {
			return nil, err
		}
		it.keys = append(it.keys, v)
	}
	return it.keys[term], nil
}

// compare orders two keys. Undefined comes last.
func (x *sortExpr) compare(ev *evaluator, k, l Value) (int, error) {
	switch {
	case k == nil && l == nil:
		return 0, nil
	case k == nil:
		return 1, nil
	case l == nil:
		return -1, nil
	}
	for _, v := range []Value{k, l} {
		switch v.(type) {
		case string, float64:
		default:
			return 0, newError("T2008", v)
		}
	}
	if s, ok := k.(string); ok {
		if t, ok := l.(string); ok {
			return ev.compareTexts(s, t)
		}
	} else if m, ok := l.(float64); ok {
		switch n := k.(float64); {
		case n == m:
			return 0, nil
		case n < m:
			return -1, nil
		}
		return 1, nil
	}
	return 0, newError("T2007", k)
}

// mergeSort sorts stably. after tells whether its first argument belongs after
// the second one; it need not be consistent.
func mergeSort[T any](ev *evaluator, items []T, after func(a, b T) (bool, error)) ([]T, error) {
	if len(items) <= 1 {
		return items, nil
	}
	if err := ev.step(len(items)); err != nil {
		return nil, err
	}
	mid := len(items) / 2
	left, err := mergeSort(ev, items[:mid], after)
	if err != nil {
		return nil, err
	}
	right, err := mergeSort(ev, items[mid:], after)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(items))
	for len(left) > 0 && len(right) > 0 {
		swap, err := after(left[0], right[0])
		if err != nil {
			return nil, err
		}
		if swap {
			out, right = append(out, right[0]), right[1:]
		} else {
			out, left = append(out, left[0]), left[1:]
		}
	}
	return append(append(out, left...), right...), nil
}
