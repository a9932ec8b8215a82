package fetch

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
)

func formJSON(fields string) json.RawMessage {
	return json.RawMessage(`{"base_url":"https://api.test","resources":{"projects":{"list":{"path":"/p"},"search":{"path":"/s","method":"post"}}},
"actions":{"post_connect_user_form":{"steps":[{"type":"form","config":{"fields":` + fields + `}}]}}}`)
}

// TestWrongForms: every mistake in a form is found where it stands, and a stored config works but for its form.
func TestWrongForms(t *testing.T) {
	t.Parallel()
	const source = `"data_source":{"resource":"projects"}`
	for _, c := range []struct {
		fields string
		want   []string // below config.actions.post_connect_user_form.steps[0].config
	}{
		{`[]`, []string{"fields: must have fields"}},
		{`{}`, []string{"fields: must be an array", "fields: must have fields"}},
		{`["a"]`, []string{"fields[0]: must be an object", "fields[0].name: Required string is missing"}},
		{`[{"name":"a","type":"single_selekt"}]`, []string{`fields[0].type: "single_selekt" is not one of text, password, number, checkbox, boolean, single_select, multi_select, hidden; did you mean "single_select"?`}},
		{`[{"name":"a","requierd":true}]`, []string{`fields[0].requierd: unknown key; did you mean "required"?`}},
		{`[{"name":"a b"},{"name":"oauth"}]`, []string{"fields[0].name: must be a name of letters, digits, _ and -, at most 100", "fields[1].name: oauth has a meaning of its own; choose another name"}},
		{`[{"name":"a"},{"name":"a"}]`, []string{"fields[1].name: there is a field of this name already"}},
		{`[{"name":"a","type":"single_select"}]`, []string{"fields[0].options: must list the options, or name a data_source"}},
		{`[{"name":"a","type":"single_select","options":[{"valeu":"x"}]}]`, []string{
			`fields[0].options[0].valeu: unknown key; did you mean "value"?`, "fields[0].options[0]: must be a text, a number or a boolean, or have one as its value",
			"fields[0].options: must list the options, or name a data_source",
		}},
		{`[{"name":"a","type":"multi_select","data_source":{"resource":"project"}}]`, []string{`fields[0].data_source.resource: the integration has no resource "project"; did you mean "projects"?`}},
		{`[{"name":"a","type":"multi_select","data_source":{"resource":"projects","method":"lisst"}}]`, []string{`fields[0].data_source.method: the integration has no method "lisst"; did you mean "list"?`}},
		{`[{"name":"a","type":"multi_select","data_source":{"type":"unified","resource":"projects"}}]`, []string{"fields[0].data_source.type: there are no unified models here; use proxy with a resource of the integration"}},
		{`[{"name":"a","type":"multi_select","data_source":{"resuorce":"projects"}}]`, []string{`fields[0].data_source.resuorce: unknown key; did you mean "resource"?`, "fields[0].data_source.resource: Required string is missing"}},
		{`[{"name":"a","type":"multi_select",` + source + `,"options":{"label":"name"}}]`, []string{"fields[0].options.value: Required string is missing"}},
		{`[{"name":"team","type":"text"},{"name":"a","type":"multi_select","depends_on":["taem"],` + source + `}]`, []string{`fields[1].depends_on[0]: there is no field "taem" before this one; did you mean "team"?`}},
		{`[{"name":"a","type":"text","depends_on":["a"]}]`, []string{`fields[0].depends_on[0]: there is no field "a" before this one`}},
		{`[{"name":"a","validation_expression":"value ="}]`, []string{"fields[0].validation_expression: the expression ends too early"}},
	} {
		raw := formJSON(c.fields)
		_, err := config.Parse(raw)
		var got []string
		if known, ok := errors.AsType[*millrace.Error](err); ok {
			for _, f := range known.Failures {
				line := f.Path[len("config.actions.post_connect_user_form.steps[0].config."):] + ": " + f.Message
				got = append(got, line)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.fields, diff)
		}
		loaded, err := config.Load(raw)
		if err != nil {
			t.Errorf("%s: as a stored config: %v", c.fields, err)
			continue
		}
		if forms := loaded.Forms(); len(forms) != 1 || forms[0].Form.Wrong == nil {
			t.Errorf("%s: as a stored config the form is not marked as wrong", c.fields)
		}
	}
}

func TestAForm(t *testing.T) {
	t.Parallel()
	raw := formJSON(`[{"name":"workspace","type":"single_select","required":true,"data_source":{"type":"proxy","resource":"projects","method":"list"},"options":{"value":"id","label":"name","subText":"id"}},
{"name":"kind","type":"boolean","default":true},
{"name":"projects","type":"multi_select","depends_on":["workspace"],"disabled_text":"First the workspace","data_source":{"resource":"projects","method":"search","body":{"team":"{{workspace}}","q":"{{search}}","kind":"{{kind}}"}}}]`)
	c, err := config.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	forms := c.Forms()
	if len(forms) != 1 || forms[0].Form.Wrong != nil || len(forms[0].Form.Fields) != 3 {
		t.Fatalf("got the forms %+v", forms)
	}
	fields := forms[0].Form.Fields
	if fields[1].Type != config.FieldCheckbox || fields[0].Source.Searches || !fields[2].Source.Searches {
		t.Errorf("got the fields %+v", fields)
	}
	if diff := cmp.Diff([]string{"workspace", "kind"}, fields[2].Inputs); diff != "" {
		t.Errorf("the list follows from: %s", diff)
	}
	if diff := cmp.Diff([]string{"id", "name", "id"}, []string{fields[0].Source.Value, fields[0].Source.Label, fields[0].Source.SubText}); diff != "" {
		t.Errorf("the paths: %s", diff)
	}
	if warnings := config.Warn(raw); len(warnings) != 0 {
		t.Errorf("it warns of %v", warnings)
	}
	other := json.RawMessage(`{"actions":{"post_connect_user_form":{"steps":[{"type":"transform","config":"1"},{"type":"form","config":{"fields":[{"name":"a","options":["b"]}]}}]}}}`)
	if warnings := config.Warn(other); len(warnings) != 2 {
		t.Errorf("it warns of %v, want of the step and of the options", warnings)
	}
}
