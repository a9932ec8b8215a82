package jsonata

import (
	"errors"
	"slices"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// lambda is a function definition.
type lambda struct {
	scope  *scope
	params int
	slots  []int // where the parameters go
	sig    *signature
	body   expr
	leaf   bool // nothing in the body keeps the frame
	pos    int
}

func (x *lambda) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	ev.births++
	return &Function{lambda: x, frame: f, input: in, sig: x.sig, params: x.params, born: ev.births}, ev.grow(functionSize)
}

// functionSize is what a function costs in memory, with what it refers to.
const functionSize = 256

// call is a function call, or a partial application if holes is not nil.
type call struct {
	proc  expr
	name  string // for messages
	hint  expr   // the variable that may be meant if the dollar sign is missing
	args  []expr
	holes []bool
	tail  bool
	binds bool // an argument binds a variable that lives on
	pos   int
}

func (c *compiler) call(n *syntax.Node, proc expr) (expr, error) {
	x := &call{proc: proc, tail: n.TailCall, pos: n.Pos, name: n.Left.Text}
	if n.Left.Kind == syntax.Path {
		x.name = n.Left.List[0].Text
		x.hint = c.variable(x.name, n.Pos)
	}
	if v, ok := proc.(*variable); ok {
		v.called = true
	}
	var err error
	binds := c.scope.binds
	if x.args, err = c.exprs(n.List); err != nil {
		return nil, err
	}
	x.binds = c.scope.binds != binds
	if n.Kind == syntax.Partial {
		x.holes = make([]bool, len(n.List))
		for i, arg := range n.List {
			x.holes[i] = arg.Kind == syntax.Placeholder
		}
	}
	return x, nil
}

func (x *call) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	return x.evalWith(ev, f, in, nil, 0)
}

// evalWith evaluates the call with an extra first argument if extra is 1.
func (x *call) evalWith(ev *evaluator, f *frame, in, first Value, extra int) (Value, error) {
	if err := ev.enter(); err != nil {
		return nil, at(err, x.pos, x.name)
	}
	begin := ev.mark()
	proc, err := x.proc.eval(ev, f, in)
	if err != nil {
		return nil, err
	}
	args := make([]Value, extra+len(x.args))
	if extra > 0 {
		args[0] = first
	}
	for i, arg := range x.args {
		if args[extra+i], err = arg.eval(ev, f, in); err != nil {
			return nil, err
		}
	}
	fn, ok := proc.(*Function)
	if !ok {
		return nil, x.notFunction(ev, f, in, proc)
	}
	if x.holes != nil {
		ev.depth--
		out := fn.bind(args, x.holes)
		return out, ev.grow(functionSize + 17*len(out.bound))
	}
	if x.tail {
		ev.depth--
		ev.tail = tailCall{fn: fn, args: args, input: in, frame: f, call: x}
		return &ev.tail, nil
	}
	v, err := ev.call(fn, args, in, f)
	if err != nil {
		return nil, at(err, x.pos, x.name)
	}
	ev.depth--
	if x.binds {
		return v, nil
	}
	return v, ev.release(begin, v)
}

func (x *call) notFunction(ev *evaluator, f *frame, in, proc Value) error {
	code := "T1006"
	if x.holes != nil {
		code = "T1008"
	}
	if proc == nil && x.hint != nil {
		meant, err := x.hint.eval(ev, f, in)
		switch {
		case err != nil || !truthy(meant):
		case x.holes != nil:
			code = "T1007"
		default:
			code = "T1005"
		}
	}
	return at(newError(code, proc), x.pos, x.name)
}

// tailCall is a call in tail position. The body of a lambda returns it as its
// value, and the caller of the lambda makes the call, so that the stack does not
// grow.
type tailCall struct {
	fn    *Function
	args  []Value
	input Value
	frame *frame
	call  *call
}

// call calls a function on a context item. f is the frame of the caller, which
// $eval needs.
func (ev *evaluator) call(fn *Function, args []Value, in Value, f *frame) (Value, error) {
	begin := ev.mark()
	v, err := ev.callOnce(fn, args, in, f)
	for err == nil {
		next, ok := v.(*tailCall)
		if !ok {
			break
		}
		t := *next
		*next = tailCall{}
		if err = ev.step(1); err != nil {
			return nil, at(err, t.call.pos, t.call.name)
		}
		if t.fn.lambda != nil { // which does not look at the frame of the caller
			t.frame = nil
			if ev.grown > ev.limits.Output {
				err = ev.release(begin, append(slices.Clip(t.args), t.fn)...)
			}
			if err != nil {
				return nil, at(err, t.call.pos, t.call.name)
			}
		}
		if v, err = ev.callOnce(t.fn, t.args, t.input, t.frame); err != nil {
			return nil, at(err, t.call.pos, t.call.name)
		}
	}
	return v, err
}

func (ev *evaluator) callOnce(fn *Function, args []Value, in Value, f *frame) (Value, error) {
	if d, ok := in.(*rawDoc); ok && (fn.lambda == nil || fn.sig != nil) && fn.needsContext(len(args)) {
		var err error
		if in, err = d.decode(); err != nil {
			return nil, err
		}
	}
	if fn.sig != nil {
		var err error
		if args, err = fn.sig.validate(ev, args, in); err != nil {
			return nil, err
		}
	}
	return ev.invoke(fn, args, in, f)
}

// needsContext tells whether the function may look at the context item.
func (f *Function) needsContext(args int) bool {
	return f.sig == nil || f.name == "eval" || args < len(f.sig.params)
}

// invoke calls a function without checking its arguments.
func (ev *evaluator) invoke(fn *Function, args []Value, in Value, f *frame) (Value, error) {
	switch {
	case fn.lambda != nil:
		return ev.invokeLambda(fn, args)
	case fn.target != nil:
		args = fn.fill(args)
		if fn.target.call != nil && fn.target.sig != nil {
			if err := fn.target.sig.fits(args); err != nil {
				return nil, err
			}
		}
		return ev.invoke(fn.target, args, in, f)
	}
	for _, arg := range args {
		if err := ev.read(arg); err != nil {
			return nil, err
		}
	}
	c := ev.newCall()
	c.Args, c.Input, c.frame = args, in, f
	v, err := fn.call(c)
	if err != nil {
		return nil, hostError(err)
	}
	ev.releaseCall(c)
	if !isValue(v) {
		if v, err = converted(v); err != nil {
			return nil, err
		}
	}
	return v, ev.read(v)
}

func (ev *evaluator) invokeLambda(fn *Function, args []Value) (Value, error) {
	if err := ev.step(1); err != nil {
		return nil, err
	}
	x := fn.lambda
	if !x.scope.framed() {
		return x.body.eval(ev, fn.frame, fn.input)
	}
	var f *frame
	if n := len(ev.frames); n > 0 && x.leaf && len(x.scope.names) <= smallVars {
		f = ev.frames[n-1]
		ev.frames = ev.frames[:n-1]
		f.parent, f.scope, f.vars = fn.frame, x.scope, f.vars[:len(x.scope.names)]
	} else {
		f = newFrame(x.scope, fn.frame)
	}
	for i, slot := range x.slots {
		f.set(slot, argument(args, i))
	}
	v, err := x.body.eval(ev, f, fn.input)
	if err == nil && x.leaf && cap(f.vars) == smallVars {
		clear(f.vars)
		f.parent, f.scope = nil, nil
		ev.frames = append(ev.frames, f)
	}
	return v, err
}

func (ev *evaluator) newCall() *Call {
	if ev.inUse == len(ev.calls) {
		ev.calls = append(ev.calls, &Call{})
	}
	c := ev.calls[ev.inUse]
	ev.inUse++
	c.ev = ev
	return c
}

func (ev *evaluator) releaseCall(c *Call) {
	ev.inUse--
	*c = Call{}
}

// applyValue calls a function for another function.
func (ev *evaluator) applyValue(fn Value, args []Value, frame *frame) (Value, error) {
	f, ok := fn.(*Function)
	if !ok {
		return nil, newError("T1006", fn)
	}
	if err := ev.enter(); err != nil {
		return nil, err
	}
	begin := ev.mark()
	v, err := ev.call(f, args, Null{}, frame)
	ev.depth--
	if err != nil {
		return nil, err
	}
	return v, ev.release(begin, v)
}

// hostError makes an error of a host function an [Error].
func hostError(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Code: CodeHost, Message: err.Error(), cause: err}
}
