package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Warn returns what is not wrong with a job but probably not meant: members that mean nothing, arguments that its
// args_schema does not declare, and reads of records that no node above puts out. A job that [Check] rejects has none.
func Warn(ctx context.Context, resources json.RawMessage, version int64, argsSchema json.RawMessage) []millrace.Failure {
	found := &Findings{}
	_, specs, nodes := buildInto(resources, version, found)
	schema := ReadArgsSchema(argsSchema, found)
	if len(found.Failures) > 0 {
		return nil
	}
	w := &warnings{specs: specs, nodes: nodes}
	for i, s := range specs {
		w.members(s)
		w.idle(s, nodes[i])
	}
	w.analyzer, w.seen = expr.NewAnalyzer(ctx), make([][][]string, len(nodes))
	for _, u := range found.uses {
		if len(w.list) < maxWarnings {
			w.use(u, schema)
		}
	}
	return w.list
}

// use warns of what an expression or template reads.
func (w *warnings) use(u use, schema []ArgSchema) {
	reads, incomplete := w.reads(u)
	for _, r := range reads {
		if !w.analyzer.Spend(1 + len(w.nodes)/8) {
			incomplete = "it reads too much"
			break
		}
		w.arg(u, r, schema)
		w.record(u, r)
	}
	if incomplete != "" {
		w.at(u.path, "was not analysed further: %s", incomplete)
	}
}

// warnings collects them, each once.
type warnings struct {
	specs []*spec
	nodes []*Node
	list  []millrace.Failure

	analyzer *expr.Analyzer
	seen     [][][]string // by owner, what visible has found
}

// maxWarnings bounds the list.
const maxWarnings = 100

func (w *warnings) add(f millrace.Failure) {
	same := func(old millrace.Failure) bool { return old.Path == f.Path && old.Message == f.Message }
	if len(w.list) < maxWarnings && !slices.ContainsFunc(w.list, same) {
		w.list = append(w.list, f)
	}
}

func (w *warnings) at(path, format string, args ...any) {
	w.add(millrace.Failure{Path: path, Message: fmt.Sprintf(format, args...)})
}

// members warns of members that mean nothing, here or anywhere.
func (w *warnings) members(s *spec) {
	config := configMembers(s.kind)
	w.unknown(s.object, s.at+".", append(topMembers(s.kind), config...), "config")
	w.unknown(s.config, s.at+".config.", config)
	for _, key := range []string{"delete_tracking", "delete_tracking_query", "response_format"} {
		if v, path := s.either(key); v != nil && s.kind == TypeRequest {
			w.at(path, "has no effect in this server")
		}
	}
	v, path := s.either("recurse")
	if again, ok := v.(*jsonata.Object); ok && s.kind == TypeRequest {
		w.unknown(again, path+".", []string{"if", "config"})
		if config, ok := expr.Member(again, "config").(*jsonata.Object); ok {
			w.unknown(config, path+".config.", []string{"id", "query", "body"})
		}
	}
}

func (w *warnings) unknown(o *jsonata.Object, prefix string, known []string, also ...string) {
	for _, key := range o.Keys() {
		if !slices.Contains(known, key) && !slices.Contains(also, key) {
			w.add(unknownName(prefix+key, fmt.Sprintf("unknown member %q has no effect", key), key, known))
		}
	}
}

// topMembers are the members of an element beside those that may also stand in its config.
func topMembers(kind NodeType) []string {
	members := []string{"name", "type", "depends_on", "run_if", "debug", "persist", "label", "description"}
	if kind == typeDestination {
		members = append(members, "destination_type", "resources_to_persist")
	}
	return members
}

// configMembers are the members of an element's config.
func configMembers(kind NodeType) []string {
	switch kind {
	case TypeRequest:
		return []string{
			"resource", "method", "integrated_account_id", "id", "query", "body", "loop_on", "recurse", "run_if",
			"delete_tracking", "delete_tracking_query", "response_format",
		}
	case TypeTransform, typeAddContext:
		return []string{"expression", "run_if"}
	case typeDestination:
		return []string{"id", "expression", "run_if"}
	case TypeEvent:
		return []string{"name"}
	case TypeGetState:
		return []string{"key", "default"}
	case TypeUpdateState:
		return []string{"key", "value", "value_expression"}
	case typeDeleteState:
		return []string{"key"}
	case typeSpool, typeRoot:
	}
	return nil
}

// NodeMembers returns the types that a node may have, and the members that nodes of any type may have, sorted.
func NodeMembers() ([]string, []string) {
	members := []string{"config"}
	for _, t := range nodeTypes() {
		members = slices.Concat(members, topMembers(NodeType(t)), configMembers(NodeType(t)))
	}
	members = slices.DeleteFunc(members, func(m string) bool {
		return m == "delete_tracking" || m == "delete_tracking_query" || m == "response_format"
	})
	slices.Sort(members)
	return nodeTypes(), slices.Compact(members)
}

// idle warns of members that this type of node makes no use of.
func (w *warnings) idle(s *spec, n *Node) {
	if s.kind == TypeEvent && s.dependsOn != "" {
		w.at(s.at+".depends_on", "has no effect: an event comes when its moment comes")
	}
	if s.persist && !n.hasRecords() {
		w.at(s.at+".persist", "has no effect: a node of type %s has no records", s.kind)
	}
	if n.Debug && n.Program == nil {
		w.at(s.at+".debug", "has no effect: only expressions of transform, add_context and destination are logged")
	}
}

// reads returns the paths that an expression or template reads, and why they are not all, if so.
func (w *warnings) reads(u use) ([][]string, string) {
	var out [][]string
	if u.template != nil {
		for _, path := range u.template.Paths() {
			out = append(out, strings.Split(path, "."))
		}
		return out, ""
	}
	a := w.analyzer.Analyze(u.program)
	for _, r := range a.Reads {
		out = append(out, r.Path)
	}
	return out, a.Incomplete
}

// arg warns of an argument that the schema does not declare. Without a schema, arguments are not declared at all.
func (w *warnings) arg(u use, path []string, schema []ArgSchema) {
	if len(path) < 2 || path[0] != "args" || len(schema) == 0 || strings.Contains(path[1], "*") {
		return
	}
	name := path[1]
	known := []string{"integrated_account_id", "webhook_id"} // always there: a run puts its own into args
	for _, a := range schema {
		known = append(known, a.Name)
	}
	if slices.Contains(known, name) {
		return
	}
	w.add(unknownName(u.path, "args_schema does not declare args."+name, name, known))
}

// record warns of a read below resources that nothing above the node puts out.
func (w *warnings) record(u use, path []string) {
	if len(path) < 2 || path[0] != "resources" || strings.Contains(path[1], "*") {
		return
	}
	visible := w.visible(u.owner)
	for _, p := range visible {
		common := min(len(p), len(path)-1)
		if slices.Equal(p[:common], path[1:1+common]) {
			return
		}
	}
	known := make([]string, len(visible))
	for i, p := range visible {
		known[i] = strings.Join(p, ".")
	}
	got := path[1]
	if len(path) > 2 && w.isModel(path[1]) {
		got += "." + path[2]
	}
	w.add(unknownName(u.path, "no node above puts out resources."+got, got, known))
}

// isModel reports whether a resource of the job has two segments of which this is the first.
func (w *warnings) isModel(name string) bool {
	return slices.ContainsFunc(w.nodes, func(n *Node) bool {
		return n.Request != nil && len(n.Request.path) > 1 && n.Request.path[0] == name
	})
}

// visible returns the paths below resources that are there for a node: what it puts out itself, since a recursion reads
// it, and what the nodes above put out. What a node of state has read can be seen from beside it, too.
func (w *warnings) visible(owner int) [][]string {
	if w.seen[owner] == nil {
		w.seen[owner] = w.above(owner)
	}
	return w.seen[owner]
}

func (w *warnings) above(owner int) [][]string {
	paths := [][]string{}
	from := []*Node{w.nodes[owner]}
	if d := from[0].Destination; d != nil {
		from = from[:0]
		for _, n := range w.nodes {
			if slices.Contains(n.Sinks, w.nodes[owner]) {
				from = append(from, n)
			}
		}
	}
	for _, n := range w.nodes {
		if n.Kind == TypeGetState {
			from = append(from, n)
		}
	}
	for _, n := range from {
		for ; n != nil && !n.Virtual(); n = n.parent {
			paths = append(paths, []string{n.Name})
			if n.origin != nil {
				paths = append(paths, n.origin.Request.path)
			}
		}
	}
	return paths
}
