package expr

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/dialect"
	"github.com/millrace/millrace/jsonata"
)

// The types of the language, so that callers need not import it.
type (
	// Value is any value: nil is undefined, Null is null, then bool, float64, string, *Array and *Object.
	Value = jsonata.Value
	// Null is JSON null.
	Null = jsonata.Null
	// Array is a JSON array.
	Array = jsonata.Array
	// Object is a JSON object that keeps the order of its members.
	Object = jsonata.Object
	// Error is an error in an expression with its code and the place in the source.
	Error = jsonata.Error
	// Limits bound one evaluation.
	Limits = jsonata.Limits
	// Input is what an evaluation works on.
	Input = jsonata.Input
)

// ParseJSON decodes a document for use as a scope or a template.
func ParseJSON(data []byte) (Value, error) {
	v, err := jsonata.FromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("decode json: %w", err)
	}
	return v, nil
}

// EncodeJSON encodes a value. Undefined gives no bytes at all, since JSON has no word for it.
func EncodeJSON(v Value) ([]byte, error) {
	data, err := jsonata.ToJSON(v)
	if err != nil {
		return nil, fmt.Errorf("encode json: %w", err)
	}
	return data, nil
}

// NewDate makes a value of the scope that behaves like a JavaScript date: it serialises as ISO text in UTC with milliseconds, and has
// methods such as toISOString() and getTime().
func NewDate(t time.Time) Value { return dialect.NewDate(t) }
