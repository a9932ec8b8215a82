package plan

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// ArgSchema describes one argument of a job's runs.
type ArgSchema struct {
	Name     string
	about    string   // its description
	types    []string // any of them; empty: any type
	Format   string
	required bool
	fallback jsonata.Value // nil: none
	choices  []jsonata.Value
}

// argTypes are the types that an argument may have.
func argTypes() []string {
	return []string{"string", "number", "integer", "boolean", "object", "array", "null"}
}

// ReadArgsSchema reads both published shapes: a JSON schema with properties, and a flat object of arguments. The schema
// is usable only if nothing is found.
func ReadArgsSchema(raw json.RawMessage, found *Findings) []ArgSchema {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	const path = "args_schema"
	v, err := jsonata.FromJSON(raw)
	members, ok := v.(*jsonata.Object)
	if err != nil || !ok {
		found.At(path, "must be an object")
		return nil
	}
	if !isJSONSchema(members) {
		return readArguments(members, path, nil, found)
	}
	properties, ok := expr.Member(members, "properties").(*jsonata.Object)
	if !ok {
		if expr.Member(members, "properties") != nil {
			found.At(path+".properties", "must be an object")
		}
		properties = jsonata.NewObject(0)
	}
	return readArguments(properties, path+".properties", readRequired(members, properties, path, found), found)
}

// isJSONSchema tells a JSON schema from a flat object of arguments, one of which may be called type or properties: there
// the type is a word.
func isJSONSchema(members *jsonata.Object) bool {
	_, ok := expr.Member(members, "type").(string)
	return ok
}

// readRequired reads the list of names that a JSON schema has beside its properties.
func readRequired(members, properties *jsonata.Object, path string, found *Findings) []string {
	if kind := expr.Member(members, "type"); kind != "object" {
		found.At(path+".type", "must be object: the arguments of a run are one")
	}
	v := expr.Member(members, "required")
	list, ok := v.(*jsonata.Array)
	if !ok {
		if v != nil {
			found.At(path+".required", "must be a list of names")
		}
		return nil
	}
	var names []string
	for _, item := range list.Items() {
		name, ok := item.(string)
		if _, known := properties.Get(name); !ok || !known {
			found.At(path+".required", "%s is not the name of a property", expr.Brief(item))
			continue
		}
		names = append(names, name)
	}
	return names
}

func readArguments(members *jsonata.Object, path string, required []string, found *Findings) []ArgSchema {
	out := make([]ArgSchema, 0, members.Len())
	for name, member := range members.All() {
		at := path + "." + name
		object, ok := member.(*jsonata.Object)
		if !ok {
			found.At(at, "must be an object that describes the argument")
			continue
		}
		a := ArgSchema{Name: name, required: slices.Contains(required, name)}
		a.about, _ = expr.Member(object, "description").(string)
		a.readType(object, at, found)
		a.readFormat(object, at, found)
		a.readRequired(object, at, found)
		a.readValues(object, at, found)
		out = append(out, a)
	}
	return out
}

func (a *ArgSchema) readType(object *jsonata.Object, at string, found *Findings) {
	var types []jsonata.Value
	switch v := expr.Member(object, "type").(type) {
	case nil:
	case *jsonata.Array:
		types = v.Items()
	default:
		types = []jsonata.Value{v}
	}
	for _, t := range types {
		name, _ := t.(string)
		if !slices.Contains(argTypes(), name) {
			found.unknown(at+".type", expr.Brief(t)+" is none of "+strings.Join(argTypes(), ", "), name, argTypes())
			continue
		}
		a.types = append(a.types, name)
	}
}

func (a *ArgSchema) readFormat(object *jsonata.Object, at string, found *Findings) {
	v := expr.Member(object, "format")
	format, ok := v.(string)
	if v != nil && !ok {
		found.At(at+".format", "must be the name of a format")
		return
	}
	a.Format = format
	if !slices.Contains(formatNames(), format) && millrace.Nearest(format, formatNames()) != "" { // others only describe
		found.unknown(at+".format", "unknown format "+quote(format), format, formatNames())
	}
}

func (a *ArgSchema) readRequired(object *jsonata.Object, at string, found *Findings) {
	switch v := expr.Member(object, "required").(type) {
	case nil:
	case bool:
		a.required = v
	case *jsonata.Array: // of a JSON schema, about the members of the argument
	default:
		found.At(at+".required", "must be true or false")
	}
}

// readValues reads what an argument is when it is not given, and what it may be.
func (a *ArgSchema) readValues(object *jsonata.Object, at string, found *Findings) {
	switch v := expr.Member(object, "enum").(type) {
	case nil:
	case *jsonata.Array:
		a.choices = v.Items()
	default:
		found.At(at+".enum", "must be a list of values")
	}
	a.fallback = expr.Member(object, "default")
	if a.fallback == nil {
		return
	}
	if message := a.check(a.fallback); message != "" {
		found.At(at+".default", "%s", message)
	}
}

// Field is an argument as a form asks for it.
type Field struct {
	Name, About string
	Types       []string // any of them; empty: any type
	Format      string
	Required    bool
	Default     json.RawMessage   // nil: none
	Choices     []json.RawMessage // empty: any value
}

// Fields returns the arguments of a schema, as far as it can be read.
func Fields(raw json.RawMessage) []Field {
	var out []Field
	for _, a := range ReadArgsSchema(raw, new(Findings)) {
		f := Field{Name: a.Name, About: a.about, Types: a.types, Format: a.Format, Required: a.required}
		if a.fallback != nil {
			f.Default, _ = jsonata.ToJSON(a.fallback) // it came from JSON
		}
		for _, c := range a.choices {
			text, _ := jsonata.ToJSON(c)
			f.Choices = append(f.Choices, text)
		}
		out = append(out, f)
	}
	return out
}

// WithDefaults returns args with the defaults of the schema for what is missing.
func WithDefaults(args *jsonata.Object, schema []ArgSchema) *jsonata.Object {
	out := args
	for _, a := range schema {
		if _, given := args.Get(a.Name); given || a.fallback == nil {
			continue
		}
		if out == args {
			out = expr.CopyObject(args, len(schema))
		}
		out.Set(a.Name, a.fallback)
	}
	return out
}

// CheckArgs compares the arguments of a run with the job's schema.
func CheckArgs(args *jsonata.Object, schema []ArgSchema, found *Findings) {
	for _, a := range schema {
		v := expr.Member(args, a.Name)
		switch {
		case v == nil && a.required:
			found.At("args."+a.Name, "is required")
		case v != nil:
			if message := a.check(v); message != "" {
				found.At("args."+a.Name, "%s", message)
			}
		}
	}
}
