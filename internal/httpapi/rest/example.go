package rest

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// examples makes an example of each schema: of the examples of its members, where the code gives them, else of what their
// type and format allow.
type examples struct{ registry huma.Registry }

// Ids and times of examples, each of its own format.
const (
	exampleID   = "3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"
	exampleTime = "2025-02-07T20:39:06.000Z"
)

// operation puts an example to the bodies of an operation that have none.
func (e examples) operation(op *huma.Operation) {
	if op.RequestBody != nil {
		e.media(op.RequestBody.Content, true)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status == "4XX" {
			op.Responses[status].Content["application/json"].Example = map[string]any{
				"statusCode": 400, "error": "Bad Request", "message": "name: is required",
				"details": map[string]any{"failures": []any{map[string]any{"path": "name", "message": "is required"}}},
			}
		} else if status[0] == '2' {
			e.media(op.Responses[status].Content, false)
		}
	}
}

func (e examples) media(content map[string]*huma.MediaType, sent bool) {
	m := content["application/json"]
	if m != nil && m.Schema != nil && m.Example == nil {
		m.Example = e.of(m.Schema, "text", sent, 0)
	}
}

// maxExampleDepth ends an example; no schema of the API is deeper without being recursive.
const maxExampleDepth = 8

// of returns an example of a schema. name is that of the member that it describes. What clients send need not hold what may be
// left out and has no example.
func (e examples) of(s *huma.Schema, name string, sent bool, depth int) any {
	for s.Ref != "" {
		s = e.registry.SchemaFromRef(s.Ref)
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.OneOf) > 0:
		return e.of(s.OneOf[0], name, sent, depth)
	case s.Nullable && s.Type != huma.TypeObject && s.Type != huma.TypeArray && s.Format == "":
		return nil
	}
	switch s.Type {
	case huma.TypeObject:
		return e.object(s, sent, depth)
	case huma.TypeArray:
		if s.Items == nil || depth > maxExampleDepth {
			return []any{}
		}
		return []any{e.of(s.Items, name, sent, depth+1)}
	case huma.TypeString:
		return exampleText(s, name)
	case huma.TypeInteger, huma.TypeNumber:
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 1
	case huma.TypeBoolean:
		return false
	}
	return map[string]any{}
}

func (e examples) object(s *huma.Schema, sent bool, depth int) any {
	out := map[string]any{}
	if depth > maxExampleDepth {
		return out
	}
	for name, p := range s.Properties {
		needed := slices.Contains(s.Required, name)
		if sent && !needed && !e.given(p) {
			continue
		}
		out[name] = e.of(p, name, sent, depth+1)
	}
	return out
}

// given reports whether the code gives an example of a schema.
func (e examples) given(s *huma.Schema) bool {
	for s.Ref != "" {
		s = e.registry.SchemaFromRef(s.Ref)
	}
	return len(s.Examples) > 0
}

func exampleText(s *huma.Schema, name string) string {
	switch s.Format {
	case "uuid":
		return exampleID
	case "date-time":
		return exampleTime
	case "uri":
		return "https://example.com/"
	}
	if name == "id" || strings.HasSuffix(name, "_id") {
		return exampleID
	}
	return name
}
