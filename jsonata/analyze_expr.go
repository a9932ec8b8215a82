package jsonata

import (
	"github.com/millrace/millrace/jsonata/internal/syntax"
)

func of(t uint16) *known { return &known{types: types(t)} }

func constantOf(t uint16, v Value) *known { return &known{types: types(t), constant: v} }

// expr returns what is known about the value of a node with its predicates and
// group-by clause.
func (a *analyzer) expr(n *syntax.Node, in *known, env *binding) *known {
	if n == nil {
		return of(syntax.TypeMissing)
	}
	if a.work++; a.work > maxAnalysis || a.depth > 200 {
		a.gap("the expression is too complex to follow", n.Pos)
		return &known{types: typeAny}
	}
	a.depth++
	defer func() { a.depth-- }()
	if n.Kind == syntax.Path {
		return a.path(n, in, env)
	}
	v := a.bare(n, in, env)
	v = a.stages(n.Predicates, v, env)
	if n.Group != nil {
		v = a.group(n.Group.Pairs, v, env)
	}
	return v
}

func (a *analyzer) stages(stages []syntax.Stage, v *known, env *binding) *known {
	for _, s := range stages {
		if s.Filter == nil {
			env.bind(s.Index, of(syntax.TypeNumber))
			continue
		}
		a.consume(a.expr(s.Filter, v, env))
		v = v.maybe()
	}
	return v
}

// maybe adds that a value may be undefined.
func (v *known) maybe() *known {
	if v.types&types(syntax.TypeMissing) != 0 {
		return v
	}
	out := *v
	out.types |= types(syntax.TypeMissing)
	out.constant = nil
	return &out
}

// bind sets a variable of the innermost scope.
func (b *binding) bind(name string, v *known) {
	rest := *b
	b.outer, b.name, b.value, b.scope = &rest, name, v, false
}

func (a *analyzer) path(n *syntax.Node, in *known, env *binding) *known {
	env = &binding{outer: env, scope: true}
	v := in
	for _, step := range n.List {
		from := v
		if step.Ancestor != nil {
			env.bind(step.Ancestor.Label, from)
		}
		if step.Kind == syntax.Sort {
			for _, t := range step.Terms {
				a.consume(a.expr(t.Expr, from, env))
			}
		} else {
			v = a.expr(step, from, env)
		}
		if step.Index != "" {
			env.bind(step.Index, of(syntax.TypeNumber))
		}
		v = a.stages(step.Stages, v, env)
		if step.Focus != "" {
			env.bind(step.Focus, v)
			v = from
		}
	}
	if len(n.List) > 1 && v.types&typeAny == 0 && len(in.refs) > 0 {
		v = v.many()
	}
	if n.Group != nil {
		v = a.group(n.Group.Pairs, v, env)
	}
	return v
}

// many tells that a value may be a sequence of such values, or nothing.
func (v *known) many() *known {
	out := *v.maybe()
	if out.types&types(syntax.TypeArray) == 0 {
		out.types |= types(syntax.TypeArray)
		out.items = v
	}
	return &out
}

func (a *analyzer) bare(n *syntax.Node, in *known, env *binding) *known {
	switch n.Kind { //nolint:exhaustive // the other kinds are dealt with after it
	case syntax.Name:
		return a.navigate(in, n.Text, n.Pos)
	case syntax.Wildcard:
		return a.navigate(in, "*", n.Pos)
	case syntax.Descendant:
		return a.navigate(in, "**", n.Pos)
	case syntax.String:
		return constantOf(syntax.TypeString, n.Text)
	case syntax.Number:
		return constantOf(syntax.TypeNumber, n.Num)
	case syntax.Literal:
		return literalOf(n.Text)
	case syntax.Variable:
		return a.variable(n, in, env)
	case syntax.Parent:
		if v := env.find(n.Slot.Label); v != nil {
			return v
		}
		return of(syntax.TypeMissing)
	case syntax.Lambda:
		return &known{types: types(syntax.TypeFunction), lambda: n, env: env, in: in}
	case syntax.Regex, syntax.Partial, syntax.Transform:
		return a.functionValue(n, in, env)
	case syntax.Block:
		return a.block(n, in, env)
	case syntax.Bind:
		v := a.expr(n.Right, in, env)
		env.bind(n.Text, v)
		return v
	case syntax.Object:
		return a.group(n.Pairs, in, env)
	case syntax.Array:
		return a.array(n, in, env)
	case syntax.Call:
		return a.call(n, in, env, nil)
	case syntax.Apply:
		return a.applyTo(n, in, env)
	}
	return a.operator(n, in, env)
}

func literalOf(text string) *known {
	switch text {
	case "true", "false":
		return constantOf(syntax.TypeBoolean, text == "true")
	}
	return constantOf(syntax.TypeNull, Null{})
}

func (a *analyzer) variable(n *syntax.Node, in *known, env *binding) *known {
	switch n.Text {
	case "":
		return in
	case "$":
		return a.root
	}
	if v := env.find(n.Text); v != nil {
		return v
	}
	if fn := a.prog.lib.funcs[n.Text]; fn != nil {
		a.use(&a.out.Functions, n.Text, n.Pos)
		if fn.volatile {
			a.out.Deterministic = false
		}
		return &known{types: types(syntax.TypeFunction), function: fn}
	}
	a.use(&a.out.Variables, n.Text, n.Pos)
	return &known{types: typeAny}
}

func (a *analyzer) block(n *syntax.Node, in *known, env *binding) *known {
	env = &binding{outer: env, scope: true}
	v := of(syntax.TypeMissing)
	for i, e := range n.List {
		v = a.expr(e, in, env)
		if i < len(n.List)-1 && e.Kind != syntax.Bind {
			a.consume(v)
		}
	}
	return v
}

// group is an object constructor or a group-by clause.
func (a *analyzer) group(pairs []syntax.Pair, in *known, env *binding) *known {
	out := of(syntax.TypeObject)
	for _, p := range pairs {
		key := a.expr(p.Key, in, env)
		value := a.expr(p.Value, in, env)
		if name, ok := key.constant.(string); ok {
			out.keys = append(out.keys, knownKey{name, value, p.Key.Pos})
			continue
		}
		a.consume(key)
		a.consume(value)
		out.types |= typeAny
	}
	return out
}

func (a *analyzer) array(n *syntax.Node, in *known, env *binding) *known {
	out := of(syntax.TypeArray)
	for _, e := range n.List {
		v := a.expr(e, in, env)
		if v.items != nil && e.Kind != syntax.Array {
			v = join(v, v.items)
		}
		out.items = join(orNothing(out.items), v)
	}
	return out
}

func (a *analyzer) functionValue(n *syntax.Node, in *known, env *binding) *known {
	for _, e := range append([]*syntax.Node{n.Left, n.Right, n.Else}, n.List...) {
		if e == nil || e.Kind == syntax.Placeholder {
			continue
		}
		if n.Kind == syntax.Transform {
			// What it reads is part of the copy that it will be given.
			a.consume(a.expr(e, &known{types: typeAny}, env))
		} else {
			a.consume(a.expr(e, in, env))
		}
	}
	return of(syntax.TypeFunction)
}

func (a *analyzer) operator(n *syntax.Node, in *known, env *binding) *known {
	left := a.expr(n.Left, in, env)
	switch n.Kind { //nolint:exhaustive // the other kinds are dealt with after it
	case syntax.Condition:
		a.consume(left)
		then := a.expr(n.Right, in, env)
		return join(then, a.expr(n.Else, in, env))
	case syntax.Default:
		a.consume(left)
		return join(left, a.expr(n.Right, in, env))
	case syntax.Coalesce:
		return join(left, a.expr(n.Right, in, env))
	}
	a.consume(left)
	if n.Right != nil {
		a.consume(a.expr(n.Right, in, env))
	}
	switch n.Text {
	case "=", "!=", "and", "or", "in":
		return of(syntax.TypeBoolean)
	case "<", "<=", ">", ">=":
		return of(syntax.TypeBoolean | syntax.TypeMissing)
	case "&":
		return of(syntax.TypeString)
	case "..":
		return &known{types: types(syntax.TypeArray | syntax.TypeMissing | syntax.TypeNumber), items: of(syntax.TypeNumber)}
	}
	return of(syntax.TypeNumber | syntax.TypeMissing)
}
