package plan

import (
	"fmt"
	"strings"
)

// translateList turns a legacy list into the words of the node graph, so that there is one executor. An element
// without a type is a request that is named after its resource. Records of unified resources are always sent to
// the run's webhook, those of proxy resources and of other nodes only with persist.
func translateList(specs []*spec, found *Findings) {
	taken := make(map[string]bool, len(specs))
	for _, s := range specs {
		taken[s.text("name")] = true
	}
	for _, s := range specs {
		s.kind = TypeRequest
		if s.text("type") != "" {
			s.kind = readType(s, found)
		}
		s.name = s.text("name")
		if s.name == "" {
			s.name = freeName(listName(s), taken)
			taken[s.name] = true
		}
		s.readCommon(found)
		s.persist = s.flag("persist", found) || s.kind == TypeRequest && strings.Contains(s.text("resource"), "/")
	}
}

// listName is the name of an element that has none of its own. Its children refer to it by this name.
func listName(s *spec) string {
	if resource := s.text("resource"); resource != "" {
		return resource
	}
	return string(s.kind)
}

// freeName returns name, numbered when it is taken: a list may read one resource with several methods.
func freeName(name string, taken map[string]bool) string {
	if !taken[name] {
		return name
	}
	for i := 2; ; i++ {
		if numbered := fmt.Sprintf("%s (%d)", name, i); !taken[numbered] {
			return numbered
		}
	}
}
