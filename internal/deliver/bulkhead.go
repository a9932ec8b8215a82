package deliver

import (
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/cache"
)

const (
	slowAttempt   = time.Second     // an attempt that takes longer makes its webhook a slow one
	defaultSlow   = 384             // fewer than the queue has workers for pumps; one environment has half of it
	bulkheadWait  = 2 * time.Second // how long a slow webhook stays away when the others take all the room
	maxRemembered = 10_000
)

// bulkhead keeps slow webhooks from taking the workers of those that respond at once. It is in memory only: after a restart
// it learns again.
type bulkhead struct {
	size int

	mu   sync.Mutex
	in   int
	envs map[millrace.EnvironmentID]int // how many of them are whose
	slow *cache.Cache[string, struct{}] // by the key of the pump's task
}

func newBulkhead(size int) *bulkhead {
	return &bulkhead{size: size, envs: map[millrace.EnvironmentID]int{}, slow: cache.NewLasting[string, struct{}](maxRemembered)}
}

// enter reports false when the webhook is slow and there is no room for another one of its environment, which may have half of
// what the others leave. Otherwise the function must be called when it is left alone again.
func (c *bulkhead) enter(env millrace.EnvironmentID, key string) (func(), bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, slow := c.slow.Get(key); !slow {
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

func (c *bulkhead) leave(env millrace.EnvironmentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in--
	if c.envs[env]--; c.envs[env] == 0 {
		delete(c.envs, env)
	}
}

// remember notes whether a webhook was slow when it was last called.
func (c *bulkhead) remember(key string, slow bool) {
	if !slow {
		c.slow.Delete(key)
		return
	}
	c.slow.Set(key, struct{}{})
}
