package jsonata

// nameExpr is a field name as a step.
type nameExpr struct{ name string }

func (x *nameExpr) eval(ev *evaluator, _ *frame, in Value) (Value, error) {
	v, err := ev.lookup(in, x.name, 0)
	return normalize(v, false), err
}

// lookup returns a member of an object, or of all objects in an array.
func (ev *evaluator) lookup(v Value, key string, depth int) (Value, error) {
	switch v := v.(type) {
	case *Object:
		m, _ := v.Get(key)
		return m, nil
	case Host:
		return memberOf(v, key), nil
	case *Array:
		if err := ev.nest(depth, v.Len()); err != nil {
			return nil, err
		}
		out := newSequence(0)
		for i := range v.items {
			m, err := ev.lookup(v.items[i], key, depth+1)
			if err != nil {
				return nil, err
			}
			if a, ok := m.(*Array); ok {
				if err := ev.extend(out, a); err != nil {
					return nil, err
				}
			} else if m != nil {
				out.items = append(out.items, m)
			}
		}
		return out, nil
	}
	if isValue(v) {
		return nil, nil
	}
	v, err := converted(v)
	if err != nil {
		return nil, err
	}
	return ev.lookup(v, key, depth+1)
}

// wildcard is *.
type wildcard struct{}

func (wildcard) eval(ev *evaluator, _ *frame, in Value) (Value, error) {
	out := newSequence(0)
	add := func(v Value) error {
		a, ok := v.(*Array)
		if !ok {
			out.items = append(out.items, v)
			return nil
		}
		// Members that are arrays make the result an array of its own.
		out.flags = 0
		return ev.flatten(out, a, 0)
	}
	switch in := unwrap(in).(type) {
	case *Array:
		if err := ev.step(in.Len()); err != nil {
			return nil, err
		}
		for i := range in.Len() {
			if err := add(in.At(i)); err != nil {
				return nil, err
			}
		}
	default:
		o := objectFrom(in)
		if o == nil {
			break
		}
		if err := ev.step(o.Len()); err != nil {
			return nil, err
		}
		for i := range o.members {
			if err := add(o.members[i].val); err != nil {
				return nil, err
			}
		}
	}
	return out, ev.growItems(len(out.items))
}

// objectFrom returns an object, or the members or the serialised form of a host, or
// nil for anything else.
func objectFrom(v Value) *Object {
	switch v := v.(type) {
	case *Object:
		return v
	case *Function:
		return nil
	case Lister:
		names := v.Names()
		o := NewObject(len(names))
		for _, name := range names {
			o.Set(name, memberOf(v, name))
		}
		return o
	case Host:
		o, _ := serialised(v).(*Object)
		return o
	}
	return nil
}

// flatten appends the items of an array, and of the arrays in it.
func (ev *evaluator) flatten(out, a *Array, depth int) error {
	if err := ev.nest(depth, a.Len()); err != nil {
		return err
	}
	if err := ev.growItems(a.Len()); err != nil {
		return err
	}
	for i := range a.Len() {
		item := a.At(i)
		if inner, ok := item.(*Array); ok {
			if err := ev.flatten(out, inner, depth+1); err != nil {
				return err
			}
		} else {
			out.items = append(out.items, item)
		}
	}
	return nil
}

// descendants is **.
type descendants struct{}

func (descendants) eval(ev *evaluator, _ *frame, in Value) (Value, error) {
	if in == nil {
		return nil, nil
	}
	out := newSequence(0)
	if err := ev.descend(out, in, 0); err != nil {
		return nil, err
	}
	if len(out.items) == 1 {
		return out.items[0], nil
	}
	return out, nil
}

func (ev *evaluator) descend(out *Array, v Value, depth int) error {
	if a, ok := v.(*Array); ok {
		if err := ev.nest(depth, a.Len()); err != nil {
			return err
		}
		for i := range a.Len() {
			if err := ev.descend(out, a.At(i), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := ev.growing(out, 1); err != nil {
		return err
	}
	out.items = append(out.items, v)
	o := objectFrom(v)
	if o == nil {
		return nil
	}
	if err := ev.nest(depth, o.Len()); err != nil {
		return err
	}
	for i := range o.members {
		if err := ev.descend(out, o.members[i].val, depth+1); err != nil {
			return err
		}
	}
	return nil
}
