package jsonata_test

import (
	"testing"

	"github.com/millrace/millrace/jsonata"
)

// TestDecodedOrNot evaluates on JSON what depends on the document as a whole.
func TestDecodedOrNot(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`$eval("$$.a.b")`:    `1`,
		`$eval("$$", 5).a`:   `{"b":1}`,
		`a in a`:             `true`,
		`a in [a, 1]`:        `true`,
		`($x := a; $x in a)`: `true`,
		`a.b in [1, 2]`:      `true`,
	} {
		v, err := eval(t, src, jsonata.Input{JSON: []byte(`{"a": {"b": 1}}`)})
		if err != nil || string(show(t, v)) != want {
			t.Errorf("%s: got %s, error %v, want %s", src, show(t, v), err, want)
		}
	}
}
