package plan

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// compile turns a spec into a node without its relations.
func (s *spec) compile(found *Findings) *Node {
	n := &Node{Name: s.name, At: s.at, Kind: s.kind, Debug: s.flag("debug", found)}
	if v, path := s.either("run_if"); v != nil {
		n.RunIf = compileText(v, path, found)
	}
	switch s.kind {
	case TypeRequest:
		n.Request = s.compileRequest(found)
	case TypeTransform, typeAddContext:
		v, _ := s.either("expression")
		path := s.at + ".config.expression"
		if v == nil {
			found.At(path, "is required")
			break
		}
		n.Program = compileText(v, path, found)
	case typeDestination:
		n.Destination = s.compileDestination(found)
		if v, path := s.inConfig("expression"); v != nil {
			n.Program = compileText(v, path, found)
		}
	case TypeEvent:
		n.moment = s.compileMoment(found)
	case TypeGetState, TypeUpdateState, typeDeleteState:
		n.State = s.compileState(found)
	case typeSpool, typeRoot:
	}
	return n
}

func compileText(v jsonata.Value, path string, found *Findings) *expr.Program {
	text, ok := v.(string)
	if !ok {
		found.At(path, "must be a JSONata expression")
		return nil
	}
	return found.compile(text, path)
}

func (s *spec) compileRequest(found *Findings) *Request {
	plan := &Request{Resource: s.requiredText("resource", found), Method: s.requiredText("method", found)}
	plan.path = resourcePath(plan.Resource)
	if v, path := s.either("integrated_account_id"); v != nil {
		plan.Account = textArgument(v, path, found)
	}
	if v, path := s.either("id"); v != nil {
		plan.ID = textArgument(v, path, found)
	}
	plan.Query = s.compileQuery(found)
	if v, path := s.either("body"); v != nil {
		plan.Body = valueArgument(v, path, found)
	}
	if v, path := s.either("loop_on"); v != nil {
		plan.Loop = parseLoop(v, path, found)
	}
	if v, path := s.either("recurse"); v != nil {
		plan.Recurse = compileRecursion(v, path, found)
	}
	return plan
}

// compileQuery compiles a query, which must be able to become an object.
func (s *spec) compileQuery(found *Findings) *Argument {
	v, path := s.either("query")
	switch v.(type) {
	case nil:
		return nil
	case string, *jsonata.Object:
		return valueArgument(v, path, found)
	}
	found.At(path, "must be an object, or JSONata that returns one")
	return nil
}

func (s *spec) requiredText(key string, found *Findings) string {
	v, path := s.either(key)
	text, ok := v.(string)
	text = strings.TrimSpace(text)
	if !ok || text == "" {
		found.At(path, "is required")
	}
	return text
}

func compileRecursion(v jsonata.Value, path string, found *Findings) *Recursion {
	object, ok := v.(*jsonata.Object)
	if !ok {
		found.At(path, "must be an object with if and config")
		return nil
	}
	condition, ok := expr.Member(object, "if").(string)
	if !ok || strings.TrimSpace(condition) == "" {
		found.At(path+".if", "is required: a template such as {{resources.folders.has_children:bool}}")
		return nil
	}
	r := &Recursion{condition: found.parse(condition, path+".if")}
	switch config := expr.Member(object, "config").(type) {
	case nil:
	case *jsonata.Object:
		r.Config = templateArgument(config, path+".config", found)
	default:
		found.At(path+".config", "must be an object")
	}
	return r
}

func (s *spec) compileDestination(found *Findings) *Destination {
	plan := &Destination{}
	kind, path := s.top("destination_type")
	switch kind {
	case "webhook":
	case nil:
		found.At(path, "is required: webhook")
	case "datastore", "superquery", "super_query":
		found.At(path, "destinations of type %s are not available in this server; send the records to a webhook", kind)
	default:
		found.At(path, "unknown destination type %s; the one available is webhook", quote(s.text("destination_type")))
	}
	if v, path := s.inConfig("id"); v != nil {
		plan.Webhook = textArgument(v, path, found)
	}
	plan.names = s.sources(found)
	return plan
}

// sources returns the names of the nodes whose records a destination sends, each once.
func (s *spec) sources(found *Findings) []string {
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
				found.At(path, "must be a list of node names")
				return nil
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 || names[0] == "" {
		found.At(path, "is required: the names of the nodes whose records are sent")
		return nil
	}
	return names
}

func (s *spec) compileMoment(found *Findings) string {
	v, path := s.inConfig("name")
	switch v {
	case momentStart, momentComplete, momentError:
		return v.(string)
	}
	found.At(path, "must be one of %s, %s, %s", momentStart, momentComplete, momentError)
	return ""
}
