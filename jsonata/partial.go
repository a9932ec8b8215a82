package jsonata

// arity is the number of parameters that are still open.
func (f *Function) arity() int { return f.params }

// bind returns the function with some arguments fixed. Where there is a hole, the
// new function takes an argument.
func (f *Function) bind(args []Value, holes []bool) *Function {
	n := f.params
	if n == 0 && f.call != nil {
		n = len(args)
	}
	out := &Function{target: f, bound: make([]Value, n), holes: make([]bool, n)}
	for i := range n {
		if i < len(args) {
			out.bound[i], out.holes[i] = args[i], holes[i]
		}
	}
	if f.target != nil {
		out.flatten(f)
	}
	for _, hole := range out.holes {
		if hole {
			out.params++
		}
	}
	return out
}

// flatten makes a partial application of the partial application f one of f's
// own target.
func (f *Function) flatten(of *Function) {
	bound, holes := f.bound, f.holes
	f.target = of.target
	f.bound = append([]Value(nil), of.bound...)
	f.holes = append([]bool(nil), of.holes...)
	next := 0
	for i, hole := range of.holes {
		if hole && next < len(bound) {
			f.bound[i], f.holes[i] = bound[next], holes[next]
			next++
		}
	}
}

// fill puts arguments into the holes.
func (f *Function) fill(args []Value) []Value {
	out := make([]Value, len(f.bound))
	copy(out, f.bound)
	for i, hole := range f.holes {
		if hole && len(args) > 0 {
			out[i], args = args[0], args[1:]
		}
	}
	return out
}

// apply is the operator ~>.
type apply struct {
	left, right expr
	call        *call // the right side, if it is a call
	pos         int
}

func (x *apply) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := x.left.eval(ev, f, in)
	if err != nil {
		return nil, err
	}
	if x.call != nil {
		v, err = x.call.evalWith(ev, f, in, v, 1)
		ev.depth--
		return v, err
	}
	right, err := x.right.eval(ev, f, in)
	if err != nil {
		return nil, err
	}
	fn, ok := right.(*Function)
	if !ok {
		return nil, at(newError("T2006", right), x.pos, "~>")
	}
	ev.depth--
	if first, ok := v.(*Function); ok {
		return chain(first, fn), ev.grow(functionSize)
	}
	v, err = ev.call(fn, []Value{v}, Null{}, f)
	return v, at(err, x.pos, "~>")
}

// chain returns the function that calls first and passes its result to second.
func chain(first, second *Function) *Function {
	return &Function{params: 1, call: func(c *Call) (Value, error) {
		if err := c.ev.enter(); err != nil {
			return nil, err
		}
		v, err := c.ev.call(first, []Value{c.Arg(0)}, c.Input, c.frame)
		if err != nil {
			return nil, err
		}
		v, err = c.ev.call(second, []Value{normalize(v, false)}, c.Input, c.frame)
		c.ev.depth--
		return v, err
	}}
}
