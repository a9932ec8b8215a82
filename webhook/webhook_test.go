package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/webhook"
)

const (
	secret = "5b1b8a52-0a4e-4a53-9d3c-4f4f0f3a1c11"
	body   = `{"id":"e1","event":"custom:x","payload":{"a":1},"environment_id":"env","created_at":"2026-11-25T10:00:00.000Z","webhook_id":"w"}`
)

func sum(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// signed returns the headers of a request as the Standard Webhooks specification describes them.
func signed(key, id, body string, at time.Time) http.Header {
	timestamp := fmt.Sprint(at.Unix())
	return http.Header{
		"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp},
		"Webhook-Signature": {"v1,AAAA v1," + base64.StdEncoding.EncodeToString(sum(key, id+"."+timestamp+"."+body))},
	}
}

func compatible(value string) http.Header {
	return http.Header{"X-Truto-Signature": {"format=sha256,v=" + value}}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	previous := compatible("AAAA")
	previous.Set("X-Truto-Signature-Previous", "format=sha256,v="+hex.EncodeToString(sum(secret, body)))
	for name, c := range map[string]struct {
		header  http.Header
		secrets []string
		body    string
		want    error
	}{
		"standard":                     {signed(secret, "d1", body, now), []string{secret}, body, nil},
		"standard with whsec_":         {signed("key", "d1", body, now), []string{"whsec_a2V5"}, body, nil},
		"the second of two secrets":    {signed(secret, "d1", body, now), []string{"new", secret}, body, nil},
		"another body":                 {signed(secret, "d1", body, now), []string{secret}, body + " ", webhook.ErrSignature},
		"another secret":               {signed("other", "d1", body, now), []string{secret}, body, webhook.ErrSignature},
		"too old":                      {signed(secret, "d1", body, now.Add(-6*time.Minute)), []string{secret}, body, webhook.ErrTimestamp},
		"from the future":              {signed(secret, "d1", body, now.Add(6*time.Minute)), []string{secret}, body, webhook.ErrTimestamp},
		"no headers":                   {http.Header{}, []string{secret}, body, webhook.ErrNoSignature},
		"a signature without its time": {http.Header{"Webhook-Signature": {"v1,AAAA"}}, []string{secret}, body, webhook.ErrNoSignature},
		"compatible base64":            {compatible(base64.StdEncoding.EncodeToString(sum(secret, body))), []string{secret}, body, nil},
		"compatible hex":               {compatible(hex.EncodeToString(sum(secret, body))), []string{secret}, body, nil},
		"compatible, the old secret":   {previous, []string{secret}, body, nil},
		"compatible, another body":     {compatible(hex.EncodeToString(sum(secret, body))), []string{secret}, "{}", webhook.ErrSignature},
		"compatible, rubbish":          {http.Header{"X-Truto-Signature": {"rubbish"}}, []string{secret}, body, webhook.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := webhook.NewVerifier(c.secrets...)
			if err != nil {
				t.Fatal(err)
			}
			v.Clock = func() time.Time { return now }
			if err := v.Verify(c.header, []byte(c.body)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := webhook.NewVerifier(); err == nil {
		t.Error("a verifier without a secret was made")
	}
}

// receiver counts what its handler was given and fails when told so.
type receiver struct {
	http.Handler
	got  []string
	fail error
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	v, err := webhook.NewVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	r.Handler = webhook.NewHandler(v, webhook.NewMemory(100), func(_ context.Context, d *webhook.Delivery) error {
		r.got = append(r.got, fmt.Sprint(d.ID, " ", d.Event, " ", d.Sequence))
		return r.fail
	})
	return r
}

func (r *receiver) post(t *testing.T, id, body string) int {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header = signed(secret, id, body, time.Now())
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w.Code
}

func record(run string, sequence int) string {
	return fmt.Sprintf(`{"event":"sync_job_run:record","payload":{"records":[{"n":1}],"meta":{"sync_job_run_id":%q,"sequence":%d}}}`, run, sequence)
}

func TestHandlerLeavesRepetitionsOut(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.fail = errors.New("disk full")
	if got := r.post(t, "d1", body); got != 500 {
		t.Errorf("a handler that fails: got %d, want 500", got)
	}
	r.fail = nil
	for _, step := range []struct{ id, body string }{
		{"d1", body},
		{"d1", body},
		{"r2", record("run", 2)},
		{"r2", record("run", 2)},
		{"r1", record("run", 1)}, // before what is stored already: it was, too
		{"q1", record("other", 1)},
	} {
		if got := r.post(t, step.id, step.body); got != 200 {
			t.Errorf("%s: got %d, want 200", step.id, got)
		}
	}
	want := []string{"d1 custom:x 0", "d1 custom:x 0", "r2 sync_job_run:record 2", "q1 sync_job_run:record 1"}
	if diff := cmp.Diff(want, r.got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestHandlerRejects(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	if w.Code != 401 {
		t.Errorf("no signature: got %d, want 401", w.Code)
	}
	if got := r.post(t, "d1", "{"); got != 422 {
		t.Errorf("a body that is not JSON: got %d, want 422", got)
	}
	r.fail = webhook.ErrCancelRun
	if got := r.post(t, "d2", `{"event":"sync_job_run:started","payload":{}}`); got != 400 {
		t.Errorf("a run that is not wanted: got %d, want 400", got)
	}
	if got := r.post(t, "d3", body); got != 500 {
		t.Errorf("cancelling what is not a start: got %d, want 500", got)
	}
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	t.Parallel()
	m := webhook.NewMemory(20)
	for i := range 25 {
		if err := m.Done(t.Context(), &webhook.Delivery{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]bool{"0": false, "15": true, "24": true} {
		if got, _ := m.Handled(t.Context(), &webhook.Delivery{ID: id}); got != want {
			t.Errorf("delivery %s is remembered: got %v, want %v", id, got, want)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	d := webhook.Delivery{Payload: []byte(`{"records":[{"n":1},{"n":2}]}`)}
	var records []struct{ N int }
	if err := d.Records(&records); err != nil || len(records) != 2 || records[1].N != 2 {
		t.Errorf("got %v, %v", records, err)
	}
	if err := (&webhook.Delivery{Payload: []byte(`{}`)}).Records(&records); err == nil {
		t.Error("a payload without records gave records")
	}
}
