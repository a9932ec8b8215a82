package expr

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// castValue converts what a placeholder found to the type it names. Null and host objects such as files pass
// through whatever the type; text is trimmed for every type but str. whole tells whether the placeholder is all
// of its text, since only then can the result be anything but text.
func castValue(v jsonata.Value, kind string, whole bool) (jsonata.Value, error) {
	if js.IsNullish(v) {
		return v, nil
	}
	if isOpaque(v) {
		return v, nil
	}
	if kind == "str" {
		return js.LodashText(v), nil
	}
	if s, ok := v.(string); ok {
		v = js.TrimSpace(s)
	}
	switch kind {
	case "any", "undefined", "ignore-empty-str":
		return v, nil
	case "null":
		if v == "null" {
			return jsonata.Null{}, nil
		}
		if !whole {
			return "null", nil
		}
		return v, nil
	case "int":
		return numberOr(js.ParseInt(js.Text(v)), v), nil
	case "num":
		return numberOr(js.ParseFloat(js.Text(v)), v), nil
	case "bool":
		return castBool(v), nil
	case "json":
		return castJSON(v, whole), nil
	}
	return nil, fmt.Errorf("unsupported type: %s", kind)
}

// isOpaque reports whether a host object is a blob or a stream, which has no text: it must reach its place
// unchanged even though the default type is str.
func isOpaque(v jsonata.Value) bool {
	h, ok := v.(jsonata.Host)
	if !ok {
		return false
	}
	_, hasText := h.(fmt.Stringer)
	return !hasText
}

func numberOr(f float64, v jsonata.Value) jsonata.Value {
	if math.IsNaN(f) {
		return v
	}
	return f
}

func castBool(v jsonata.Value) jsonata.Value {
	switch v {
	case "true":
		return true
	case "false":
		return false
	}
	return v
}

// castJSON parses text that is JSON. Other text, and everything inside a longer text, stays unchanged.
func castJSON(v jsonata.Value, whole bool) jsonata.Value {
	if _, composite := v.(*jsonata.Object); composite || !whole {
		return v
	}
	if _, composite := v.(*jsonata.Array); composite {
		return v
	}
	parsed, err := jsonata.FromJSON([]byte(js.Text(v)))
	if err != nil {
		return v
	}
	return parsed
}
