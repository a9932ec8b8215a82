package jsonata

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// FromGo converts a Go value. Values of this package stay unchanged, nil
// becomes null, and what is neither a basic type nor a map or slice of any goes
// through its JSON encoding. Members of a map come in the order of their keys. It
// fails for what JSON cannot hold, and for values that contain themselves or nest
// deeper than 10,000 levels.
func FromGo(v any) (Value, error) { return fromGo(v, 0) }

func fromGo(v any, depth int) (Value, error) {
	if depth > maxNesting {
		return nil, errNesting
	}
	switch v := v.(type) {
	case nil:
		return Null{}, nil
	case Null, bool, string, float64, *Array, *Object, *Function, Host:
		return v, nil
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case json.RawMessage:
		return FromJSON(v)
	case []any:
		return fromSlice(v, depth)
	case map[string]any:
		return fromMap(v, depth)
	}
	if err := bounded(reflect.ValueOf(v), 0); err != nil {
		return nil, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return FromJSON(data)
}

var errNesting = fmt.Errorf("a value nests deeper than %d levels, or contains itself", maxNesting)

// bounded fails for values that are too deep for encoding/json, which would use up the stack.
func bounded(v reflect.Value, depth int) error {
	if depth > maxNesting {
		return errNesting
	}
	if !v.IsValid() || encodesItself(v.Type()) {
		return nil
	}
	switch v.Kind() { //nolint:exhaustive // the other kinds contain nothing
	case reflect.Pointer, reflect.Interface:
		return bounded(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := bounded(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := bounded(it.Value(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous {
				continue
			}
			if err := bounded(v.Field(i), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// encodesItself tells whether encoding/json calls a method of the type, or the type holds nothing that nests.
func encodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return true
	}
	for _, m := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(m) || t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}

func fromSlice(list []any, depth int) (Value, error) {
	out := &Array{items: make([]Value, len(list))}
	for i, item := range list {
		v, err := fromGo(item, depth+1)
		if err != nil {
			return nil, err
		}
		out.items[i] = v
	}
	return out, nil
}

func fromMap(m map[string]any, depth int) (Value, error) {
	b := newBuilder(len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v, err := fromGo(m[key], depth+1)
		if err != nil {
			return nil, err
		}
		b.set(key, v)
	}
	return b.object(), nil
}

// isValue tells whether a value is one of this package, as nearly all are.
func isValue(v Value) bool {
	switch v := v.(type) {
	case nil, string, float64, bool, Null, *tuple, *rawDoc:
		return true
	case *Array:
		return v != nil
	case *Object:
		return v != nil
	case *Function:
		return v != nil
	case Host:
		return true
	}
	return false
}

// converted returns a value that comes from outside as one of this package.
func converted(v Value) (Value, error) {
	if isValue(v) {
		return v, nil
	}
	switch v.(type) {
	case *Array, *Object, *Function: // nil pointers
		return nil, nil
	}
	out, err := FromGo(v)
	if err != nil {
		return nil, &Error{Code: CodeHost, Message: fmt.Sprintf("a Go value of type %T is no value of expressions: %v", v, err), cause: err}
	}
	return out, nil
}

// plain converts a value where that is possible. What is not converted is an error when it is encoded.
func plain(v Value) Value {
	if isValue(v) {
		return v
	}
	if out, err := converted(v); err == nil {
		return out
	}
	return v
}

// stored converts an item of an array or a member of an object, unless it has a type of its own that may mean something to
// the caller.
func stored(v Value) Value {
	if isValue(v) {
		return v
	}
	switch v.(type) {
	case *Array, *Object, *Function: // nil pointers
		return nil
	}
	if common(reflect.TypeOf(v), 0) {
		return plain(v)
	}
	return v
}

// common tells whether values of a type are numbers, texts, or lists and maps of them.
func common(t reflect.Type, depth int) bool {
	const deepest = 8
	switch t.Kind() { //nolint:exhaustive // the other kinds are not
	case reflect.Slice, reflect.Array, reflect.Map:
		return depth < deepest && common(t.Elem(), depth+1)
	case reflect.Interface:
		return t.NumMethod() == 0
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64 || t.Kind() == reflect.String
}

// memberOf returns a member of a host object.
func memberOf(h Host, name string) Value {
	v, _ := h.Member(name)
	return plain(v)
}

// serialised returns what a host object looks like when it is serialised.
func serialised(h Host) Value { return plain(h.JSON()) }

// MarshalJSON returns what [ToJSON] does.
func (o *Object) MarshalJSON() ([]byte, error) { return ToJSON(o) }

// MarshalJSON returns what [ToJSON] does.
func (a *Array) MarshalJSON() ([]byte, error) { return ToJSON(a) }

// MarshalJSON returns null.
func (Null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// ToGo converts a value to what encoding/json decodes into: nil, bool, float64,
// string, []any and map[string]any. Undefined and null both become nil, and a
// function becomes nil. What [FromGo] rejects stays unchanged.
func ToGo(v Value) any { return toGo(v, maxNesting) }

func toGo(v Value, depth int) any {
	if depth == 0 {
		return nil
	}
	switch v := v.(type) {
	case bool, string, float64:
		return v
	case *Array:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = toGo(v.At(i), depth-1)
		}
		return out
	case *Object:
		out := make(map[string]any, v.Len())
		for key, m := range v.All() {
			if m != nil {
				out[key] = toGo(m, depth-1)
			}
		}
		return out
	case Host:
		return toGo(serialised(v), depth-1)
	case nil, Null, *Function:
		return nil
	}
	if out, err := converted(v); err == nil {
		return toGo(out, depth-1)
	}
	return v
}
