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

// callback returns a function that calls fn with as many arguments as it has
// parameters, but at least one: the value, its position or key, and the whole.
func (c *Call) callback(fn, all Value) func(v, position Value) (Value, error) {
	n := max(1, min(c.Arity(fn), 3))
	f, ok := fn.(*Function)
	reuse := ok && f.lambda != nil && f.sig == nil // a lambda copies its arguments
	var args []Value
	return func(v, position Value) (Value, error) {
		if args == nil || !reuse {
			args = make([]Value, n)
		}
		args[0] = v
		if n > 1 {
			args[1] = position
		}
		if n > 2 {
			args[2] = all
		}
		return c.Apply(fn, args...)
	}
}

// wantsPosition tells whether a callback has a use for the position.
func (c *Call) wantsPosition(fn Value) bool { return c.Arity(fn) > 1 }

// index returns the position of an item for a callback that wants it.
func index(i int, wanted bool) Value {
	if !wanted {
		return nil
	}
	return float64(i)
}

func fnMap(c *Call) (Value, error) {
	a := c.Arg(0).(*Array)
	out := newSequence(min(a.Len(), 256))
	call, wanted := c.callback(c.Arg(1), a), c.wantsPosition(c.Arg(1))
	for i := range a.Len() {
		v, err := call(a.At(i), index(i, wanted))
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
	test := c.tester(a)
	for i := range a.Len() {
		yes, err := test(i)
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

// tester returns a function that calls the predicate, which is the second
// argument, on an item.
func (c *Call) tester(a *Array) func(i int) (bool, error) {
	call, wanted := c.callback(c.Arg(1), a), c.wantsPosition(c.Arg(1))
	return func(i int) (bool, error) {
		v, err := call(a.At(i), index(i, wanted))
		if err != nil {
			return false, err
		}
		return c.ev.boolean(v)
	}
}

func fnSingle(c *Call) (Value, error) {
	a := c.Arg(0).(*Array)
	var result Value
	found := false
	test := c.tester(a)
	for i := range a.Len() {
		if c.Arg(1) != nil {
			yes, err := test(i)
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
	begin := c.ev.mark()
	for ; i < a.Len(); i++ {
		args := []Value{result, a.At(i), float64(i), a}
		var err error
		if result, err = c.Apply(fn, args[:min(arity, len(args))]...); err != nil {
			return nil, err
		}
		if err = c.ev.release(begin, result); err != nil {
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
	call := c.callback(c.Arg(1), o)
	for i := range o.members {
		m := &o.members[i]
		v, err := call(m.val, m.key)
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
	call := c.callback(c.Arg(1), o)
	for i := range o.members {
		m := &o.members[i]
		v, err := call(m.val, m.key)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.items = append(out.items, v)
		}
	}
	return out, c.ev.growItems(len(out.items))
}
