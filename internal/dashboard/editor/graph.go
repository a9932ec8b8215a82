package editor

import (
	"encoding/json"
	"html/template"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/dashboard/picture"
)

// Graph draws the nodes of a sync job. note may say something else of a node than what it is, and how it is coloured.
func Graph(resources json.RawMessage, note func(resource, method string) (text, class string)) template.HTML {
	var nodes []struct {
		Name      string          `json:"name"`
		Type      string          `json:"type"`
		Resource  string          `json:"resource"`
		Method    string          `json:"method"`
		DependsOn json.RawMessage `json:"depends_on"`
	}
	if json.Unmarshal(resources, &nodes) != nil || len(nodes) == 0 {
		return ""
	}
	var out []picture.Node
	for _, n := range nodes {
		node := picture.Node{Name: n.Name, After: names(n.DependsOn), Note: n.Type}
		if node.Name == "" {
			node.Name = n.Resource
		}
		if n.Resource != "" {
			node.Note = strings.Trim(n.Resource+" "+n.Method, " ")
			if text, class := note(n.Resource, n.Method); text != "" {
				node.Note, node.Class = text, class
			}
		}
		out = append(out, node)
	}
	return picture.Graph(out)
}

// names reads a name or a list of them.
func names(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var some []string
	if json.Unmarshal(raw, &some) != nil {
		return nil
	}
	return slices.DeleteFunc(some, func(s string) bool { return s == "" })
}
