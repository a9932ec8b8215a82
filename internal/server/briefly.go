package server

import (
	"sync"
	"time"
)

const (
	// brief is how long a change of an account or a webhook may go unnoticed by a run that is under way.
	brief = time.Second
	// maxBrief bounds how many values are remembered.
	maxBrief = 10_000
)

// briefly remembers what was loaded a moment ago: a run asks for the same account and webhook with every page.
type briefly[K comparable, V any] struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[K]remembered[V]
}

type remembered[V any] struct {
	value V
	at    time.Time
}

func newBriefly[K comparable, V any](clock func() time.Time) *briefly[K, V] {
	return &briefly[K, V]{clock: clock, known: map[K]remembered[V]{}}
}

// forget drops the value of a key that has changed.
func (b *briefly[K, V]) forget(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, key)
}

// get returns the value of a key, loading it when it is not known or not fresh. Errors are not remembered.
func (b *briefly[K, V]) get(key K, load func() (V, error)) (V, error) {
	now := b.clock()
	b.mu.Lock()
	r, ok := b.known[key]
	b.mu.Unlock()
	if ok && now.Sub(r.at) < brief && !now.Before(r.at) {
		return r.value, nil
	}
	v, err := load()
	if err != nil {
		return v, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= maxBrief {
		clear(b.known)
	}
	b.known[key] = remembered[V]{v, now}
	return v, nil
}
