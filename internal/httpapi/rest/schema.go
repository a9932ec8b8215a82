package rest

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
)

// StandaloneSchema returns a JSON Schema that stands alone. It is made from the type of an example, so that it cannot say
// anything else.
func StandaloneSchema(title string, example any) (json.RawMessage, error) {
	registry := huma.NewMapRegistry("#/$defs/", schemaName)
	registry.RegisterTypeAlias(typeOf[millrace.Time](), typeOf[wireTime]())
	schema := registry.Schema(reflect.TypeOf(example), false, "")
	describeDocuments(schema)
	for _, s := range registry.Map() {
		describeDocuments(s)
		relax(s)
	}
	relax(schema)
	raw, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	whole := map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "$defs": registry.Map()}
	for name, member := range members {
		whole[name] = member
	}
	return json.Marshal(whole)
}

// relax lets objects grow: a receiver must not break when a payload gets a new member.
func relax(s *huma.Schema) {
	if s.Type == huma.TypeObject && s.AdditionalProperties == false {
		s.AdditionalProperties = nil
	}
}
