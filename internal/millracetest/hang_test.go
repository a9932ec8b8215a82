package millracetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// Eighty webhooks stop responding at once, as they do when the network behind them breaks. Each of them keeps an attempt busy
// until it times out, after 15 s; no other webhook is delayed, not even a webhook on the same host.
func TestWebhooksThatHangDelayNoOthers(t *testing.T) {
	t.Parallel()
	if storetest.RaceDetector {
		t.Skip("SKIPPED under the race detector, with which a server may need the 15 s of an attempt for what it is to do meanwhile")
	}
	const hanging = 80
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := millracetest.Start(t, url, nil)
		hooks := millracetest.NewSick(1)
		at := millracetest.Listen(t, hooks)
		t.Cleanup(hooks.Heal)
		create := func(path string, body map[string]any) (id, secret string) {
			t.Helper()
			var made struct{ ID, Secret string }
			if err := s.Post(t.Context(), path, body, &made); err != nil {
				t.Fatal(err)
			}
			return made.ID, made.Secret
		}
		subscribe := func(name, event string) string {
			t.Helper()
			id, secret := create("/webhook", map[string]any{"target_url": at + "/" + name, "event_types": []string{event}})
			hooks.SetSecret(name, secret)
			return id
		}
		// received counts the webhooks with that event.
		received := func(event string, names ...string) int {
			seen := map[string]bool{}
			for _, r := range hooks.Received(names...) {
				if r.Event == event {
					seen[r.Webhook] = true
				}
			}
			return len(seen)
		}
		var names, ids []string
		for i := range hanging {
			name := fmt.Sprintf("hanging-%d", i)
			hooks.Infect(name, "hang", 1)
			names, ids = append(names, name), append(ids, subscribe(name, "custom:stuck"))
		}
		well := subscribe("well", "custom:well")
		job, _ := create("/sync-job", map[string]any{"label": "nothing", "integration_name": "none", "resources": []any{}})

		const prompt = 10 * time.Second // far below the 15 s of an attempt, far above what it takes
		began := time.Now()
		create("/event", map[string]any{"event": "custom:stuck", "payload": map[string]any{}})
		millracetest.Wait(t, prompt, func() (bool, any) {
			n := received("custom:stuck", names...)
			return n == hanging, n
		})
		create("/event", map[string]any{"event": "custom:well", "payload": map[string]any{}})
		millracetest.Wait(t, prompt, func() (bool, any) { return received("custom:well", "well") == 1, nil })

		for _, id := range ids {
			create("/sync-job-run", map[string]any{"sync_job_id": job, "webhook_id": id})
		}
		millracetest.Wait(t, prompt, func() (bool, any) {
			n := received("sync_job_run:started", names...)
			return n == hanging, n
		})
		run, _ := create("/sync-job-run", map[string]any{"sync_job_id": job, "webhook_id": well})
		millracetest.Wait(t, prompt, func() (bool, any) {
			var shown map[string]any
			if err := s.Get(t.Context(), "/sync-job-run/"+run, &shown); err != nil {
				t.Fatal(err)
			}
			return shown["status"] == "completed", shown
		})
		t.Logf("all was done %s after the webhooks began to hang", time.Since(began).Round(time.Millisecond))
	})
}
