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

func body(t *testing.T, event, payload string) []byte {
	t.Helper()
	e := millrace.Event{ID: "e1", EnvironmentID: testEnv, Name: event, Payload: json.RawMessage(payload), CreatedAt: millrace.Time(1_700_000_000_000_000)}
	return e.Body("w1")
}

func TestNotices(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		event, payload string
		want, never    []string
	}{
		"failing": {
			millrace.EventWebhookFailing,
			`{"id":"w9","target_url":"https://u.example/in/SECRET?k=SECRET","failing_since":"S","failing_percent":70,"inactive_at":"E","last_error":{"status_code":503},"backlog":{"pending":4,"parked_runs":2}}`,
			[]string{"webhook at u.example keeps failing", "since S", "70 %", "503", "4 events and 2 sync job runs", "at E", "GET /webhook/w9"},
			[]string{"SECRET"},
		},
		"disabled": {
			millrace.EventWebhookDisabled, `{"id":"w9","target_url":"https://u.example","reason":"gone","last_error":{"error_class":"refused"}}`,
			[]string{"set inactive", "unsubscribed", "PATCH /webhook/w9"},
			nil,
		},
		"a destination": {
			millrace.EventWebhookDisabled, `{"id":"w9","notification_type":"slack","failing_since":"S","last_error":{"error_class":"refused"}}`,
			[]string{"notification destination w9 (slack)", "does not answer: refused", "PATCH /notification-destination/w9"},
			nil,
		},
		"run": {
			millrace.EventRunFailed, `{"id":"r1","sync_job_id":"j1","integrated_account_id":"a1","error":{"message":"the third party answered 404 ` + long + `"}}`,
			[]string{"sync job run failed", "Run r1", "404 xxx", "..."},
			[]string{long},
		},
		"schedule": {millrace.EventCronFailed, `{"id":"s1","sync_job_id":"j1","error":"the sync job is gone"}`, []string{"schedule", "s1", "the sync job is gone"}, nil},
		"account": {
			millrace.EventAccountAuthError, `{"id":"a1","tenant_id":"acme\n\nBCC: x","integration":{"name":"calcom"},"last_error":"401","context":{"token":"SECRET"}}`,
			[]string{"connected again", "calcom", "acme BCC: x"},
			[]string{"SECRET", "\n\nBCC"},
		},
		"another":      {"custom:invoice", `{"id":"i1","total":"SECRET"}`, []string{"custom:invoice", "About i1."}, []string{"SECRET"}},
		"no object":    {"custom:invoice", `[1]`, []string{"custom:invoice"}, nil},
		"hostile type": {millrace.EventRunFailed, `{"id":5,"error":[]}`, []string{"not known"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := noticeOf(Message{Body: body(t, c.event, c.payload)})
			if err != nil {
				t.Fatal(err)
			}
			all := n.title + "\n" + n.text()
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("no %q in:\n%s", want, all)
				}
			}
			for _, never := range c.never {
				if strings.Contains(all, never) {
					t.Errorf("%q is in:\n%s", never, all)
				}
			}
		})
	}
}

func TestNothingInASlackMessageCallsForPeople(t *testing.T) {
	t.Parallel()
	n, err := noticeOf(Message{Body: body(t, millrace.EventCronFailed, `{"error":"<!channel> <https://evil.test|click> & more"}`)})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := n.slack()
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &sent); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(sent.Text, "<>") || !strings.Contains(sent.Text, "&lt;!channel&gt; &lt;https://evil.test|click&gt; &amp; more") {
		t.Errorf("got %s", sent.Text)
	}
}

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
		if w.receiver.answer != nil {
			code, _, err = w.receiver.answer(len(*texts), "")
		}
		return &http.Response{StatusCode: code, Body: http.NoBody, Header: http.Header{}}, err
	})}
	w.update(func(tx *store.Tx) error {
		if err := tx.DeleteWebhook(t.Context(), testEnv, w.webhook.ID); err != nil {
			return err
		}
		*w.webhook = millrace.Webhook{
			ID: w.webhook.ID, EnvironmentID: testEnv, IsActive: true, Notification: millrace.NotifySlack, Ordering: millrace.OrderingStrict,
			RateLimit: millrace.NotificationLimit, RatePeriod: 60, Config: json.RawMessage(`{"webhook_url":"https://slack.test/T/KEY"}`),
		}
		return tx.InsertWebhook(t.Context(), w.webhook)
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
		w.receiver.answer = always(500)
		w.pumpOnce()
		w.receiver.answer = nil
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
		row, err = tx.Endpoint(w.t.(*testing.T).Context(), testEnv, w.webhook.ID)
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
