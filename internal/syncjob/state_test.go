package syncjob

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/jsonata"
)

const cursorGraph = `[
  {"name":"cursor","type":"get_state","config":{"key":"cursor","default":"1970"}},
  {"name":"tickets","type":"request","resource":"tickets","method":"list","query":{"after":"{{resources.cursor.value}}"}},
  {"name":"keep","type":"update_state","depends_on":"tickets","run_if":"resources.tickets.id > 1","config":{"key":"cursor","value":"{{resources.tickets.at}}"}},
  {"name":"end","type":"event","config":{"name":"complete"}},
  {"name":"count","type":"get_state","depends_on":"end","config":{"key":"runs","default":0}},
  {"name":"counted","type":"update_state","depends_on":"count","config":{"key":"runs","value_expression":"resources.count.value + 1"}},
  {"name":"when","type":"update_state","depends_on":"end","config":{"key":"when","value":{"at":"{{sync_job_run.started_at:any}}","list":[1,null]}}},
  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["tickets"]}
]`

func TestRunsKeepACursor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := plot{resources: cursorGraph}
		w := newWorld(t, db, p)
		w.api.respond = pages(`[{"id":1,"at":"t1"},{"id":2,"at":"t2"}]`, `[{"id":3,"at":"t3"}]`)
		w.finish()
		w.newRun(p)
		w.finish()
		if diff := cmp.Diff(map[string]string{"cursor": `"t3"`, "runs": "2", "when": `{"at":"2026-03-01T12:00:00.000Z","list":[1,null]}`}, w.state()); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{
			`list tickets {"after":"1970"}`, `list tickets {"after":"1970"} @1`, `list tickets {"after":"t3"}`, `list tickets {"after":"t3"} @1`,
		}, w.api.asked()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		p.edit = func(run *millrace.SyncJobRun) { run.StateKey = "another" }
		w.newRun(p)
		w.finish()
		if got := w.state()["runs"]; got != "1" {
			t.Errorf("runs in a namespace of their own: got %s, want 1", got)
		}
	})
}

func TestStateNodesRunInTheirOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: `[
		  {"name":"first","type":"request","resource":"first","method":"get"},
		  {"name":"set","type":"update_state","config":{"key":"k","value":"new"}},
		  {"name":"seen","type":"get_state","depends_on":"set","config":{"key":"k"}},
		  {"name":"second","type":"request","resource":"second","method":"get","depends_on":"seen","id":"{{resources.seen.value}}"},
		  {"name":"made","type":"transform","depends_on":"seen","config":{"expression":"{\"id\": resources.seen.value & \" made\"}"}},
		  {"name":"drop","type":"delete_state","depends_on":"second","config":{"key":"k"}},
		  {"name":"gone","type":"get_state","depends_on":"drop","config":{"key":"k"}},
		  {"name":"third","type":"request","resource":"third","method":"get","depends_on":"gone","id":"{{resources.gone.value:str:undefined}}x"},
		  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["made","third"]}
		]`})
		w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
			return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"` + req.Resource + `"}]`)...)}, nil
		}
		w.finish()
		if diff := cmp.Diff([]string{"get first", "get second id=new", "get third id=x"}, w.api.asked()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"started", "record made new made", "record third third", "completed"}, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]string{}, w.state()); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
	})
}

func TestStateThatCannotBeKept(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	for _, c := range []struct{ name, node, code string }{
		{"an empty key", `"type":"update_state","config":{"key":"{{args.nothing:undefined}}","value":1}`, evaluate.CodeStateKey},
		{"a long key", `"type":"delete_state","config":{"key":"` + strings.Repeat("k", 600) + `"}`, evaluate.CodeStateKey},
		{"an expression that fails", `"type":"update_state","config":{"key":"k","value_expression":"1 + 'a'"}`, "T2002"},
		{"a value that is too large", `"type":"update_state","config":{"key":"k","value_expression":"$pad('', 1200000, 'x')"}`, evaluate.CodeStateLimit},
	} {
		w := newWorld(t, db, plot{resources: `[{"name":"n",` + c.node + `}]`, errors: millrace.ErrorFailFast, edit: func(run *millrace.SyncJobRun) {
			run.StateKey = c.name
		}})
		w.finish()
		if row := w.row(); row.Status != millrace.RunFailed || !strings.Contains(string(row.Error), `"code":"`+c.code+`"`) || !strings.Contains(string(row.Error), `"node":"n"`) {
			t.Errorf("%s: got %s %s, want code %s", c.name, row.Status, row.Error, c.code)
		}
		if len(w.state()) > 0 {
			t.Errorf("%s: state %v was written", c.name, w.state())
		}
	}
}

func TestAnUndefinedValueIsNotWritten(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	w := newWorld(t, db, plot{resources: `[
	  {"name":"a","type":"update_state","config":{"key":"a","value_expression":"args.nothing","value":"not this"}},
	  {"name":"b","type":"update_state","config":{"key":"b","value":"{{args.nothing:undefined}}"}},
	  {"name":"c","type":"update_state","config":{"key":"c","value":null}},
	  {"name":"d","type":"update_state","config":{"key":"d","value_expression":"null"}}
	]`})
	w.finish()
	if diff := cmp.Diff(map[string]string{"c": "null", "d": "null"}, w.state()); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
