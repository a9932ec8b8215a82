package jsregexp

import (
	"math"
	"slices"
)

type nodeKind uint8

const (
	nodeEmpty nodeKind = iota
	nodeChar
	nodeSet
	nodeSequence
	nodeAlternatives
	nodeRepeat
	nodeCapture
	nodeBackReference
	nodeLineStart
	nodeLineEnd
	nodeWordBoundary
	nodeNotWordBoundary
	nodeLook
)

// unbounded is the maximum of an open quantifier; JavaScript has no larger one.
const unbounded = math.MaxInt32

// node is a part of a parsed pattern.
type node struct {
	kind     nodeKind
	children []*node

	char  uint16
	set   *class
	group int // of a capture or a back reference

	min, max       int // of a repeat
	lazy           bool
	behind, negate bool // of a look-around

	firstGroup, endGroup int // captures within a repeat: [firstGroup, endGroup)
}

// nullable reports whether the node may match without consuming anything. It may
// say so of one that cannot, which costs a check.
func (n *node) nullable() bool {
	switch n.kind {
	case nodeChar, nodeSet:
		return false
	case nodeSequence:
		return !slices.ContainsFunc(n.children, func(child *node) bool { return !child.nullable() })
	case nodeAlternatives:
		return slices.ContainsFunc(n.children, (*node).nullable)
	case nodeRepeat:
		return n.min == 0 || n.children[0].nullable()
	case nodeCapture:
		return n.children[0].nullable()
	case nodeEmpty, nodeBackReference, nodeLineStart, nodeLineEnd, nodeWordBoundary, nodeNotWordBoundary, nodeLook:
	}
	return true
}

// first describes the code units that a match may start with.
type first struct {
	ascii [2]uint64
	wide  bool // some unit outside of ASCII
}

func (f *first) add(c *class) {
	f.ascii[0] |= c.ascii[0]
	f.ascii[1] |= c.ascii[1]
	f.wide = f.wide || c.not || c.fold || len(c.spans) > 0 && c.spans[len(c.spans)-1].hi >= 128
}

func (f *first) addAll() { *f = first{ascii: [2]uint64{math.MaxUint64, math.MaxUint64}, wide: true} }

// collect adds what n may start with; it returns false if a match of n may be
// empty, so that what follows n counts, too.
func (f *first) collect(n *node) bool {
	switch n.kind {
	case nodeChar:
		f.add(newClass([]span{{n.char, n.char}}, false, false))
		return true
	case nodeSet:
		f.add(n.set)
		return true
	case nodeSequence:
		return slices.ContainsFunc(n.children, f.collect)
	case nodeAlternatives:
		all := true
		for _, child := range n.children {
			all = f.collect(child) && all
		}
		return all
	case nodeRepeat:
		return f.collect(n.children[0]) && n.min > 0
	case nodeCapture:
		return f.collect(n.children[0])
	case nodeBackReference:
		f.addAll()
	case nodeEmpty, nodeLineStart, nodeLineEnd, nodeWordBoundary, nodeNotWordBoundary, nodeLook:
	}
	return false
}
