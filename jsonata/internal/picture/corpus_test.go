package picture_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"testing"

	"github.com/millrace/millrace/jsonata/internal/picture"
)

// corpus lets a longer run of testdata/generate.js be checked.
var corpus = flag.String("corpus", "testdata/corpus.jsonl", "results of the reference implementation")

// now is what the generator gave the reference as the current time.
const now = 1542196800123

// TestCorpus compares with results of npm jsonata 2.2.2 under TZ=UTC.
func TestCorpus(t *testing.T) {
	t.Parallel()
	file, err := os.Open(*corpus)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines, failures := bufio.NewScanner(file), 0
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		var c [4]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		got, kind := call(t, c[0], c[1])
		if want := string(c[3]); kind != unquote(t, c[2]) || kind != "host" && !sameJSON(t, got, want) {
			if failures++; failures <= 50 {
				t.Errorf("line %d: %s%s: got %s %s, want %s %s", n, c[0], c[1], kind, got, c[2], want)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if failures > 0 {
		t.Errorf("%d failures in all", failures)
	}
}

func unquote(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func sameJSON(t *testing.T, got, want string) bool {
	t.Helper()
	var g, w any
	if json.Unmarshal([]byte(got), &g) != nil || json.Unmarshal([]byte(want), &w) != nil {
		return false
	}
	return g == w
}

// call runs one case and returns its result as JSON and its kind: value, NaN,
// undefined, code or host.
func call(t *testing.T, name, rawArgs json.RawMessage) (string, string) {
	t.Helper()
	var args []any
	if err := json.Unmarshal(rawArgs, &args); err != nil {
		t.Fatal(err)
	}
	args = append(args, nil, nil, nil)
	value, defined, err := apply(unquote(t, name), args)
	var coded *picture.Error
	switch {
	case errors.As(err, &coded):
		return `"` + coded.Code + `"`, "code"
	case err != nil:
		return `"` + err.Error() + `"`, "host"
	case !defined:
		return "null", "undefined"
	}
	if f, ok := value.(float64); ok && math.IsNaN(f) {
		return "null", "NaN"
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), "value"
}

func apply(name string, args []any) (any, bool, error) {
	number := func(i int) float64 { f, _ := args[i].(float64); return f }
	text := func(i int) string { s, _ := args[i].(string); return s }
	optional := func(i int) *string {
		if s, ok := args[i].(string); ok {
			return &s
		}
		return nil
	}
	var value any
	var err error
	defined := true
	switch name {
	case "formatNumber":
		var options map[string]string
		if given, ok := args[2].(map[string]any); ok {
			options = make(map[string]string)
			for k, v := range given {
				options[k], _ = v.(string)
			}
		}
		value, err = picture.FormatNumber(number(0), text(1), options)
	case "formatBase":
		radix := 10.0
		if args[1] != nil {
			radix = number(1)
		}
		value, err = picture.FormatBase(number(0), radix)
	case "formatInteger":
		value, err = picture.FormatInteger(number(0), text(1))
	case "parseInteger":
		value, err = picture.ParseInteger(text(0), text(1))
	case "fromMillis":
		value, err = picture.FromMillis(number(0), optional(1), optional(2))
	case "toMillis":
		value, defined, err = picture.ToMillis(text(0), optional(1), now)
	}
	return value, defined, err
}
