package js

import (
	"fmt"
	"math"
	"strings"

	"github.com/millrace/millrace/jsonata"
)

// ObjectText is what JavaScript makes of an object that is used as text.
const ObjectText = "[object Object]"

// Text converts a value to text as JavaScript's String() does: array items are joined by commas, null and
// undefined items are empty, objects have no text of their own.
func Text(v jsonata.Value) string {
	switch v := v.(type) {
	case nil:
		return "undefined"
	case jsonata.Null:
		return "null"
	case string:
		return v
	case *jsonata.Array:
		return Join(v.Items(), ",")
	}
	return scalarText(v)
}

// Join joins the texts of items; null and undefined are empty.
func Join(items []jsonata.Value, separator string) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 {
			b.WriteString(separator)
		}
		if !IsNullish(item) {
			b.WriteString(Text(item))
		}
	}
	return pairHalves(b.String())
}

// LodashText converts a value as lodash's toString does, which differs from String() inside arrays and in
// negative zero.
func LodashText(v jsonata.Value) string {
	switch v := v.(type) {
	case float64:
		if v == 0 && math.Signbit(v) {
			return "-0"
		}
	case *jsonata.Array:
		texts := make([]string, v.Len())
		for i, item := range v.Items() {
			texts[i] = LodashText(item)
		}
		return strings.Join(texts, ",")
	}
	return Text(v)
}

// scalarText converts everything that is neither text, null, undefined nor an array.
func scalarText(v jsonata.Value) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "true"
		}
		return "false"
	case float64:
		return jsonata.FormatNumber(v)
	case jsonata.Host:
		if s, ok := v.(fmt.Stringer); ok {
			return s.String()
		}
	}
	return ObjectText
}

// Number converts a value as JavaScript's Number() does.
func Number(v jsonata.Value) float64 {
	switch v := v.(type) {
	case nil:
		return math.NaN()
	case jsonata.Null:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		return v
	case jsonata.Host:
		return hostNumber(v)
	}
	return ParseNumber(Text(v))
}

// hostNumber is the number behind a host object: a date-time counts in milliseconds.
func hostNumber(h jsonata.Host) float64 {
	if n, ok := h.(interface{ Number() float64 }); ok {
		return n.Number()
	}
	return math.NaN()
}

// Integer is lodash's toInteger: not a number is 0, a fraction is cut off.
func Integer(v jsonata.Value) float64 {
	f := Number(v)
	if math.IsNaN(f) {
		return 0
	}
	return math.Trunc(f)
}

// IsTrue is JavaScript's idea of true: empty arrays and objects are.
func IsTrue(v jsonata.Value) bool {
	switch v := v.(type) {
	case nil, jsonata.Null:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && !math.IsNaN(v)
	case string:
		return v != ""
	}
	return true
}

// IsNullish reports whether v is undefined or null.
func IsNullish(v jsonata.Value) bool {
	switch v.(type) {
	case nil, jsonata.Null:
		return true
	}
	return false
}

// IsComposite reports whether JavaScript's typeof says "object" for a value that is not null.
func IsComposite(v jsonata.Value) bool {
	switch v.(type) {
	case *jsonata.Array, *jsonata.Object, *jsonata.Function, jsonata.Host:
		return true
	}
	return false
}

// List returns the items of an array, or the value itself as the only item.
func List(v jsonata.Value) []jsonata.Value {
	if a, ok := v.(*jsonata.Array); ok {
		return a.Items()
	}
	return []jsonata.Value{v}
}
