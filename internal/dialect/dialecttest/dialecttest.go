// Package dialecttest reads and compares values in tests.
package dialecttest

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/millrace/millrace/jsonata"
)

// Plain turns a value into what encoding/json would decode from its serialised form, so that results compare without
// regard to the order of members. Undefined members vanish, undefined items are null.
func Plain(v jsonata.Value) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return v + 0 // negative zero is serialised as zero
	case bool, string:
		return v
	case *jsonata.Array:
		out := make([]any, 0, v.Len())
		for _, item := range v.Items() {
			out = append(out, Plain(item))
		}
		return out
	case *jsonata.Object:
		out := make(map[string]any)
		for key, member := range v.All() {
			if member == nil {
				continue
			}
			if _, isFunction := member.(*jsonata.Function); !isFunction {
				out[key] = Plain(member)
			}
		}
		return out
	case jsonata.Host:
		return Plain(v.JSON())
	}
	return nil
}

// ReadLines decodes a JSON Lines file.
func ReadLines[T any](t *testing.T, path string) []T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	for line := range bytes.Lines(data) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s line %d: %v", path, len(out)+1, err)
		}
		out = append(out, v)
	}
	return out
}

// Decode decodes JSON; nothing at all is undefined.
func Decode(t *testing.T, raw json.RawMessage) jsonata.Value {
	t.Helper()
	if len(raw) == 0 {
		return nil
	}
	v, err := jsonata.FromJSON(raw)
	if err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
	return v
}

// DecodeText decodes JSON text; unlike encoding/json it keeps halves of surrogate pairs.
func DecodeText(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	text, ok := Decode(t, raw).(string)
	if !ok {
		t.Fatalf("%s is not text", raw)
	}
	return text
}
