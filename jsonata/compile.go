package jsonata

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// expr is a compiled expression. It is immutable. It is evaluated in a frame, on
// a context item.
type expr interface {
	eval(ev *evaluator, f *frame, in Value) (Value, error)
}

// compiler turns a syntax tree into an expr.
type compiler struct {
	lib    *Library
	scope  *scope
	forced bool // every scope needs a frame
	// dynamic is the outermost scope of the source of an $eval, whose variables are
	// those of the caller.
	dynamic *scope
	vars    []*variable
	work    int // steps of finding variables
	nodes   int // that were compiled
	pattern int // bytes of regular expressions so far
	// closures counts the expressions that keep the frame they are evaluated in.
	closures int
}

func (l *Library) compile(src string, dynamic bool) (*Program, error) {
	tree, err := syntax.Parse(src)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	c := &compiler{lib: l, forced: strings.Contains(src, "eval")}
	c.scope = &scope{forced: c.forced && !dynamic}
	if dynamic {
		c.dynamic = c.scope
	}
	p := &Program{src: src, lib: l, scope: c.scope, pathsOnly: readsPathsOnly(tree)}
	if p.body, err = c.expr(tree); err != nil {
		return nil, syntaxError(src, err)
	}
	if dynamic && len(p.scope.names) > 0 {
		panic("jsonata: a variable of an $eval was resolved too early")
	}
	for _, v := range c.vars {
		if err := c.resolve(v); err != nil {
			return nil, syntaxError(src, err)
		}
		if v.called && len(v.refs) == 0 && !dynamic {
			p.calls = append(p.calls, v)
		}
	}
	const perNode, perPattern = 400, 200
	p.size = len(src) + perNode*c.nodes + perPattern*c.pattern
	return p, nil
}

// Bounds of one compilation. Variables are looked for in each scope around them, and each use of one keeps where it may be.
const (
	maxResolving = 2_000_000
	maxPatterns  = 1 << 14 // a byte of a pattern may become some hundred bytes
)

// spend takes n of the steps that finding variables may take.
func (c *compiler) spend(n, pos int) error {
	if c.work += n; c.work > maxResolving {
		return &syntax.Error{Code: CodeSize, Pos: pos, Token: strconv.Itoa(maxResolving) + " steps to the variables of the scopes around others"}
	}
	return nil
}

func (c *compiler) exprs(nodes []*syntax.Node) ([]expr, error) {
	out := make([]expr, len(nodes))
	for i, n := range nodes {
		e, err := c.expr(n)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// expr compiles a node together with its predicates and group-by clause.
func (c *compiler) expr(n *syntax.Node) (expr, error) {
	if n == nil {
		return nil, nil
	}
	c.nodes++
	if n.Kind == syntax.Path {
		return c.path(n)
	}
	if n.Tuple && len(n.Predicates) > 0 {
		return c.tupleFilter(n)
	}
	return c.finished(n)
}

// finished compiles a node that is not a path.
func (c *compiler) finished(n *syntax.Node) (expr, error) {
	e, err := c.bare(n)
	if err != nil {
		return nil, err
	}
	if len(n.Predicates) == 0 && n.Group == nil && !n.KeepArray {
		if producesSequence(n) {
			return &finish{inner: e}, nil
		}
		return e, nil
	}
	post := &finish{inner: e, keep: n.KeepArray}
	if post.predicates, err = c.stages(n.Predicates); err != nil {
		return nil, err
	}
	if n.Group != nil {
		if post.group, err = c.group(n.Group.Pairs, n.Group.Pos); err != nil {
			return nil, err
		}
	}
	return post, nil
}

// producesSequence tells whether a node's value may be a sequence that still has
// to be normalized.
func producesSequence(n *syntax.Node) bool {
	switch n.Kind { //nolint:exhaustive // the other kinds are dealt with after it
	case syntax.Wildcard, syntax.Descendant, syntax.Apply:
		return true
	case syntax.Call:
		return !n.TailCall
	case syntax.Binary:
		return n.Text == ".."
	}
	return false
}

func (c *compiler) bare(n *syntax.Node) (expr, error) {
	switch n.Kind { //nolint:exhaustive // the other kinds are dealt with after it
	case syntax.String:
		return &literal{n.Text}, nil
	case syntax.Number:
		return &literal{n.Num}, nil
	case syntax.Literal:
		return constant(n.Text), nil
	case syntax.Name:
		return &nameExpr{n.Text}, nil
	case syntax.Variable:
		return c.variable(n.Text, n.Pos), nil
	case syntax.Parent:
		return c.variable(n.Slot.Label, n.Pos), nil
	case syntax.Wildcard:
		return wildcard{}, nil
	case syntax.Descendant:
		return descendants{}, nil
	case syntax.Placeholder:
		return &literal{nil}, nil
	case syntax.Regex:
		return c.regex(n)
	case syntax.Lambda:
		return c.lambda(n)
	case syntax.Block:
		return c.block(n)
	case syntax.Bind:
		return c.bind(n)
	case syntax.Object:
		return c.object(n)
	case syntax.Array:
		return c.array(n)
	}
	return c.operation(n)
}

// operation compiles the nodes whose parts are Left, Right and Else or a list of
// arguments.
func (c *compiler) operation(n *syntax.Node) (expr, error) {
	if n.Kind == syntax.Binary && n.Text == "&" {
		return c.concat(n) // it compiles the whole chain, which must happen once
	}
	left, err := c.expr(n.Left)
	if err != nil {
		return nil, err
	}
	if n.Kind == syntax.Call || n.Kind == syntax.Partial {
		return c.call(n, left)
	}
	if n.Kind == syntax.Transform {
		return c.transform(n, left)
	}
	right, err := c.expr(n.Right)
	if err != nil {
		return nil, err
	}
	switch n.Kind { //nolint:exhaustive // the other kinds are dealt with after it
	case syntax.Negate:
		return &negate{left, n.Pos}, nil
	case syntax.Condition:
		other, err := c.expr(n.Else)
		return &condition{left, right, other}, err
	case syntax.Default:
		return &defaultExpr{left, right}, nil
	case syntax.Coalesce:
		return &coalesce{left, right}, nil
	case syntax.Apply:
		call, _ := unwrapCall(n.Right, right)
		if v, ok := right.(*variable); ok {
			v.called = true
		}
		return &apply{left, right, call, n.Pos}, nil
	case syntax.Binary:
		return binaryExpr(n, left, right), nil
	}
	return nil, &syntax.Error{Code: "S0206", Pos: n.Pos, Token: n.Text}
}

// unwrapCall returns the call a node was compiled to.
func unwrapCall(n *syntax.Node, e expr) (*call, bool) {
	if n.Kind != syntax.Call {
		return nil, false
	}
	if f, ok := e.(*finish); ok {
		e = f.inner
	}
	x, ok := e.(*call)
	return x, ok
}

func constant(text string) expr {
	switch text {
	case "true":
		return &literal{true}
	case "false":
		return &literal{false}
	}
	return &literal{Null{}}
}

func (c *compiler) variable(name string, pos int) expr {
	switch name {
	case "":
		return contextItem{}
	case "$":
		return rootItem{}
	}
	v := &variable{name: name, pos: pos, scope: c.scope, dynamic: c.dynamic != nil, fn: c.lib.funcs[name]}
	c.vars = append(c.vars, v)
	return v
}

// in compiles something in a scope of its own.
func (c *compiler) in(s *scope, fn func() error) error {
	outer := c.scope
	s.parent, s.forced = outer, c.forced
	c.scope = s
	err := fn()
	c.scope = outer
	return err
}

func (c *compiler) block(n *syntax.Node) (expr, error) {
	b := &block{scope: &scope{}}
	err := c.in(b.scope, func() error {
		var err error
		b.list, err = c.exprs(n.List)
		return err
	})
	if n.Tuple && err == nil {
		exportTuples(b.list[len(b.list)-1])
	}
	return b, err
}

func (c *compiler) bind(n *syntax.Node) (expr, error) {
	value, err := c.expr(n.Right)
	if err != nil {
		return nil, err
	}
	c.scope.binds++
	if c.scope == c.dynamic {
		return &bindExpr{name: n.Text, value: value, dynamic: true}, nil
	}
	return &bindExpr{name: n.Text, slot: c.scope.declare(n.Text), value: value}, nil
}

func (c *compiler) lambda(n *syntax.Node) (expr, error) {
	x := &lambda{scope: &scope{}, params: len(n.Params), slots: make([]int, len(n.Params)), pos: n.Pos}
	if n.Sig != nil {
		x.sig = &signature{n.Sig.Params}
	}
	err := c.in(x.scope, func() error {
		for i, name := range n.Params {
			x.slots[i] = x.scope.declare(name)
		}
		before := c.closures
		var err error
		x.body, err = c.expr(n.Right)
		x.leaf = c.closures == before && !c.forced
		return err
	})
	c.closures++
	return x, err
}
