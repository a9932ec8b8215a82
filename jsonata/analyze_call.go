package jsonata

import "github.com/millrace/millrace/jsonata/internal/syntax"

// maxCalls is how deep calls of lambdas are followed, which ends recursion.
const maxCalls = 40

func (a *analyzer) applyTo(n *syntax.Node, in *known, env *vars) *known {
	left := a.expr(n.Left, in, env)
	if n.Right.Kind == syntax.Call {
		return a.call(n.Right, in, env, left)
	}
	if n.Right.Kind == syntax.Transform {
		return a.transformed(n.Right, left, env)
	}
	right := a.expr(n.Right, in, env)
	if left.types == types(syntax.TypeFunction) {
		a.consume(left)
		a.consume(right)
		return a.of(types(syntax.TypeFunction))
	}
	return a.callKnown(right, []*known{left}, n.Right, in)
}

// transformed returns what a transform makes of a value.
func (a *analyzer) transformed(n *syntax.Node, v *known, env *vars) *known {
	found := a.expr(n.Left, v, env)
	a.consume(found)
	a.consume(a.expr(n.Right, found, env))
	a.consume(a.expr(n.Else, found, env))
	a.consume(v)
	return a.of(types(syntax.TypeObject | syntax.TypeArray | syntax.TypeMissing))
}

func (a *analyzer) call(n *syntax.Node, in *known, env *vars, first *known) *known {
	proc := a.expr(n.Left, in, env)
	var args []*known
	if first != nil {
		args = append(args, first)
	}
	for _, e := range n.List {
		args = append(args, a.expr(e, in, env))
	}
	return a.callKnown(proc, args, n, in)
}

func (a *analyzer) callKnown(proc *known, args []*known, n *syntax.Node, in *known) *known {
	if proc.lambda != nil {
		proc.used = true
		return a.invoke(proc, args)
	}
	if proc.function == nil {
		a.consume(proc)
		for _, arg := range args {
			a.consume(arg)
		}
		return a.any()
	}
	return a.callFunction(proc.function, args, n, in)
}

// callKey is a call of a lambda. The sum of the versions of the variables around the lambda tells whether one of them
// has changed since.
type callKey struct {
	lambda  *syntax.Node
	env     *vars
	version int
	in      *known
	count   int // of arguments, -1: not known
	args    [3]*known
}

// invoke evaluates the body of a lambda. Without arguments nothing is known about
// the parameters. The same call is analysed once.
func (a *analyzer) invoke(fn *known, args []*known) *known {
	key := callKey{lambda: fn.lambda, env: fn.env, version: fn.env.total(), in: fn.in, count: len(args)}
	if args == nil {
		key.count = -1
	}
	if !a.spend(1 + fn.env.depth/8 + len(args)) {
		return a.any()
	}
	before, again := a.called[key.with(args)]
	if again && before != nil {
		return before
	}
	if again || a.calls >= maxCalls {
		a.gap("a function calls itself", fn.lambda.Pos)
		return a.any()
	}
	same := len(args) <= len(key.args)
	if same {
		a.called[key.with(args)] = nil // it is being analysed
	}
	a.calls++
	out := a.expr(fn.lambda.Right, fn.in, a.parameters(fn, args))
	a.calls--
	if same {
		a.called[key.with(args)] = out
	}
	return out
}

func (k callKey) with(args []*known) callKey {
	copy(k.args[:], args)
	return k
}

// parameters binds the parameters of a lambda.
func (a *analyzer) parameters(fn *known, args []*known) *vars {
	env := fn.env.inner()
	for i, name := range fn.lambda.Params {
		v := a.any()
		if i < len(args) {
			v = args[i]
		} else if args != nil {
			v = a.missing()
		}
		env.bind(name, v)
	}
	a.spend(len(fn.lambda.Params))
	return env
}

// callFunction knows the functions that look into their arguments or call them.
func (a *analyzer) callFunction(fn *Function, args []*known, n *syntax.Node, in *known) *known {
	arg := func(i int) *known {
		if i < len(args) {
			return args[i]
		}
		return a.missing()
	}
	switch fn.name {
	case "eval":
		a.gap("$eval runs text that is not known yet", n.Pos)
	case "lookup":
		if key, ok := arg(1).constant.(string); ok {
			return a.navigate(arg(0), key, n.Pos).maybe()
		}
	case "append":
		return a.join(arg(0), arg(1)).many()
	case "map", "filter", "single", "each", "sift", "reduce", "sort":
		if arg(1).lambda != nil {
			return a.higher(fn.name, arg(0), arg(1), arg(2))
		}
	case "exists", "count", "type":
		for _, v := range args {
			a.consume(v)
		}
		return a.returned(fn)
	}
	if fn.sig != nil && len(fn.sig.params) > 0 && fn.sig.params[0].Context {
		if counts, _ := fn.sig.match(nil, placeholders(args)); counts != nil && counts[0] == 0 {
			a.consume(in)
		}
	}
	for _, v := range args {
		a.consume(v)
	}
	return a.returned(fn)
}

// placeholders returns arguments of which only the number is known.
func placeholders(args []*known) []Value {
	out := make([]Value, len(args))
	for i, v := range args {
		if v.types == types(syntax.TypeFunction) {
			out[i] = &Function{}
		}
	}
	return out
}

// returned is what the signature says about the result. Most functions return
// undefined for an undefined argument.
func (a *analyzer) returned(fn *Function) *known {
	t, ok := syntax.TypeOfLetter(fn.returns)
	if !ok {
		return a.any()
	}
	switch fn.name {
	case "exists", "count", "random", "millis", "now":
		return a.of(types(t))
	}
	if t == syntax.TypeArray { // a sequence of one item is that item
		return a.any()
	}
	return a.of(types(t | syntax.TypeMissing))
}

// higher is a higher-order function called with a lambda.
func (a *analyzer) higher(name string, list, fn, initial *known) *known {
	fn.used = true
	item := list
	if list.items != nil {
		item = list.items
	}
	position := a.of(types(syntax.TypeNumber))
	switch name {
	case "each", "sift":
		position = a.of(types(syntax.TypeString))
		item = a.navigate(list, "*", fn.lambda.Pos)
	case "reduce":
		start := a.join(initial, item)
		once := a.invoke(fn, []*known{start, item, position, list})
		return a.join(start, once).maybe()
	case "sort":
		a.consume(a.invoke(fn, []*known{item, item}))
		return list
	}
	v := a.invoke(fn, []*known{item, position, list})
	switch name {
	case "map", "each":
		return v.many()
	}
	a.consume(v)
	if name == "single" {
		return item
	}
	return list.maybe()
}
