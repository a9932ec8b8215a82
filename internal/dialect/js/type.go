package js

import "github.com/millrace/millrace/jsonata"

// TypeOf is JavaScript's typeof.
func TypeOf(v jsonata.Value) string {
	switch v.(type) {
	case nil:
		return "undefined"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case *jsonata.Function:
		return "function"
	}
	return "object"
}

// TypeName names the type of a value for messages.
func TypeName(v jsonata.Value) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case jsonata.Null:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string:
		return "text"
	case *jsonata.Array:
		return "an array"
	case *jsonata.Function:
		return "a function"
	}
	return "an object"
}
