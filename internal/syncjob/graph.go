package syncjob

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// graph is a compiled plan of a run. It is immutable.
type graph struct {
	byName map[string]*node // the root is there too, under the empty name
	starts []*node          // in the order in which a run walks them: start events, the root, complete events
	errors []*node          // error events, walked when a run fails
}

// buildGraph compiles resources. The graph is usable only if there are no failures.
func buildGraph(resources json.RawMessage, version int64) (*graph, []millrace.Failure) {
	found := &findings{}
	g, _, _ := buildInto(resources, version, found)
	return g, found.failures
}

// buildInto compiles resources into a graph, and also returns its nodes as they were written and in their order.
func buildInto(resources json.RawMessage, version int64, found *findings) (*graph, []*spec, []*node) {
	specs := readSpecs(resources, version, found)
	root := &node{kind: typeRoot}
	g := &graph{byName: map[string]*node{"": root}}
	nodes := make([]*node, len(specs))
	for i, s := range specs {
		found.owner = i
		nodes[i] = s.compile(found)
		if _, taken := g.byName[s.name]; taken && s.name != "" {
			found.at(s.at+".name", "another node is called %q, too", s.name)
			continue
		}
		if s.name != "" {
			g.byName[s.name] = nodes[i]
		}
	}
	g.linkParents(specs, nodes, root, found)
	if !findCycles(specs, nodes, found) {
		g.linkSinks(specs, nodes, found)
		g.order(nodes, root)
	}
	return g, specs, nodes
}

// find returns the node of a name, or else the first request of a resource: legacy lists refer to either.
func (g *graph) find(name string, nodes []*node) *node {
	if n := g.byName[name]; n != nil {
		return n
	}
	for _, n := range nodes {
		if n.request != nil && n.request.resource == name {
			return n
		}
	}
	return nil
}

func (g *graph) linkParents(specs []*spec, nodes []*node, root *node, found *findings) {
	for i, n := range nodes {
		n.parent = root
		name, path := specs[i].dependsOn, specs[i].at+".depends_on"
		if name != "" {
			switch parent := g.find(name, nodes); {
			case parent == nil:
				found.unknown(path, "no node is called "+quote(name), name, nodeNames(nodes))
			case parent.kind == typeDestination:
				found.at(path, "%s is a destination, which has no output", quote(name))
			default:
				n.parent = parent
			}
		}
		if n.kind == typeEvent || n.kind == typeDestination {
			n.parent = nil // they run when their moment comes, and for the batches of resources_to_persist
		}
	}
}

// findCycles reports each cycle once and whether there are any.
func findCycles(specs []*spec, nodes []*node, found *findings) bool {
	walk := make(map[*node]int, len(nodes)) // in which walk upwards a node was met
	cyclic := false
	for i, n := range nodes {
		for p := n; p != nil; p = p.parent {
			if walk[p] == i+1 {
				cyclic = true
				at := slices.Index(nodes, p)
				found.at(specs[at].at+".depends_on", "depends on itself: %s", cycleText(p))
			}
			if walk[p] != 0 {
				break // met before: the way up from here is known
			}
			walk[p] = i + 1
		}
	}
	return cyclic
}

// cycleText names the members of the cycle that n is in.
func cycleText(n *node) string {
	names := []string{n.name}
	for p := n.parent; p != n; p = p.parent {
		names = append(names, p.name)
	}
	return strings.Join(append(names, n.name), " -> ")
}

// linkSinks attaches destinations to the nodes whose records they send.
func (g *graph) linkSinks(specs []*spec, nodes []*node, found *findings) {
	own := &node{name: "webhook", kind: typeDestination, destination: &destinationPlan{}}
	for i, n := range nodes {
		if specs[i].persist && n.hasRecords() {
			n.sinks = append(n.sinks, own)
		}
	}
	for i, n := range nodes {
		if n.destination == nil {
			continue
		}
		path := specs[i].at + ".resources_to_persist"
		for _, name := range n.destination.names {
			switch source := g.find(name, nodes); {
			case source == nil:
				if v, _ := specs[i].top("resources_to_persist"); v == nil {
					break // it is that of depends_on, which was found already
				}
				found.unknown(path, "no node is called "+quote(name), name, nodeNames(nodes))
			case source.hasRecords():
				source.sinks = append(source.sinks, n)
			default:
				found.at(path, "%s is of type %s, which has no records", quote(name), source.kind)
			}
		}
	}
}

// order lays the children of each node out in the order in which they run.
func (g *graph) order(nodes []*node, root *node) {
	for _, n := range nodes {
		n.origin = originOf(n)
		if n.parent == nil {
			continue
		}
		switch n.kind {
		case typeTransform, typeSpool:
			n.parent.batch = append(n.parent.batch, n)
		case typeRequest, typeAddContext, typeGetState, typeUpdateState, typeDeleteState:
			n.parent.record = append(n.parent.record, n)
		case typeDestination, typeEvent, typeRoot:
		}
	}
	for _, n := range append(slices.Clone(nodes), root) {
		slices.SortStableFunc(n.record, func(a, b *node) int { return rank(a) - rank(b) })
	}
	for _, n := range nodes {
		if n.kind == typeRequest {
			n.spools = spoolsBelow(n)
		}
	}
	g.starts = slices.Concat(moments(nodes, momentStart), []*node{root}, moments(nodes, momentComplete))
	g.errors = moments(nodes, momentError)
}

// rank puts the nodes that add to the scope before all others.
func rank(n *node) int {
	if n.kind == typeAddContext || n.kind == typeGetState {
		return 0
	}
	return 1
}

func originOf(n *node) *node {
	for ; n != nil; n = n.parent {
		if n.kind == typeRequest {
			return n
		}
	}
	return nil
}

// spoolsBelow returns the spools that collect batches of n, each before those below it.
func spoolsBelow(n *node) []*node {
	var spools []*node
	for _, child := range slices.Concat(n.batch, n.record) {
		if child.kind == typeRequest {
			continue
		}
		if child.kind == typeSpool {
			spools = append(spools, child)
		}
		spools = append(spools, spoolsBelow(child)...)
	}
	return spools
}

func moments(nodes []*node, name string) []*node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n.kind != typeEvent || n.moment != name })
}

func nodeNames(nodes []*node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.name
	}
	return names
}

func quote(s string) string { return `"` + s + `"` }
