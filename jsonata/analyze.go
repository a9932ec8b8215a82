package jsonata

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// Place is a place in the source of a program.
type Place struct {
	Offset int // in bytes
	Line   int // from 1
	Column int // from 1, in characters
}

// Read is a path of the input that a program reads. Arrays have no place in it,
// because a path goes through them: items.price is the price of every item.
// The name * stands for any member, and ** for anything below.
type Read struct {
	Path  []string
	Place Place // where the path begins
}

// String returns the path with dots. The whole input is $.
func (r Read) String() string {
	if len(r.Path) == 0 {
		return "$"
	}
	return strings.Join(r.Path, ".")
}

// Use is the use of a function or a variable.
type Use struct {
	Name  string
	Place Place
}

// Gap is a place where the analysis cannot tell what is read.
type Gap struct {
	Reason string
	Place  Place
}

// Shape describes a result.
type Shape struct {
	// Types are what the value may be, sorted: array, boolean, function, null,
	// number, object, string, undefined; or any.
	Types []string
	// Sources are the input paths the value, or one of its parts, is taken from
	// unchanged.
	Sources []string
	// Constant is the value, if it is a constant string, number, boolean or null.
	Constant Value
	// Keys are the members of an object constructor with constant keys.
	Keys []KeyShape
	// Items is what an array constructor or a path collects.
	Items *Shape
}

// KeyShape describes a member of a result.
type KeyShape struct {
	Key   string
	Value *Shape
	Place Place
}

// Analysis says what a program reads, what it uses and what it returns, as far as
// that can be known without running it. It follows paths through variables,
// blocks, conditions and calls of lambdas, and through the higher-order functions.
type Analysis struct {
	Reads     []Read // sorted by path, each path once, at its first place
	Functions []Use  // of the library, each once
	Variables []Use  // that the caller of Eval has to bind, each once
	// Deterministic is false if the result may differ for the same input: the
	// program uses $random, $now or another volatile function.
	Deterministic bool
	// Gaps are the places where Reads may miss something. Without gaps Reads is
	// complete.
	Gaps   []Gap
	Result *Shape
}

// Analyze inspects a program.
func Analyze(p *Program) *Analysis {
	a := &analyzer{prog: p, out: &Analysis{Deterministic: true}}
	root := &known{types: typeAny, refs: []ref{{}}}
	a.root = root
	result := a.expr(p.tree, root, &binding{})
	a.consume(result)
	a.out.Result = a.shape(result, 0)
	slices.SortFunc(a.out.Reads, func(x, y Read) int { return slices.Compare(x.Path, y.Path) })
	return a.out
}

// ref is a place in the input document, and where the program got it.
type ref struct {
	path []string
	pos  int
}

// types is a set of the types of signatures, with one more for not knowing.
type types uint16

const typeAny types = 1 << 15

// known is what is known about a value.
type known struct {
	types    types
	refs     []ref // it may be one of these parts of the input
	constant Value
	keys     []knownKey // of an object constructor
	items    *known     // of an array constructor
	lambda   *syntax.Node
	env      *binding // where the lambda was defined
	in       *known   // the context item there
	function *Function
	used     bool // a lambda that was called
}

type knownKey struct {
	name  string
	value *known
	pos   int
}

// binding is a chain of variables.
type binding struct {
	name  string
	value *known
	outer *binding
	scope bool // the start of a scope
}

func (b *binding) find(name string) *known {
	for ; b != nil; b = b.outer {
		if b.name == name && b.value != nil {
			return b.value
		}
	}
	return nil
}

// analyzer evaluates the tree on what is known about values.
type analyzer struct {
	prog  *Program
	out   *Analysis
	root  *known
	depth int
	work  int
}

// maxAnalysis bounds how many nodes are looked at, since lambdas are looked at
// for every call.
const maxAnalysis = 20_000

func (a *analyzer) place(pos int) Place {
	e := finished(a.prog.src, &Error{Offset: pos, placed: true}).(*Error) //nolint:errorlint,forcetypeassert // it returns its argument
	return Place{e.Offset, e.Line, e.Column}
}

func (a *analyzer) gap(reason string, pos int) {
	g := Gap{reason, a.place(pos)}
	if !slices.Contains(a.out.Gaps, g) {
		a.out.Gaps = append(a.out.Gaps, g)
	}
}

// consume notes that a value is used for more than finding a path.
func (a *analyzer) consume(v *known) {
	if v == nil {
		return
	}
	for _, r := range v.refs {
		a.read(r)
	}
	for _, k := range v.keys {
		a.consume(k.value)
	}
	a.consume(v.items)
	if v.lambda != nil && !v.used {
		v.used = true
		a.consume(a.invoke(v, nil))
	}
}

func (a *analyzer) read(r ref) {
	for _, old := range a.out.Reads {
		if slices.Equal(old.Path, r.path) {
			return
		}
	}
	a.out.Reads = append(a.out.Reads, Read{append([]string{}, r.path...), a.place(r.pos)})
}

func (a *analyzer) use(list *[]Use, name string, pos int) {
	for _, u := range *list {
		if u.Name == name {
			return
		}
	}
	*list = append(*list, Use{name, a.place(pos)})
}

// navigate returns a member of a value.
func (a *analyzer) navigate(v *known, name string, pos int) *known {
	out := &known{}
	for _, r := range v.refs {
		if n := len(r.path); n > 0 && r.path[n-1] == "**" && name == "**" || n > 100 {
			out.refs = append(out.refs, r)
			continue
		}
		at := pos
		if len(r.path) > 0 {
			at = r.pos // a path stands where it begins
		}
		out.refs = append(out.refs, ref{append(slices.Clip(r.path), name), at})
	}
	if len(out.refs) > 0 {
		out.types = typeAny
	}
	for _, k := range v.keys {
		if k.name == name || name == "*" || name == "**" {
			out = join(out, k.value)
		}
	}
	if v.items != nil {
		out = join(out, a.navigate(v.items, name, pos))
	}
	if out.types == 0 {
		out.types = types(syntax.TypeMissing)
		if v.types&typeAny != 0 && len(v.refs) == 0 {
			out.types = typeAny
		}
	}
	return out
}

// join returns what is known about a value that is one of two.
func join(l, r *known) *known {
	switch {
	case l == nil || l == r || l.types == 0:
		return r
	case r == nil || r.types == 0:
		return l
	}
	out := &known{types: l.types | r.types, refs: append(slices.Clip(l.refs), r.refs...), keys: append(slices.Clip(l.keys), r.keys...)}
	if l.constant != nil && identical(l.constant, r.constant) {
		out.constant = l.constant
	}
	if l.items != nil || r.items != nil {
		out.items = join(orNothing(l.items), orNothing(r.items))
	}
	for _, v := range []*known{l, r} {
		if v.lambda != nil && out.lambda == nil {
			out.lambda, out.env, out.in = v.lambda, v.env, v.in
		}
	}
	return out
}

func orNothing(v *known) *known {
	if v == nil {
		return &known{}
	}
	return v
}

// shape turns what is known about the result into its description.
func (a *analyzer) shape(v *known, depth int) *Shape {
	s := &Shape{Types: v.types.names(), Constant: v.constant}
	for _, r := range v.refs {
		if name := (Read{Path: r.path}).String(); !slices.Contains(s.Sources, name) {
			s.Sources = append(s.Sources, name)
		}
	}
	slices.Sort(s.Sources)
	if depth > 20 {
		return s
	}
	for _, k := range v.keys {
		s.Keys = append(s.Keys, KeyShape{k.name, a.shape(k.value, depth+1), a.place(k.pos)})
	}
	if v.items != nil {
		s.Items = a.shape(v.items, depth+1)
	}
	return s
}

func (t types) names() []string {
	if t&typeAny != 0 || t == 0 {
		return []string{"any"}
	}
	var out []string
	for i, name := range []string{"array", "string", "number", "boolean", "null", "function", "object", "undefined"} {
		if t&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
