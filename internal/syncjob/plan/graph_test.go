package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

func TestCheckFindsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	got := Check(json.RawMessage(`[
	  {"name":"a","type":"request","resource":"x","method":"list","depends_on":"tickets"},
	  {"name":"tickts","type":"requst","resource":"x","method":"list"},
	  {"name":"t","type":"transform","depends_on":"a","config":{"expression":"resources.x.{\n  \"a\": (1 + }"}},
	  {"name":"t","type":"spool","depends_on":"out"},
	  {"type":"request","method":"list","query":"1 +","recurse":{"config":1}},
	  {"name":"state","type":"get_state","config":{}},
	  {"name":"out","type":"destination","destination_type":"qdrant","resources_to_persist":["a","nothing"]},
	  {"name":"e","type":"event","config":{"name":"later"}},
	  {"name":"c","type":"request","resource":"x","method":"list","depends_on":"c","loop_on":7,"run_if":5},
	  7
	]`), 0, json.RawMessage(`[]`))
	want := []millrace.Failure{
		{Path: "resources[9]", Message: "must be an object"},
		{Path: "resources[1].type", Message: `unknown node type "requst"; did you mean "request"?`, Suggestion: "request"},
		{Path: "resources[4].name", Message: "is required: other nodes refer to it"},
		{Path: "resources[5].config.key", Message: "is required: the key of the entry"},
		{Path: "resources[2].config.expression", Code: "S0211"},
		{Path: "resources[3].name", Message: `another node is called "t", too`},
		{Path: "resources[4].resource", Message: "is required"},
		{Path: "resources[4].query", Code: "S0207"},
		{Path: "resources[4].recurse.if", Message: "is required: a template such as {{resources.folders.has_children:bool}}"},
		{Path: "resources[6].destination_type", Message: `unknown destination type "qdrant"; the one available is webhook`},
		{Path: "resources[7].config.name", Message: "must be one of start, complete, error"},
		{Path: "resources[8].run_if", Message: "must be a JSONata expression"},
		{Path: "resources[8].loop_on", Message: "must be the path of an array, such as args.user_ids"},
		{Path: "resources[0].depends_on", Message: `no node is called "tickets"; did you mean "tickts"?`, Suggestion: "tickts"},
		{Path: "resources[3].depends_on", Message: `"out" is a destination, which has no output`},
		{Path: "resources[8].depends_on", Message: "depends on itself: c -> c"},
		{Path: "args_schema", Message: "must be an object"},
	}
	byPath := cmpopts.SortSlices(func(a, b millrace.Failure) bool { return a.Path < b.Path })
	for i := range got {
		if got[i].Code != "" { // the wording and the place are the language's own
			if got[i].Line == 0 || got[i].Offset == nil || got[i].Message == "" {
				t.Errorf("%s: no message or place: %+v", got[i].Path, got[i])
			}
			got[i] = millrace.Failure{Path: got[i].Path, Code: got[i].Code}
		}
	}
	if diff := cmp.Diff(want, got, byPath); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for name, resources := range map[string]string{
		"nothing":   ``,
		"null":      `null`,
		"empty":     `[]`,
		"a list":    `[{"resource":"tickets","method":"list","query":{"a":{"gt":"{{previous_run_date}}"}}}]`,
		"a graph":   `[{"name":"tickets","type":"request","resource":"tickets","method":"list"},{"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["tickets"]}]`,
		"two reads": `[{"resource":"tickets","method":"list"},{"resource":"tickets","method":"get","depends_on":"tickets","id":"{{resources.tickets.id}}"}]`,
	} {
		if got := Check(json.RawMessage(resources), 0, nil); len(got) > 0 {
			t.Errorf("%s: got %v", name, got)
		}
	}
	longCycle := `[{"name":"a","type":"spool","depends_on":"c"},{"name":"b","type":"spool","depends_on":"a"},{"name":"c","type":"spool","depends_on":"b"},{"name":"d","type":"spool","depends_on":"a"}]`
	got := Check(json.RawMessage(longCycle), 0, nil)
	if len(got) != 1 || got[0].Message != "depends on itself: a -> c -> b -> a" {
		t.Errorf("a cycle of three: got %v", got)
	}
}

// TestTranslation shows which node graph a legacy list stands for.
func TestTranslation(t *testing.T) {
	t.Parallel()
	g, failures := Build(json.RawMessage(`[
	  {"resource":"ticketing/tickets","method":"list"},
	  {"resource":"ticketing/tickets","method":"get","depends_on":"ticketing/tickets","persist":false},
	  {"resource":"users","method":"list"},
	  {"name":"u","resource":"users","method":"get","depends_on":"users","persist":true},
	  {"type":"transform","name":"t","depends_on":"u","config":{"expression":"1"},"persist":true}
	]`), 2)
	if len(failures) > 0 {
		t.Fatal(failures)
	}
	var got []string
	for _, name := range []string{"ticketing/tickets", "ticketing/tickets (2)", "users", "u", "t"} {
		n := g.ByName[name]
		line := []string{name + " below " + n.parent.Name}
		for _, d := range n.Sinks {
			line = append(line, d.Name)
		}
		got = append(got, strings.Join(line, " -> "))
	}
	want := []string{
		"ticketing/tickets below  -> webhook", "ticketing/tickets (2) below ticketing/tickets -> webhook", "users below ",
		"u below users -> webhook", "t below u -> webhook",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}

func TestVersionDecidesTheShape(t *testing.T) {
	t.Parallel()
	list := `[{"resource":"tickets","method":"list"}]`
	if got := Check(json.RawMessage(list), 4, nil); len(got) != 1 || !strings.Contains(got[0].Path, "name") {
		t.Errorf("a graph whose node has no name: got %v", got)
	}
	if got := Check(json.RawMessage(list), 3, nil); len(got) != 0 {
		t.Errorf("a list: got %v", got)
	}
}

func TestWithDefaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, schema, want string }{
		{`{}`, ``, `{}`},
		{`{"a":1}`, `{"a":{"default":2}}`, `{"a":1}`},
		{`{}`, `{"a":{"default":2},"b":{"type":"string"}}`, `{"a":2}`},
		{`{"b":null}`, `{"type":"object","properties":{"a":{"default":[1]},"b":{"default":1}}}`, `{"b":null,"a":[1]}`},
	} {
		args, err := jsonata.FromJSON([]byte(c.args))
		if err != nil {
			t.Fatal(err)
		}
		found := &Findings{}
		got := WithDefaults(args.(*jsonata.Object), ReadArgsSchema(json.RawMessage(c.schema), found))
		text, err := jsonata.ToJSON(got)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != c.want || len(found.Failures) > 0 {
			t.Errorf("withDefaults(%s, %s) = %s, %v; want %s", c.args, c.schema, text, found.Failures, c.want)
		}
	}
}

func TestMalformedArgsSchemas(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`[]`:                          `args_schema: must be an object`,
		`{"a":1}`:                     `args_schema.a: must be an object that describes the argument`,
		`{"a":{"type":"strin"}}`:      `args_schema.a.type: "strin" is none of string, number, integer, boolean, object, array, null; did you mean "string"?`,
		`{"a":{"type":["string",5]}}`: `args_schema.a.type: 5 is none of string, number, integer, boolean, object, array, null`,
		`{"a":{"format":5}}`:          `args_schema.a.format: must be the name of a format`,
		`{"a":{"format":"integrated_acount_id"}}`: `args_schema.a.format: unknown format "integrated_acount_id"; did you mean "integrated_account_id"?`,
		`{"a":{"required":"yes"}}`:                `args_schema.a.required: must be true or false`,
		`{"a":{"enum":{}}}`:                       `args_schema.a.enum: must be a list of values`,
		`{"a":{"type":"number","default":"1"}}`:   `args_schema.a.default: must be of type number, is "1"`,
		`{"a":{"format":"date","default":"1"}}`:   `args_schema.a.default: must be an ISO 8601 date, or date and time with a zone, is "1"`,
		`{"type":"array"}`:                        `args_schema.type: must be object: the arguments of a run are one`,
		`{"type":"object","properties":[]}`:       `args_schema.properties: must be an object`,
		`{"type":"object","required":["a"]}`:      `args_schema.required: "a" is not the name of a property`,
		`{"type":"object","required":true}`:       `args_schema.required: must be a list of names`,
		`{"type":"object","properties":{"a":[]}}`: `args_schema.properties.a: must be an object that describes the argument`,

		`{"type":{"type":"string"},"properties":{"type":"object","required":["x"]},"f":{"format":"iri"}}`: ``,
	} {
		var lines []string
		for _, f := range Check(json.RawMessage(`[]`), 4, json.RawMessage(schema)) {
			lines = append(lines, f.Path+": "+f.Message)
		}
		if got := strings.Join(lines, "; "); got != want {
			t.Errorf("%s: got %q, want %q", schema, got, want)
		}
	}
}
