package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"regexp"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver/notify"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/trace"
)

const (
	defaultTimeout = 15 * time.Second
	maxTimeout     = 30 * time.Second

	// reserve is what an attempt leaves of its caller's deadline, so that the outcome can still be written down.
	reserve = time.Second

	maxResponseHeader = 64 << 10
)

var (
	headerPrefix = regexp.MustCompile(`^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$`)

	errAttemptTimeout = errors.New("the attempt took too long")
)

// Config is what a Sender needs. Client and Clock are required.
type Config struct {
	// Client makes the connections. It must have a transport of its own, the one with the guarded dialer: a client
	// without would silently use a transport that calls any address.
	Client *http.Client
	// Clock tells the time that is signed, stored and compared.
	Clock func() time.Time
	// Observe receives each attempt; may be nil.
	Observe observe.Observer
	// Logger takes one line per attempt; nil: none.
	Logger *slog.Logger
	// Timeout of one attempt; 0: 15 s; at most 30 s.
	Timeout time.Duration
	// HeaderPrefix names the compatible signature header, X-<prefix>-Signature; empty: Truto.
	HeaderPrefix string
	// UserAgent; empty: truto.
	UserAgent string
	// Mailer sends mails; nil: there is no SMTP server.
	Mailer *notify.Mailer
	// Jitter returns numbers in [0, 1) that spread the retries; nil: random.
	Jitter func() float64
}

// Sender makes attempts. It is safe for concurrent use.
type Sender struct {
	client    *http.Client
	clock     func() time.Time
	logger    *slog.Logger
	observe   observe.Observer
	timeout   time.Duration
	prefix    string
	userAgent string
	mailer    *notify.Mailer
	jitter    func() float64
}

// New returns a Sender.
func New(c Config) (*Sender, error) {
	if c.Client == nil || c.Client.Transport == nil {
		return nil, errors.New("deliver: a client with a transport is required")
	}
	if c.Clock == nil {
		return nil, errors.New("deliver: a clock is required")
	}
	s := &Sender{
		client: ownClient(c.Client), clock: c.Clock, logger: c.Logger, observe: c.Observe, timeout: c.Timeout,
		prefix: c.HeaderPrefix, userAgent: c.UserAgent, mailer: c.Mailer, jitter: c.Jitter,
	}
	if c.Mailer != nil {
		if err := c.Mailer.Check(); err != nil {
			return nil, fmt.Errorf("deliver: %w", err)
		}
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	if s.timeout < 0 || s.timeout > maxTimeout {
		return nil, fmt.Errorf("deliver: timeout %s is not between 0 and %s", s.timeout, maxTimeout)
	}
	if s.prefix == "" {
		s.prefix = "Truto"
	}
	if !headerPrefix.MatchString(s.prefix) {
		return nil, fmt.Errorf("deliver: header prefix %q is not made of letters, digits and hyphens", s.prefix)
	}
	if s.userAgent == "" {
		s.userAgent = "truto"
	}
	if s.jitter == nil {
		s.jitter = rand.Float64
	}
	return s, nil
}

// ownClient returns a client that treats responses as hostile: no redirect is followed, no cookie is kept, nothing is
// decompressed, and the header of a response is limited.
func ownClient(c *http.Client) *http.Client {
	own := &http.Client{
		Transport:     c.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if t, ok := c.Transport.(*http.Transport); ok {
		t = t.Clone()
		t.DisableCompression = true
		if t.MaxResponseHeaderBytes == 0 || t.MaxResponseHeaderBytes > maxResponseHeader {
			t.MaxResponseHeaderBytes = maxResponseHeader
		}
		own.Transport = t
	}
	return own
}

// Message is one delivery to send.
type Message struct {
	ID      millrace.DeliveryID // stable: a repetition carries the id that it had before
	Webhook *millrace.Webhook
	Body    []byte
	More    [][]byte // of further events, for a notification that speaks of several
	Event   string   // for the log, and to tell a cancellation from a failure
	Attempt int64    // number of the attempt, from 1

	Traceparent string // of the event, for the log; empty: that of the caller
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m Message) Outcome {
	ctx = trace.With(ctx, m.Traceparent)
	started := s.clock()
	o := s.attempt(ctx, m, started)
	hideEcho(m.Webhook, &o)
	o.StartedAt = millrace.TimeOf(started)
	o.Duration = s.clock().Sub(started)
	s.log(ctx, m, o)
	return o
}

// Test sends the event of a test button, once. The event is stored nowhere.
func (s *Sender) Test(ctx context.Context, w *millrace.Webhook, event *millrace.Event) Outcome {
	return s.Send(ctx, Message{
		ID:      millrace.EventDeliveryID(event, w),
		Webhook: w, Body: event.Body(w.ID), Event: event.Name, Attempt: 1,
	})
}

func (s *Sender) attempt(ctx context.Context, m Message, started time.Time) Outcome {
	timeout := s.timeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)-reserve)
	}
	if ctx.Err() != nil || timeout <= 0 {
		return Outcome{Kind: Interrupted}
	}
	attemptCtx, cancel := context.WithTimeoutCause(ctx, timeout, errAttemptTimeout)
	defer cancel()
	if m.Webhook.Notification == millrace.NotifyEmail {
		o := s.mail(attemptCtx, m)
		if o.Kind == Retry && ctx.Err() != nil {
			return Outcome{Kind: Interrupted}
		}
		return o
	}
	req, err := s.request(attemptCtx, m, started)
	if err != nil {
		return Outcome{Kind: Retry, ErrorClass: ClassInvalid}
	}
	resp, err := s.client.Do(req) //nolint:bodyclose // read closes it
	switch {
	case err == nil:
		return s.read(resp, m.Event, cancel)
	case ctx.Err() != nil:
		return Outcome{Kind: Interrupted}
	case errors.Is(context.Cause(attemptCtx), errAttemptTimeout):
		return Outcome{Kind: Retry, ErrorClass: egress.ClassTimeout}
	}
	return Outcome{Kind: Retry, ErrorClass: egress.Class(err)}
}

// log writes the one line of an attempt: ids and figures, never the URL (it may hold credentials), bodies or secrets.
func (s *Sender) log(ctx context.Context, m Message, o Outcome) {
	s.observe.Tell(ctx, observe.Fact{Kind: observe.Attempt, Outcome: string(o.Kind), Class: o.ErrorClass, N: 1, Took: o.Duration})
	level := slog.LevelInfo
	if o.Kind != Delivered || o.Unusual() {
		level = slog.LevelWarn
	}
	s.logger.LogAttrs(ctx, level, "delivery attempted",
		slog.String("environment_id", string(m.Webhook.EnvironmentID)),
		slog.String("webhook_id", string(m.Webhook.ID)),
		slog.String("delivery_id", string(m.ID)),
		slog.String("event", m.Event),
		slog.Int64("attempt", m.Attempt),
		slog.String("outcome", string(o.Kind)),
		slog.Int("status_code", o.Status),
		slog.Bool("unusual", o.Unusual()),
		slog.String("error_class", o.ErrorClass),
		slog.Int64("duration_ms", o.Duration.Milliseconds()),
	)
}
