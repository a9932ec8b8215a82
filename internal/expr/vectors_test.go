package expr

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace/millrace/jsonata"
)

// plain turns a value into what encoding/json would decode from its serialised form, so that results compare without
// regard to the order of members. Undefined members vanish, undefined items are null.
func plain(v jsonata.Value) any {
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
			out = append(out, plain(item))
		}
		return out
	case *jsonata.Object:
		out := make(map[string]any)
		for key, member := range v.All() {
			if member == nil {
				continue
			}
			if _, isFunction := member.(*jsonata.Function); !isFunction {
				out[key] = plain(member)
			}
		}
		return out
	case jsonata.Host:
		return plain(v.JSON())
	}
	return nil
}

// readLines decodes a JSON Lines file.
func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s line %d: %v", path, len(out)+1, err)
		}
		out = append(out, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func decode(t *testing.T, raw json.RawMessage) jsonata.Value {
	t.Helper()
	if len(raw) == 0 {
		return nil
	}
	v, err := parseJSON(string(raw))
	if err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
	return v
}

type placeholderVector struct {
	Name      string          `json:"name"`
	Template  json.RawMessage `json:"template"`
	Context   json.RawMessage `json:"context"`
	Result    json.RawMessage `json:"result"`
	Undefined bool            `json:"undefined"`
	Error     string          `json:"error"`
}

func TestPlaceholderVectors(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"testdata/placeholders.jsonl", "testdata/placeholders-more.jsonl"} {
		var context json.RawMessage // a line without one has that of the line before
		for i, vector := range readLines[placeholderVector](t, path) {
			if vector.Context == nil {
				vector.Context = context
			}
			context = vector.Context
			t.Run(vector.Name+"#"+strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				checkPlaceholder(t, vector)
			})
		}
	}
}

func checkPlaceholder(t *testing.T, vector placeholderVector) {
	t.Helper()
	got, err := render(decode(t, vector.Template), decode(t, vector.Context))
	switch {
	case vector.Error != "":
		if err == nil {
			t.Errorf("%s: got %v, want error %q", vector.Template, plain(got), vector.Error)
		}
	case err != nil:
		t.Errorf("%s: got error %v, want %s", vector.Template, err, vector.Result)
	case vector.Undefined:
		if got != nil {
			t.Errorf("%s: got %v, want undefined", vector.Template, plain(got))
		}
	default:
		var want any
		if err := json.Unmarshal(vector.Result, &want); err != nil {
			t.Fatal(err)
		}
		if got == nil {
			t.Errorf("%s: got undefined, want %s", vector.Template, vector.Result)
		}
		if diff := cmp.Diff(want, plain(got)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", vector.Template, diff)
		}
	}
}

func render(template, scope jsonata.Value) (jsonata.Value, error) {
	t, err := ParseTemplate(template)
	if err != nil {
		return nil, err
	}
	return t.Render(scope)
}
