package millracetest_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A webhook that nothing but sync job runs send to is down for too long: it is set inactive, another webhook hears of it, and
// the run goes on where it was when the webhook is activated again.
func TestAWebhookOfRunsThatStaysDown(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := millracetest.Start(t, url, func(o *server.Options) {
			o.ParkRetries, o.MaxFailure = []time.Duration{100 * time.Millisecond}, time.Second
		})
		hooks := millracetest.NewCollector()
		at := millracetest.Listen(t, hooks)
		create := func(path string, body map[string]any) string {
			t.Helper()
			var made struct{ ID, Secret string }
			if err := s.Post(t.Context(), path, body, &made); err != nil {
				t.Fatal(err)
			}
			if name, ok := body["target_url"].(string); ok {
				hooks.SetSecret(name[len(at)+1:], made.Secret)
			}
			return made.ID
		}
		down := create("/webhook", map[string]any{"target_url": at + "/down", "event_types": []string{"test"}})
		create("/webhook", map[string]any{"target_url": at + "/other", "event_types": []string{"webhook:failing", "webhook:disabled", "webhook:reactivated"}})
		hooks.SetScript("down", []*millracetest.Response{{Status: 502}}) // which is not repeated at once
		job := create("/sync-job", map[string]any{"label": "nothing", "integration_name": "none", "resources": []any{}})
		run := create("/sync-job-run", map[string]any{"sync_job_id": job, "webhook_id": down})

		webhook := func() (active bool, shown map[string]any) {
			t.Helper()
			if err := s.Get(t.Context(), "/webhook/"+down, &shown); err != nil {
				t.Fatal(err)
			}
			return shown["is_active"] == true, shown
		}
		millracetest.Wait(t, time.Minute, func() (bool, any) { active, shown := webhook(); return !active, shown })
		last := waitFor(t, hooks, "webhook:disabled")
		if last.Reason != "prolonged_failure" || last.ID != down || last.Backlog.ParkedRuns != 1 || last.Error.Status != 502 {
			t.Errorf("got %+v", last)
		}

		hooks.SetScript("down", nil)
		if err := s.Send(t.Context(), "PATCH", "/webhook/"+down, "application/json", []byte(`{"is_active":true}`), nil); err != nil {
			t.Fatal(err)
		}
		millracetest.Wait(t, time.Minute, func() (bool, any) {
			var shown map[string]any
			if err := s.Get(t.Context(), "/sync-job-run/"+run, &shown); err != nil {
				t.Fatal(err)
			}
			return shown["status"] == "completed", shown
		})
		waitFor(t, hooks, "webhook:reactivated")
		_, shown := webhook()
		if shown["failing_since"] != nil {
			t.Errorf("it has accepted a delivery, and is shown as failing since %v", shown["failing_since"])
		}
		for _, r := range hooks.Received("down", "other") {
			if r.Webhook == "down" && slices.Contains([]string{"webhook:failing", "webhook:disabled", "webhook:reactivated"}, r.Event) {
				t.Errorf("the webhook heard of itself: %s", r.Body)
			}
		}
	})
}

type failure struct {
	ID      string `json:"id"`
	Reason  string `json:"reason"`
	Backlog struct {
		ParkedRuns int `json:"parked_runs"`
	} `json:"backlog"`
	Error struct {
		Status int `json:"status_code"`
	} `json:"last_error"`
}

// waitFor returns the payload of the one event of a name that the other webhook gets.
func waitFor(t *testing.T, hooks *millracetest.Collector, event string) failure {
	t.Helper()
	var got []failure
	millracetest.Wait(t, time.Minute, func() (bool, any) {
		got = nil
		for _, r := range hooks.Received("down", "other") {
			if r.Webhook != "other" || r.Event != event || r.Repeated {
				continue
			}
			var f failure
			if err := json.Unmarshal(r.Envelope.Payload, &f); err != nil {
				t.Fatal(err)
			}
			got = append(got, f)
		}
		return len(got) > 0, got
	})
	if len(got) != 1 {
		t.Errorf("got %d events %s, want one", len(got), event)
	}
	return got[0]
}
