package deliver

import (
	"time"

	"github.com/millrace/millrace"
)

// minRateWait is how long a pump stays away at least when the rate limit is used up: then there is room for more than one.
const minRateWait = time.Second

// allowed returns how many of n attempts the webhook's rate limit lets through now, and counts them; or how long to wait
// when it lets none through. Every attempt is held against the limit for the limit's share of the period, one after the
// other: a full limit may be used at once, and then as much as comes back.
func (s *slice) allowed(n int) (int, time.Duration) {
	w := &s.webhook
	if w.RateLimit <= 0 || w.RatePeriod <= 0 {
		return n, 0
	}
	period := time.Duration(w.RatePeriod) * time.Second
	share := max(period/time.Duration(w.RateLimit), time.Microsecond)
	now := millrace.TimeOf(s.pump.sender.clock())
	used := max(w.RateUsedUntil, now)
	room := period - used.Std().Sub(now.Std())
	n = min(n, int(room/share))
	if n == 0 {
		return 0, max(share-room, minRateWait)
	}
	w.RateUsedUntil = used.Add(time.Duration(n) * share)
	return n, 0
}
