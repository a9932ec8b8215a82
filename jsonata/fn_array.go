package jsonata

func arrayFuncs() []builtin {
	return []builtin{
		{"append", "<xx:a>", 2, fnAppend},
		{"reverse", "<a:a>", 1, defined(fnReverse)},
		{"shuffle", "<a:a>", 1, defined(fnShuffle)},
		{"distinct", "<x:x>", 1, defined(fnDistinct)},
		{"sort", "<af?:a>", 2, defined(fnSort)},
		{"zip", "<a+>", 0, fnZip},
	}
}

func fnAppend(c *Call) (Value, error) {
	l, r := c.Arg(0), c.Arg(1)
	switch {
	case l == nil:
		return r, nil
	case r == nil:
		return l, nil
	}
	if a, ok := l.(*Array); ok && a.Len() >= fromHere {
		return c.ev.appended(a, r)
	}
	return c.ev.concat(l, r)
}

// list returns the items of the first argument for a function that reads them all.
func list(c *Call) ([]Value, error) {
	a := c.Arg(0).(*Array)
	if err := c.Step(a.Len()); err != nil {
		return nil, err
	}
	return c.ev.items(a)
}

func fnReverse(c *Call) (Value, error) {
	if a := c.Arg(0).(*Array); a.Len() <= 1 {
		return a, nil
	}
	items, err := list(c)
	if err != nil {
		return nil, err
	}
	out := make([]Value, len(items))
	for i, v := range items {
		out[len(items)-1-i] = v
	}
	return NewArray(out...), c.ev.growItems(len(items))
}

func fnShuffle(c *Call) (Value, error) {
	if a := c.Arg(0).(*Array); a.Len() <= 1 {
		return a, nil
	}
	items, err := list(c)
	if err != nil {
		return nil, err
	}
	out := make([]Value, len(items))
	for i, v := range items {
		k := min(int(c.ev.random()*float64(i+1)), i)
		out[i] = out[k]
		out[k] = v
	}
	return NewArray(out...), c.ev.growItems(len(items))
}

func fnDistinct(c *Call) (Value, error) {
	a, ok := c.Arg(0).(*Array)
	if !ok || a.Len() <= 1 {
		return c.Arg(0), nil
	}
	items, err := list(c)
	if err != nil {
		return nil, err
	}
	out := &Array{flags: a.flags & flagSequence}
	seen := make(map[Value]bool)
	var compound []Value
	for _, v := range items {
		switch v.(type) {
		case string, float64, bool, Null:
			if err := c.ev.compared(v); err != nil {
				return nil, err
			}
			if !seen[v] {
				seen[v] = true
				out.items = append(out.items, v)
			}
			continue
		}
		known := false
		for i := 0; i < len(compound) && !known; i++ {
			if err := c.Step(1); err != nil {
				return nil, err
			}
			if known, err = c.ev.equal(v, compound[i], 0); err != nil {
				return nil, err
			}
		}
		if !known {
			compound = append(compound, v)
			out.items = append(out.items, v)
		}
	}
	return out, c.ev.growItems(4 * len(out.items))
}

func fnSort(c *Call) (Value, error) {
	if a := c.Arg(0).(*Array); a.Len() <= 1 {
		return a, nil
	}
	items, err := list(c)
	if err != nil {
		return nil, err
	}
	if err := c.ev.growItems(4 * len(items)); err != nil {
		return nil, err
	}
	after, err := comparator(c, items)
	if err != nil {
		return nil, err
	}
	sorted, err := mergeSort(c.ev, items, after)
	if err != nil {
		return nil, err
	}
	return NewArray(sorted...), nil
}

func comparator(c *Call, items []Value) (func(a, b Value) (bool, error), error) {
	if fn := c.Arg(1); fn != nil {
		return func(a, b Value) (bool, error) {
			v, err := c.Apply(fn, a, b)
			return truthy(v), err
		}, nil
	}
	texts, numeric := true, true
	for _, v := range items {
		_, isText := v.(string)
		_, isNumber, err := number(v)
		if err != nil {
			return nil, err
		}
		texts, numeric = texts && isText, numeric && isNumber
	}
	switch {
	case texts:
		return func(a, b Value) (bool, error) {
			order, err := c.ev.compareTexts(a.(string), b.(string))
			return order > 0, err
		}, nil
	case numeric:
		return func(a, b Value) (bool, error) { return a.(float64) > b.(float64), nil }, nil
	}
	return nil, argError("D3070", 0, c.Arg(0))
}

func fnZip(c *Call) (Value, error) {
	shortest := -1
	for _, arg := range c.Args {
		n := 0
		if a, ok := arg.(*Array); ok {
			n = a.Len()
		}
		if shortest < 0 || n < shortest {
			shortest = n
		}
	}
	out := &Array{}
	for i := range max(0, shortest) {
		row := make([]Value, len(c.Args))
		for k, arg := range c.Args {
			row[k] = arg.(*Array).At(i)
		}
		out.items = append(out.items, NewArray(row...))
		if err := c.growParts(2+len(row), 1); err != nil {
			return nil, err
		}
	}
	return out, nil
}
