package httpapi

import (
	"sync"
	"time"

	"github.com/millrace/millrace"
)

const (
	// limitWindow is the time for which requests are counted; a caller who waits for as long may go on.
	limitWindow = 10 * time.Second
	// maxLimited bounds how many callers are counted.
	maxLimited = 10_000
)

// limit bounds how many requests come under one key. It counts in this process only.
type limit struct {
	what  string
	unit  string
	most  int // 0: any number
	clock func() time.Time

	mu      sync.Mutex
	windows map[string]limitCount
}

type limitCount struct {
	began time.Time
	n     int
}

func newLimit(what string, most int, clock func() time.Time) *limit {
	return &limit{what: what, unit: "requests", most: most, clock: clock, windows: map[string]limitCount{}}
}

// newByteLimit bounds how many bytes come under one key.
func newByteLimit(what string, most int, clock func() time.Time) *limit {
	l := newLimit(what, most, clock)
	l.unit = "bytes"
	return l
}

// take counts a request, or returns an error of KindRateLimited.
func (l *limit) take(key string) error { return l.takeMany(key, 1) }

// takeMany counts so many of what is limited, or returns an error of KindRateLimited and counts none.
func (l *limit) takeMany(key string, n int) error {
	if l.most <= 0 {
		return nil
	}
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.windows[key]
	if age := now.Sub(w.began); !ok || age < 0 || age >= limitWindow {
		w = limitCount{began: now}
		l.makeRoom(now)
	}
	if w.n+n > l.most {
		return millrace.Errorf(millrace.KindRateLimited, "more than %d %s in 10 seconds for one %s; wait 10 seconds", l.most, l.unit, l.what)
	}
	w.n += n
	l.windows[key] = w
	return nil
}

// makeRoom forgets windows that are over, or all of them when none is.
func (l *limit) makeRoom(now time.Time) {
	if len(l.windows) < maxLimited {
		return
	}
	for key, w := range l.windows {
		if now.Sub(w.began) >= limitWindow {
			delete(l.windows, key)
		}
	}
	if len(l.windows) >= maxLimited {
		clear(l.windows)
	}
}
