package deliver

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/egress"
)

// piped returns a client whose connections end in serve, without a network: time in a synctest bubble stands still while
// a real socket is waited for.
func piped(serve func(conn net.Conn)) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer func() { _ = theirs.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
					serve(theirs)
				}
			}()
			return ours, nil
		},
	}}
}

// responses makes a client that gives the responses in turn, the last one forever.
func responses(times *[]time.Duration, list ...string) *http.Client {
	start, i := time.Now(), 0
	return piped(func(conn net.Conn) {
		*times = append(*times, time.Since(start))
		response := list[min(i, len(list)-1)]
		i++
		_, _ = conn.Write([]byte("HTTP/1.1 " + strings.ReplaceAll(response, "|", "\r\n") + "\r\nContent-Length: 0\r\n\r\n"))
	})
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	silent := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }
	t.Run("a silent receiver costs the timeout", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newSender(t, Config{Client: piped(silent)})
			o := s.Send(t.Context(), messageTo("http://a.test"))
			if o.Kind != Retry || o.ErrorClass != egress.ClassTimeout || o.Duration != 15*time.Second {
				t.Errorf("got %+v", o)
			}
		})
	})
	t.Run("an attempt leaves time to write it down", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			o := newSender(t, Config{Client: piped(silent)}).Send(ctx, messageTo("http://a.test"))
			if o.ErrorClass != egress.ClassTimeout || o.Duration != 4*time.Second || ctx.Err() != nil {
				t.Errorf("got %+v, context %v", o, ctx.Err())
			}
		})
	})
	t.Run("a caller who goes away says nothing about the receiver", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errors.New("shutdown")) })
			o := newSender(t, Config{Client: piped(silent)}).Send(ctx, messageTo("http://a.test"))
			if o.Kind != Interrupted || o.Duration != time.Second {
				t.Errorf("got %+v", o)
			}
		})
	})
	t.Run("a trickling body does not hold a delivery that counts", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o := newSender(t, Config{Client: piped(func(conn net.Conn) {
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
				for {
					if _, err := conn.Write([]byte("x")); err != nil {
						return
					}
					time.Sleep(300 * time.Millisecond)
				}
			})}).Send(t.Context(), messageTo("http://a.test"))
			if o.Kind != Delivered || o.Response != "xxxxxxx" || o.Duration != 2*time.Second {
				t.Errorf("got %+v", o)
			}
			time.Sleep(time.Second) // of the bubble: the receiver notices that the client is gone
		})
	})
}

func TestQuickRetries(t *testing.T) {
	t.Parallel()
	const sec = time.Second
	for name, c := range map[string]struct {
		responses []string
		deadline  time.Duration
		kind      Kind
		at        []time.Duration
		attempt   int64         // of the first; 0: 1
		left      time.Duration // until the quick retry that there was no time for
	}{
		"none needed":                      {[]string{"200 OK"}, 0, Delivered, []time.Duration{0}, 0, 0},
		"second succeeds":                  {[]string{"500 X", "200 OK"}, 0, Delivered, []time.Duration{0, sec}, 0, 0},
		"three, then the caller parks":     {[]string{"500 X"}, 0, Retry, []time.Duration{0, sec, 3 * sec, 7 * sec}, 0, 0},
		"a short Retry-After is honoured":  {[]string{"503 X|Retry-After: 6", "200 OK"}, 0, Delivered, []time.Duration{0, 6 * sec}, 0, 0},
		"a long Retry-After ends them":     {[]string{"503 X|Retry-After: 60"}, 0, Retry, []time.Duration{0}, 0, 0},
		"429 ends them":                    {[]string{"429 X"}, 0, Retry, []time.Duration{0}, 0, 0},
		"429 with a short Retry-After":     {[]string{"429 X|Retry-After: 2", "200 OK"}, 0, Delivered, []time.Duration{0, 2 * sec}, 0, 0},
		"502 ends them":                    {[]string{"502 X"}, 0, Retry, []time.Duration{0}, 0, 0},
		"410 ends them":                    {[]string{"500 X", "410 X"}, 0, Gone, []time.Duration{0, sec}, 0, 0},
		"the deadline ends them":           {[]string{"500 X"}, 18 * sec, Retry, []time.Duration{0, sec}, 0, 2 * sec},
		"a deadline that is hardly enough": {[]string{"500 X"}, 2 * sec, Retry, []time.Duration{0}, 0, sec},
		"what is left of them comes later": {[]string{"500 X"}, 0, Retry, []time.Duration{0, 4 * sec}, 3, 0},
		"the last one in time":             {[]string{"500 X"}, 2 * sec, Retry, []time.Duration{0}, 3, 4 * sec},
		"none is left":                     {[]string{"500 X"}, 2 * sec, Retry, []time.Duration{0}, 4, 0},
		"after the caller parked, again":   {[]string{"500 X"}, 0, Retry, []time.Duration{0, sec, 3 * sec, 7 * sec}, 5, 0},
		"after that, the caller parks on":  {[]string{"500 X"}, 2 * sec, Retry, []time.Duration{0}, 5, 0},
		"429 in little time":               {[]string{"429 X"}, 2 * sec, Retry, []time.Duration{0}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				var at []time.Duration
				s := newSender(t, Config{Client: responses(&at, c.responses...)})
				m := messageTo("http://a.test")
				m.Attempt = max(c.attempt, 1)
				o, attempts := s.Deliver(ctx, m)
				if o.Kind != c.kind || o.QuickRetry != c.left {
					t.Errorf("got %+v, want %s and a quick retry in %s", o, c.kind, c.left)
				}
				if diff := cmp.Diff(c.at, at); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
				if len(attempts) != len(c.at) {
					t.Fatalf("%d attempts are returned, %d were made", len(attempts), len(c.at))
				}
				for i, a := range attempts {
					if a.Number != m.Attempt+int64(i) || a.DeliveryID != "d1" || a.WebhookID != "w1" || a.EnvironmentID != "e1" {
						t.Errorf("attempt %d is %+v", i, a)
					}
				}
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	const m, h = time.Minute, time.Hour
	want := []time.Duration{m, m, 5 * m, 30 * m, 2 * h, 5 * h, 10 * h, 10 * h, 10 * h, 10 * h}
	for _, jitter := range []float64{0, 0.5, 1} {
		s := newSender(t, Config{Jitter: func() float64 { return jitter }})
		for attempt, w := range want {
			got, factor := s.Backoff(attempt), 0.9+0.2*jitter
			if off := got - time.Duration(float64(w)*factor); off.Abs() > time.Microsecond {
				t.Errorf("attempt %d with jitter %v: got %s, want %s spread by %v", attempt, jitter, got, w, factor)
			}
		}
		for failures := 1; failures <= quickRetries; failures++ {
			if got := s.quickGap(failures); got >= 5*time.Second {
				t.Errorf("quick gap %d with jitter %v is %s", failures, jitter, got)
			}
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	s := newSender(t, Config{})
	for name, c := range map[string]struct {
		failures int
		outcome  Outcome
		want     time.Duration
	}{
		"first":                       {1, Outcome{Status: 500}, time.Second},
		"third":                       {3, Outcome{Status: 500}, 4 * time.Second},
		"fourth":                      {4, Outcome{Status: 500}, time.Minute},
		"sixth":                       {6, Outcome{Status: 500}, 30 * time.Minute},
		"overloaded":                  {1, Outcome{Status: 504}, time.Minute},
		"rate limited, says when":     {1, Outcome{Status: 429, RetryAfter: 3 * time.Second}, 3 * time.Second},
		"rate limited for long":       {1, Outcome{Status: 429, RetryAfter: time.Hour}, time.Hour},
		"less than the schedule says": {5, Outcome{Status: 503, RetryAfter: time.Second}, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := s.pause(c.failures, c.outcome); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "86400": 24 * time.Hour, "86401": 24 * time.Hour,
		"99999999999999999999999": 24 * time.Hour, "-5": 0, "+5": 0, "1.5": 0, "soon": 0, "1e3": 0, "5 s": 0, "٣": 0,
		"Sun, 01 Mar 2026 12:00:30 GMT":   30 * time.Second,
		"Sunday, 01-Mar-26 12:01:00 GMT":  time.Minute,
		"Sun Mar  1 12:00:05 2026":        5 * time.Second,
		"Sun, 01 Mar 2026 11:59:00 GMT":   0,
		"Fri, 31 Dec 9999 23:59:59 GMT":   24 * time.Hour,
		"Sun, 01 Mar 2026 12:00:30 +0100": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "5", "Sun, 01 Mar 2026 12:00:30 GMT", "-1", "9223372036854775808", "Mon Jan  2 15:04:05 0000"} {
		f.Add(s, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		got := retryAfter(value, time.Unix(now%(1<<33), 0))
		if got < 0 || got > maxRetryAfter {
			t.Errorf("%q gives %s", value, got)
		}
	})
}
