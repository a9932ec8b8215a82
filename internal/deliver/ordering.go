package deliver

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/store"
)

const (
	// downAfter is how many deliveries in a row must fail, without one that gets through, to say that the endpoint is down.
	downAfter = 3
	// giveUpAfter is how many attempts a deferred delivery gets.
	giveUpAfter = 20
)

// next returns what to send next. With strict ordering it is the front of the backlog. Otherwise it is the deferred
// deliveries that are due, and those not tried yet, which get at least half of the places; while the endpoint seems to be down,
// these come first, so that it is tried with another delivery each time.
func (s *slice) next(ctx context.Context, tx *store.Tx) ([]millrace.Delivery, error) {
	w := &s.webhook
	if w.Ordering == millrace.OrderingStrict {
		return tx.Deliveries().Backlog(ctx, w, s.size()+s.behind.size())
	}
	fresh, err := s.readFresh(ctx, tx)
	if err != nil || !s.deferred {
		return fresh, err
	}
	places := max(commitSize-len(fresh), commitSize/2)
	due, err := tx.Deliveries().Deferred(ctx, w, millrace.TimeOf(s.pump.sender.clock()), places+s.behind.size())
	if err != nil {
		return nil, err
	}
	due = slices.DeleteFunc(due, func(d millrace.Delivery) bool { return s.behind.has(d.ID) })
	due = due[:min(len(due), places)]
	if len(due) == 0 {
		return fresh, nil
	}
	fresh = fresh[:min(len(fresh), commitSize-len(due))]
	if w.DeferredInRow >= downAfter {
		return append(fresh, due...), nil
	}
	return append(due, fresh...), nil
}

// fail decides what follows from a failed attempt: whether the delivery blocks the backlog or is deferred, and whether the
// whole webhook is left alone for a while. It reports true when it is.
func (s *slice) fail(ctx context.Context, d millrace.Delivery, o Outcome, attempt *millrace.Attempt) (bool, error) {
	now := millrace.TimeOf(s.pump.sender.clock())
	w := &s.webhook
	d.Failures++
	s.judge(d, o)
	if s.holds(&d, o) {
		s.gap = true
		w.Attempt++
		s.leaveAlone(s.pump.sender.pause(int(w.Attempt), o))
		d.NextAttemptAt = w.NotBefore
		s.done = append(s.done, tried(d, attempt))
		return true, nil
	}
	w.Attempt = 0
	if d.Sequence > w.SentSequence || w.DeferredInRow >= downAfter {
		w.DeferredInRow++ // one that is deferred already says nothing new
	}
	s.postpone(ctx, &d, now.Add(s.pump.sender.pause(int(d.Failures), o)))
	down := w.DeferredInRow >= downAfter
	if down {
		s.leaveAlone(s.pump.sender.pause(int(w.DeferredInRow-downAfter+1), o))
	}
	return down || !w.IsActive, s.advance(ctx, tried(d, attempt))
}

// holds reports whether those behind a delivery that failed have to wait for it.
func (s *slice) holds(d *millrace.Delivery, o Outcome) bool {
	switch {
	case s.webhook.Ordering == millrace.OrderingStrict, o.unreachable():
		return true
	case s.webhook.DeferredInRow > 0:
		return false
	}
	// One delivery cannot tell whether the endpoint has a short outage or fails because of it, so it gets its quick retries.
	return o.unclear() && d.Failures <= quickRetries
}

// unreachable reports whether the attempt cannot have failed because of what was sent.
func (o Outcome) unreachable() bool {
	switch o.ErrorClass {
	case egress.ClassRefused, egress.ClassUnreachable, egress.ClassDNS, egress.ClassTLS, egress.ClassBlocked, ClassInvalid:
		return true
	}
	return o.Status == http.StatusTooManyRequests || (o.Status == http.StatusServiceUnavailable && o.RetryAfter > 0)
}

// unclear reports whether the endpoint itself gave no response.
func (o Outcome) unclear() bool {
	switch o.Status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// leaveAlone keeps the webhook from being called for a while.
func (s *slice) leaveAlone(d time.Duration) {
	s.webhook.NotBefore = max(s.webhook.NotBefore, millrace.TimeOf(s.pump.sender.clock()).Add(d))
}

// postpone lets a delivery wait for its own next attempt, or gives it up.
func (s *slice) postpone(ctx context.Context, d *millrace.Delivery, at millrace.Time) {
	d.NextAttemptAt, s.deferred = at, true
	if d.Failures < giveUpAfter {
		return
	}
	d.Status, d.NextAttemptAt = millrace.DeliveryFailed, 0
	s.pump.logger.LogAttrs(ctx, slog.LevelWarn, "delivery given up",
		slog.String("environment_id", string(d.EnvironmentID)),
		slog.String("webhook_id", string(d.WebhookID)),
		slog.String("delivery_id", string(d.ID)),
		slog.Int64("attempt", d.Attempts),
	)
}
