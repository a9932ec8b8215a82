package jsonata

import (
	"slices"
	"unicode/utf8"
)

// shape turns what is known about the result into its description.
func (a *analyzer) shape(v *known, depth int) *Shape {
	if !a.describe(1 + len(v.refs)) {
		return &Shape{Types: typeAny.names()}
	}
	s := &Shape{Types: v.types.names(), Constant: v.constant}
	for _, r := range v.refs {
		name := (Read{Path: r.path.names()}).String()
		if a.text += len(name); a.text > maxPathText {
			a.stop("it has too much to list")
			break
		}
		if !slices.Contains(s.Sources, name) {
			s.Sources = append(s.Sources, name)
		}
	}
	slices.Sort(s.Sources)
	if depth > 20 {
		return s
	}
	for _, k := range v.keys {
		if a.described >= maxFound {
			a.stop("its result has too many parts")
			break
		}
		s.Keys = append(s.Keys, KeyShape{k.name, a.shape(k.value, depth+1), a.places.at(k.pos)})
	}
	if v.items != nil {
		s.Items = a.shape(v.items, depth+1)
	}
	return s
}

// describe counts n parts of the result and tells whether they are described. What is shared in the program has a
// description at each place where it occurs, since readers walk a description as a tree.
func (a *analyzer) describe(n int) bool {
	if a.described += n; a.described > maxFound {
		a.stop("its result has too many parts")
		return false
	}
	return true
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

// places finds lines and columns. It remembers some, so that finding a place does not read the whole source.
type places struct {
	src   string
	marks []Place // one for every markEvery bytes
}

const markEvery = 256

func (p *places) at(offset int) Place {
	for len(p.marks) <= offset/markEvery {
		next := Place{Line: 1, Column: 1}
		if n := len(p.marks); n > 0 {
			next = p.from(p.marks[n-1], n*markEvery)
		}
		p.marks = append(p.marks, next)
	}
	return p.from(p.marks[offset/markEvery], offset)
}

// from returns a place at or behind another one.
func (p *places) from(at Place, offset int) Place {
	for ; at.Offset < offset && at.Offset < len(p.src); at.Offset++ {
		switch c := p.src[at.Offset]; {
		case c == '\n':
			at.Line, at.Column = at.Line+1, 1
		case utf8.RuneStart(c):
			at.Column++
		}
	}
	return at
}
