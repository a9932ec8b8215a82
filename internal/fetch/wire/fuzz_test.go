package wire

import (
	"testing"

	"github.com/millrace/millrace/internal/expr"
)

// FuzzXML checks that what is read can be written, and that nothing crashes.
func FuzzXML(f *testing.F) {
	for _, seed := range []string{`<a/>`, `<a b="1">x<c/>y</a>`, `<a><b>1</b><b>2</b></a>`, `<?xml version="1.0"?><s:a xmlns:s="u"/>`, `<a>&lt;</a>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		v, err := decodeXML([]byte(src))
		if err != nil {
			return
		}
		data, err := encodeXML(v, "")
		if err != nil {
			return
		}
		again, err := decodeXML(data)
		if err != nil {
			t.Fatalf("got %v for %s, written from %s", err, data, src)
		}
		before, _ := expr.EncodeJSON(v)
		after, _ := expr.EncodeJSON(again)
		if string(before) != string(after) {
			t.Errorf("got %s after writing, want %s", after, before)
		}
	})
}
