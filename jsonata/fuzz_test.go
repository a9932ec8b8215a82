package jsonata_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata"
)

// seedExprs returns expressions that cover the whole language.
func seedExprs(tb testing.TB) []string {
	tb.Helper()
	data, err := os.ReadFile("testdata/differential.txt")
	if err != nil {
		tb.Fatal(err)
	}
	return append(strings.Split(string(data), "\n"), runIf, stepConfig, transform)
}

// FuzzParse compiles anything and analyses what compiles.
func FuzzParse(f *testing.F) {
	for _, src := range seedExprs(f) {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		program, err := jsonata.Compile(src)
		if err != nil {
			checkError(t, src, err)
			return
		}
		jsonata.Analyze(t.Context(), program)
	})
}

// FuzzEval evaluates anything on any document, within small limits.
func FuzzEval(f *testing.F) {
	for _, src := range seedExprs(f) {
		f.Add(src, diffData)
	}
	f.Add(`**`, `[[[[]]]]`)
	f.Add(`$`, `"\ud800"`)
	f.Fuzz(func(t *testing.T, src, doc string) {
		program, err := jsonata.Compile(src)
		if err != nil {
			return
		}
		data, err := jsonata.FromJSON([]byte(doc))
		if err != nil {
			data = nil
		}
		before := encode(t, data)
		v, err := program.Eval(t.Context(), jsonata.Input{Data: data, Limits: jsonata.Limits{
			Steps: 20_000, Depth: 200, Output: 1 << 18, Timeout: 5 * time.Second,
		}})
		if err != nil {
			checkError(t, src, err)
			return
		}
		out := encode(t, v)
		if len(out) > 4<<18 {
			t.Errorf("%s: the result has %d bytes", src, len(out))
		}
		if len(out) > 0 {
			if _, err := jsonata.FromJSON(out); err != nil {
				t.Errorf("%s: the result is not JSON: %v", src, err)
			}
		}
		if after := encode(t, data); string(before) != string(after) {
			t.Errorf("%s changed its input", src)
		}
	})
}

func encode(t *testing.T, v jsonata.Value) []byte {
	t.Helper()
	data, err := jsonata.ToJSON(v)
	if err != nil {
		var e *jsonata.Error
		if errors.As(err, &e) && e.IsLimit() {
			return nil
		}
		t.Fatal(err)
	}
	return data
}

func checkError(t *testing.T, src string, err error) {
	t.Helper()
	var e *jsonata.Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: error %v of type %T", src, err, err)
	}
	if e.Code == "" || e.Message == "" || e.Code == jsonata.CodeInternal || strings.Contains(e.Error(), "\n") {
		t.Fatalf("%q: error %v", src, err)
	}
	_ = e.Caret(src)
}

// FuzzFromJSON checks that documents survive decoding and encoding.
func FuzzFromJSON(f *testing.F) {
	for _, doc := range []string{diffData, accountJSON, `[1e999, -0, 1E-7, "\u00e9\ud83d\ude00"]`, `{"a":1,"a":2,"10":1,"9":2}`} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		v, err := jsonata.FromJSON([]byte(doc))
		if err != nil {
			return
		}
		once := encode(t, v)
		again, err := jsonata.FromJSON(once)
		if err != nil {
			t.Fatalf("%q: encoded as %q, which is not JSON: %v", doc, once, err)
		}
		if twice := encode(t, again); string(once) != string(twice) {
			t.Errorf("%q: encoded as %q and then as %q", doc, once, twice)
		}
	})
}
