package lodash

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// treeFunctions order nodes that name their parents.
func treeFunctions() []jsonata.Func {
	return []jsonata.Func{
		{Name: "sortNodes", Params: 1, Call: sortNodes},
		{Name: "dependencyGraph", Params: 3, Call: dependencyGraph},
	}
}

// treeNode is a node of $sortNodes with its children.
type treeNode struct {
	value    jsonata.Value
	children []*treeNode
}

// sortNodes lists nodes so that parents come before their children and siblings follow their sequence. A node whose
// parent is not in the list is a root; nodes that are their own ancestors are in no tree and vanish.
func sortNodes(c *jsonata.Call) (jsonata.Value, error) {
	list, ok := c.Arg(0).(*jsonata.Array)
	if !ok {
		return nil, js.ArgumentError("$sortNodes: got %s, want an array", js.TypeName(c.Arg(0)))
	}
	id, err := callPath(c, argOr(c, 1, "id"))
	if err != nil {
		return nil, err
	}
	parent, err := callPath(c, argOr(c, 2, "parent_id"))
	if err != nil {
		return nil, err
	}
	nodes, err := linkNodes(c, list.Items(), id, parent)
	if err != nil {
		return nil, err
	}
	s := treeSorter{call: c, sequence: sequenceKeys(c, argOr(c, 3, "sequence")), maxDepth: list.Len()}
	if err := s.flatten(nodes, 0); err != nil {
		return nil, err
	}
	return jsonata.NewArray(s.out...), nil
}

func argOr(c *jsonata.Call, i int, fallback string) jsonata.Value {
	if c.Arg(i) == nil {
		return fallback
	}
	return c.Arg(i)
}

func sequenceKeys(c *jsonata.Call, sequence jsonata.Value) []iteratee {
	var keys []iteratee
	for _, key := range js.List(sequence) {
		keys = append(keys, newIteratee(c, key))
	}
	return keys
}

// linkNodes hangs every node below its parent and returns the roots. Nodes with the same id are one node, which has the
// content of the last of them.
func linkNodes(c *jsonata.Call, items []jsonata.Value, id, parent path) ([]*treeNode, error) {
	byID := make(map[any]*treeNode, len(items))
	for _, item := range items {
		if err := c.Step(2); err != nil {
			return nil, err
		}
		byID[js.Identity(id.get(item))] = &treeNode{value: item}
	}
	var roots []*treeNode
	for _, item := range items {
		node := byID[js.Identity(id.get(item))]
		parentID := parent.get(item)
		if above := byID[js.Identity(parentID)]; above != nil && js.IsTrue(parentID) {
			above.children = append(above.children, node)
		} else {
			roots = append(roots, node)
		}
	}
	return roots, nil
}

type treeSorter struct {
	call     *jsonata.Call
	sequence []iteratee
	maxDepth int
	out      []jsonata.Value
}

// flatten appends nodes in the order of their sequence, each followed by its children. Nodes with equal ids can make a
// cycle below a root, which the depth gives away.
func (s *treeSorter) flatten(nodes []*treeNode, depth int) error {
	if depth > s.maxDepth {
		return js.FailedError("$sortNodes: a node is its own ancestor")
	}
	sorted, err := s.sort(nodes)
	if err != nil {
		return err
	}
	for _, node := range sorted {
		if err := s.call.Step(1); err != nil {
			return err
		}
		source, err := js.CallEntries(s.call, node.value)
		if err != nil {
			return err
		}
		s.out = append(s.out, withoutChildren(source))
		if err := s.flatten(node.children, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *treeSorter) sort(nodes []*treeNode) ([]*treeNode, error) {
	if len(nodes) < 2 {
		return nodes, nil
	}
	values := make([]jsonata.Value, len(nodes))
	for i, node := range nodes {
		values[i] = node
	}
	byNode := make([]iteratee, len(s.sequence))
	for i, key := range s.sequence {
		byNode[i] = func(v jsonata.Value) (jsonata.Value, error) { return key(v.(*treeNode).value) }
	}
	ordered, err := orderBy(s.call, values, byNode, nil)
	if err != nil {
		return nil, err
	}
	sorted := make([]*treeNode, len(ordered))
	for i, v := range ordered {
		sorted[i] = v.(*treeNode)
	}
	return sorted, nil
}

// withoutChildren returns a copy of the node without the member that would hold its children.
func withoutChildren(source *jsonata.Object) jsonata.Value {
	out := jsonata.NewObject(source.Len())
	for key, member := range source.All() {
		if key != "children" {
			out.Set(key, member)
		}
	}
	return out
}
