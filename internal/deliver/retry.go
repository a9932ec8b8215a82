package deliver

import (
	"context"
	"time"

	"github.com/millrace/millrace"
)

const (
	quickRetries = 3
	maxQuickGap  = 10 * time.Second // as published
)

// Prolonged is how long a webhook may fail before it is set inactive, unless configured otherwise.
const Prolonged = 5 * 24 * time.Hour

// Deliver makes an attempt and up to three quick retries, waiting in place. It returns the last outcome and every
// attempt, for the caller to store. It ends early when the receiver requests more time than a quick retry would give,
// or when another attempt would not fit before the deadline of ctx.
//
// On Retry the caller should give its worker back and try again after the outcome's QuickRetry; without one after Backoff, or
// after the receiver's RetryAfter when that is longer.
func (s *Sender) Deliver(ctx context.Context, m Message) (Outcome, []millrace.Attempt) {
	var attempts []millrace.Attempt
	failures := 1
	if m.Attempt <= quickRetries+1 {
		failures = int(m.Attempt) // the first quick retries go on where they ran out of time
	}
	for ; ; failures++ {
		o := s.Send(ctx, m)
		if o.Kind != Interrupted {
			attempts = append(attempts, o.Attempt(m))
			m.Attempt++
		}
		if o.Kind != Retry || failures > quickRetries || o.overloaded() {
			return o, attempts
		}
		gap := max(s.quickGap(failures), o.RetryAfter)
		if !s.fits(ctx, gap) || !wait(ctx, gap) {
			if m.Attempt <= quickRetries+1 {
				o.QuickRetry = gap
			}
			return o, attempts
		}
	}
}

// Backoff returns how long to wait after the quick retries have failed: attempt 1 is the first wait of the long
// schedule. Past its end the last wait repeats.
func (s *Sender) Backoff(attempt int) time.Duration {
	schedule := [...]time.Duration{
		time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
	}
	return s.spread(schedule[min(max(attempt, 1), len(schedule))-1])
}

// pause returns how long to wait after so many failed attempts of a delivery in a row, the last with outcome o.
func (s *Sender) pause(failures int, o Outcome) time.Duration {
	if failures <= quickRetries && !o.overloaded() {
		return max(s.quickGap(failures), o.RetryAfter)
	}
	return max(s.Backoff(failures-quickRetries), o.RetryAfter)
}

// quickGap doubles from one second. It stays below five even when spread: queues hand back what was put off for less
// than that at once, and later only at their next look.
func (s *Sender) quickGap(failures int) time.Duration {
	return s.spread(time.Second << (failures - 1))
}

// spread moves d by up to a tenth either way, so that endpoints that failed together are not called together.
func (s *Sender) spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*s.jitter()))
}

// fits reports whether an attempt that starts after gap has its time before the deadline of ctx. Timeouts above the
// default make no difference: they would leave room for one delivery per slice.
func (s *Sender) fits(ctx context.Context, gap time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= gap+min(s.timeout, defaultTimeout)+reserve
}

// wait reports false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
