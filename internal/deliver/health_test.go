package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// judged is a world whose webhook is judged, and subscribes to what is told of webhooks: it must not hear that of itself.
func judged(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{}
	h, err := NewHealth(HealthConfig{DB: db, Clock: func() time.Time { return w.clock() }})
	if err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, db, PumpConfig{Health: h})
	w.change(func(v *millrace.Webhook) {
		v.EventTypes = json.RawMessage(`["` + millrace.EventWebhookFailing + `","` + millrace.EventWebhookDisabled + `"]`)
	})
	return w
}

// told returns what the others were told, in order.
func (w *world) told() []string {
	w.t.Helper()
	out := []string{}
	w.update(func(tx *store.Tx) error {
		out = out[:0]
		page, err := tx.Events().List(context.Background(), testEnv, millrace.Query{Sort: []millrace.Sort{{Field: "created_at"}}})
		for _, e := range page.Result {
			var p struct {
				ID             string                 `json:"id"`
				IsActive       bool                   `json:"is_active"`
				Secret         *string                `json:"secret"`
				FailingPercent int64                  `json:"failing_percent"`
				InactiveAt     string                 `json:"inactive_at"`
				Reason         string                 `json:"reason"`
				LastError      *millrace.WebhookError `json:"last_error"`
				Backlog        struct {
					Pending int64 `json:"pending"`
				} `json:"backlog"`
			}
			if e.Name == "record:created" {
				continue
			}
			if err := json.Unmarshal(e.Payload, &p); err != nil {
				return err
			}
			if p.ID != string(w.webhook.ID) {
				continue // of the case before
			}
			if p.Secret != nil || p.InactiveAt == "" || p.LastError == nil {
				w.t.Errorf("payload: %s", e.Payload)
				continue
			}
			out = append(out, fmt.Sprintf("%s %d %v %s %d %d", e.Name, p.FailingPercent, p.IsActive, p.Reason, p.LastError.StatusCode, p.Backlog.Pending))
		}
		return err
	})
	return out
}

func TestOthersHearOnceOfAWebhookThatKeepsFailing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, ordering := range []millrace.Ordering{millrace.OrderingStrict, millrace.OrderingFirstAttempt} {
			w := judged(t, db)
			w.change(func(v *millrace.Webhook) { v.Ordering = ordering })
			w.queue(5)
			w.receiver.respond = always(503)
			for start := w.clock(); w.live(); {
				if w.advance(w.due() + w.pumpOnce()); w.clock().Sub(start) > 6*24*time.Hour {
					t.Fatal("still trying after 6 days")
				}
			}
			want := []string{
				"webhook:failing 50 true  503 5", "webhook:failing 70 true  503 5", "webhook:failing 90 true  503 5",
				"webhook:disabled 100 false prolonged_failure 503 5",
			}
			equal(t, "told", want, w.told())

			w.activate()
			w.receiver.respond = nil
			for w.live() {
				w.advance(w.due() + w.pumpOnce())
			}
			equal(t, "deliveries", 5, len(w.receiver.taken))
			equal(t, "told of its recovery", want, w.told())
			if row := w.row(); row.FailingSince != 0 || row.NotifiedPercent != 0 {
				t.Errorf("webhook: %+v", row)
			}
		}
	})
}

func TestAWebhookThatIsGoneIsToldOf(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := judged(t, db)
		w.queue(2)
		w.receiver.respond = always(http.StatusGone)
		w.pumpOnce()
		equal(t, "told", []string{"webhook:disabled 100 false gone 410 2"}, w.told())
	})
}

func TestWhatRunsSendIsJudgedByTheSameRule(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := judged(t, db)
		judge := func(seen *millrace.Webhook, o Outcome) bool {
			t.Helper()
			changed, err := w.pump.health.Judge(t.Context(), seen, millrace.EventRunRecord, o)
			if err != nil {
				t.Fatal(err)
			}
			return changed
		}
		down := Outcome{Kind: Retry, Status: 502}
		start := w.clock()
		judge(w.row(), down)
		w.advance(59 * time.Hour)
		equal(t, "changed by one more failure", false, judge(w.row(), down))
		equal(t, "failing since", millrace.TimeOf(start), w.row().FailingSince)
		equal(t, "told", []string{}, w.told())

		// Two nodes see the same moment.
		w.advance(2 * time.Hour)
		seen := w.row()
		var nodes sync.WaitGroup
		for range 2 {
			nodes.Go(func() {
				if _, err := w.pump.health.Judge(context.Background(), seen, millrace.EventRunRecord, down); err != nil {
					t.Error(err)
				}
			})
		}
		nodes.Wait()
		first := []string{"webhook:failing 50 true  502 0"}
		equal(t, "told", first, w.told())

		// It accepts one in between: the failures before no longer count.
		seen = w.row()
		judge(w.row(), Outcome{Kind: Delivered, Status: 200})
		w.advance(5 * 24 * time.Hour)
		judge(seen, down)
		equal(t, "told after a success", first, w.told())
		if row := w.row(); !row.IsActive || row.NotifiedPercent != 0 {
			t.Errorf("webhook: %+v", row)
		}

		judge(w.row(), down)
		w.advance(5 * 24 * time.Hour)
		judge(w.row(), down)
		equal(t, "told", append(first, "webhook:disabled 100 false prolonged_failure 502 0"), w.told())
		equal(t, "active", false, w.row().IsActive)
	})
}

// A run parks while the pump has nothing to do, and while it has: each sees the failure of the other.
func TestThePumpAndRunsShareAFailure(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := judged(t, db)
		start := w.clock()
		if _, err := w.pump.health.Judge(t.Context(), w.row(), millrace.EventRunRecord, Outcome{Kind: Retry, ErrorClass: egress.ClassRefused}); err != nil {
			t.Fatal(err)
		}
		w.advance(90 * time.Hour)
		w.queue(1)
		w.receiver.respond = always(500)
		w.pumpOnce()
		equal(t, "failing since", millrace.TimeOf(start), w.row().FailingSince)
		equal(t, "told", []string{"webhook:failing 70 true  500 1"}, w.told())
		w.receiver.respond = nil
		w.advance(w.due() + time.Second)
		w.pumpOnce()
		equal(t, "failing since", millrace.Time(0), w.row().FailingSince)
	})
}
