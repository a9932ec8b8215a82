package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// firstGraphVersion is the runtime version from which resources are a node graph. Below it they are a list.
const firstGraphVersion = 4

// maxNodes bounds the elements of a job, so that checking one stays quick.
const maxNodes = 1000

// spec is one element of resources in the words of the node graph, before it is compiled.
type spec struct {
	at        string // resources[2]
	object    *jsonata.Object
	config    *jsonata.Object // its member config; empty if there is none
	name      string
	kind      NodeType
	dependsOn string
	persist   bool // its records also go to the run's own webhook
}

// top returns a member of the element and its path; null counts as absent.
func (s *spec) top(key string) (jsonata.Value, string) {
	return expr.Member(s.object, key), s.at + "." + key
}

// inConfig returns a member of the element's config and its path.
func (s *spec) inConfig(key string) (jsonata.Value, string) {
	return expr.Member(s.config, key), s.at + ".config." + key
}

// either returns a member of the element or else of its config: both are in use for requests and expressions.
func (s *spec) either(key string) (jsonata.Value, string) {
	if v, path := s.top(key); v != nil {
		return v, path
	}
	if v, path := s.inConfig(key); v != nil {
		return v, path
	}
	return nil, s.at + "." + key
}

// text returns a member of the element that is text.
func (s *spec) text(key string) string {
	v, _ := s.top(key)
	t, _ := v.(string)
	return strings.TrimSpace(t)
}

// flag returns a member of the element that is true or false.
func (s *spec) flag(key string, found *Findings) bool {
	v, path := s.top(key)
	set, ok := v.(bool)
	if v != nil && !ok {
		found.At(path, "must be true or false")
	}
	return set
}

// readSpecs reads resources, as a node graph or as a legacy list, into specs of the node graph.
func readSpecs(resources json.RawMessage, version int64, found *Findings) []*spec {
	if len(resources) == 0 || string(resources) == "null" {
		return nil
	}
	v, err := jsonata.FromJSON(resources)
	if err != nil {
		found.Add(millrace.Failure{Path: "resources", Message: "is not JSON: " + err.Error()})
		return nil
	}
	list, ok := v.(*jsonata.Array)
	if !ok {
		found.Add(millrace.Failure{Path: "resources", Message: "must be an array"})
		return nil
	}
	if list.Len() > maxNodes {
		found.At("resources", "has %d elements; at most %d are possible", list.Len(), maxNodes)
		return nil
	}
	specs := make([]*spec, 0, list.Len())
	for i, item := range list.Items() {
		at := fmt.Sprintf("resources[%d]", i)
		object, ok := item.(*jsonata.Object)
		if !ok {
			found.Add(millrace.Failure{Path: at, Message: "must be an object"})
			continue
		}
		config, ok := expr.Member(object, "config").(*jsonata.Object)
		if !ok {
			if expr.Member(object, "config") != nil {
				found.At(at+".config", "must be an object")
			}
			config = jsonata.NewObject(0)
		}
		specs = append(specs, &spec{at: at, object: object, config: config})
	}
	if isGraph(specs, version) {
		readGraph(specs, found)
	} else {
		translateList(specs, found)
	}
	return specs
}

// isGraph decides by the runtime version and, where none is given, by whether any element has a type.
func isGraph(specs []*spec, version int64) bool {
	if version > 0 {
		return version >= firstGraphVersion
	}
	return slices.ContainsFunc(specs, func(s *spec) bool { return s.text("type") != "" })
}

// readGraph reads what all nodes of a graph have in common.
func readGraph(specs []*spec, found *Findings) {
	for _, s := range specs {
		s.kind = readType(s, found)
		s.name = s.text("name")
		if s.name == "" {
			found.At(s.at+".name", "is required: other nodes refer to it")
		}
		s.readCommon(found)
		s.persist = s.flag("persist", found)
	}
}

// readType reads the type of a node. One without a type that names a resource is a request.
func readType(s *spec, found *Findings) NodeType {
	kind := NodeType(s.text("type"))
	switch kind {
	case TypeRequest, TypeTransform, typeSpool, typeAddContext, typeDestination, TypeEvent, TypeGetState, TypeUpdateState, typeDeleteState:
	case typeRoot:
		if s.text("resource") != "" {
			return TypeRequest
		}
		found.At(s.at+".type", "is required; one of %s", strings.Join(nodeTypes(), ", "))
	default:
		found.unknown(s.at+".type", fmt.Sprintf("unknown node type %q", kind), string(kind), nodeTypes())
	}
	return kind
}

// readCommon reads depends_on, which must name one node.
func (s *spec) readCommon(found *Findings) {
	v, path := s.top("depends_on")
	switch v := v.(type) {
	case nil:
	case string:
		s.dependsOn = strings.TrimSpace(v)
	case *jsonata.Array:
		if name, ok := v.At(0).(string); ok && v.Len() == 1 {
			s.dependsOn = strings.TrimSpace(name)
			return
		}
		found.At(path, "must be the name of one node")
	default:
		found.At(path, "must be the name of one node")
	}
}
