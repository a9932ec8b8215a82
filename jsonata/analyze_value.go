package jsonata

import "github.com/millrace/millrace/jsonata/internal/syntax"

// Bounds of what is known about one value. Beyond them it counts as read as a whole, and nothing more is known.
const (
	maxRefs   = 64  // parts of the input that it may be
	maxMixed  = 256 // members, when it may be one of several objects
	maxNested = 40  // arrays and objects within each other
	maxPath   = 100 // names in a path
)

// inputPath is a path in the input. The same path has the same address.
type inputPath struct {
	outer *inputPath // nil: the whole input
	name  string
	depth int
	read  bool // is listed
}

type pathKey struct {
	outer *inputPath
	name  string
}

func (p *inputPath) names() []string {
	out := make([]string, p.depth)
	for ; p.outer != nil; p = p.outer {
		out[p.depth-1] = p.name
	}
	return out
}

// member returns the path one name further down.
func (a *analyzer) member(p *inputPath, name string) *inputPath {
	if p.depth > maxPath || p.name == "**" && name == "**" && p.outer != nil {
		return p
	}
	key := pathKey{p, name}
	out := a.paths[key]
	if out == nil {
		out = &inputPath{outer: p, name: name, depth: p.depth + 1}
		a.paths[key] = out
	}
	return out
}

// ref is a place in the input document, and where the program got it.
type ref struct {
	path *inputPath
	pos  int
}

// types is a set of the types of signatures, with one more for not knowing.
type types uint16

const typeAny types = 1 << 15

// known is what is known about a value. It does not change once it is made, but for the notes at its end.
type known struct {
	types    types
	refs     []ref // it may be one of these parts of the input
	constant Value
	keys     []knownKey // of an object constructor
	items    *known     // of an array constructor
	lambda   *syntax.Node
	env      *vars  // where the lambda was defined
	in       *known // the context item there
	function *Function
	nested   int // depth of keys and items

	used      bool // a lambda that was called
	consumed  bool
	optional  *known           // the same, or undefined
	sequence  *known           // a sequence of it
	positions map[string][]int // of keys, by name
}

type knownKey struct {
	name  string
	value *known
	pos   int
}

// of returns a value of which only the types are known.
func (a *analyzer) of(t types) *known {
	v := a.plain[t]
	if v == nil {
		v = &known{types: t}
		a.plain[t] = v
	}
	return v
}

func (a *analyzer) any() *known { return a.of(typeAny) }

func (a *analyzer) missing() *known { return a.of(types(syntax.TypeMissing)) }

func constantOf(t uint16, v Value) *known { return &known{types: types(t), constant: v} }

// maybe adds that a value may be undefined.
func (v *known) maybe() *known {
	if v.types&types(syntax.TypeMissing) != 0 {
		return v
	}
	if v.optional == nil {
		out := v.copy()
		out.types |= types(syntax.TypeMissing)
		out.constant = nil
		v.optional = out
	}
	return v.optional
}

// many tells that a value may be a sequence of such values, or nothing.
func (v *known) many() *known {
	if v.sequence == nil {
		out := v.maybe()
		if out.types&types(syntax.TypeArray) == 0 {
			out = out.copy()
			out.types |= types(syntax.TypeArray)
			out.items = v
		}
		v.sequence = out
	}
	return v.sequence
}

// copy returns the value without its notes, but for whether the lambda was called.
func (v *known) copy() *known {
	return &known{
		types: v.types, refs: v.refs, constant: v.constant, keys: v.keys, items: v.items,
		lambda: v.lambda, env: v.env, in: v.in, function: v.function, nested: v.nested, used: v.used,
	}
}

// forget reads a value as a whole and returns one of which nothing is known.
func (a *analyzer) forget(v *known) *known {
	a.consume(v)
	return a.any()
}

// within returns a value as a part of another one, which is nested one deeper.
func (a *analyzer) within(outer, v *known) *known {
	if v.nested >= maxNested {
		v = a.forget(v)
	}
	outer.nested = max(outer.nested, v.nested+1)
	return v
}

// navigate returns a member of a value.
func (a *analyzer) navigate(v *known, name string, pos int) *known {
	key := partKey{v, name, pos}
	out := a.parts[key]
	if out == nil {
		out = a.part(v, name, pos)
		a.parts[key] = out
	}
	return out
}

type partKey struct {
	of   *known
	name string
	pos  int
}

func (a *analyzer) part(v *known, name string, pos int) *known {
	if !a.spend(1 + len(v.refs)) {
		return a.any()
	}
	below := &known{refs: make([]ref, 0, len(v.refs))}
	for _, r := range v.refs {
		at := pos
		if r.path.depth > 0 {
			at = r.pos // the place of a path is where it begins
		}
		below.refs = append(below.refs, ref{a.member(r.path, name), at})
		below.types = typeAny
	}
	all := []*known{below}
	if name == "*" || name == "**" {
		if !a.spend(len(v.keys)) {
			return a.any()
		}
		for _, k := range v.keys {
			all = append(all, k.value)
		}
	} else {
		for _, i := range a.keyed(v, name) {
			all = append(all, v.keys[i].value)
		}
	}
	if v.items != nil {
		all = append(all, a.navigate(v.items, name, pos))
	}
	out := a.join(all...)
	switch {
	case out.types != 0:
		return out
	case v.types&typeAny != 0 && len(v.refs) == 0:
		return a.any()
	}
	return a.missing()
}

// keyed returns which of the keys have a name.
func (a *analyzer) keyed(v *known, name string) []int {
	if v.positions == nil && len(v.keys) > 0 {
		a.spend(len(v.keys))
		v.positions = make(map[string][]int, len(v.keys))
		for i, k := range v.keys {
			v.positions[k.name] = append(v.positions[k.name], i)
		}
	}
	return v.positions[name]
}

// join returns what is known about a value that is one of several.
func (a *analyzer) join(all ...*known) *known {
	if !a.spend(len(all)) {
		return a.any()
	}
	some := all[:0:0]
	seen := make(map[*known]bool, len(all))
	for _, v := range all {
		if v != nil && v.types != 0 && !seen[v] {
			seen[v] = true
			some = append(some, v)
		}
	}
	switch len(some) {
	case 0:
		return &known{}
	case 1:
		return some[0]
	case 2:
		key := [2]*known{some[0], some[1]}
		out := a.joined[key]
		if out == nil {
			out = a.union(some)
			a.joined[key] = out
		}
		return out
	}
	return a.union(some)
}

func (a *analyzer) union(all []*known) *known {
	out := &known{constant: all[0].constant}
	var items []*known
	type member struct {
		name  string
		value *known
	}
	paths, members := map[*inputPath]bool{}, map[member]bool{}
	for _, v := range all {
		if !a.spend(1 + len(v.refs) + len(v.keys)) {
			return a.any()
		}
		if out.tooMany() {
			break
		}
		out.types |= v.types
		out.nested = max(out.nested, v.nested)
		if v.constant == nil || out.constant != nil && !identical(out.constant, v.constant) {
			out.constant = nil
		}
		for _, r := range v.refs {
			if !paths[r.path] {
				paths[r.path] = true
				out.refs = append(out.refs, r)
			}
		}
		for _, k := range v.keys {
			if m := (member{k.name, k.value}); !members[m] {
				members[m] = true
				out.keys = append(out.keys, k)
			}
		}
		if v.items != nil {
			items = append(items, v.items)
		}
	}
	if len(items) > 0 {
		out.items = a.join(items...)
	}
	return a.bounded(out, all)
}

// bounded gives up what is known about a value that may be too many things. Of several functions, it is not known which
// one a call means.
func (a *analyzer) bounded(out *known, all []*known) *known {
	var fn *known
	several := false
	for _, v := range all {
		if v.lambda == nil && v.function == nil {
			continue
		}
		several = several || fn != nil && (v.lambda != fn.lambda || v.env != fn.env || v.in != fn.in || v.function != fn.function)
		fn = v
	}
	if fn != nil && !several {
		out.lambda, out.env, out.in, out.function = fn.lambda, fn.env, fn.in, fn.function
	}
	if !out.tooMany() && !several {
		return out
	}
	for _, v := range all {
		a.consume(v)
	}
	if out.tooMany() {
		return a.any()
	}
	return out
}

func (v *known) tooMany() bool { return len(v.refs) > maxRefs || len(v.keys) > maxMixed }
