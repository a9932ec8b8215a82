package jsonata

import "github.com/millrace/millrace/jsonata/internal/syntax"

// tuple is an item of a path some of whose steps bind variables: the item and
// the variables that belong to it.
type tuple struct {
	val   Value
	vars  []Value
	scope *scope
}

// tupleStep is what a step of such a path does besides.
type tupleStep struct {
	focus, index, ancestor int // slots to bind, or -1
}

// tuplePath is the part of a path from the first step on that binds variables.
type tuplePath struct {
	from   int
	scope  *scope
	export bool // the bindings are used outside of the path
}

// tuplePath compiles the steps of a path from number from on, the first one with
// bindings.
func (c *compiler) tuplePath(n *syntax.Node, x *pathExpr, from int) error {
	x.tuples = &tuplePath{from: from, scope: &scope{}, export: n.Tuple}
	return c.in(x.tuples.scope, func() error {
		sc := x.tuples.scope
		sc.forced = true
		for i := from; i < len(n.List); i++ {
			sn, s := n.List[i], &x.steps[i]
			s.tuple = tupleStep{-1, -1, -1}
			if sn.Focus != "" {
				s.tuple.focus = sc.declare(sn.Focus)
			}
			if sn.Index != "" {
				s.tuple.index = sc.declare(sn.Index)
			}
			if sn.Ancestor != nil {
				s.tuple.ancestor = sc.declare(sn.Ancestor.Label)
			}
			if err := c.declareInner(sc, sn); err != nil {
				return err
			}
			if err := c.step(s, sn); err != nil {
				return err
			}
		}
		var err error
		if n.Group != nil {
			x.group, err = c.group(n.Group.Pairs, n.Group.Pos)
		}
		return err
	})
}

// declareInner declares the variables that a step passes on from paths inside.
func (c *compiler) declareInner(sc *scope, n *syntax.Node) error {
	if !n.Tuple || n.Kind != syntax.Block && n.Kind != syntax.Path {
		return nil
	}
	for _, step := range n.List {
		before := len(sc.names)
		for _, name := range []string{step.Focus, step.Index} {
			if name != "" {
				sc.declare(name)
			}
		}
		for _, st := range step.Stages {
			if st.Index != "" {
				sc.declare(st.Index)
			}
		}
		if step.Ancestor != nil {
			sc.declare(step.Ancestor.Label)
		}
		const perName = 20 // it is memory, too
		if err := c.spend(1+len(step.Stages)+perName*(len(sc.names)-before), step.Pos); err != nil {
			return err
		}
		if err := c.declareInner(sc, step); err != nil {
			return err
		}
	}
	return nil
}

// tupleFilter is a block in parentheses with predicates, one of which asks for the parents of what is in the block: the
// tuples that come out of the block are filtered, each with its variables.
type tupleFilter struct {
	scope  *scope
	inner  expr
	export bool // what is around it takes tuples, too
}

func (c *compiler) tupleFilter(n *syntax.Node) (expr, error) {
	x := &tupleFilter{scope: &scope{}}
	err := c.in(x.scope, func() error {
		x.scope.forced = true
		err := c.declareInner(x.scope, n)
		if err == nil {
			x.inner, err = c.finished(n)
		}
		return err
	})
	return x, err
}

// exportTuples tells an expression that what is around it takes tuples.
func exportTuples(e expr) {
	if x, ok := e.(*tupleFilter); ok {
		x.export = true
	}
}

func (x *tupleFilter) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	v, err := x.inner.eval(ev, newFrame(x.scope, f), in)
	a, ok := v.(*Array)
	if err != nil || x.export || !ok || !a.has(flagTuples) {
		return v, err
	}
	return normalize(a.values(), false), ev.growItems(a.Len())
}

// values returns what the tuples of a stream are about.
func (a *Array) values() *Array {
	out := newSequence(a.Len())
	for _, t := range a.items {
		out.items = append(out.items, t.(*tuple).val)
	}
	return out
}

// frame returns a frame with the variables of the tuple.
func (t *tuple) frame(sc *scope, parent *frame) *frame {
	f := newFrame(sc, parent)
	t.copyTo(sc, f.vars)
	return f
}

// copyTo copies the variables of the tuple to the slots they have in a scope.
func (t *tuple) copyTo(sc *scope, vars []Value) {
	if t.scope == sc {
		copy(vars, t.vars)
		return
	}
	for i, v := range t.vars {
		if slot := sc.slot(t.scope.names[i]); slot >= 0 && v != nil {
			vars[slot] = v
		}
	}
}

func (t *tuple) set(slot int, v Value) {
	if v == nil {
		v = bound{}
	}
	t.vars[slot] = v
}

// run takes the remaining steps of the path.
func (x *tuplePath) run(ev *evaluator, f *frame, path *pathExpr, in *Array) (Value, error) {
	if err := ev.growItems(in.Len() * (4 + len(x.scope.names))); err != nil {
		return nil, err
	}
	stream := &Array{flags: flagSequence | flagTuples}
	for i := range in.Len() {
		stream.items = append(stream.items, &tuple{val: in.At(i), scope: x.scope, vars: make([]Value, len(x.scope.names))})
	}
	for i := x.from; i < len(path.steps); i++ {
		var err error
		s := &path.steps[i]
		switch {
		case s.sort != nil && i == x.from:
			stream, err = x.sortItems(ev, f, s, in)
		case s.sort != nil:
			stream, err = s.sort.evalTuples(ev, f, x.scope, stream)
		default:
			stream, err = x.step(ev, f, s, stream)
		}
		if err != nil {
			return nil, err
		}
		for k := range s.stages {
			if stream, err = s.stages[k].filterTuples(ev, stream, func(t *tuple) *frame { return t.frame(x.scope, f) }); err != nil {
				return nil, err
			}
		}
	}
	return x.end(ev, f, path, stream)
}

func (x *tuplePath) end(ev *evaluator, f *frame, path *pathExpr, stream *Array) (Value, error) {
	if path.group != nil {
		return path.group.evalTuples(ev, f, x.scope, stream)
	}
	if x.export {
		return stream, nil
	}
	out := stream.values()
	if path.keep {
		out.flags |= flagKeepSingleton
	}
	return normalize(out, path.keepPath), nil
}

// sortItems sorts the items the path begins with, before there are tuples.
func (x *tuplePath) sortItems(ev *evaluator, f *frame, s *step, in *Array) (*Array, error) {
	sorted, err := s.sort.eval(ev, newFrame(x.scope, f), in)
	if err != nil {
		return nil, err
	}
	out := &Array{flags: flagSequence | flagTuples}
	for i := range sorted.Len() {
		t := &tuple{val: sorted.At(i), scope: x.scope, vars: make([]Value, len(x.scope.names))}
		if s.tuple.index >= 0 {
			t.set(s.tuple.index, float64(i))
		}
		out.items = append(out.items, t)
	}
	return out, nil
}

// step evaluates a step on every tuple.
func (x *tuplePath) step(ev *evaluator, f *frame, s *step, in *Array) (*Array, error) {
	out := &Array{flags: flagSequence | flagTuples}
	for _, item := range in.items {
		if err := ev.step(1); err != nil {
			return nil, err
		}
		t := item.(*tuple)
		v, err := s.expr.eval(ev, t.frame(x.scope, f), t.val)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		results, ok := v.(*Array)
		if !ok {
			out.items = append(out.items, t.next(s, x.scope, v, 0))
			continue
		}
		if err := ev.growItems(results.Len() * (4 + len(x.scope.names))); err != nil {
			return nil, err
		}
		if err := ev.step(results.Len()); err != nil {
			return nil, err
		}
		for i := range results.Len() {
			out.items = append(out.items, t.next(s, x.scope, results.At(i), i))
		}
	}
	return out, nil
}

// next returns the tuple for one result of a step.
func (t *tuple) next(s *step, sc *scope, v Value, i int) *tuple {
	n := &tuple{val: v, scope: sc, vars: make([]Value, len(sc.names))}
	copy(n.vars, t.vars)
	if inner, ok := v.(*tuple); ok {
		inner.copyTo(sc, n.vars)
		n.val = inner.val
		return n
	}
	if s.tuple.focus >= 0 {
		n.set(s.tuple.focus, v)
		n.val = t.val
	}
	if s.tuple.index >= 0 {
		n.set(s.tuple.index, float64(i))
	}
	if s.tuple.ancestor >= 0 {
		n.set(s.tuple.ancestor, t.val)
	}
	return n
}

// filterTuples filters tuples, each in a frame with its variables, or numbers them.
func (s *stage) filterTuples(ev *evaluator, in *Array, frame func(*tuple) *frame) (*Array, error) {
	if s.bind >= 0 {
		for i, item := range in.items {
			item.(*tuple).set(s.bind, float64(i))
		}
		return in, nil
	}
	out := &Array{flags: flagSequence | flagTuples}
	if s.fixed {
		if t := in.At(position(s.index, in.Len())); t != nil {
			out.items = append(out.items, t)
		}
		return out, nil
	}
	for i, item := range in.items {
		if err := ev.step(1); err != nil {
			return nil, err
		}
		t := item.(*tuple)
		res, err := s.expr.eval(ev, frame(t), t.val)
		if err != nil {
			return nil, err
		}
		n, err := ev.selects(res, i, in.Len())
		if err != nil {
			return nil, err
		}
		for range n {
			out.items = append(out.items, item)
		}
	}
	return out, nil
}
