package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

func TestRedeliveryOfAFilter(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook := w.create("/webhook", `{"target_url":"https://a.test/in","event_types":["custom:a"]}`).id()
		for range 3 {
			w.create("/event", `{"event":"custom:a","payload":{}}`)
		}
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			page, err := tx.Deliveries().List(t.Context(), w.env, millrace.Query{})
			for i := range page.Result {
				d := &page.Result[i]
				d.Status = millrace.DeliveryFailed
				if err := tx.Deliveries().Update(t.Context(), d); err != nil {
					return err
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		body := `{"webhook_id":"` + strings.ToUpper(hook) + `","filter":{"event":["custom:a"],"created_at":{"gte":"2020-01-01T00:00:00Z"}}`
		p := w.as(readToken).post("/webhook-redelivery/preview", body+"}").ok()
		if p.m["deliveries"] != 3.0 || p.m["more"] != false || p.m["through"] != 3.0 || p.str("target_url") != "https://a.test/in" || p.str("oldest") == "" {
			t.Errorf("the preview is %v", p.m)
		}
		if none := w.post("/webhook-redelivery/preview", `{"webhook_id":"`+hook+`","filter":{"event":["custom:b"]}}`).ok(); none.m["deliveries"] != 0.0 || none.m["oldest"] != nil {
			t.Errorf("the preview of nothing is %v", none.m)
		}
		w.as(readToken).post("/webhook-redelivery", body+"}").rejected(http.StatusForbidden)
		v := w.post("/webhook-redelivery", body+`,"through":3}`).ok()
		if v.str("status") != "running" || v.m["redelivered"] != 0.0 || v.m["finished_at"] != nil || v.m["through"] != 3.0 || v.str("filter", "created_at", "gte") == "" {
			t.Errorf("it begins as %v", v.m)
		}
		if again := w.post("/webhook-redelivery", body+`,"through":3}`).ok(); again.id() != v.id() {
			t.Errorf("the same request makes %v", again.m)
		}
		w.post("/webhook-redelivery", `{"webhook_id":"`+hook+`"}`).rejected(http.StatusConflict)
		if got := w.get("/webhook-redelivery/" + v.id()).ok(); got.str("webhook_id") != hook {
			t.Errorf("got %v", got.m)
		}
		if list := w.get("/webhook-redelivery?webhook_id=" + hook + "&status=running"); list.status != http.StatusOK || !strings.Contains(string(list.raw), v.id()) {
			t.Errorf("the list is %s", list.raw)
		}
		w.as(readToken).post("/webhook-redelivery/"+v.id()+"/stop", "").rejected(http.StatusForbidden)
		for range 2 {
			if got := w.post("/webhook-redelivery/"+v.id()+"/stop", "").ok(); got.str("status") != "stopped" || got.str("finished_at") == "" {
				t.Errorf("stopped it is %v", got.m)
			}
		}
		for sent, path := range map[string]string{
			`{}`: "webhook_id", `{"webhook_id":"x"}`: "webhook_id", `{"webhook_id":"` + hook + `","filter":{"status":["delivered"]}}`: "filter.status[0]",
			`{"webhook_id":"` + hook + `","filter":{"event":["integrated_account:activ"]}}`: "filter.event[0]", `{"webhook_id":"` + hook + `","through":-1}`: "through",
			`{"webhook_id":"` + hook + `","filter":{"created_at":{"gte":"noon"}}}`: "filter.created_at.gte",
		} {
			for _, to := range []string{"/webhook-redelivery", "/webhook-redelivery/preview"} {
				w.post(to, sent).rejected(http.StatusBadRequest, path)
			}
		}
		w.post("/webhook-redelivery", `{"webhook_id":"`+noID+`"}`).rejected(http.StatusNotFound)
		w.as(otherToken).post("/webhook-redelivery/preview", `{"webhook_id":"`+hook+`"}`).rejected(http.StatusNotFound)
		w.as(otherToken).post("/webhook-redelivery/"+v.id()+"/stop", "").rejected(http.StatusNotFound)
	})
}
