package jsonata

// literal is a constant.
type literal struct{ value Value }

func (x *literal) eval(*evaluator, *frame, Value) (Value, error) { return x.value, nil }

// contextItem is $.
type contextItem struct{}

func (contextItem) eval(_ *evaluator, _ *frame, in Value) (Value, error) {
	return normalize(unwrap(in), false), nil
}

// unwrap takes the document out of the sequence around it.
func unwrap(v Value) Value {
	if a, ok := v.(*Array); ok && a.has(flagWrapper) {
		return a.At(0)
	}
	return v
}

// rootItem is $$.
type rootItem struct{}

func (rootItem) eval(ev *evaluator, _ *frame, _ Value) (Value, error) {
	d, ok := ev.root.(*rawDoc)
	if !ok {
		return ev.root, nil
	}
	// Only the source of an $eval asks for it when the document is not decoded.
	v, err := d.decode()
	if err == nil {
		ev.root = v
	}
	return v, err
}

// block is a list of expressions in parentheses. Its value is that of the last.
type block struct {
	scope *scope
	list  []expr
}

func (x *block) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	if x.scope.framed() {
		f = newFrame(x.scope, f)
	}
	begin := ev.mark()
	var v Value
	for _, e := range x.list {
		var err error
		if v, err = e.eval(ev, f, in); err != nil {
			return nil, err
		}
	}
	ev.depth--
	v = normalize(v, false)
	return v, ev.release(begin, v)
}

// condition is a ? b : c.
type condition struct{ test, then, other expr }

func (x *condition) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := x.test.eval(ev, f, in)
	if err != nil {
		return nil, err
	}
	branch := x.other
	if yes, err := ev.boolean(v); err != nil {
		return nil, err
	} else if yes {
		branch = x.then
	}
	if branch == nil {
		ev.depth--
		return nil, nil
	}
	v, err = branch.eval(ev, f, in)
	ev.depth--
	return normalize(v, false), err
}

// defaultExpr is a ?: b.
type defaultExpr struct{ value, other expr }

func (x *defaultExpr) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := x.value.eval(ev, f, in)
	if err != nil {
		return nil, err
	}
	yes, err := ev.boolean(v)
	if err != nil {
		return nil, err
	}
	if !yes {
		v, err = x.other.eval(ev, f, in)
	}
	ev.depth--
	return v, err
}

// coalesce is a ?? b.
type coalesce struct{ value, other expr }

func (x *coalesce) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := x.value.eval(ev, f, in)
	if err == nil && v == nil {
		v, err = x.other.eval(ev, f, in)
	}
	ev.depth--
	return v, err
}

// negate is unary minus.
type negate struct {
	value expr
	pos   int
}

func (x *negate) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := x.value.eval(ev, f, in)
	if err != nil || v == nil {
		ev.depth--
		return nil, err
	}
	n, ok, err := number(v)
	if err == nil && !ok {
		err = newError("D1002", v)
	}
	if err != nil {
		return nil, at(err, x.pos, "-")
	}
	ev.depth--
	return -n, nil
}

// finish applies predicates and a group-by clause to the value of an expression
// that is not a path, and normalizes it.
type finish struct {
	inner      expr
	predicates []stage
	group      *group
	keep       bool
}

func (x *finish) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	v, err := x.inner.eval(ev, f, in)
	if err != nil {
		return nil, err
	}
	for i := range x.predicates {
		if v, err = x.predicates[i].filter(ev, f, v); err != nil {
			return nil, err
		}
		if v == nil {
			break
		}
	}
	if _, ok := v.(*Array); x.keep && x.predicates != nil && !ok && v != nil {
		v = sequenceOf(v)
	}
	if x.group != nil {
		if v, err = x.group.eval(ev, f, v); err != nil {
			return nil, err
		}
	}
	return normalize(v, x.keep), nil
}

// boolean is $boolean with a bound on how deep it looks, and with an error for
// infinite numbers.
func (ev *evaluator) boolean(v Value) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		return v != "", nil
	case float64:
		_, ok, err := number(v)
		return ok && v != 0, err
	case *Array:
		if err := ev.step(v.Len()/8 + 1); err != nil {
			return false, err
		}
		return ev.anyTrue(v)
	}
	return Boolean(v), nil
}

func (ev *evaluator) anyTrue(a *Array) (bool, error) {
	ev.depth++
	if ev.depth > ev.limits.Depth+maxNesting {
		return false, newError(CodeDepth, ev.limits.Depth)
	}
	defer func() { ev.depth-- }()
	for i := range a.Len() {
		if yes, err := ev.boolean(a.At(i)); yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}
