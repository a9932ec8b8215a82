package notify

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/millrace/millrace"
)

func body(t *testing.T, event, payload string) []byte {
	t.Helper()
	e := millrace.Event{ID: "e1", EnvironmentID: "env1", Name: event, Payload: json.RawMessage(payload), CreatedAt: millrace.Time(1_700_000_000_000_000)}
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
			[]string{"notification destination w9 (slack)", "does not respond: refused", "PATCH /notification-destination/w9"},
			nil,
		},
		"run": {
			millrace.EventRunFailed, `{"id":"r1","sync_job_id":"j1","integrated_account_id":"a1","error":{"message":"the provider responded with 404 ` + long + `"}}`,
			[]string{"sync job run failed", "Run r1", "404 xxx", "..."},
			[]string{long},
		},
		"partial": {
			millrace.EventRunPartial, `{"id":"r1","sync_job_id":"j1","integrated_account_id":"a1","error_count":3,"first_error":{"message":"the provider responded 403"}}`,
			[]string{"is partial", "Run r1", "and 3 requests", "responded 403", "GET /sync-job-run/r1"},
			nil,
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
			n, err := Of(body(t, c.event, c.payload))
			if err != nil {
				t.Fatal(err)
			}
			all := n.Title + "\n" + n.Text()
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
	n, err := Of(body(t, millrace.EventCronFailed, `{"error":"<!channel> <https://evil.test|click> & more"}`))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := n.Slack()
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
