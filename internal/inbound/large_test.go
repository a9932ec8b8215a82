package inbound_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A body that is too large for a handshake is not looked at before its sender has proved anything; what is large and
// genuine is evaluated by its task.
func TestLargeRequestsAreNotLookedAtBeforeTheyAreVerified(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		handle := program(t, `body.challenge ? {"type": "verify", "verification_response": {"body": body.challenge}} : $count(body.list[$ > 0]) < 0 ? {}`)
		transform := program(t, `{"event_type": "updated", "resource_type": "list", "resource_id": $string($count(body.list)), "raw": body.note}`)
		w.dir.set(first, func(e *inbound.Endpoint) {
			e.Handle, e.Transform, e.Signature = handle, transform, digest("theirs")
		})
		if a, err := w.send(&millrace.InboundRequest{Header: map[string]string{"content-type": "application/json"}, Body: []byte(`{"challenge":"c"}`)}); err != nil || string(a.Body) != "c" {
			t.Errorf("a handshake: got %v, %v", a, err)
		}
		hostile := []byte(`{"list":[` + strings.Repeat("1,", 2_000_000) + `1]}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := w.send(&millrace.InboundRequest{Header: map[string]string{"content-type": "application/json"}, Body: hostile})
		runtime.ReadMemStats(&after)
		if millrace.KindOf(err) != millrace.KindTooLarge {
			t.Errorf("a body of 2,000,000 values: got %v, want an error of KindTooLarge", err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
			t.Errorf("%d MiB allocated for a request that proves nothing", n>>20)
		}
		genuine := `{"note":"` + strings.Repeat("x", 300_000) + `","list":[` + strings.Repeat("1,", 50_000) + `1]}`
		w.accept("theirs", genuine)
		w.work()
		if events := w.events(); len(events) != 1 || !strings.Contains(string(events[0].Payload), `"resource_id":"50001"`) {
			t.Errorf("got %d events for a large genuine hook, want one", len(events))
		}
	})
}
