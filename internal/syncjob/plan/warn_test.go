package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	const tickets = `{"name":"tickets","type":"request","resource":"tickets","method":"list"`
	for _, c := range []struct {
		name      string
		resources string
		version   int64
		schema    string
		want      []string // path: message
	}{
		{
			name: "nothing to warn of", resources: `[` + tickets + `,"loop_on":"args.ids","query":{"id":"{{args.ids}}"}},
		  {"name":"c","type":"request","resource":"comments","method":"list","depends_on":"tickets","query":{"t":"{{resources.tickets.id}}-{{resources.tickets.id}}"}},
		  {"name":"t","type":"transform","depends_on":"c","config":{"expression":"resources.comments.($$.resources.tickets.id & id)"}},
		  {"name":"o","type":"destination","destination_type":"webhook","config":{"id":"{{args.webhook_id}}{{resources.t.0.id}}"},"resources_to_persist":["t"],"run_if":"$count(payload.records) > 0"}]`,
			schema: `{"ids":{"type":"array"}}`,
		},
		{
			name: "unknown members", resources: `[` + tickets + `,"qurey":{},"config":{"metod":"x","query":{}},"recurse":{"if":"{{resources.tickets.more:bool}}","confg":{},"config":{"url":"x"}}},
		  {"name":"s","type":"spool","depends_on":"tickets","expression":"1"},
		  {"name":"o","type":"destination","destination_type":"webhook","resources_to_persist":["s"],"method":"insertMany"}]`,
			want: []string{
				`resources[0].qurey: unknown member "qurey" has no effect; did you mean "query"?`,
				`resources[0].config.metod: unknown member "metod" has no effect; did you mean "method"?`,
				`resources[0].recurse.confg: unknown member "confg" has no effect; did you mean "config"?`,
				`resources[0].recurse.config.url: unknown member "url" has no effect`,
				`resources[1].expression: unknown member "expression" has no effect`,
				`resources[2].method: unknown member "method" has no effect`,
			},
		},
		{
			name: "members without effect", resources: `[` + tickets + `,"delete_tracking":"hard","debug":true},
		  {"name":"e","type":"event","depends_on":"tickets","persist":true,"config":{"name":"complete"}}]`,
			want: []string{
				`resources[0].delete_tracking: has no effect in this server`,
				`resources[0].debug: has no effect: only expressions of transform, add_context and destination are logged`,
				`resources[1].depends_on: has no effect: an event comes when its moment comes`,
				`resources[1].persist: has no effect: a node of type event has no records`,
			},
		},
		{
			name: "a legacy list", version: 2, resources: `[{"resource":"tickets","method":"list","response_format":"raw"},
		  {"resource":"comments","method":"list","depends_on":"tickets","query":{"t":"{{resources.ticket.id}}"}}]`,
			want: []string{
				`resources[0].response_format: has no effect in this server`,
				`resources[1].query: no node above puts out resources.ticket; did you mean "tickets"?`,
			},
		},
		{
			name: "arguments", schema: `{"type":"object","properties":{"since":{"type":"string"}}}`,
			resources: `[` + tickets + `,"query":{"since":"{{args.sinc}}","a":"{{args.webhook_id}}"},"run_if":"args.since and args.x.y"},
			  {"name":"t","type":"transform","depends_on":"tickets","config":{"expression":"$keys(args)"}}]`,
			want: []string{
				`resources[0].run_if: args_schema does not declare args.x`,
				`resources[0].query: args_schema does not declare args.sinc; did you mean "since"?`,
			},
		},
		{name: "arguments without a schema", schema: `{}`, resources: `[` + tickets + `,"query":{"since":"{{args.since}}"}}]`},
		{
			name: "records that are not above", resources: `[` + tickets + `},
		  {"name":"users","type":"request","resource":"users","method":"list","query":{"t":"{{resources.tickets.id}}"}},
		  {"name":"t","type":"transform","depends_on":"users","config":{"expression":"resources.user.id"}},
		  {"name":"o","type":"destination","destination_type":"webhook","resources_to_persist":["t"],"run_if":"resources.tickets"}]`,
			want: []string{
				`resources[1].query: no node above puts out resources.tickets`,
				`resources[2].config.expression: no node above puts out resources.user; did you mean "users"?`,
				`resources[3].run_if: no node above puts out resources.tickets`,
			},
		},
		{name: "a rejected job", resources: `[{"name":"x","type":"spoool","nonsense":1}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range Warn(t.Context(), json.RawMessage(c.resources), c.version, json.RawMessage(c.schema)) {
				got = append(got, f.Path+": "+f.Message)
			}
			if found := Check(json.RawMessage(c.resources), c.version, json.RawMessage(c.schema)); len(found) > 0 && !strings.Contains(c.name, "rejected") {
				t.Errorf("the job is wrong: %v", found)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestManyNodes checks that a job that is made to be slow to check is not.
func TestManyNodes(t *testing.T) {
	t.Parallel()
	chain := func(n int, last string) json.RawMessage {
		var b strings.Builder
		for i := range n {
			parent := last
			if i > 0 {
				parent = "n" + strings.Repeat("x", i-1)
			}
			b.WriteString(`,{"name":"n` + strings.Repeat("x", i) + `","type":"spool","depends_on":"` + parent + `"}`)
		}
		return json.RawMessage("[" + b.String()[1:] + "]")
	}
	if got := Check(chain(300, ""), 4, nil); len(got) != 0 {
		t.Errorf("a chain: got %v", got[0])
	}
	if got := Check(chain(300, "n"+strings.Repeat("x", 299)), 4, nil); len(got) != 1 || !strings.Contains(got[0].Message, "depends on itself") {
		t.Errorf("a cycle: got %d failures", len(got))
	}
	many := json.RawMessage("[" + strings.TrimSuffix(strings.Repeat("{},", maxNodes+1), ",") + "]")
	if got := Check(many, 4, nil); len(got) != 1 || !strings.Contains(got[0].Message, "at most") {
		t.Errorf("too many nodes: got %d failures", len(got))
	}
}
