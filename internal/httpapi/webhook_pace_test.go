package httpapi_test

import (
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestPaceOfAWebhook(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const url = `"target_url":"https://example.com/hook"`
		plain := w.create("/webhook", `{`+url+`}`)
		if plain.str("ordering") != "first_attempt" || plain.m["concurrency"] != 1.0 || plain.m["rate_limit"] != nil {
			t.Errorf("defaults: %v", plain.m)
		}
		path := "/webhook/" + plain.id()
		limited := w.patch(path, `{"concurrency":5,"rate_limit":{"limit":100,"period_seconds":60}}`).ok()
		if limited.m["concurrency"] != 5.0 || limited.at("rate_limit", "limit") != 100.0 || limited.at("rate_limit", "period_seconds") != 60.0 {
			t.Errorf("changed: %v", limited.m)
		}
		w.patch(path, `{"ordering":"strict"}`).rejected(400, "concurrency")
		if got := w.patch(path, `{"ordering":null,"concurrency":null}`).ok(); got.str("ordering") != "first_attempt" || got.m["concurrency"] != 5.0 {
			t.Errorf("null is the same as not sent: got %v", got.m)
		}
		before := len(storetest.Tasks(w.db))
		strict := w.patch(path, `{"ordering":"strict","concurrency":1,"rate_limit":null}`).ok()
		if strict.str("ordering") != "strict" || strict.m["rate_limit"] != nil || w.get(path).ok().str("ordering") != "strict" {
			t.Errorf("strict: %v", strict.m)
		}
		if tasks := storetest.Tasks(w.db)[before:]; len(tasks) != 1 || tasks[0].Kind != millrace.TaskPump || !tasks[0].Wake {
			t.Errorf("deferred deliveries are not scanned again: %+v", tasks)
		}
		if got := w.get("/webhook?ordering=strict").ok().ids(); len(got) != 1 {
			t.Errorf("filtered: %v", got)
		}
		for body, at := range map[string]string{
			`{` + url + `,"ordering":"strikt"}`:                              "ordering",
			`{` + url + `,"ordering":"strict","concurrency":2}`:              "concurrency",
			`{` + url + `,"concurrency":11}`:                                 "concurrency",
			`{` + url + `,"concurrency":0}`:                                  "concurrency",
			`{` + url + `,"rate_limit":{"limit":0,"period_seconds":1}}`:      "rate_limit.limit",
			`{` + url + `,"rate_limit":{"limit":1}}`:                         "rate_limit.period_seconds",
			`{` + url + `,"rate_limit":{"limit":1,"period_seconds":100000}}`: "rate_limit.period_seconds",
			`{` + url + `,"rate_limit":5}`:                                   "rate_limit",
		} {
			w.post("/webhook", body).rejected(400, at)
		}
	})
}
