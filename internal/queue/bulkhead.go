package queue

import (
	"sync"
	"time"

	"github.com/millrace/millrace"
)

// A task that finds its environment at the limit comes back after deferAtLeast, and the next one of it deferStep later than
// that, so that a flood of them costs little: 100 tasks a second are looked at in vain.
const (
	deferAtLeast = 100 * time.Millisecond
	deferStep    = 10 * time.Millisecond
	deferAtMost  = 10 * time.Second
)

// bulkhead keeps one environment from taking all workers of a kind whose tasks take long. An environment may take half of what the
// others leave free, so that some are always left for one that comes.
type bulkhead struct {
	capacity int
	clock    func() time.Time

	mu   sync.Mutex
	busy int
	envs map[millrace.EnvironmentID]*compartment
}

// compartment is what one environment has in a bulkhead.
type compartment struct {
	busy     int
	deferred int64     // so far
	next     time.Time // when the last of its deferred tasks comes back
}

func newBulkhead(capacity int, clock func() time.Time) *bulkhead {
	return &bulkhead{capacity: capacity, clock: clock, envs: map[millrace.EnvironmentID]*compartment{}}
}

// enter takes a worker for a task of an environment, or returns how long the task must wait before it asks again.
func (b *bulkhead) enter(env millrace.EnvironmentID) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.envs[env]
	if c == nil {
		c = &compartment{}
		b.envs[env] = c
	}
	others := b.busy - c.busy
	if c.busy < max(1, (b.capacity-others+1)/2) {
		c.busy++
		b.busy++
		return 0, true
	}
	now := b.clock()
	c.deferred++
	c.next = later(c.next.Add(deferStep), now.Add(deferAtLeast))
	return min(c.next.Sub(now), deferAtMost), false
}

func (b *bulkhead) leave(env millrace.EnvironmentID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.envs[env]
	c.busy--
	b.busy--
	if c.busy == 0 && c.next.Before(b.clock()) {
		delete(b.envs, env)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Share is what one environment has of the workers of a kind in this process.
type Share struct {
	Kind        millrace.TaskKind
	Environment millrace.EnvironmentID
	Busy        int   // workers at its tasks now
	Deferred    int64 // tasks that found it at its limit, since it last had none
}

// Shares returns who has workers of the kinds whose tasks may take long.
func (q *Queue) Shares() []Share {
	var out []Share
	for kind, b := range q.bulkheads {
		b.mu.Lock()
		for env, c := range b.envs {
			out = append(out, Share{kind, env, c.busy, c.deferred})
		}
		b.mu.Unlock()
	}
	return out
}
