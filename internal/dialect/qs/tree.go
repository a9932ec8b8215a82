package qs

import (
	"slices"
	"strconv"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// node is a part of the result of a query string: a plain value, a list that may have holes, or an object.
type node struct {
	kind    queryKind
	plain   jsonata.Value
	items   []*node         // nil is a hole
	members *jsonata.Object // each a *queryNode
	highest int             // of an overgrown list: the highest index
}

type queryKind int

const (
	plainNode queryKind = iota
	listNode
	objectNode
	overgrownNode // an object that began as a list and grew beyond the limit; what is appended gets the next index
)

func newList(items ...*node) *node { return &node{kind: listNode, items: items} }

func newObject() *node {
	return &node{kind: objectNode, members: jsonata.NewObject(0)}
}

// newValue wraps a value; arrays and objects become nodes throughout, so that more can be merged into them.
func newValue(v jsonata.Value) *node {
	switch v := v.(type) {
	case *jsonata.Array:
		n := newList()
		for _, item := range v.Items() {
			n.items = append(n.items, newValue(item))
		}
		return n
	case *jsonata.Object:
		n := newObject()
		for key, member := range v.All() {
			n.members.Set(key, newValue(member))
		}
		return n
	}
	return &node{plain: v}
}

// isFalse reports whether the node is a plain value that is false in JavaScript's sense.
func (n *node) isFalse() bool { return n.kind == plainNode && !js.IsTrue(n.plain) }

func (n *node) member(key string) *node {
	v, _ := n.members.Get(key)
	found, _ := v.(*node)
	return found
}

// toObject makes an object of a list.
func (n *node) toObject() *node {
	o := newObject()
	for i, item := range n.items {
		if item != nil {
			o.members.Set(strconv.Itoa(i), item)
		}
	}
	return o
}

// overgrown makes an overgrown list of a list.
func (n *node) overgrown() *node {
	o := n.toObject()
	o.kind, o.highest = overgrownNode, len(n.items)-1
	return o
}

// push appends to an overgrown list.
func (n *node) push(item *node) *node {
	n.highest++
	n.members.Set(strconv.Itoa(n.highest), item)
	return n
}

// value returns the finished value. Holes are closed unless they are to be kept.
func (n *node) value(keepHoles bool) jsonata.Value {
	switch n.kind {
	case plainNode:
		return n.plain
	case listNode:
		return n.list(keepHoles)
	case objectNode, overgrownNode:
	}
	o := jsonata.NewObject(n.members.Len())
	for key, v := range n.members.All() {
		if v := v.(*node).value(keepHoles); v != nil {
			o.Set(key, v)
		}
	}
	return o
}

func (n *node) list(keepHoles bool) jsonata.Value {
	items := make([]jsonata.Value, 0, len(n.items))
	for _, item := range n.items {
		var v jsonata.Value
		if item != nil {
			v = item.value(keepHoles)
		}
		if v != nil || keepHoles {
			items = append(items, v)
		}
	}
	return jsonata.NewArray(items...)
}

// combine appends values given for the same name. It may change a.
func (p *parser) combine(a, b *node) *node {
	if a.kind == overgrownNode {
		return a.push(b)
	}
	if a.kind != listNode {
		a = newList(a)
	}
	a.items = append(a.items, spread(b)...)
	if float64(len(a.items)) > p.arrayLimit {
		return a.overgrown()
	}
	return a
}

// spread returns the items of a list, or the node itself as the only item.
func spread(n *node) []*node {
	if n.kind == listNode {
		return slices.Clip(n.items)
	}
	return []*node{n}
}

// merge merges source into target, which it may change, and returns the result.
func (p *parser) merge(target, source *node) *node {
	switch {
	case source.isFalse():
		return target
	case source.kind == plainNode:
		return p.mergePlain(target, source)
	case target.kind == plainNode:
		return p.mergeIntoPlain(target, source)
	case target.kind == listNode && source.kind == listNode:
		return p.mergeLists(target, source)
	}
	if target.kind == listNode {
		target = target.toObject()
	}
	if source.kind == listNode {
		source = source.toObject()
	}
	if source.kind == overgrownNode && target.kind != overgrownNode && source.members.Len() > 0 {
		target.kind, target.highest = overgrownNode, source.highest
	}
	for key, v := range source.members.All() {
		member := v.(*node)
		if old := target.member(key); old != nil {
			member = p.merge(old, member)
		}
		target.members.Set(key, member)
		if i, ok := js.IndexOf(key); ok && target.kind == overgrownNode {
			target.highest = max(target.highest, i)
		}
	}
	return target
}

func (p *parser) mergePlain(target, source *node) *node {
	switch target.kind {
	case listNode:
		target.items = append(target.items, source)
		if float64(len(target.items)-1) > p.arrayLimit {
			return target.overgrown()
		}
		return target
	case overgrownNode:
		return target.push(source)
	case objectNode:
		if p.strictMerge {
			return newList(target, source)
		}
		if key := js.PropertyKey(source.plain); p.prototypes || !isInherited(key) {
			target.members.Set(key, newValue(true))
		}
		return target
	case plainNode:
	}
	return newList(target, source)
}

func (p *parser) mergeIntoPlain(target, source *node) *node {
	if source.kind == overgrownNode {
		shifted := newObject()
		shifted.kind, shifted.highest = overgrownNode, source.highest+1
		shifted.members.Set("0", target)
		for key, v := range source.members.All() {
			i, _ := js.IndexOf(key)
			shifted.members.Set(strconv.Itoa(i+1), v)
		}
		return shifted
	}
	joined := newList(append([]*node{target}, spread(source)...)...)
	if float64(len(joined.items)) > p.arrayLimit {
		return joined.overgrown()
	}
	return joined
}

func (p *parser) mergeLists(target, source *node) *node {
	for i, item := range source.items {
		switch {
		case item == nil:
		case i >= len(target.items):
			target.items = append(target.items, make([]*node, i-len(target.items))...)
			target.items = append(target.items, item)
		case target.items[i] == nil:
			target.items[i] = item
		case target.items[i].kind != plainNode && item.kind != plainNode:
			target.items[i] = p.merge(target.items[i], item)
		default:
			target.items = append(target.items, item)
		}
	}
	return target
}
