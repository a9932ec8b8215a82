package jsonata

import (
	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// vars are the variables of a scope and of those around it.
type vars struct {
	outer   *vars
	depth   int
	names   map[string]*known
	version int // how often one was bound
}

func (v *vars) inner() *vars { return &vars{outer: v, depth: v.depth + 1} }

// bind sets a variable of the scope.
func (v *vars) bind(name string, to *known) {
	if v.names == nil {
		v.names = make(map[string]*known)
	}
	v.names[name] = to
	v.version++
}

// total grows whenever a variable that can be seen from the scope is bound.
func (v *vars) total() int {
	n := 0
	for ; v != nil; v = v.outer {
		n += v.version
	}
	return n
}

// find returns a variable of the nearest scope that has it.
func (a *analyzer) find(v *vars, name string) *known {
	a.spend(v.depth / 8)
	for ; v != nil; v = v.outer {
		if to := v.names[name]; to != nil {
			return to
		}
	}
	return nil
}

// expr returns what is known about the value of a node with its predicates and
// group-by clause.
func (a *analyzer) expr(n *syntax.Node, in *known, env *vars) *known {
	if n == nil {
		return a.missing()
	}
	if a.depth > maxTreeDepth {
		a.stop("it nests too deep to follow")
	}
	if !a.spend(1) {
		return a.any()
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

func (a *analyzer) stages(stages []syntax.Stage, v *known, env *vars) *known {
	for _, s := range stages {
		if s.Filter == nil {
			env.bind(s.Index, a.of(types(syntax.TypeNumber)))
			continue
		}
		a.consume(a.expr(s.Filter, v, env))
		v = v.maybe()
	}
	return v
}

func (a *analyzer) path(n *syntax.Node, in *known, env *vars) *known {
	env = env.inner()
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
			env.bind(step.Index, a.of(types(syntax.TypeNumber)))
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

func (a *analyzer) bare(n *syntax.Node, in *known, env *vars) *known {
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
		if v := a.find(env, n.Slot.Label); v != nil {
			return v
		}
		return a.missing()
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

func (a *analyzer) variable(n *syntax.Node, in *known, env *vars) *known {
	switch n.Text {
	case "":
		return in
	case "$":
		return a.root
	}
	if v := a.find(env, n.Text); v != nil {
		return v
	}
	if fn := a.prog.lib.funcs[n.Text]; fn != nil {
		a.use(&a.out.Functions, n.Text, n.Pos)
		if fn.volatile {
			a.out.Deterministic = false
		}
		v := a.funcs[fn]
		if v == nil {
			v = &known{types: types(syntax.TypeFunction), function: fn}
			a.funcs[fn] = v
		}
		return v
	}
	a.use(&a.out.Variables, n.Text, n.Pos)
	return a.any()
}

func (a *analyzer) block(n *syntax.Node, in *known, env *vars) *known {
	env = env.inner()
	v := a.missing()
	for i, e := range n.List {
		v = a.expr(e, in, env)
		if i < len(n.List)-1 && e.Kind != syntax.Bind {
			a.consume(v)
		}
	}
	return v
}

// group is an object constructor or a group-by clause.
func (a *analyzer) group(pairs []syntax.Pair, in *known, env *vars) *known {
	out := &known{types: types(syntax.TypeObject)}
	for _, p := range pairs {
		key := a.expr(p.Key, in, env)
		value := a.expr(p.Value, in, env)
		if name, ok := key.constant.(string); ok {
			out.keys = append(out.keys, knownKey{name, a.within(out, value), p.Key.Pos})
			continue
		}
		a.consume(key)
		a.consume(value)
		out.types |= typeAny
	}
	return out
}

func (a *analyzer) array(n *syntax.Node, in *known, env *vars) *known {
	items := make([]*known, 0, len(n.List))
	for _, e := range n.List {
		v := a.expr(e, in, env)
		items = append(items, v)
		if v.items != nil && e.Kind != syntax.Array {
			items = append(items, v.items)
		}
	}
	out := &known{types: types(syntax.TypeArray)}
	if len(items) > 0 {
		out.items = a.within(out, a.join(items...))
	}
	return out
}

func (a *analyzer) functionValue(n *syntax.Node, in *known, env *vars) *known {
	for _, e := range append([]*syntax.Node{n.Left, n.Right, n.Else}, n.List...) {
		if e == nil || e.Kind == syntax.Placeholder {
			continue
		}
		if n.Kind == syntax.Transform {
			// What it reads is part of the copy that it will be given.
			a.consume(a.expr(e, a.any(), env))
		} else {
			a.consume(a.expr(e, in, env))
		}
	}
	return a.of(types(syntax.TypeFunction))
}

func (a *analyzer) operator(n *syntax.Node, in *known, env *vars) *known {
	left := a.expr(n.Left, in, env)
	switch n.Kind { //nolint:exhaustive // the other kinds are dealt with after it
	case syntax.Condition:
		a.consume(left)
		then := a.expr(n.Right, in, env)
		return a.join(then, a.expr(n.Else, in, env))
	case syntax.Default:
		a.consume(left)
		return a.join(left, a.expr(n.Right, in, env))
	case syntax.Coalesce:
		return a.join(left, a.expr(n.Right, in, env))
	}
	a.consume(left)
	if n.Right != nil {
		a.consume(a.expr(n.Right, in, env))
	}
	switch n.Text {
	case "=", "!=", "and", "or", "in":
		return a.of(types(syntax.TypeBoolean))
	case "<", "<=", ">", ">=":
		return a.of(types(syntax.TypeBoolean | syntax.TypeMissing))
	case "&":
		return a.of(types(syntax.TypeString))
	case "..":
		return &known{types: types(syntax.TypeArray | syntax.TypeMissing | syntax.TypeNumber), items: a.of(types(syntax.TypeNumber))}
	}
	return a.of(types(syntax.TypeNumber | syntax.TypeMissing))
}
