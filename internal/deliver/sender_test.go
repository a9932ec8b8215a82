package deliver

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
)

func newSender(t *testing.T, c Config) *Sender {
	t.Helper()
	if c.Client == nil {
		c.Client = &http.Client{Transport: &http.Transport{}}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = func() float64 { return 0.5 }
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func messageTo(url string) Message {
	return Message{
		ID:      "d1",
		Webhook: &millrace.Webhook{ID: "w1", EnvironmentID: "e1", TargetURL: url, Secret: uuidSecret, IsActive: true},
		Body:    []byte(`{"event":"test"}`), Event: "test", Attempt: 1,
	}
}

// receiver serves every request with the handler and returns its URL.
func receiver(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	url := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	m := messageTo(url + "/in?a=b")
	now := time.Now()
	s := newSender(t, Config{Clock: func() time.Time { return now }, HeaderPrefix: "Acme", UserAgent: "acme/2"})
	if o := s.Send(t.Context(), m); o.Kind != Delivered || o.Status != 200 {
		t.Fatalf("outcome %+v", o)
	}
	if got.Method != http.MethodPost || got.URL.String() != "/in?a=b" || !bytes.Equal(body, m.Body) {
		t.Errorf("got %s %s %q", got.Method, got.URL, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "acme/2", "Webhook-Id": "d1", "Accept-Encoding": "identity",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: got %q, want %q", name, v, want)
		}
	}
	if got.Header.Get("X-Acme-Signature") == "" || got.Header.Get("X-Truto-Signature") != "" {
		t.Errorf("signature headers: %v", got.Header)
	}
	if _, ok := got.Header["Idempotency-Key"]; ok {
		t.Error("the hint to the transport travels")
	}
	if err := standardVerifier(t, uuidSecret).Verify(body, got.Header); err != nil {
		t.Error(err)
	}
}

func TestStatusDecides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		event   string
		kind    Kind
		class   string
		unusual bool
	}{
		"200":                          {200, "x", Delivered, "", false},
		"204":                          {204, "x", Delivered, "", true},
		"299":                          {299, "x", Delivered, "", true},
		"301":                          {301, "x", Retry, ClassRedirect, false},
		"308":                          {308, "x", Retry, ClassRedirect, false},
		"400":                          {400, millrace.EventRunRecord, Retry, "", false},
		"400 to started":               {400, millrace.EventRunStarted, Cancel, "", false},
		"404":                          {404, "x", Retry, "", false},
		"410":                          {410, "x", Gone, "", false},
		"413":                          {413, "x", Retry, ClassTooLarge, false},
		"429":                          {429, "x", Retry, "", false},
		"500":                          {500, "x", Retry, "", false},
		"999":                          {999, "x", Retry, "", false},
		"200 to started, as any other": {200, millrace.EventRunStarted, Delivered, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := messageTo(receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.status)
			}))
			m.Event = c.event
			o := newSender(t, Config{}).Send(t.Context(), m)
			if o.Kind != c.kind || o.Status != c.status || o.ErrorClass != c.class || o.Unusual() != c.unusual {
				t.Errorf("got %+v, want %+v", o, c)
			}
		})
	}
}

func TestConnectionErrorsAreClassified(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	hangUp := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_ = conn.Close()
	})
	nonsense := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = conn.Write([]byte("220 mail.example.com ESMTP\r\n"))
		_ = conn.Close()
	})
	header := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Big", strings.Repeat("x", 200<<10))
	})
	for name, c := range map[string]struct {
		url, class string
		dial       error
	}{
		"untrusted certificate": {secure.URL, egress.ClassTLS, nil},
		"plain port with https": {"https" + strings.TrimPrefix(hangUp, "http"), egress.ClassTLS, nil},
		"closed port":           {closed.URL, egress.ClassRefused, nil},
		"hangs up":              {hangUp, egress.ClassReset, nil},
		"another protocol":      {nonsense, egress.ClassProtocol, nil},
		"endless header":        {header, egress.ClassProtocol, nil},
		"unknown host":          {"https://a.invalid", egress.ClassDNS, &net.DNSError{Err: "no such host", IsNotFound: true}},
		"guarded address":       {"https://a.invalid", egress.ClassBlocked, &egress.BlockedError{Host: "a.invalid", Reason: "it is private"}},
		"slow dial":             {"https://a.invalid", egress.ClassTimeout, context.DeadlineExceeded},
		"no host":               {"https://", ClassInvalid, nil},
		"another scheme":        {"ftp://a.invalid", ClassInvalid, nil},
		"not a URL":             {"https://a b/%zz", ClassInvalid, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{}
			if c.dial != nil {
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, c.dial }
			}
			o := newSender(t, Config{Client: &http.Client{Transport: transport}}).Send(t.Context(), messageTo(c.url))
			if o.Kind != Retry || o.ErrorClass != c.class || o.Status != 0 {
				t.Errorf("got %+v, want class %s", o, c.class)
			}
		})
	}
}

func TestAWebhookWithoutASecretIsNotCalled(t *testing.T) {
	t.Parallel()
	m := messageTo(receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	m.Webhook.Secret = ""
	if o := newSender(t, Config{}).Send(t.Context(), m); o.Kind != Retry || o.ErrorClass != ClassInvalid {
		t.Errorf("got %+v", o)
	}
}

func TestResponsesAreKeptWithinLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header map[string]string
		body   []byte
		check  func(string) bool
	}{
		"short":       {nil, []byte("ok\n"), func(s string) bool { return s == "ok\n" }},
		"long":        {nil, bytes.Repeat([]byte("x"), 1<<20), func(s string) bool { return len(s) == 16<<10 }},
		"not UTF-8":   {nil, bytes.Repeat([]byte("a\xff"), 1<<20), func(s string) bool { return len(s) <= 16<<10 && utf8.ValidString(s) }},
		"NUL":         {nil, []byte("a\x00b"), func(s string) bool { return s == "a\uFFFDb" }},
		"compressed":  {map[string]string{"Content-Encoding": "gzip"}, []byte("\x1f\x8b"), func(s string) bool { return s == "" }},
		"many fields": {map[string]string{"X-Big": strings.Repeat("y", 60<<10)}, nil, func(s string) bool { return s == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				_, _ = w.Write(c.body)
			})
			o := newSender(t, Config{}).Send(t.Context(), messageTo(url))
			if o.Kind != Delivered || !c.check(o.Response) {
				t.Errorf("kind %s, response %.80q (%d bytes)", o.Kind, o.Response, len(o.Response))
			}
			for k, values := range o.Header {
				for _, v := range values {
					if len(v) > maxHeaderValue {
						t.Errorf("%s has %d bytes", k, len(v))
					}
				}
			}
		})
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	peers := map[string]bool{}
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		_, _ = w.Write(make([]byte, 40<<10))
	})
	s := newSender(t, Config{})
	for range 5 {
		if o := s.Send(t.Context(), messageTo(url)); o.Kind != Delivered {
			t.Fatalf("%+v", o)
		}
	}
	if len(peers) != 1 {
		t.Errorf("5 attempts took %d connections", len(peers))
	}
}

func TestAClosedKeptConnectionIsNoFailure(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	s := newSender(t, Config{})
	for i := range 20 {
		if o := s.Send(t.Context(), messageTo(srv.URL)); o.Kind != Delivered {
			t.Fatalf("attempt %d: %+v", i, o)
		}
		srv.CloseClientConnections()
	}
}

func TestLogLineHasIDsAndNoSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("response-text"))
	})
	m := messageTo(strings.Replace(url, "http://", "http://user:pass-word@", 1))
	m.Body = []byte("body-text")
	newSender(t, Config{Logger: slog.New(slog.NewTextHandler(&out, nil))}).Send(t.Context(), m)
	line := out.String()
	for _, want := range []string{
		`msg="delivery attempted"`, "delivery_id=d1", "webhook_id=w1", "environment_id=e1", "attempt=1",
		"status_code=418", "level=WARN", "outcome=retry", "duration_ms=",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is missing in %s", want, line)
		}
	}
	for _, secret := range []string{"pass-word", "body-text", "response-text", uuidSecret} {
		if strings.Contains(line, secret) {
			t.Errorf("%q is in %s", secret, line)
		}
	}
	if n := strings.Count(line, "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestTestEvent(t *testing.T) {
	t.Parallel()
	var body []byte
	url := receiver(t, func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) })
	w := messageTo(url).Webhook
	event := &millrace.Event{ID: "ev1", EnvironmentID: "e1", Name: millrace.EventTest, Payload: []byte(`{"foo":"bar"}`)}
	w.IsActive = false // the button works on an inactive webhook: that is how one finds out whether to activate it
	if o := newSender(t, Config{}).Test(t.Context(), w, event); o.Kind != Delivered {
		t.Fatalf("%+v", o)
	}
	for _, want := range []string{`"event":"test"`, `"payload":{"foo":"bar"}`, `"environment_id":"e1"`, `"webhook_id":"w1"`} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s is missing in %s", want, body)
		}
	}
}

func TestRenderedBytes(t *testing.T) {
	t.Parallel()
	e := &millrace.Event{
		ID: "ev1", EnvironmentID: "e1", Name: "record:created", CreatedAt: 1_700_000_000_123_456,
		Payload: []byte(`{"n": 12345678901234567890.10, "s":"<é>"}`),
	}
	const want = `{"id":"ev1","event":"record:created","payload":{"n": 12345678901234567890.10, "s":"<é>"},` +
		`"environment_id":"e1","created_at":"2023-11-14T22:13:20.123Z","webhook_id":"w1"}`
	if diff := cmp.Diff(want, string(e.Body("w1"))); diff != "" {
		t.Error(diff)
	}
	e.Payload = nil
	if got := string(e.Body("w1")); !strings.Contains(got, `"payload":null`) {
		t.Errorf("without payload: %s", got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: &http.Transport{}}
	for name, c := range map[string]Config{
		"no client":                  {Clock: time.Now},
		"a client that dials freely": {Clock: time.Now, Client: &http.Client{}},
		"no clock":                   {Client: client},
		"long timeout":               {Client: client, Clock: time.Now, Timeout: 31 * time.Second},
		"header injection":           {Client: client, Clock: time.Now, HeaderPrefix: "A: b\r\nC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(c); err == nil {
				t.Error("accepted")
			}
		})
	}
}
