package expr

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/jsonata"
)

// Text is how a value looks in a URL, a header or a form.
func Text(v Value) string {
	switch v := v.(type) {
	case nil, Null:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case float64:
		return jsonata.FormatNumber(v)
	case *Array:
		parts := make([]string, v.Len())
		for i, item := range v.Items() {
			parts[i] = Text(item)
		}
		return strings.Join(parts, ",")
	}
	data, err := EncodeJSON(v)
	if err != nil {
		return ""
	}
	return string(data)
}

// Get returns a member of an object, undefined for everything else.
func Get(v Value, key string) Value {
	if o, ok := v.(*Object); ok {
		member, _ := o.Get(key)
		return member
	}
	return nil
}

// Lookup follows a dotted path through objects and arrays: data.items.0.id, data.items[-1].id. Negative indexes
// count from the end. An empty path is the value itself.
func Lookup(v Value, path string) Value {
	if path == "" || path == "$" {
		return v
	}
	if o, ok := v.(*Object); ok { // a member whose name has dots in it
		if member, ok := o.Get(path); ok {
			return member
		}
	}
	path = strings.NewReplacer("[", ".", "]", "").Replace(strings.TrimPrefix(path, "$."))
	for key := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		switch parent := v.(type) {
		case *Object:
			v, _ = parent.Get(strings.Trim(key, "\"'`"))
		case *jsonata.Array:
			i, err := strconv.Atoi(key)
			if err != nil {
				return nil
			}
			if i < 0 {
				i += parent.Len()
			}
			v = parent.At(i)
		default:
			return nil
		}
	}
	return v
}

// Number reads a number, or a text that is one.
func Number(v Value) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}

// OrEmpty returns the object, an empty one for nil.
func OrEmpty(o *Object) *Object {
	if o == nil {
		return jsonata.NewObject(0)
	}
	return o
}
