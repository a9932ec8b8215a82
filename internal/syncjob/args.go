package syncjob

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// argSchema describes one argument of a job's runs.
type argSchema struct {
	name     string
	types    []string // any of them; empty: any type
	format   string
	required bool
	fallback jsonata.Value // nil: none
	choices  []jsonata.Value
}

// argTypes are the types that an argument may have.
func argTypes() []string {
	return []string{"string", "number", "integer", "boolean", "object", "array", "null"}
}

// readArgsSchema reads both published shapes: a JSON schema with properties, and a flat object of arguments. The schema
// is usable only if nothing is found.
func readArgsSchema(raw json.RawMessage, found *findings) []argSchema {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	const path = "args_schema"
	v, err := jsonata.FromJSON(raw)
	members, ok := v.(*jsonata.Object)
	if err != nil || !ok {
		found.at(path, "must be an object")
		return nil
	}
	if !isJSONSchema(members) {
		return readArguments(members, path, nil, found)
	}
	properties, ok := present(members, "properties").(*jsonata.Object)
	if !ok {
		if present(members, "properties") != nil {
			found.at(path+".properties", "must be an object")
		}
		properties = jsonata.NewObject(0)
	}
	return readArguments(properties, path+".properties", readRequired(members, properties, path, found), found)
}

// isJSONSchema tells a JSON schema from a flat object of arguments, one of which may be called type or properties: there
// the type is a word.
func isJSONSchema(members *jsonata.Object) bool {
	_, ok := present(members, "type").(string)
	return ok
}

// readRequired reads the list of names that a JSON schema has beside its properties.
func readRequired(members, properties *jsonata.Object, path string, found *findings) []string {
	if kind := present(members, "type"); kind != "object" {
		found.at(path+".type", "must be object: the arguments of a run are one")
	}
	v := present(members, "required")
	list, ok := v.(*jsonata.Array)
	if !ok {
		if v != nil {
			found.at(path+".required", "must be a list of names")
		}
		return nil
	}
	var names []string
	for _, item := range list.Items() {
		name, ok := item.(string)
		if _, known := properties.Get(name); !ok || !known {
			found.at(path+".required", "%s is not the name of a property", brief(item))
			continue
		}
		names = append(names, name)
	}
	return names
}

func readArguments(members *jsonata.Object, path string, required []string, found *findings) []argSchema {
	out := make([]argSchema, 0, members.Len())
	for name, member := range members.All() {
		at := path + "." + name
		object, ok := member.(*jsonata.Object)
		if !ok {
			found.at(at, "must be an object that describes the argument")
			continue
		}
		a := argSchema{name: name, required: slices.Contains(required, name)}
		a.readType(object, at, found)
		a.readFormat(object, at, found)
		a.readRequired(object, at, found)
		a.readValues(object, at, found)
		out = append(out, a)
	}
	return out
}

func (a *argSchema) readType(object *jsonata.Object, at string, found *findings) {
	var types []jsonata.Value
	switch v := present(object, "type").(type) {
	case nil:
	case *jsonata.Array:
		types = v.Items()
	default:
		types = []jsonata.Value{v}
	}
	for _, t := range types {
		name, _ := t.(string)
		if !slices.Contains(argTypes(), name) {
			found.add(millrace.Failure{
				Path: at + ".type", Message: brief(t) + " is none of " + strings.Join(argTypes(), ", "),
				Suggestion: millrace.Nearest(name, argTypes()),
			})
			continue
		}
		a.types = append(a.types, name)
	}
}

func (a *argSchema) readFormat(object *jsonata.Object, at string, found *findings) {
	v := present(object, "format")
	format, ok := v.(string)
	if v != nil && !ok {
		found.at(at+".format", "must be the name of a format")
		return
	}
	a.format = format
	if near := millrace.Nearest(format, formatNames()); near != "" && near != format && !slices.Contains(formatNames(), format) {
		found.add(millrace.Failure{Path: at + ".format", Message: "unknown format " + quote(format), Suggestion: near})
	}
}

func (a *argSchema) readRequired(object *jsonata.Object, at string, found *findings) {
	switch v := present(object, "required").(type) {
	case nil:
	case bool:
		a.required = v
	case *jsonata.Array: // of a JSON schema, about the members of the argument
	default:
		found.at(at+".required", "must be true or false")
	}
}

// readValues reads what an argument is when it is not given, and what it may be.
func (a *argSchema) readValues(object *jsonata.Object, at string, found *findings) {
	switch v := present(object, "enum").(type) {
	case nil:
	case *jsonata.Array:
		a.choices = v.Items()
	default:
		found.at(at+".enum", "must be a list of values")
	}
	a.fallback = present(object, "default")
	if a.fallback == nil {
		return
	}
	if message := a.check(a.fallback); message != "" {
		found.at(at+".default", "%s", message)
	}
}

// withDefaults returns args with the defaults of the schema for what is missing.
func withDefaults(args *jsonata.Object, schema []argSchema) *jsonata.Object {
	out := args
	for _, a := range schema {
		if _, given := args.Get(a.name); given || a.fallback == nil {
			continue
		}
		if out == args {
			out = copyObject(args, len(schema))
		}
		out.Set(a.name, a.fallback)
	}
	return out
}

// checkArgs compares the arguments of a run with the job's schema.
func checkArgs(args *jsonata.Object, schema []argSchema, found *findings) {
	for _, a := range schema {
		v := present(args, a.name)
		switch {
		case v == nil && a.required:
			found.at("args."+a.name, "is required")
		case v != nil:
			if message := a.check(v); message != "" {
				found.at("args."+a.name, "%s", message)
			}
		}
	}
}

// brief quotes the beginning of a value for a message.
func brief(v jsonata.Value) string {
	raw, err := jsonata.ToJSON(v)
	if err != nil || v == nil {
		return "nothing"
	}
	const most = 80
	if len(raw) > most {
		return strings.ToValidUTF8(string(raw[:most]), "") + "..."
	}
	return string(raw)
}
