package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// queue stores an event and queues its delivery to the webhook; it returns the delivery's id.
func (w *world) queue(v *millrace.Webhook, e millrace.Event) millrace.DeliveryID {
	w.t.Helper()
	e.EnvironmentID = v.EnvironmentID
	if e.ID == "" {
		e.ID = millrace.NewID[millrace.EventID]()
	}
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Events().Create(w.t.Context(), &e); err != nil {
			return err
		}
		return tx.Deliveries().Queue(w.t.Context(), v, &e)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return millrace.EventDeliveryID(&e, v)
}

// settle stores the outcome of a delivery, as a pump does.
func (w *world) settle(id millrace.DeliveryID, status millrace.DeliveryStatus, attempts ...millrace.Attempt) {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		d, err := tx.Deliveries().Get(w.t.Context(), w.env, id)
		if err != nil {
			return err
		}
		for i := range attempts {
			a := &attempts[i]
			d.Attempts++
			a.DeliveryID, a.EnvironmentID, a.WebhookID, a.Number = d.ID, d.EnvironmentID, d.WebhookID, d.Attempts
		}
		d.Status = status
		return tx.Deliveries().Save(w.t.Context(), millrace.TriedDelivery{Delivery: *d, Tries: attempts})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newHook() *millrace.Webhook {
	w.t.Helper()
	t, ok := w.t.(*testing.T)
	if !ok {
		w.t.Fatal("not in a test")
	}
	return w.webhook(t, w.create("/webhook", `{"target_url":"https://example.com/hook","event_types":["custom:a"]}`).id())
}

func TestDeliveriesAreShownWithTheirAttempts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v, other := w.newHook(), w.newHook()
		const account = "ACC00000-0000-4000-8000-000000000001"
		first := w.queue(v, millrace.Event{Name: millrace.EventAccountActive, Payload: []byte(`{"id":"` + account + `"}`)})
		second := w.queue(v, millrace.Event{Name: "custom:a", Payload: []byte(`{"n":1.10}`)})
		third := w.queue(other, millrace.Event{Name: "custom:a", Payload: []byte(`[]`)})
		w.settle(second, millrace.DeliveryDelivered,
			millrace.Attempt{ErrorClass: "timeout", DurationMS: 15000, CreatedAt: 1},
			millrace.Attempt{StatusCode: 200, Response: "thanks", Header: map[string][]string{"X-Id": {"7", "8"}}, DurationMS: 12, CreatedAt: 2})

		for query, want := range map[string][]millrace.DeliveryID{
			"":                            {first, second, third},
			"?webhook_id=" + string(v.ID): {first, second},
			"?event=custom:a":             {second, third},
			"?status=delivered":           {second},
			"?status[in]=pending,failed&webhook_id=" + string(v.ID): {first},
			"?integrated_account_id=" + strings.ToLower(account):    {first},
			"?created_at[gt]=2020-01-01&created_at[lt]=2021-01-01":  {},
			"?attempt_count[gte]=1":                                 {second},
		} {
			got := w.get("/webhook-delivery" + query).ok().ids()
			wanted := texts(want)
			slices.Sort(got)
			slices.Sort(wanted)
			if !slices.Equal(got, wanted) {
				t.Errorf("list %q: got %v, want %v", query, got, wanted)
			}
		}
		w.get("/webhook-delivery?attempts=1").rejected(400)
		if got := w.as(otherToken).get("/webhook-delivery").ok().ids(); len(got) != 0 {
			t.Errorf("another environment sees %v", got)
		}
		w.as(otherToken).get("/webhook-delivery/" + string(second)).rejected(404)

		d := w.get("/webhook-delivery/" + string(second)).ok()
		if body := d.str("request_body"); !strings.Contains(body, `"payload":{"n":1.10}`) || !strings.Contains(body, string(v.ID)) {
			t.Errorf("request body: got %s", body)
		}
		attempts, _ := d.m["attempts"].([]any)
		if d.m["attempt_count"] != 2.0 || len(attempts) != 2 || d.m["sync_job_run_id"] != nil || d.str("event_id") == "" {
			t.Fatalf("delivery: %v", d.m)
		}
		silent, responded := doc{t, attempts[0].(map[string]any)}, doc{t, attempts[1].(map[string]any)}
		if silent.m["status_code"] != nil || silent.str("error_class") != "timeout" || silent.m["duration_ms"] != 15000.0 {
			t.Errorf("attempt without a response: %v", silent.m)
		}
		if responded.m["status_code"] != 200.0 || responded.m["error_class"] != nil || responded.str("response_body") != "thanks" ||
			fmt.Sprint(responded.at("response_headers", "X-Id")) != "[7 8]" {
			t.Errorf("attempt with a response: %v", responded.m)
		}
	})
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

func TestRedeliver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.newHook()
		path := func(id millrace.DeliveryID) string { return "/webhook-delivery/" + string(id) + "/redeliver" }
		first := w.queue(v, millrace.Event{Name: "custom:a"})
		second := w.queue(v, millrace.Event{Name: "custom:a"})
		before := w.get("/webhook-delivery/" + string(first)).ok().str("request_body")
		w.settle(first, millrace.DeliveryFailed, millrace.Attempt{StatusCode: 500})

		got := w.post(path(first), "").ok()
		if got.id() != string(first) || got.str("status") != "pending" || got.m["sequence"] != 3.0 || got.m["attempt_count"] != 1.0 {
			t.Errorf("redelivered: %v", got.m)
		}
		if body := w.get("/webhook-delivery/" + string(first)).ok().str("request_body"); body != before {
			t.Errorf("the bytes changed from %s to %s", before, body)
		}
		if again := w.post(path(first), "").ok(); again.m["sequence"] != 3.0 {
			t.Errorf("pending already: %v", again.m)
		}
		tasks := storetest.Tasks(w.db)
		if last := tasks[len(tasks)-1]; last.Kind != millrace.TaskPump || last.Key != millrace.TaskKey(w.env, v.ID) || !last.Wake {
			t.Errorf("pending already: the pump is not woken, but %+v", last)
		}
		w.post("/webhook-delivery/"+noID+"/redeliver", "").rejected(404)
		w.as(otherToken).post(path(second), "").rejected(404)
		w.post("/webhook-delivery", `{}`).rejected(405)

		run := millrace.NewID[millrace.SyncJobRunID]()
		records := millrace.RunDeliveryID(w.env, run, 1)
		w.insertRunDelivery(v, run, records)
		w.post(path(records), "").rejected(409)
		w.settle(records, millrace.DeliveryDelivered)
		if got := w.post(path(records), "").rejected(409).str("message"); !strings.Contains(got, "not kept") {
			t.Errorf("records that are gone: %q", got)
		}
		if got := w.get("/webhook-delivery/" + string(records)).ok(); got.m["request_body"] != nil || got.str("sync_job_run_id") != string(run) {
			t.Errorf("records that are gone: %v", got.m)
		}

		w.delete("/webhook/" + string(v.ID)).ok()
		w.post(path(second), "").rejected(409)
	})
}

func (w *world) insertRunDelivery(v *millrace.Webhook, run millrace.SyncJobRunID, id millrace.DeliveryID) {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		return tx.Deliveries().Create(w.t.Context(), &millrace.Delivery{
			ID: id, EnvironmentID: v.EnvironmentID, WebhookID: v.ID, SyncJobRunID: run, Event: millrace.EventRunRecord,
			Status: millrace.DeliveryPending,
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestRedeliverMany(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.newHook()
		path := "/webhook/" + string(v.ID) + "/redeliver"
		var ids []millrace.DeliveryID
		for i := range 6 {
			ids = append(ids, w.queue(v, millrace.Event{Name: fmt.Sprintf("custom:%c", 'a'+i%2)}))
		}
		for _, id := range ids[:4] { // the last stays pending
			w.settle(id, millrace.DeliveryDelivered)
		}
		w.settle(ids[4], millrace.DeliveryFailed)
		count := func(body string, want float64) {
			t.Helper()
			if got := w.post(path, body).ok(); got.m["redelivered"] != want {
				t.Errorf("%s: got %v, want %v", body, got.m, want)
			}
		}
		count(`{"status":["failed"]}`, 1)
		count(`{"status":["failed"]}`, 0)
		count(`{"status":["delivered"],"event":["custom:b"],"created_at":{"lt":"2020-01-01T00:00:00Z"}}`, 0)
		count(`{"status":["delivered"],"event":["custom:b"]}`, 2)
		count(`{"created_at":{"gte":"2020-01-01T00:00:00Z"}}`, 2)

		var order []millrace.DeliveryID
		err := w.db.View(t.Context(), func(tx *store.Tx) error {
			backlog, err := tx.Deliveries().Backlog(t.Context(), v, 10)
			for _, d := range backlog {
				order = append(order, d.ID)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []millrace.DeliveryID{ids[5], ids[4], ids[1], ids[3], ids[0], ids[2]}
		if !slices.Equal(order, want) {
			t.Errorf("backlog: got %v, want %v", order, want)
		}

		w.post(path, `{}`).rejected(400, "created_at.gte")
		w.post(path, `{"status":["pending"]}`).rejected(400, "status[0]")
		w.post(path, `{"status":["failed"],"event":["custom_a"]}`).rejected(400, "event[0]")
		w.post(path, `{"created_at":{"gte":"yesterday"}}`).rejected(400, "created_at.gte")
		w.post("/webhook/"+noID+"/redeliver", `{"status":["failed"]}`).rejected(404)
		w.as(otherToken).post(path, `{"status":["failed"]}`).rejected(404)
	})
}

func TestBacklogIsShown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.newHook()
		backlog := func() doc {
			t.Helper()
			shown, _ := w.get("/webhook/" + string(v.ID)).ok().m["backlog"].(map[string]any)
			return doc{t, shown}
		}
		if got := backlog(); got.m["pending"] != 0.0 || got.m["oldest_pending_at"] != nil || got.m["next_attempt_at"] != nil || got.m["parked_runs"] != 0.0 {
			t.Errorf("nothing queued: %v", got.m)
		}
		first := w.queue(v, millrace.Event{Name: "custom:a"})
		w.queue(v, millrace.Event{Name: "custom:a"})
		run := millrace.NewID[millrace.SyncJobRunID]()
		w.insertRunDelivery(v, run, millrace.RunDeliveryID(w.env, run, 1))
		made := w.get("/webhook-delivery/" + string(first)).ok().str("created_at")
		if got := backlog(); got.m["pending"] != 2.0 || got.str("oldest_pending_at") != made || got.m["next_attempt_at"] != nil {
			t.Errorf("two queued, the first at %s: %v", made, got.m)
		}
		job := w.create("/sync-job", `{"label":"l","integration_name":"calcom","default_runtime_version":4,"resources":[]}`)
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.SyncJobRuns().Create(t.Context(), &millrace.SyncJobRun{
				ID: run, EnvironmentID: w.env, SyncJobID: millrace.SyncJobID(job.id()), WebhookID: v.ID, Status: millrace.RunRunning, ParkedSince: 1,
			}); err != nil {
				return err
			}
			claimed, err := tx.Webhooks().Claim(t.Context(), w.env, v.ID)
			if err != nil {
				return err
			}
			claimed.NotBefore = millrace.Time(4_000_000_000_000_000)
			_, err = tx.Webhooks().SaveProgress(t.Context(), claimed)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := backlog(); got.m["parked_runs"] != 1.0 || !strings.HasPrefix(got.str("next_attempt_at"), "2096-") {
			t.Errorf("an endpoint that is down: %v", got.m)
		}
		w.patch("/webhook/"+string(v.ID), `{"is_active":false}`).ok()
		if got := backlog(); got.m["pending"] != 2.0 || got.m["next_attempt_at"] != nil {
			t.Errorf("inactive: %v", got.m)
		}
	})
}

func TestLogOfDeliveries(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.newHook()
		first := w.queue(v, millrace.Event{Name: "custom:a"})
		second := w.queue(v, millrace.Event{Name: "custom:b"})
		run := millrace.NewID[millrace.SyncJobRunID]()
		records := millrace.RunDeliveryID(w.env, run, 1)
		w.insertRunDelivery(v, run, records)
		w.settle(first, millrace.DeliveryDelivered, millrace.Attempt{ErrorClass: "refused", CreatedAt: 1}, millrace.Attempt{StatusCode: 200, CreatedAt: 2})
		page := func(query string) []doc {
			t.Helper()
			var out []doc
			rows, _ := w.get("/log?log_type=webhook" + query).ok().m["result"].([]any)
			for _, row := range rows {
				row, _ := row.(map[string]any)
				out = append(out, doc{t, row})
			}
			return out
		}
		all := page("")
		if len(all) != 3 || all[0].str("_id") != string(records) || all[0].str("id") != string(records) || all[1].str("delivery_id") != string(second) {
			t.Fatalf("newest first: %v", all)
		}
		got := all[2]
		logs, _ := got.m["logs"].([]any)
		if got.m["webhook_endpoint_status"] != 200.0 || got.m["retry_count"] != 1.0 || got.str("status") != "delivered" || len(logs) != 2 ||
			got.str("metadata", "queue") != "webhooks" || got.m["sync_job_run_id"] != nil {
			t.Errorf("delivered at the second attempt: %v", got.m)
		}
		for query, want := range map[string]int{
			"&log_type_filter[event]=custom:b": 1, "&log_type_filter[status]=pending": 2, "&log_type_filter[webhook_id]=" + noID: 0, "&limit=2": 2,
		} {
			if got := page(query); len(got) != want {
				t.Errorf("%s: got %v, want %d entries", query, got, want)
			}
		}
		w.get("/log?log_type=webhook&log_type_filter[entity_id]=x").rejected(400, "log_type_filter[entity_id]")
		if got := w.as(otherToken).get("/log?log_type=webhook").ok(); len(got.ids()) != 0 {
			t.Errorf("another environment sees %v", got.m)
		}
	})
}
