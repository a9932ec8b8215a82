package jsonata

import "github.com/millrace/millrace/jsonata/internal/syntax"

// transform is |pattern|update,delete|. Its value is a function that returns a
// changed copy of its argument.
type transform struct {
	pattern, update, remove expr
	updateAt, removeAt      int // where they are in the source
	clone                   expr
	standard                *Function
	pos                     int
	sig                     *signature
}

func (c *compiler) transform(n *syntax.Node, pattern expr) (expr, error) {
	x := &transform{pattern: pattern, pos: n.Pos, clone: c.variable("clone", n.Pos), standard: c.lib.funcs["clone"]}
	c.closures++
	x.updateAt = n.Right.Pos
	if n.Else != nil {
		x.removeAt = n.Else.Pos
	}
	var err error
	if x.update, err = c.expr(n.Right); err != nil {
		return nil, err
	}
	if x.remove, err = c.expr(n.Else); err != nil {
		return nil, err
	}
	x.sig, err = parseSignature("<(oa):o>")
	return x, err
}

func (x *transform) eval(ev *evaluator, f *frame, _ Value) (Value, error) {
	return &Function{params: 1, sig: x.sig, call: func(c *Call) (Value, error) {
		v, err := x.run(c.ev, f, c.Arg(0))
		return v, at(err, x.pos, "|")
	}}, ev.grow(128)
}

func (x *transform) run(ev *evaluator, f *frame, v Value) (Value, error) {
	if v == nil {
		return nil, nil
	}
	clone, err := x.clone.eval(ev, f, nil)
	if err != nil {
		return nil, err
	}
	fn, ok := clone.(*Function)
	if !ok {
		return nil, newError("T2013", clone)
	}
	owned := map[*Object]bool{}
	var result Value
	if fn == x.standard {
		result, err = ev.cloneOwned(v, owned, 0)
	} else if result, err = ev.call(fn, []Value{v}, Null{}, f); err == nil {
		result, err = ev.cloneOwned(result, owned, 0)
	}
	if err != nil {
		return nil, err
	}
	found, err := x.pattern.eval(ev, f, result)
	if err != nil || found == nil {
		return result, err
	}
	all, ok := found.(*Array)
	if !ok {
		all = NewArray(found)
	}
	for i := range all.Len() {
		if err := x.change(ev, f, all.At(i), owned); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// change applies the update and the deletion to one match. Matches outside of
// the copy remain unchanged.
func (x *transform) change(ev *evaluator, f *frame, v Value, owned map[*Object]bool) error {
	if err := ev.step(1); err != nil {
		return err
	}
	o, _ := v.(*Object)
	mine := o != nil && owned[o]
	update, err := x.update.eval(ev, f, v)
	if err != nil {
		return err
	}
	switch update := update.(type) {
	case nil:
	case *Object:
		if err := ev.grow(objectSize(update)); err != nil {
			return err
		}
		if err := ev.step(update.Len()); err != nil {
			return err
		}
		if mine {
			o.merge(update)
		}
	default:
		return at(newError("T2011", update), x.updateAt, "")
	}
	if x.remove == nil {
		return nil
	}
	keys, err := x.remove.eval(ev, f, v)
	if err != nil || keys == nil {
		return err
	}
	list, ok := keys.(*Array)
	if !ok {
		list = NewArray(keys)
	}
	gone := make(map[string]bool, list.Len())
	for i := range list.Len() {
		key, ok := list.At(i).(string)
		if !ok {
			return at(newError("T2012", keys), x.removeAt, "")
		}
		gone[key] = true
	}
	if !mine {
		return nil
	}
	o.remove(gone)
	return ev.step(list.Len() + o.Len())
}

// clone copies a value as if it went through JSON.
func (ev *evaluator) clone(v Value) (Value, error) { return ev.cloneOwned(v, nil, 0) }

// cloneOwned adds the objects of the copy to owned.
func (ev *evaluator) cloneOwned(v Value, owned map[*Object]bool, depth int) (Value, error) {
	switch v := v.(type) {
	case *Array:
		if err := ev.nest(depth, v.Len()); err != nil {
			return nil, err
		}
		if err := ev.growItems(v.Len()); err != nil {
			return nil, err
		}
		out := &Array{items: make([]Value, v.Len())}
		for i := range out.items {
			item, err := ev.cloneOwned(v.At(i), owned, depth+1)
			if err != nil {
				return nil, err
			}
			if item == nil {
				item = Null{}
			}
			out.items[i] = item
		}
		return out, nil
	case *Object:
		if err := ev.nest(depth, v.Len()); err != nil {
			return nil, err
		}
		if err := ev.grow(objectSize(v)); err != nil {
			return nil, err
		}
		out := v.copy()
		for i := range out.members {
			item, err := ev.cloneOwned(out.members[i].val, owned, depth+1)
			if err != nil {
				return nil, err
			}
			out.members[i].val = item
		}
		if owned != nil {
			owned[out] = true
		}
		return out, nil
	case *Function:
		return "", nil
	case float64:
		if v != v {
			return Null{}, nil
		}
		_, _, err := number(v)
		return round15(v), err
	case Host:
		return ev.cloneOwned(serialised(v), owned, depth+1)
	}
	return v, nil
}
