package syncjob

import (
	"encoding/json"
	"errors"
	"fmt"
)

// argSchema is the part of an argument's schema that matters to a run.
type argSchema struct {
	Default json.RawMessage `json:"default"`
}

// readArgsSchema reads both published shapes: a JSON schema with properties, and a flat object of arguments.
func readArgsSchema(raw json.RawMessage) (map[string]argSchema, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, errors.New("must be an object")
	}
	if properties, ok := members["properties"]; ok && string(members["type"]) == `"object"` {
		members = nil
		if err := json.Unmarshal(properties, &members); err != nil {
			return nil, errors.New("properties must be an object")
		}
	}
	schema := make(map[string]argSchema, len(members))
	for name, member := range members {
		var a argSchema
		if json.Unmarshal(member, &a) == nil { // else a keyword of the schema, not an argument
			schema[name] = a
		}
	}
	return schema, nil
}

// withDefaults returns args with the defaults of the schema for what is missing. A schema that cannot be read, which
// saving a job prevents, has no defaults. Args that are no object are returned as they are.
func withDefaults(args, argsSchema json.RawMessage) (json.RawMessage, error) {
	given := map[string]json.RawMessage{}
	if len(args) > 0 && string(args) != "null" {
		if !isObject(args) {
			return args, nil
		}
		if err := json.Unmarshal(args, &given); err != nil {
			return nil, fmt.Errorf("decode args: %w", err)
		}
	}
	schema, err := readArgsSchema(argsSchema)
	if err != nil {
		schema = nil
	}
	changed := false
	for name, a := range schema {
		if _, ok := given[name]; !ok && len(a.Default) > 0 && string(a.Default) != "null" {
			given[name], changed = a.Default, true
		}
	}
	if !changed {
		return args, nil
	}
	out, err := json.Marshal(given)
	if err != nil {
		return nil, fmt.Errorf("encode args: %w", err)
	}
	return out, nil
}

// isObject reports whether a JSON document is an object.
func isObject(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(raw, &members) == nil
}
