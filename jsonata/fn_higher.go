package jsonata

func higherFuncs() []builtin {
	return []builtin{
		{"map", "<af>", 2, defined(fnMap)},
		{"filter", "<af>", 2, defined(fnFilter)},
		{"single", "<af?>", 2, defined(fnSingle)},
		{"reduce", "<afj?:j>", 3, defined(fnReduce)},
		{"sift", "<o-f?:o>", 2, fnSift},
		{"each", "<o-f:a>", 2, fnEach},
	}
}

// callback calls a function with as many of the arguments as it has parameters,
// but at least one.
func (c *Call) callback(fn, v Value, position any, all Value) (Value, error) {
	args := make([]Value, 1, 3)
	args[0] = v
	n := c.Arity(fn)
	if n >= 2 {
		if i, ok := position.(int); ok {
			position = float64(i)
		}
		args = append(args, position)
	}
	if n >= 3 {
		args = append(args, all)
	}
	return c.Apply(fn, args...)
}

func fnMap(c *Call) (Value, error) {
	a := c.Arg(0).(*Array)
	out := newSequence(min(a.Len(), 256))
	for i := range a.Len() {
		v, err := c.callback(c.Arg(1), a.At(i), i, a)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.items = append(out.items, v)
			if err := c.ev.growItems(1); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func fnFilter(c *Call) (Value, error) {
	a := c.Arg(0).(*Array)
	out := newSequence(0)
	for i := range a.Len() {
		yes, err := c.test(a, i)
		if err != nil {
			return nil, err
		}
		if yes {
			out.items = append(out.items, a.At(i))
			if err := c.ev.growItems(1); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// test calls the predicate, which is the second argument, on an item.
func (c *Call) test(a *Array, i int) (bool, error) {
	v, err := c.callback(c.Arg(1), a.At(i), i, a)
	if err != nil {
		return false, err
	}
	return c.ev.boolean(v)
}

func fnSingle(c *Call) (Value, error) {
	a := c.Arg(0).(*Array)
	var result Value
	found := false
	for i := range a.Len() {
		if c.Arg(1) != nil {
			yes, err := c.test(a, i)
			if err != nil {
				return nil, err
			}
			if !yes {
				continue
			}
		}
		if found {
			return nil, newError("D3138", nil)
		}
		result, found = a.At(i), true
	}
	if !found {
		return nil, newError("D3139", nil)
	}
	return result, nil
}

func fnReduce(c *Call) (Value, error) {
	a, fn := c.Arg(0).(*Array), c.Arg(1)
	arity := c.Arity(fn)
	if arity < 2 {
		return nil, argError("D3050", 0, fn)
	}
	result, i := c.Arg(2), 0
	if result == nil && a.Len() > 0 {
		result, i = a.At(0), 1
	}
	for ; i < a.Len(); i++ {
		args := []Value{result, a.At(i), float64(i), a}
		var err error
		if result, err = c.Apply(fn, args[:min(arity, len(args))]...); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func fnSift(c *Call) (Value, error) {
	o := objectFrom(c.Arg(0))
	if o == nil {
		return nil, nil
	}
	out := NewObject(0)
	for i := range o.members {
		m := &o.members[i]
		v, err := c.callback(c.Arg(1), m.val, m.key, o)
		if err != nil {
			return nil, err
		}
		yes, err := c.ev.boolean(v)
		if err != nil {
			return nil, err
		}
		if yes {
			out.Set(m.key, m.val)
		}
	}
	if out.Len() == 0 {
		return nil, nil
	}
	return out, c.Grow(objectSize(out))
}

func fnEach(c *Call) (Value, error) {
	o := objectFrom(c.Arg(0))
	if o == nil {
		return newSequence(0), nil
	}
	out := newSequence(o.Len())
	for i := range o.members {
		m := &o.members[i]
		v, err := c.callback(c.Arg(1), m.val, m.key, o)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.items = append(out.items, v)
		}
	}
	return out, c.ev.growItems(len(out.items))
}
