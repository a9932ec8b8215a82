package jsonata

import (
	"slices"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// names is a path that consists of field names only, by far the most frequent.
type names struct {
	keys []string
	rest []*pathExpr // what to do from each key on when an array turns up
}

func (x *names) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.step(1); err != nil {
		return nil, err
	}
	v := in
	for i, key := range x.keys {
		switch o := v.(type) {
		case *Object:
			v, _ = o.Get(key)
		case *Array:
			return x.rest[i].eval(ev, f, o)
		case Host:
			v = memberOf(o, key)
		case *rawDoc:
			return o.lookup(ev, f, x)
		default:
			var err error
			if v, err = ev.lookup(v, key, 0); err != nil {
				return nil, err
			}
		}
		if v == nil {
			return nil, nil
		}
	}
	return v, nil
}

// step is one step of a path.
type step struct {
	expr   expr
	name   string // of a plain field name
	plain  bool   // nothing but a field name
	cons   bool
	sort   *sortExpr
	stages []stage
	tuple  tupleStep
}

// pathExpr is any other path.
type pathExpr struct {
	steps    []step
	absolute bool // begins with a variable, so that an array is not iterated
	keep     bool // steps marked with [] keep the result an array
	keepPath bool
	group    *group
	tuples   *tuplePath // nil unless steps bind variables
}

func (x *pathExpr) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := x.run(ev, f, in)
	ev.depth--
	return v, err
}

// cursor is where a path has got to: at one value, or at the items of an array.
type cursor struct {
	one   Value
	items *Array
}

func (c cursor) empty() bool {
	return c.items == nil && c.one == nil || c.items != nil && c.items.Len() == 0
}

// array returns the items as an array.
func (c cursor) array() *Array {
	if c.items != nil {
		return c.items
	}
	return sequenceOf(c.one)
}

func (x *pathExpr) run(ev *evaluator, f *frame, in Value) (Value, error) {
	at := cursor{one: in}
	if a, ok := in.(*Array); ok && !x.absolute {
		at = cursor{items: a}
	}
	for i := range x.steps {
		s := &x.steps[i]
		if x.tuples != nil && i >= x.tuples.from {
			return x.tuples.run(ev, f, x, at.array())
		}
		var err error
		switch {
		case i == 0 && s.cons:
			at, err = s.construct(ev, f, at)
		case s.sort != nil:
			at.items, err = s.sorted(ev, f, at.array())
		default:
			at, err = s.apply(ev, f, at, i == len(x.steps)-1)
		}
		if err != nil {
			return nil, err
		}
		if at.empty() {
			break
		}
	}
	return x.end(ev, f, at)
}

// end makes a value of what the last step has led to.
func (x *pathExpr) end(ev *evaluator, f *frame, at cursor) (Value, error) {
	if x.group != nil {
		if x.tuples != nil { // there was nothing to bind, but the clause was compiled for it
			f = newFrame(x.tuples.scope, f)
		}
		a := at.array()
		v, err := x.group.eval(ev, f, a)
		return normalize(v, x.keepPath), err
	}
	keep := x.keep || x.keepPath
	if at.items == nil {
		if keep && at.one != nil {
			return &Array{items: []Value{at.one}, flags: flagSequence | flagKeepSingleton}, nil
		}
		return at.one, nil
	}
	if x.keep && at.items.has(flagCons) && !at.items.has(flagSequence) {
		return &Array{items: []Value{at.items}, flags: flagSequence | flagKeepSingleton}, nil
	}
	return normalize(at.items, keep), nil
}

// construct evaluates an array constructor at the start of a path, on all items
// at once.
func (s *step) construct(ev *evaluator, f *frame, at cursor) (cursor, error) {
	v, err := s.expr.eval(ev, f, at.array())
	if a, ok := v.(*Array); ok {
		return cursor{items: a}, err
	}
	// A block in this place may give something else, of which there are no items.
	return cursor{}, err
}

func (s *step) sorted(ev *evaluator, f *frame, items *Array) (*Array, error) {
	sorted, err := s.sort.eval(ev, f, items)
	if err != nil {
		return nil, err
	}
	var v Value = sorted
	for i := range s.stages {
		if v, err = s.stages[i].filter(ev, f, v); err != nil {
			return nil, err
		}
	}
	switch v := v.(type) {
	case nil:
		return newSequence(0), nil
	case *Array:
		return v, nil
	}
	return sequenceOf(v), nil
}

// apply takes the step from every item and flattens the results.
func (s *step) apply(ev *evaluator, f *frame, at cursor, last bool) (cursor, error) {
	if at.items == nil {
		v, err := s.one(ev, f, at.one)
		if err != nil {
			return cursor{}, err
		}
		a, ok := v.(*Array)
		if !ok || a.has(flagCons) && (!last || a.has(flagSequence)) {
			return cursor{one: v}, nil
		}
		if last && !a.has(flagSequence) || a.flags == flagSequence {
			return cursor{items: a}, nil
		}
		return cursor{items: a.as(flagSequence)}, nil
	}
	return s.each(ev, f, at.items, last)
}

// as returns an array of the same items with other flags.
func (a *Array) as(flags arrayFlags) *Array {
	return &Array{items: slices.Clip(a.items), first: a.first, count: a.count, flags: flags}
}

func (s *step) each(ev *evaluator, f *frame, in *Array, last bool) (cursor, error) {
	n := in.Len()
	if err := ev.step(n); err != nil {
		return cursor{}, err
	}
	out := newSequence(min(n, 64))
	results, single := 0, 0
	var only Value
	for i := range n {
		v, err := s.one(ev, f, in.At(i))
		if err != nil {
			return cursor{}, err
		}
		if v == nil {
			continue
		}
		results, only = results+1, v
		if a, ok := v.(*Array); ok && !a.has(flagCons) {
			if err := ev.extend(out, a); err != nil {
				return cursor{}, err
			}
			continue
		}
		out.items = append(out.items, v)
		if single++; single == chunk {
			if err := ev.growing(out, single); err != nil {
				return cursor{}, err
			}
			single = 0
		}
	}
	if err := ev.growItems(single); err != nil {
		return cursor{}, err
	}
	if a, ok := only.(*Array); ok && last && results == 1 && !a.has(flagSequence) {
		return cursor{items: a}, nil
	}
	return cursor{items: out}, nil
}

// extend appends the items of an array to a sequence.
func (ev *evaluator) extend(out, a *Array) error {
	n := a.Len()
	if err := ev.growItems(n); err != nil {
		return err
	}
	if a.count == 0 {
		out.items = append(out.items, a.items...)
		return nil
	}
	if err := ev.growItems(n / 2); err != nil { // the numbers themselves
		return err
	}
	out.items = slices.Grow(out.items, n)
	for i := range n {
		out.items = append(out.items, a.At(i))
	}
	return nil
}

// one takes the step from one item.
func (s *step) one(ev *evaluator, f *frame, in Value) (Value, error) {
	var v Value
	var err error
	if o, ok := in.(*Object); ok && s.plain {
		v, _ = o.Get(s.name)
	} else {
		v, err = s.expr.eval(ev, f, in)
	}
	for i := 0; i < len(s.stages) && err == nil; i++ {
		if v, err = s.stages[i].filter(ev, f, v); v == nil {
			break
		}
	}
	return v, err
}

func (c *compiler) path(n *syntax.Node) (expr, error) {
	x := &pathExpr{keep: n.KeepSingleton, keepPath: n.KeepArray, absolute: n.List[0].Kind == syntax.Variable}
	x.steps = make([]step, len(n.List))
	simple := !x.keep && !x.keepPath && n.Group == nil
	for i, sn := range n.List {
		if sn.Tuple {
			return x, c.tuplePath(n, x, i)
		}
		if err := c.step(&x.steps[i], sn); err != nil {
			return nil, err
		}
		simple = simple && x.steps[i].plain
	}
	var err error
	if n.Group != nil {
		if x.group, err = c.group(n.Group.Pairs, n.Group.Pos); err != nil {
			return nil, err
		}
	}
	if simple {
		return newNames(x), nil
	}
	return x, nil
}

func newNames(x *pathExpr) *names {
	out := &names{keys: make([]string, len(x.steps)), rest: make([]*pathExpr, len(x.steps))}
	rest := make([]pathExpr, len(x.steps))
	for i := range x.steps {
		out.keys[i] = x.steps[i].name
		rest[i].steps = x.steps[i:]
		out.rest[i] = &rest[i]
	}
	return out
}

func (c *compiler) step(s *step, n *syntax.Node) error {
	var err error
	s.cons = n.Cons
	if n.Kind == syntax.Sort {
		if s.sort, err = c.sort(n); err != nil {
			return err
		}
	} else if s.expr, err = c.expr(n); err != nil {
		return err
	}
	exportTuples(s.expr)
	if s.stages, err = c.stages(n.Stages); err != nil {
		return err
	}
	s.name = n.Text
	s.plain = n.Kind == syntax.Name && len(n.Stages) == 0 && len(n.Predicates) == 0 && n.Group == nil && !n.KeepArray
	return nil
}
