package expr

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace/millrace/internal/dialect/dialecttest"
	"github.com/millrace/millrace/jsonata"
)

func object(t *testing.T, src string) jsonata.Value {
	t.Helper()
	return dialecttest.Decode(t, json.RawMessage(src))
}

func TestTemplatePaths(t *testing.T) {
	t.Parallel()
	tmpl, err := ParseTemplate(object(t, `{
		"a": "{{context.plan:str|tenant_id}} and {{id}}",
		"b": ["{{ id :int}}", {"c": "{{steps.0.result.id?:none}}"}],
		"d": 1
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"context.plan", "tenant_id", "id", "steps.0.result.id"}
	if diff := cmp.Diff(want, tmpl.Paths()); diff != "" {
		t.Errorf("paths (-want +got)\n%s", diff)
	}
}

// What a placeholder yields is data: a provider must not be able to read the scope by sending placeholders.
func TestTemplateDoesNotRenderData(t *testing.T) {
	t.Parallel()
	scope := object(t, `{"secret": "s3cret", "body": {"note": "{{secret}}"}}`)
	got, err := render(object(t, `{"x": "{{body:any}}"}`), scope)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"x": map[string]any{"note": "{{secret}}"}}
	if diff := cmp.Diff(any(want), dialecttest.Plain(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTemplateOutputIsBounded(t *testing.T) {
	t.Parallel()
	scope := jsonata.NewObject(2)
	scope.Set("big", strings.Repeat("x", 1<<20))
	scope.Set("grow", strings.Repeat("$`", 1<<10))
	for name, text := range map[string]string{
		"text":     strings.Repeat("{{big}}-", 20),
		"dollars":  strings.Repeat("x", 1<<16) + "{{grow}}",
		"repeated": strings.Repeat("x", 1<<10) + strings.Repeat("{{grow}}", 1<<10),
	} {
		if _, err := render(text, scope); !errors.Is(err, ErrTemplateOutput) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrTemplateOutput)
		}
	}
	members := jsonata.NewObject(20)
	for key := range strings.SplitSeq("abcdefghijklmnopqrst", "") {
		members.Set(key, "{{big:any}}")
	}
	if _, err := render(members, scope); !errors.Is(err, ErrTemplateOutput) {
		t.Errorf("object: got error %v, want %v", err, ErrTemplateOutput)
	}
}

func TestRenderString(t *testing.T) {
	t.Parallel()
	scope := object(t, `{"n": 5, "list": [1, "b"], "nothing": null}`)
	for text, want := range map[string]string{
		"/items/{{n}}":          "/items/5",
		"{{n:int}}":             "5",
		"{{list:any}}":          "1,b",
		"{{nothing}}":           "",
		"{{missing:undefined}}": "",
		"{{missing}}":           "{{missing}}",
	} {
		got, err := RenderString(text, scope)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseTemplateRejects(t *testing.T) {
	t.Parallel()
	for _, src := range []string{`5`, `null`, `true`, `["a", 1]`, `"{{ }}"`, `{"a": "x {{:int}}"}`} {
		if _, err := ParseTemplate(object(t, src)); err == nil {
			t.Errorf("%s: got no error", src)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("{{a.b:int|c?:d:str}} x {{/r/}} $& {{e:null}}")
	f.Add("{{{a}}{{arr.-1:-2:any}}")
	scope := jsonata.NewObject(2)
	scope.Set("a", jsonata.NewArray(1.0, "x", jsonata.Null{}))
	scope.Set("c", "$'{{a}}")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := render(text, scope); err == nil {
			dialecttest.Plain(v)
		}
	})
}
