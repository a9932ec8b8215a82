package syncjob

import (
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// compile turns a spec into a node without its relations.
func (s *spec) compile(found *findings) *node {
	n := &node{name: s.name, at: s.at, kind: s.kind}
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
	program, err := expr.Compile(text)
	if err != nil {
		found.expression(path, err)
		return nil
	}
	return program
}

func (s *spec) compileRequest(found *findings) *requestPlan {
	plan := &requestPlan{resource: s.requiredText("resource", found), method: s.requiredText("method", found)}
	plan.path = resourcePath(plan.resource)
	if v, path := s.either("integrated_account_id"); v != nil {
		plan.account = templateArgument(v, path, found)
	}
	if v, path := s.either("id"); v != nil {
		plan.id = templateArgument(v, path, found)
	}
	if v, path := s.either("query"); v != nil {
		plan.query = valueArgument(v, path, found)
	}
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
		found.at(path+".if", "is required")
		return nil
	}
	r := &recursion{condition: parseTemplate(condition, path+".if", found)}
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
		found.at(path, "is required; one of webhook")
	default:
		found.at(path, "destination type %v is not available", kind)
	}
	if v, path := s.inConfig("id"); v != nil {
		plan.webhook = templateArgument(v, path, found)
	}
	v, path := s.top("resources_to_persist")
	switch v := v.(type) {
	case nil:
		if s.dependsOn == "" {
			found.at(path, "is required: the names of the nodes whose records are sent")
		}
		plan.names = []string{s.dependsOn}
	case string:
		plan.names = []string{v}
	case *jsonata.Array:
		for _, item := range v.Items() {
			name, ok := item.(string)
			if !ok {
				found.at(path, "must be a list of node names")
				break
			}
			plan.names = append(plan.names, name)
		}
	default:
		found.at(path, "must be a list of node names")
	}
	return plan
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
