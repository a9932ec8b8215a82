package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// doubled is a run_if that was 272 bytes long and took 8 GB to analyse, when it was saved and at each read.
func doubled() string {
	var b strings.Builder
	b.WriteString("($v0:=a;")
	for i := range 16 {
		fmt.Fprintf(&b, "$v%d:=[$v%d,$v%d];", i+1, i, i)
	}
	return b.String() + "$v16)"
}

func TestHostileExpressionsOfWorkflows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const step = `{"type":"run","action":"run_sync_job","config":{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b"}}`
		body := func(runIf string, steps ...string) string {
			b, err := json.Marshal(map[string]any{
				"trigger_name": "integrated_account:active",
				"config":       map[string]any{"run_if": runIf, "steps": json.RawMessage("[" + strings.Join(steps, ",") + "]")},
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		v := w.create("/workflow", body(doubled(), step))
		if got := fmt.Sprint(v.m["warnings"]); !strings.Contains(got, `nothing called "a"`) {
			t.Errorf("got warnings %s, want one about a", got)
		}
		again := w.get("/workflow/" + v.id()).ok()
		if fmt.Sprint(again.m["warnings"]) != fmt.Sprint(v.m["warnings"]) {
			t.Errorf("got warnings %v later, want %v", again.m["warnings"], v.m["warnings"])
		}

		v = w.create("/workflow", body("($f:=function($x){$f([$x,a]) & $f({'k':$x}) & $f($x.b)};$f(a))", step))
		if got := fmt.Sprint(v.m["warnings"]); !strings.Contains(got, "not analysed further") {
			t.Errorf("got warnings %s, want one that says that the analysis has ended", got)
		}
		v = w.patch("/workflow/"+v.id(), `{"run_if":"b"}`).ok()
		if got := fmt.Sprint(w.get("/workflow/" + v.id()).ok().m["warnings"]); !strings.Contains(got, `nothing called "b"`) || strings.Contains(got, "analysed") {
			t.Errorf("got warnings %s after a change, want one about b", got)
		}

		large := "[" + strings.Repeat("1,", 7_000) + "1]"
		got := fmt.Sprint(w.post("/workflow", body(large+"&"+large+"&"+large, step)).is(http.StatusBadRequest).m)
		if !strings.Contains(got, "L1004") {
			t.Errorf("got %s for a run_if that is too large, want L1004", got)
		}
		many := make([]string, 40)
		for i := range many {
			many[i] = fmt.Sprintf(`{"type":"run","action":"run_sync_job","run_if":"[%d,%s","config":{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b"}}`, i, large[1:])
		}
		got = fmt.Sprint(w.post("/workflow", body("", many...)).is(http.StatusBadRequest).m)
		if !strings.Contains(got, "larger than 16 MiB") {
			t.Errorf("got %s for many large expressions, want one failure about all of them", got)
		}
	})
}
