package jsonata

import (
	"errors"
	"slices"
)

func objectFuncs() []builtin {
	return []builtin{
		{"boolean", "<x-:b>", 1, defined(fnBoolean)},
		{"not", "<x-:b>", 1, defined(func(c *Call) (Value, error) {
			yes, err := c.ev.boolean(c.Arg(0))
			return !yes, err
		})},
		{"exists", "<x:b>", 1, func(c *Call) (Value, error) { return c.Arg(0) != nil, nil }},
		{"type", "<x:s>", 1, defined(fnType)},
		{"keys", "<x-:a<s>>", 1, fnKeys},
		{"lookup", "<x-s:x>", 2, fnLookup},
		{"spread", "<x-:a<o>>", 1, fnSpread},
		{"merge", "<a<o>:o>", 1, defined(fnMerge)},
		{"clone", "<(oa)-:o>", 1, defined(func(c *Call) (Value, error) { return c.ev.clone(unwrap(c.Arg(0))) })},
		{"error", "<s?:x>", 1, func(c *Call) (Value, error) { return nil, raise(c.Arg(0), "D3137") }},
		{"assert", "<bs?:x>", 2, fnAssert},
		{"eval", "<sx?:x>", 2, defined(fnEval)},
	}
}

func fnBoolean(c *Call) (Value, error) {
	yes, err := c.ev.boolean(c.Arg(0))
	return yes, err
}

func fnType(c *Call) (Value, error) {
	switch v := c.Arg(0).(type) {
	case Null:
		return "null", nil
	case float64:
		if _, ok, err := number(v); err != nil || ok {
			return "number", err
		}
		return "object", nil // what JavaScript makes of NaN
	case string:
		return "string", nil
	case bool:
		return "boolean", nil
	case *Array:
		return "array", nil
	case *Function:
		return "function", nil
	}
	return "object", nil
}

func fnKeys(c *Call) (Value, error) {
	out := newSequence(0)
	if o := objectFrom(c.Arg(0)); o != nil {
		for i := range o.members {
			out.items = append(out.items, o.members[i].key)
		}
		return out, c.growParts(o.Len(), o.Len())
	}
	b := newBuilder(8)
	if err := c.collectKeys(b, c.Arg(0), 0); err != nil {
		return nil, err
	}
	keys := b.object()
	for i := range keys.members {
		out.items = append(out.items, keys.members[i].key)
	}
	return out, c.ev.growItems(2 * len(out.items))
}

// collectKeys adds the keys of a value, which may be an array of objects, to out.
func (c *Call) collectKeys(out *builder, v Value, depth int) error {
	if a, ok := v.(*Array); ok {
		if err := c.ev.nest(depth, a.Len()); err != nil {
			return err
		}
		for i := range a.items {
			if err := c.collectKeys(out, a.items[i], depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	o := objectFrom(v)
	if o == nil {
		return nil
	}
	if err := c.growParts(o.Len(), o.Len()); err != nil {
		return err
	}
	for i := range o.members {
		out.set(o.members[i].key, true)
	}
	return nil
}

func fnLookup(c *Call) (Value, error) {
	key, ok := c.Arg(1).(string)
	if !ok {
		return nil, nil
	}
	return c.ev.lookup(c.Arg(0), key, 0)
}

func fnSpread(c *Call) (Value, error) {
	return c.spread(c.Arg(0), 0)
}

func (c *Call) spread(v Value, depth int) (Value, error) {
	if a, ok := v.(*Array); ok {
		if err := c.ev.nest(depth, a.Len()); err != nil {
			return nil, err
		}
		out := newSequence(0)
		for i := range a.Len() {
			part, err := c.spread(a.At(i), depth+1)
			if err != nil {
				return nil, err
			}
			if part == nil {
				continue
			}
			out.flags = 0
			if inner, ok := part.(*Array); ok {
				if err := c.ev.extend(out, inner); err != nil {
					return nil, err
				}
			} else {
				out.items = append(out.items, part)
			}
		}
		return out, c.ev.growItems(a.Len())
	}
	o := objectFrom(v)
	if o == nil {
		return v, nil
	}
	if err := c.Step(o.Len()); err != nil {
		return nil, err
	}
	out := newSequence(o.Len())
	for i := range o.members {
		out.items = append(out.items, &Object{members: o.members[i : i+1 : i+1], ints: min(1, max(0, o.ints-i))})
	}
	return out, c.ev.growItems(4 * o.Len())
}

func fnMerge(c *Call) (Value, error) {
	a := c.Arg(0).(*Array)
	parts := make([]*Object, 0, len(a.items))
	for i := range a.items {
		if o := objectFrom(a.items[i]); o != nil {
			parts = append(parts, o)
		}
	}
	if len(parts) > 1 && parts[0].Len() >= fromHere {
		out, err := c.ev.merged(parts[0], parts[1:])
		if out != nil || err != nil {
			return out, err
		}
	}
	b := newBuilder(8)
	for _, o := range parts {
		if err := c.growParts(2*o.Len(), o.Len()+1); err != nil {
			return nil, err
		}
		for k := range o.members {
			b.set(o.members[k].key, o.members[k].val)
		}
	}
	out := b.object()
	if out.Len() >= fromHere {
		out.shared = true
		c.ev.latest.object, c.ev.latest.members = out, out.members
		out.members = slices.Clip(out.members)
	}
	return out, c.Grow(objectSize(out))
}

// raise returns an error with the message the expression gives.
func raise(text Value, code string) error {
	e := newError(code, nil)
	e.Message, _ = text.(string)
	if e.Message == "" {
		e.Message = message(e)
	}
	return e
}

func fnAssert(c *Call) (Value, error) {
	if yes, _ := c.Arg(0).(bool); yes {
		return nil, nil
	}
	return nil, raise(c.Arg(1), "D3141")
}

// maxEvals is how many compiled sources an evaluation keeps. Sources that are
// made in a loop would pile up otherwise.
const maxEvals = 256

// fnEval evaluates an expression with the variables of the caller.
func fnEval(c *Call) (Value, error) {
	ev, src := c.ev, c.Arg(0).(string)
	p := ev.evals[src]
	if p == nil {
		if err := c.Step(len(src)/8 + 1); err != nil {
			return nil, err
		}
		if err := ev.keep(32 * len(src)); err != nil {
			return nil, err
		}
		var err error
		if p, err = ev.prog.lib.compile(src, true); err != nil {
			return nil, inEval("D3120", src, err)
		}
		if len(ev.evals) >= maxEvals {
			clear(ev.evals)
		}
		if ev.evals == nil {
			ev.evals = make(map[string]*Program)
		}
		ev.evals[src] = p
	}
	in := c.Input
	if focus := c.Arg(1); focus != nil {
		in = focus
		if a, ok := in.(*Array); ok && !a.has(flagSequence) {
			in = &Array{items: []Value{a}, flags: flagSequence | flagWrapper}
		}
	}
	f := c.frame
	if f == nil {
		f = newFrame(&scope{}, nil)
	}
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := p.body.eval(ev, f, in)
	if err != nil {
		return nil, inEval("D3121", src, err)
	}
	ev.depth--
	return v, nil
}

// inEval wraps an error of the inner expression. Limits remain what they are.
func inEval(code, src string, err error) error {
	err = finished(src, err)
	var e *Error
	if errors.As(err, &e) && e.IsLimit() {
		out := *e
		out.placed, out.Offset, out.Line, out.Column, out.source = false, 0, 0, 0, ""
		return &out
	}
	outer := newError(code, err.Error())
	outer.cause = err
	return outer
}
