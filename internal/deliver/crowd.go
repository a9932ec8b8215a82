package deliver

import (
	"sync"
	"time"
)

const (
	slowAttempt   = time.Second     // an attempt that takes longer makes its webhook a slow one
	defaultCrowd  = 192             // of the workers that the queue has for pumps
	crowdWait     = 2 * time.Second // how long a slow webhook stays away when the others take all the room
	maxRemembered = 10_000
)

// crowd keeps slow webhooks from taking the workers of those that answer at once. What it knows is lost with the process,
// and learned again.
type crowd struct {
	room chan struct{}

	mu   sync.Mutex
	slow map[string]bool // by the key of the pump's task
}

func newCrowd(size int) *crowd {
	return &crowd{room: make(chan struct{}, size), slow: map[string]bool{}}
}

// enter reports false when the webhook is slow and there is no room for another one. Otherwise the function must be called when
// it is left alone again.
func (c *crowd) enter(key string) (func(), bool) {
	c.mu.Lock()
	slow := c.slow[key]
	c.mu.Unlock()
	if !slow {
		return func() {}, true
	}
	select {
	case c.room <- struct{}{}:
		return func() { <-c.room }, true
	default:
		return nil, false
	}
}

// remember notes whether a webhook was slow when it was last called.
func (c *crowd) remember(key string, slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slow {
		delete(c.slow, key)
		return
	}
	if len(c.slow) >= maxRemembered {
		clear(c.slow) // of webhooks that are gone, mostly
	}
	c.slow[key] = true
}
