package expr

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace/millrace/internal/dialect/dialecttest"
	"github.com/millrace/millrace/jsonata"
)

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
		for i, vector := range dialecttest.ReadLines[placeholderVector](t, path) {
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
	got, err := render(dialecttest.Decode(t, vector.Template), dialecttest.Decode(t, vector.Context))
	switch {
	case vector.Error != "":
		if err == nil {
			t.Errorf("%s: got %v, want error %q", vector.Template, dialecttest.Plain(got), vector.Error)
		}
	case err != nil:
		t.Errorf("%s: got error %v, want %s", vector.Template, err, vector.Result)
	case vector.Undefined:
		if got != nil {
			t.Errorf("%s: got %v, want undefined", vector.Template, dialecttest.Plain(got))
		}
	default:
		want := dialecttest.Plain(dialecttest.Decode(t, vector.Result))
		if got == nil {
			t.Errorf("%s: got undefined, want %s", vector.Template, vector.Result)
		}
		if diff := cmp.Diff(want, dialecttest.Plain(got)); diff != "" {
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
