package syncjob

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// compile turns a spec into a node without its relations.
func (s *spec) compile(found *findings) *node {
	n := &node{name: s.name, at: s.at, kind: s.kind, debug: s.flag("debug", found)}
	if v, path := s.either("run_if"); v != nil {
		n.runIf = compileText(v, path, found)
	}
	switch s.kind {
	case typeRequest:
		n.request = s.compileRequest(found)
	case typeTransform, typeAddContext:
		v, _ := s.either("expression")
		path := s.at + ".config.expression"
		if v == nil {
			found.at(path, "is required")
			break
		}
		n.program = compileText(v, path, found)
	case typeDestination:
		n.destination = s.compileDestination(found)
	case typeEvent:
		n.moment = s.compileMoment(found)
	case typeGetState, typeUpdateState, typeDeleteState:
		n.state = s.compileState(found)
	case typeSpool, typeRoot:
	}
	return n
}

func compileText(v jsonata.Value, path string, found *findings) *expr.Program {
	text, ok := v.(string)
	if !ok {
		found.at(path, "must be a JSONata expression")
		return nil
	}
	return found.compile(text, path)
}

func (s *spec) compileRequest(found *findings) *requestPlan {
	plan := &requestPlan{resource: s.requiredText("resource", found), method: s.requiredText("method", found)}
	plan.path = resourcePath(plan.resource)
	if v, path := s.either("integrated_account_id"); v != nil {
		plan.account = textArgument(v, path, found)
	}
	if v, path := s.either("id"); v != nil {
		plan.id = textArgument(v, path, found)
	}
	plan.query = s.compileQuery(found)
	if v, path := s.either("body"); v != nil {
		plan.body = valueArgument(v, path, found)
	}
	if v, path := s.either("loop_on"); v != nil {
		plan.loop = parseLoop(v, path, found)
	}
	if v, path := s.either("recurse"); v != nil {
		plan.recurse = compileRecursion(v, path, found)
	}
	return plan
}

// compileQuery compiles a query, which must be able to become an object.
func (s *spec) compileQuery(found *findings) *argument {
	v, path := s.either("query")
	switch v.(type) {
	case nil:
		return nil
	case string, *jsonata.Object:
		return valueArgument(v, path, found)
	}
	found.at(path, "must be an object, or JSONata that returns one")
	return nil
}

func (s *spec) requiredText(key string, found *findings) string {
	v, path := s.either(key)
	text, ok := v.(string)
	text = strings.TrimSpace(text)
	if !ok || text == "" {
		found.at(path, "is required")
	}
	return text
}

func compileRecursion(v jsonata.Value, path string, found *findings) *recursion {
	object, ok := v.(*jsonata.Object)
	if !ok {
		found.at(path, "must be an object with if and config")
		return nil
	}
	condition, ok := present(object, "if").(string)
	if !ok || strings.TrimSpace(condition) == "" {
		found.at(path+".if", "is required: a template such as {{resources.folders.has_children:bool}}")
		return nil
	}
	r := &recursion{condition: found.parse(condition, path+".if")}
	switch config := present(object, "config").(type) {
	case nil:
	case *jsonata.Object:
		r.config = templateArgument(config, path+".config", found)
	default:
		found.at(path+".config", "must be an object")
	}
	return r
}

func (s *spec) compileDestination(found *findings) *destinationPlan {
	plan := &destinationPlan{}
	kind, path := s.top("destination_type")
	switch kind {
	case "webhook":
	case nil:
		found.at(path, "is required: webhook")
	case "datastore", "superquery", "super_query":
		found.at(path, "destinations of type %s are not available in this server; send the records to a webhook", kind)
	default:
		found.at(path, "unknown destination type %s; the one available is webhook", quote(s.text("destination_type")))
	}
	if v, path := s.inConfig("id"); v != nil {
		plan.webhook = textArgument(v, path, found)
	}
	plan.names = s.sources(found)
	return plan
}

// sources returns the names of the nodes whose records a destination sends, each once.
func (s *spec) sources(found *findings) []string {
	v, path := s.top("resources_to_persist")
	if v == nil && s.dependsOn != "" {
		return []string{s.dependsOn}
	}
	var names []string
	switch v := v.(type) {
	case string:
		names = append(names, strings.TrimSpace(v))
	case *jsonata.Array:
		for _, item := range v.Items() {
			name, _ := item.(string)
			if name = strings.TrimSpace(name); name == "" {
				found.at(path, "must be a list of node names")
				return nil
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 || names[0] == "" {
		found.at(path, "is required: the names of the nodes whose records are sent")
		return nil
	}
	return names
}

func (s *spec) compileMoment(found *findings) string {
	v, path := s.inConfig("name")
	switch v {
	case momentStart, momentComplete, momentError:
		return v.(string)
	}
	found.at(path, "must be one of %s, %s, %s", momentStart, momentComplete, momentError)
	return ""
}
