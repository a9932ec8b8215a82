package rest

import (
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/cache"
)

const (
	// limitWindow is the time for which requests are counted; a caller who waits for as long may go on.
	limitWindow = 10 * time.Second
	// maxLimited bounds how many callers are counted.
	maxLimited = 10_000
)

// Limit bounds how many requests come under one key. It counts in this process only.
type Limit struct {
	what  string
	Unit  string
	most  int // 0: any number
	clock func() time.Time

	mu      sync.Mutex
	windows *cache.Cache[string, limitCount]
}

type limitCount struct {
	began time.Time
	n     int
}

// NewLimit bounds how many requests come under one key. what names whose key it is.
func NewLimit(what string, most int, clock func() time.Time) *Limit {
	return &Limit{what: what, Unit: "requests", most: most, clock: clock, windows: cache.NewLasting[string, limitCount](maxLimited)}
}

// NewByteLimit bounds how many bytes come under one key.
func NewByteLimit(what string, most int, clock func() time.Time) *Limit {
	l := NewLimit(what, most, clock)
	l.Unit = "bytes"
	return l
}

// Take counts a request, or returns an error of KindRateLimited.
func (l *Limit) Take(key string) error { return l.TakeMany(key, 1) }

// TakeMany counts so many of what is limited, or returns an error of KindRateLimited and counts none.
func (l *Limit) TakeMany(key string, n int) error {
	if l.most <= 0 {
		return nil
	}
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.windows.Get(key)
	if age := now.Sub(w.began); !ok || age < 0 || age >= limitWindow {
		w = limitCount{began: now}
	}
	if w.n+n > l.most {
		return millrace.Errorf(millrace.KindRateLimited, "more than %d %s in 10 seconds for one %s; wait 10 seconds", l.most, l.Unit, l.what)
	}
	w.n += n
	l.windows.Set(key, w)
	return nil
}
