package jsonata

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// FromGo converts a Go value. Values of this package stay as they are, nil
// becomes null, and what is neither a basic type nor a map or slice of any goes
// through its JSON encoding. Members of a map come in the order of their keys.
func FromGo(v any) (Value, error) {
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
		return fromSlice(v)
	case map[string]any:
		return fromMap(v)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return FromJSON(data)
}

func fromSlice(list []any) (Value, error) {
	out := &Array{items: make([]Value, len(list))}
	for i, item := range list {
		v, err := FromGo(item)
		if err != nil {
			return nil, err
		}
		out.items[i] = v
	}
	return out, nil
}

func fromMap(m map[string]any) (Value, error) {
	b := newBuilder(len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v, err := FromGo(m[key])
		if err != nil {
			return nil, err
		}
		b.set(key, v)
	}
	return b.object(), nil
}

// MarshalJSON returns what [ToJSON] does.
func (o *Object) MarshalJSON() ([]byte, error) { return ToJSON(o) }

// MarshalJSON returns what [ToJSON] does.
func (a *Array) MarshalJSON() ([]byte, error) { return ToJSON(a) }

// MarshalJSON returns null.
func (Null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// ToGo converts a value to what encoding/json decodes into: nil, bool, float64,
// string, []any and map[string]any. Undefined and null both become nil, and a
// function becomes nil.
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
		return toGo(v.JSON(), depth-1)
	}
	return nil
}
