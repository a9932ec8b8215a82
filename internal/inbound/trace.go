package inbound

import (
	"sync"
	"time"
)

// What is turned away leaves a trace, so that somebody can find out why; more traces of one endpoint than this within a
// minute say nothing new, and would let anyone fill the database.
const (
	tracesPerMinute = 20
	maxTraced       = 10_000 // endpoints
)

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
