package document_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/document"
)

func TestWriteYAML(t *testing.T) {
	t.Parallel()
	const in = `{"label":"No","trigger_name":"integrated_account:active","empty":{},"none":[],"config":{"run_if":"integration.name = 'calcom'",` +
		`"steps":[{"type":"run","config":"(\n  $a := 1;\n\n  $a\n)\n","id":"{{integrated_account_id}}","count":-1.5,"deep":[[1,[2]],["x: y"]]},"text"]},"odd":" a\n b","true":true,"z":null}`
	const want = `label: "No"
trigger_name: integrated_account:active
empty: {}
none: []
config:
  run_if: integration.name = 'calcom'
  steps:
    - type: run
      config: |
        (
          $a := 1;

          $a
        )
      id: "{{integrated_account_id}}"
      count: -1.5
      deep:
        -
          - 1
          -
            - 2
        -
          - "x: y"
    - text
odd: " a\n b"
"true": true
z: null
`
	v, err := document.ParseJSON([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := document.WriteYAML(v)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("ok %v (-want +got):\n%s", ok, diff)
	}
	deep, err := document.ParseJSON([]byte(strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)))
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := document.WriteYAML(deep); !ok && text != "" {
		t.Errorf("what cannot be read back is returned: %q", text)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	v, err := document.ParseYAML([]byte("config:\n  steps:\n    - type: run\n      config: x\n"), 100)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]document.Position{
		"config.steps[0].config": {Line: 4, Column: 15}, "config.steps[0].nothing": {Line: 3, Column: 7}, "config.steps[7].config": {Line: 3, Column: 5}, "": {Line: 1, Column: 1},
	} {
		if got := document.Find(v, path).At; got != want {
			t.Errorf("%s is at %v, want %v", path, got, want)
		}
	}
}

// FuzzWriteYAML writes texts in every place; what is returned is read back as the same by WriteYAML itself, or not returned.
func FuzzWriteYAML(f *testing.F) {
	for _, s := range []string{"a", "a\nb", "|", "- x", "#", "a: b", "\ta\n b", "é\u2028", "0x1", "1e3", "~", "a #b", "*a", "&a", "!!str", "? a", "a\n\n\n", "=", "<<"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &document.Value{Kind: document.KindString, Text: text}
		v := &document.Value{Kind: document.KindObject, Members: []document.Member{{Key: "a" + text, Value: s}, {Key: "list", Value: &document.Value{Kind: document.KindArray, Items: []*document.Value{s, s}}}}}
		if out, ok := document.WriteYAML(v); ok == (out == "") {
			t.Errorf("%q is written as %q, %v", text, out, ok)
		}
	})
}
