package deliver

import (
	"sync"
	"time"

	"github.com/millrace/millrace"
)

const (
	slowAttempt   = time.Second     // an attempt that takes longer makes its webhook a slow one
	defaultCrowd  = 384             // of the workers that the queue has for pumps; one environment has half of it
	crowdWait     = 2 * time.Second // how long a slow webhook stays away when the others take all the room
	maxRemembered = 10_000
)

// crowd keeps slow webhooks from taking the workers of those that answer at once. What it knows is lost with the process,
// and learned again.
type crowd struct {
	size int

	mu   sync.Mutex
	in   int
	envs map[millrace.EnvironmentID]int // how many of them are whose
	slow map[string]bool                // by the key of the pump's task
}

func newCrowd(size int) *crowd {
	return &crowd{size: size, envs: map[millrace.EnvironmentID]int{}, slow: map[string]bool{}}
}

// enter reports false when the webhook is slow and there is no room for another one of its environment, which may have half of
// what the others leave. Otherwise the function must be called when it is left alone again.
func (c *crowd) enter(env millrace.EnvironmentID, key string) (func(), bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.slow[key] {
		return func() {}, true
	}
	others := c.in - c.envs[env]
	if c.envs[env] >= (c.size-others+1)/2 {
		return nil, false
	}
	c.in++
	c.envs[env]++
	return func() { c.leave(env) }, true
}

func (c *crowd) leave(env millrace.EnvironmentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in--
	if c.envs[env]--; c.envs[env] == 0 {
		delete(c.envs, env)
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
