package inbound

import (
	"sync"
	"time"
)

// A rejected request leaves a trace that says why; more traces of one endpoint than this within a
// minute say nothing new, and would let anyone fill the database.
const (
	tracesPerMinute = 20
	maxTraced       = 10_000 // endpoints
)

// traces counts what left a trace. It is no cache: what it forgot would be counted from the beginning, so when it is full it lets
// no further endpoint in.
type traces struct {
	clock func() time.Time
	mu    sync.Mutex
	began time.Time
	taken map[string]int
}

func newTraces(clock func() time.Time) *traces { return &traces{clock: clock, taken: map[string]int{}} }

// take reports whether an endpoint may have another trace in this minute.
func (t *traces) take(key string) bool {
	now := t.clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.began) >= time.Minute || now.Before(t.began) {
		t.began = now
		clear(t.taken)
	}
	if t.taken[key] >= tracesPerMinute || (t.taken[key] == 0 && len(t.taken) >= maxTraced) {
		return false
	}
	t.taken[key]++
	return true
}
