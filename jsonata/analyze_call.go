package jsonata

import "github.com/millrace/millrace/jsonata/internal/syntax"

// maxCalls is how deep calls of lambdas are followed, which ends recursion.
const maxCalls = 40

func (a *analyzer) applyTo(n *syntax.Node, in *known, env *binding) *known {
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
		return of(syntax.TypeFunction)
	}
	return a.callKnown(right, []*known{left}, n.Right, in)
}

// transformed returns what a transform makes of a value.
func (a *analyzer) transformed(n *syntax.Node, v *known, env *binding) *known {
	found := a.expr(n.Left, v, env)
	a.consume(found)
	a.consume(a.expr(n.Right, found, env))
	a.consume(a.expr(n.Else, found, env))
	a.consume(v)
	return &known{types: types(syntax.TypeObject | syntax.TypeArray | syntax.TypeMissing)}
}

func (a *analyzer) call(n *syntax.Node, in *known, env *binding, first *known) *known {
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
		return &known{types: typeAny}
	}
	return a.callFunction(proc.function, args, n, in)
}

// invoke evaluates the body of a lambda. Without arguments nothing is known about
// the parameters.
func (a *analyzer) invoke(fn *known, args []*known) *known {
	env := &binding{outer: fn.env, scope: true}
	for i, name := range fn.lambda.Params {
		v := &known{types: typeAny}
		if i < len(args) {
			v = args[i]
		} else if args != nil {
			v = of(syntax.TypeMissing)
		}
		env.bind(name, v)
	}
	if a.depth > maxCalls {
		a.gap("a function calls itself", fn.lambda.Pos)
		return &known{types: typeAny}
	}
	return a.expr(fn.lambda.Right, fn.in, env)
}

// callFunction knows the functions that look into their arguments or call them.
func (a *analyzer) callFunction(fn *Function, args []*known, n *syntax.Node, in *known) *known {
	arg := func(i int) *known {
		if i < len(args) {
			return args[i]
		}
		return of(syntax.TypeMissing)
	}
	switch fn.name {
	case "eval":
		a.gap("$eval runs text that is not known yet", n.Pos)
	case "lookup":
		if key, ok := arg(1).constant.(string); ok {
			return a.navigate(arg(0), key, n.Pos).maybe()
		}
	case "append":
		return join(arg(0), arg(1)).many()
	case "map", "filter", "single", "each", "sift", "reduce", "sort":
		if arg(1).lambda != nil {
			return a.higher(fn.name, arg(0), arg(1), arg(2))
		}
	case "exists", "count", "type":
		for _, v := range args {
			a.consume(v)
		}
		return returned(fn)
	}
	if fn.sig != nil && len(fn.sig.params) > 0 && fn.sig.params[0].Context {
		if counts, _ := fn.sig.match(nil, placeholders(args)); counts != nil && counts[0] == 0 {
			a.consume(in)
		}
	}
	for _, v := range args {
		a.consume(v)
	}
	return returned(fn)
}

// placeholders stands for arguments of which only the number is known.
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
func returned(fn *Function) *known {
	t, ok := syntax.TypeOfLetter(fn.returns)
	if !ok {
		return &known{types: typeAny}
	}
	switch fn.name {
	case "exists", "count", "random", "millis", "now":
		return of(t)
	}
	if t == syntax.TypeArray { // one item alone stands for itself
		return &known{types: typeAny}
	}
	return of(t | syntax.TypeMissing)
}

// higher is a higher-order function called with a lambda.
func (a *analyzer) higher(name string, list, fn, initial *known) *known {
	fn.used = true
	item := list
	if list.items != nil {
		item = list.items
	}
	position := of(syntax.TypeNumber)
	switch name {
	case "each", "sift":
		position = of(syntax.TypeString)
		item = a.navigate(list, "*", fn.lambda.Pos)
	case "reduce":
		start := join(initial, item)
		once := a.invoke(fn, []*known{start, item, position, list})
		return join(start, once).maybe()
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
