package lodash

import (
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// dependencyGraph builds a graph of items that depend on the item they name as their parent.
func dependencyGraph(c *jsonata.Call) (jsonata.Value, error) {
	list, ok := c.Arg(0).(*jsonata.Array)
	if !ok {
		return nil, js.ArgumentError("$dependencyGraph: got %s, want an array", js.TypeName(c.Arg(0)))
	}
	if err := js.Visit(c, list); err != nil {
		return nil, err
	}
	parentKey, err := callPath(c, c.Arg(1))
	if err != nil {
		return nil, err
	}
	key, err := callPath(c, c.Arg(2))
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]jsonata.Value, list.Len())
	for _, item := range list.Items() {
		if err := c.Step(1); err != nil {
			return nil, err
		}
		byKey[js.PropertyKey(key.get(item))] = item
	}
	g := newGraph()
	for _, item := range list.Items() {
		if err := c.Step(1); err != nil {
			return nil, err
		}
		id, parentID := key.get(item), parentKey.get(item)
		g.addNode(id, item)
		if parent := byKey[js.PropertyKey(parentID)]; js.IsTrue(parent) {
			g.addNode(parentID, parent)
			g.addDependency(id, parentID)
		}
	}
	return g, nil
}

// graph is a dependency graph as a host object.
type graph struct {
	nodes []*graphNode
	byID  map[any]*graphNode
}

type graphNode struct {
	id           jsonata.Value
	data         jsonata.Value
	dependencies []*graphNode
	dependants   []*graphNode
	linked       map[*graphNode]bool // the dependencies, to add each only once; nil: there are none
}

func newGraph() *graph { return &graph{byID: make(map[any]*graphNode)} }

// addNode adds a node unless the graph has it.
func (g *graph) addNode(id, data jsonata.Value) {
	if g.byID[js.Identity(id)] != nil {
		return
	}
	n := &graphNode{id: id, data: data}
	g.byID[js.Identity(id)] = n
	g.nodes = append(g.nodes, n)
}

func (g *graph) addDependency(id, on jsonata.Value) {
	from, to := g.byID[js.Identity(id)], g.byID[js.Identity(on)]
	if from.linked[to] {
		return
	}
	if from.linked == nil {
		from.linked = make(map[*graphNode]bool)
	}
	from.linked[to] = true
	from.dependencies = append(from.dependencies, to)
	to.dependants = append(to.dependants, from)
}

// Member returns one of the graph's methods.
func (g *graph) Member(name string) (jsonata.Value, bool) {
	method := func(params int, call func(*jsonata.Call) (jsonata.Value, error)) (jsonata.Value, bool) {
		return jsonata.NewFunction(jsonata.Func{Name: name, Params: params, Call: call}), true
	}
	switch name {
	case "overallOrder":
		return method(1, g.overallOrder)
	case "dependenciesOf":
		return method(1, g.walkFrom(func(n *graphNode) []*graphNode { return n.dependencies }))
	case "dependantsOf":
		return method(1, g.walkFrom(func(n *graphNode) []*graphNode { return n.dependants }))
	case "hasNode":
		return method(1, func(c *jsonata.Call) (jsonata.Value, error) {
			return g.byID[js.Identity(c.Arg(0))] != nil, nil
		})
	case "getNodeData":
		return method(1, func(c *jsonata.Call) (jsonata.Value, error) {
			n, err := g.node(c.Arg(0))
			if err != nil {
				return nil, err
			}
			return n.data, nil
		})
	case "clone": // nothing can change a graph, so it is its own copy
		return method(0, func(*jsonata.Call) (jsonata.Value, error) { return g, nil })
	}
	return nil, false
}

// Keys lists the methods.
func (g *graph) Keys() []string {
	return []string{"overallOrder", "dependenciesOf", "dependantsOf", "hasNode", "getNodeData", "clone"}
}

// JSON shows the three tables of a graph, which have no serialised form.
func (g *graph) JSON() jsonata.Value {
	o := jsonata.NewObject(3)
	for _, table := range []string{"nodes", "outgoingEdges", "incomingEdges"} {
		o.Set(table, jsonata.NewObject(0))
	}
	return o
}

func (g *graph) node(id jsonata.Value) (*graphNode, error) {
	if n := g.byID[js.Identity(id)]; n != nil {
		return n, nil
	}
	return nil, js.FailedError("Node does not exist: %s", js.Text(id))
}

// overallOrder lists the nodes so that each comes after what it depends on; with a true argument only those that depend
// on nothing.
func (g *graph) overallOrder(c *jsonata.Call) (jsonata.Value, error) {
	edges := func(n *graphNode) []*graphNode { return n.dependencies }
	check := graphWalk{call: c, edges: edges}
	for _, n := range g.nodes {
		if err := check.from(n); err != nil {
			return nil, err
		}
	}
	walk := graphWalk{call: c, edges: edges, leavesOnly: js.IsTrue(c.Arg(0))}
	for _, n := range g.nodes {
		if len(n.dependants) > 0 {
			continue
		}
		if err := walk.from(n); err != nil {
			return nil, err
		}
	}
	return walk.ids(nil), nil
}

// walkFrom returns the method that lists what can be reached from a node along some edges.
func (g *graph) walkFrom(edges func(*graphNode) []*graphNode) func(*jsonata.Call) (jsonata.Value, error) {
	return func(c *jsonata.Call) (jsonata.Value, error) {
		n, err := g.node(c.Arg(0))
		if err != nil {
			return nil, err
		}
		walk := graphWalk{call: c, edges: edges}
		if err := walk.from(n); err != nil {
			return nil, err
		}
		return walk.ids(n), nil
	}
}

// graphWalk visits nodes depth first, each after everything that its edges lead to.
type graphWalk struct {
	call       *jsonata.Call
	edges      func(*graphNode) []*graphNode
	leavesOnly bool
	done       map[*graphNode]bool
	path       []*graphNode
	onPath     map[*graphNode]bool
	out        []*graphNode
}

func (w *graphWalk) from(n *graphNode) error {
	if w.done == nil {
		w.done, w.onPath = make(map[*graphNode]bool), make(map[*graphNode]bool)
	}
	if w.done[n] {
		return nil
	}
	if err := w.call.Step(1); err != nil {
		return err
	}
	w.path = append(w.path, n)
	if w.onPath[n] {
		return js.FailedError("Dependency Cycle Found: %s", strings.Join(nodeTexts(w.path), " -> "))
	}
	w.onPath[n] = true
	edges := w.edges(n)
	for _, next := range edges {
		if err := w.from(next); err != nil {
			return err
		}
	}
	w.path = w.path[:len(w.path)-1]
	delete(w.onPath, n)
	w.done[n] = true
	if !w.leavesOnly || len(edges) == 0 {
		w.out = append(w.out, n)
	}
	return nil
}

// ids lists the nodes visited except one.
func (w *graphWalk) ids(except *graphNode) jsonata.Value {
	ids := []jsonata.Value{}
	for _, n := range w.out {
		if n != except {
			ids = append(ids, n.id)
		}
	}
	return jsonata.NewArray(ids...)
}

func nodeTexts(nodes []*graphNode) []string {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		if !js.IsNullish(n.id) {
			texts[i] = js.Text(n.id)
		}
	}
	return texts
}
