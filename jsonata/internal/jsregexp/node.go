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
