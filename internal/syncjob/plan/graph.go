package plan

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// Graph is a compiled plan of a run. It is immutable.
type Graph struct {
	ByName map[string]*Node // the root is there too, under the empty name
	Starts []*Node          // in the order in which a run walks them: start events, the root, complete events
	Errors []*Node          // error events, walked when a run fails

	Requests   bool  // there are requests besides those below events
	OwnWebhook *Node // one whose records go to the webhook of the run; nil: none do
}

// Build compiles resources. The graph is usable only if there are no failures.
func Build(resources json.RawMessage, version int64) (*Graph, []millrace.Failure) {
	found := &Findings{}
	g, _, _ := buildInto(resources, version, found)
	return g, found.Failures
}

// buildInto compiles resources into a graph, and also returns its nodes as they were written and in their order.
func buildInto(resources json.RawMessage, version int64, found *Findings) (*Graph, []*spec, []*Node) {
	specs := readSpecs(resources, version, found)
	root := &Node{Kind: typeRoot}
	g := &Graph{ByName: map[string]*Node{"": root}}
	nodes := make([]*Node, len(specs))
	for i, s := range specs {
		found.owner = i
		nodes[i] = s.compile(found)
		if _, taken := g.ByName[s.name]; taken && s.name != "" {
			found.At(s.at+".name", "another node is called %q, too", s.name)
			continue
		}
		if s.name != "" {
			g.ByName[s.name] = nodes[i]
		}
	}
	g.linkParents(specs, nodes, root, found)
	if !findCycles(specs, nodes, found) {
		g.linkSinks(specs, nodes, found)
		g.OwnWebhook = toOwnWebhook(nodes)
		g.order(nodes, root)
	}
	return g, specs, nodes
}

// find returns the node of a name, or else the first request of a resource: legacy lists refer to either.
func (g *Graph) find(name string, nodes []*Node) *Node {
	if n := g.ByName[name]; n != nil {
		return n
	}
	for _, n := range nodes {
		if n.Request != nil && n.Request.Resource == name {
			return n
		}
	}
	return nil
}

func (g *Graph) linkParents(specs []*spec, nodes []*Node, root *Node, found *Findings) {
	for i, n := range nodes {
		n.parent = root
		name, path := specs[i].dependsOn, specs[i].at+".depends_on"
		if name != "" {
			switch parent := g.find(name, nodes); {
			case parent == nil:
				found.unknown(path, "no node is called "+quote(name), name, nodeNames(nodes))
			case parent.Kind == typeDestination:
				found.At(path, "%s is a destination, which has no output", quote(name))
			default:
				n.parent = parent
			}
		}
		if n.Kind == TypeEvent || n.Kind == typeDestination {
			n.parent = nil // they run when their moment comes, and for the batches of resources_to_persist
		}
	}
}

// findCycles reports each cycle once and whether there are any.
func findCycles(specs []*spec, nodes []*Node, found *Findings) bool {
	walk := make(map[*Node]int, len(nodes)) // in which walk upwards a node was met
	cyclic := false
	for i, n := range nodes {
		for p := n; p != nil; p = p.parent {
			if walk[p] == i+1 {
				cyclic = true
				at := slices.Index(nodes, p)
				found.At(specs[at].at+".depends_on", "depends on itself: %s", cycleText(p))
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
func cycleText(n *Node) string {
	names := []string{n.Name}
	for p := n.parent; p != n; p = p.parent {
		names = append(names, p.Name)
	}
	return strings.Join(append(names, n.Name), " -> ")
}

// linkSinks attaches destinations to the nodes whose records they send.
func (g *Graph) linkSinks(specs []*spec, nodes []*Node, found *Findings) {
	own := &Node{Name: "webhook", Kind: typeDestination, Destination: &Destination{}}
	for i, n := range nodes {
		if specs[i].persist && n.hasRecords() {
			n.Sinks = append(n.Sinks, own)
		}
	}
	for i, n := range nodes {
		if n.Destination == nil {
			continue
		}
		path := specs[i].at + ".resources_to_persist"
		for _, name := range n.Destination.names {
			switch source := g.find(name, nodes); {
			case source == nil:
				if v, _ := specs[i].top("resources_to_persist"); v == nil {
					break // it is that of depends_on, which was found already
				}
				found.unknown(path, "no node is called "+quote(name), name, nodeNames(nodes))
			case source.hasRecords():
				source.Sinks = append(source.Sinks, n)
			default:
				found.At(path, "%s is of type %s, which has no records", quote(name), source.Kind)
			}
		}
	}
}

// toOwnWebhook finds the first node, by name, whose records go to the webhook of the run.
func toOwnWebhook(nodes []*Node) *Node {
	var first *Node
	for _, n := range nodes {
		own := slices.ContainsFunc(n.Sinks, func(d *Node) bool { return d.Destination.Webhook == nil })
		if own && (first == nil || n.Name < first.Name) {
			first = n
		}
	}
	return first
}

// order lays the children of each node out in the order in which they run.
func (g *Graph) order(nodes []*Node, root *Node) {
	for _, n := range nodes {
		n.origin = originOf(n)
		if n.parent == nil {
			continue
		}
		switch n.Kind {
		case TypeTransform, typeSpool:
			n.parent.Batch = append(n.parent.Batch, n)
		case TypeRequest, typeAddContext, TypeGetState, TypeUpdateState, typeDeleteState:
			n.parent.Record = append(n.parent.Record, n)
		case typeDestination, TypeEvent, typeRoot:
		}
	}
	for _, n := range append(slices.Clone(nodes), root) {
		slices.SortStableFunc(n.Record, func(a, b *Node) int { return rank(a) - rank(b) })
	}
	for _, n := range nodes {
		if n.Kind == TypeRequest {
			n.Spools = spoolsBelow(n)
			g.Requests = g.Requests || n.top() == root
		}
	}
	g.Starts = slices.Concat(moments(nodes, momentStart), []*Node{root}, moments(nodes, momentComplete))
	g.Errors = moments(nodes, momentError)
}

// rank puts the nodes that add to the scope before all others.
func rank(n *Node) int {
	if n.AddsContext() {
		return 0
	}
	return 1
}

// top returns the root or the event that n is below.
func (n *Node) top() *Node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

func originOf(n *Node) *Node {
	for ; n != nil; n = n.parent {
		if n.Kind == TypeRequest {
			return n
		}
	}
	return nil
}

// spoolsBelow returns the spools that collect batches of n, each before those below it.
func spoolsBelow(n *Node) []*Node {
	var spools []*Node
	for _, child := range slices.Concat(n.Batch, n.Record) {
		if child.Kind == TypeRequest {
			continue
		}
		if child.Kind == typeSpool {
			spools = append(spools, child)
		}
		spools = append(spools, spoolsBelow(child)...)
	}
	return spools
}

func moments(nodes []*Node, name string) []*Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *Node) bool { return n.Kind != TypeEvent || n.moment != name })
}

func nodeNames(nodes []*Node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return names
}

func quote(s string) string { return `"` + s + `"` }
