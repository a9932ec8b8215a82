package deliver

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// slackWorld is a world whose webhook is a destination of type slack; texts are what it is sent.
func slackWorld(t *testing.T, db *store.DB) (*world, *[]string) {
	t.Helper()
	w := newWorld(t, db, PumpConfig{})
	texts, status := &[]string{}, func() int { return 200 }
	w.pump.sender.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		var sent struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(raw, &sent); err != nil || r.Header.Get("Webhook-Signature") != "" || r.URL.String() != "https://slack.test/T/KEY" {
			t.Errorf("%s %s %v: %v", r.URL, raw, r.Header, err)
		}
		*texts = append(*texts, sent.Text)
		code := status()
		if w.receiver.respond != nil {
			code, _, err = w.receiver.respond(len(*texts), "")
		}
		return &http.Response{StatusCode: code, Body: http.NoBody, Header: http.Header{}}, err
	})}
	w.update(func(tx *store.Tx) error {
		if err := tx.Webhooks().Delete(t.Context(), testEnv, w.webhook.ID); err != nil {
			return err
		}
		*w.webhook = millrace.Webhook{
			ID: w.webhook.ID, EnvironmentID: testEnv, IsActive: true, Notification: millrace.NotifySlack, Ordering: millrace.OrderingStrict,
			RateLimit: millrace.NotificationLimit, RatePeriod: 60, Config: json.RawMessage(`{"webhook_url":"https://slack.test/T/KEY"}`),
		}
		return tx.Webhooks().Create(t.Context(), w.webhook)
	})
	return w, texts
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAStormOfNotificationsIsOneMessage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w, texts := slackWorld(t, db)
		w.queue(3)
		w.pumpOnce()
		if len(*texts) != 3 || strings.Contains((*texts)[0], "at once") {
			t.Errorf("got %q, want three messages", *texts)
		}
		w.queue(100)
		w.receiver.respond = always(500)
		w.pumpOnce()
		w.receiver.respond = nil
		w.advance(time.Minute)
		w.pumpOnce()
		equal(t, "messages", 5, len(*texts))
		if last := (*texts)[4]; !strings.Contains(last, "100 notifications at once") || !strings.Contains(last, "100 x record:created") {
			t.Errorf("got %s", last)
		}
		want := append(repeat("delivered 1", 3), "delivered 2")
		equal(t, "deliveries", append(want, repeat("delivered 1", 99)...), w.statuses())
		if row := w.endpoint(); row.SentSequence != 103 || w.live() {
			t.Errorf("webhook %+v, task live %v", row, w.live())
		}
	})
}

func (w *world) endpoint() *millrace.Webhook {
	w.t.Helper()
	var row *millrace.Webhook
	w.update(func(tx *store.Tx) error {
		var err error
		row, err = tx.Webhooks().Endpoint(w.t.(*testing.T).Context(), testEnv, w.webhook.ID)
		return err
	})
	return row
}

func TestNoMoreThanTenMessagesInAMinute(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w, texts := slackWorld(t, db)
		for end := w.clock().Add(time.Minute); w.clock().Before(end); {
			w.queue(1)
			w.advance(max(w.pumpOnce(), time.Second))
		}
		if n := len(*texts); n > 10 || n < 5 {
			t.Errorf("got %s messages in a minute", strconv.Itoa(n))
		}
	})
}
