package jsonata

import "github.com/millrace/millrace/jsonata/internal/syntax"

// arrayExpr is an array constructor.
type arrayExpr struct {
	items []arrayItem
	flags arrayFlags
}

// arrayItem is one item of it. The items of an array become items of the new one,
// unless it is an array constructor itself.
type arrayItem struct {
	expr  expr
	whole bool
}

func (c *compiler) array(n *syntax.Node) (expr, error) {
	x := &arrayExpr{items: make([]arrayItem, len(n.List))}
	if n.Cons {
		x.flags = flagCons
	}
	for i, item := range n.List {
		e, err := c.expr(item)
		if err != nil {
			return nil, err
		}
		x.items[i] = arrayItem{e, item.Kind == syntax.Array}
	}
	return x, nil
}

func (x *arrayExpr) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	out := &Array{flags: x.flags, items: make([]Value, 0, len(x.items))}
	for i := range x.items {
		v, err := x.items[i].expr.eval(ev, f, in)
		if err != nil {
			return nil, err
		}
		a, ok := v.(*Array)
		switch {
		case v == nil:
		case !ok || x.items[i].whole:
			out.items = append(out.items, v)
		case a.count > 0 && len(x.items) == 1:
			out = a.as(x.flags)
		default:
			if err := ev.extend(out, a); err != nil {
				return nil, err
			}
		}
	}
	ev.depth--
	return out, ev.growItems(len(x.items) + 2)
}

// group is an object constructor, or a group-by clause, which is the same thing
// applied to a sequence: items for which a key expression gives the same key are
// grouped, and the value expression sees the group.
type group struct {
	pairs  []pair
	pos    int
	static bool // all keys are different constants
}

type pair struct {
	key   expr
	name  string // of a constant key
	value expr
}

func (c *compiler) object(n *syntax.Node) (expr, error) { return c.group(n.Pairs, n.Pos) }

func (c *compiler) group(pairs []syntax.Pair, pos int) (*group, error) {
	x := &group{pairs: make([]pair, len(pairs)), pos: pos, static: true}
	seen := make(map[string]bool, len(pairs))
	for i, p := range pairs {
		key, err := c.expr(p.Key)
		if err != nil {
			return nil, err
		}
		value, err := c.expr(p.Value)
		if err != nil {
			return nil, err
		}
		x.pairs[i] = pair{key: key, value: value}
		if lit, ok := key.(*literal); ok {
			x.pairs[i].name, ok = lit.value.(string)
			x.static = x.static && ok
		} else {
			x.static = false
		}
		if seen[x.pairs[i].name] || reserved(x.pairs[i].name) {
			x.static = false
		}
		seen[x.pairs[i].name] = true
	}
	return x, nil
}

// reserved tells whether JSONata keeps a property name for itself.
func reserved(key string) bool {
	return key == "_jsonata_lambda" || key == "_jsonata_function"
}

func (x *group) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	a, ok := in.(*Array)
	if ok && a.Len() <= 1 {
		in, ok = a.At(0), false
	}
	if x.static && !ok {
		return x.record(ev, f, in)
	}
	items := []Value{in}
	if ok {
		var err error
		if items, err = ev.items(a); err != nil {
			return nil, err
		}
	}
	groups, err := x.collect(ev, items, func(item Value) (*frame, Value) { return f, item })
	if err != nil {
		return nil, err
	}
	out := NewObject(groups.Len())
	for key, g := range groups.All() {
		g := g.(*gathered)
		v, err := x.pairs[g.pair].value.eval(ev, f, g.data)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.add(key, v)
		}
	}
	ev.depth--
	return out, ev.grow(objectSize(out))
}

// record is the usual case: constant keys and one context item.
func (x *group) record(ev *evaluator, f *frame, in Value) (Value, error) {
	out := NewObject(len(x.pairs))
	for i := range x.pairs {
		v, err := x.pairs[i].value.eval(ev, f, in)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.add(x.pairs[i].name, v)
		}
	}
	ev.depth--
	return out, ev.grow(objectSize(out))
}

func objectSize(o *Object) int { return 64 + 48*o.Len() }

// gathered is what has been found for one key.
type gathered struct {
	data  Value
	pair  int
	owned bool // data is an array made here
}

// collect evaluates the key expressions on every item. scoped returns the frame
// and the context item to do it with.
func (x *group) collect(ev *evaluator, items []Value, scoped func(Value) (*frame, Value)) (*Object, error) {
	groups := newBuilder(len(x.pairs))
	for _, item := range items {
		f, in := scoped(item)
		for i := range x.pairs {
			if err := ev.step(1); err != nil {
				return nil, err
			}
			k, err := x.pairs[i].key.eval(ev, f, in)
			if err != nil {
				return nil, err
			}
			if k == nil {
				continue
			}
			key, ok := k.(string)
			if !ok {
				return nil, at(newError("T1003", k), x.pos, "{")
			}
			if reserved(key) {
				return nil, at(newError("D1013", key), x.pos, "{")
			}
			if err := ev.compared(key); err != nil {
				return nil, err
			}
			found := groups.get(key)
			if found == nil {
				groups.set(key, &gathered{data: item, pair: i})
				if err := ev.growItems(8); err != nil {
					return nil, err
				}
				continue
			}
			g := (*found).(*gathered)
			if g.pair != i {
				return nil, at(newError("D1009", key), x.pos, "{")
			}
			if err := g.append(ev, item); err != nil {
				return nil, err
			}
		}
	}
	return groups.object(), nil
}

func (g *gathered) append(ev *evaluator, item Value) error {
	switch {
	case item == nil:
		return nil
	case g.data == nil:
		g.data = item
		return nil
	case !g.owned:
		all, err := ev.concat(g.data, nil)
		if err != nil {
			return err
		}
		g.data, g.owned = all, true
	}
	a := g.data.(*Array)
	if more, ok := item.(*Array); ok {
		return ev.extend(a, more)
	}
	a.items = append(a.items, item)
	return ev.growItems(1)
}

// concat returns a new array of the items of both, where a value that is not an
// array counts as one item.
func (ev *evaluator) concat(l, r Value) (*Array, error) {
	n := 2
	for _, v := range []Value{l, r} {
		if a, ok := v.(*Array); ok {
			n += a.Len()
		}
	}
	if err := ev.growItems(n); err != nil {
		return nil, err
	}
	ev.grown -= n * itemSize // extend counts them
	out := &Array{items: make([]Value, 0, n)}
	for _, v := range []Value{l, r} {
		if a, ok := v.(*Array); ok {
			if err := ev.extend(out, a); err != nil {
				return nil, err
			}
		} else if v != nil {
			out.items = append(out.items, v)
		}
	}
	return out, ev.growItems(2)
}

// evalTuples groups the tuples of a path that binds variables.
func (x *group) evalTuples(ev *evaluator, f *frame, sc *scope, stream *Array) (Value, error) {
	groups, err := x.collect(ev, stream.items, func(item Value) (*frame, Value) {
		t := item.(*tuple)
		return t.frame(sc, f), t.val
	})
	if err != nil {
		return nil, err
	}
	out := NewObject(groups.Len())
	for key, g := range groups.All() {
		g := g.(*gathered)
		t, err := ev.merge(g.data)
		if err != nil {
			return nil, err
		}
		v, err := x.pairs[g.pair].value.eval(ev, t.frame(sc, f), t.val)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.add(key, v)
		}
	}
	return out, ev.grow(objectSize(out))
}

// merge makes one tuple of several: each variable becomes the array of what it
// was in them.
func (ev *evaluator) merge(data Value) (*tuple, error) {
	if t, ok := data.(*tuple); ok {
		return t, nil
	}
	tuples := data.(*Array).items
	first := tuples[0].(*tuple)
	out := &tuple{scope: first.scope, vars: make([]Value, len(first.vars))}
	val := &gathered{data: first.val}
	vars := make([]gathered, len(first.vars))
	for i, v := range first.vars {
		vars[i].data = v
	}
	for _, item := range tuples[1:] {
		t := item.(*tuple)
		if err := val.append(ev, t.val); err != nil {
			return nil, err
		}
		for i, v := range t.vars {
			if _, undefined := v.(bound); !undefined {
				if err := vars[i].append(ev, v); err != nil {
					return nil, err
				}
			}
		}
	}
	out.val = val.data
	for i := range vars {
		out.vars[i] = vars[i].data
	}
	return out, nil
}
