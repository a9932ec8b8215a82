package expr

import (
	"runtime"
	"sync"
	"time"

	"github.com/millrace/millrace"
)

// Budget shares the time that a node spends on evaluating expressions among environments. Each may use a share of every
// second, and what it has not used for a while at once. An environment that has used more waits, however cheap its next
// evaluation may be: what one costs is known only afterwards. When many environments use all they may, their shares shrink so
// that half of the processors stay free for everything else.
//
// A nil Budget has no bounds.
type Budget struct {
	clock func() time.Time
	share time.Duration // of a second, for one environment
	node  time.Duration // of a second, for all that use as much as they may

	mu     sync.Mutex
	of     map[millrace.EnvironmentID]*allowance
	used   time.Duration
	waits  int64     // how often an environment had to wait
	hungry int       // how many of them use as much as they may
	swept  time.Time // when all of them were looked at
}

// allowance is what an environment may still use.
type allowance struct {
	left   time.Duration // below zero: more was used than it may
	at     time.Time     // when that was so
	hungry bool          // it uses as much as it may: less than half of what it may save up is left
}

const (
	// burst is how many seconds' shares an environment may save up.
	burst = 2
	// worthwhile is how much of a second's share, as its fraction, must be there before an environment that has used up its own
	// goes on: less would not be worth the start of its task.
	worthwhile = 5
	sweepEvery = time.Second
)

// NewBudget returns a budget that gives each environment so much of every second.
func NewBudget(share time.Duration, clock func() time.Time) *Budget {
	node := time.Duration(runtime.GOMAXPROCS(0)) * time.Second / 2
	return &Budget{clock: clock, share: share, node: max(node, share), of: map[millrace.EnvironmentID]*allowance{}, swept: clock()}
}

// Wait returns how long an environment has to wait before its next evaluation; 0: it need not.
func (b *Budget) Wait(env millrace.EnvironmentID) time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.look(env)
	if a.left > 0 {
		return 0
	}
	b.waits++
	missing := b.share/worthwhile - a.left
	return time.Duration(float64(missing) / float64(b.rate(a)) * float64(time.Second))
}

// Use charges an environment for the time that fn takes.
func (b *Budget) Use(env millrace.EnvironmentID, fn func()) {
	if b == nil {
		fn()
		return
	}
	began := b.clock()
	fn()
	took := b.clock().Sub(began)
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.look(env)
	a.left -= took
	b.used += took
	b.mark(a)
}

// Totals returns how much time all environments have used, and how often one had to wait.
func (b *Budget) Totals() (time.Duration, int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used, b.waits
}

// look brings an allowance up to date.
func (b *Budget) look(env millrace.EnvironmentID) *allowance {
	now := b.clock()
	if now.Sub(b.swept) >= sweepEvery {
		b.sweep(now)
	}
	a := b.of[env]
	if a == nil {
		a = &allowance{left: burst * b.share, at: now}
		b.of[env] = a
	}
	b.refill(a, now)
	return a
}

// rate is what an environment gets of a second.
func (b *Budget) rate(a *allowance) time.Duration {
	if !a.hungry {
		return b.share
	}
	return min(b.share, b.node/time.Duration(b.hungry))
}

func (b *Budget) refill(a *allowance, now time.Time) {
	if passed := now.Sub(a.at); passed > 0 {
		a.left = min(a.left+time.Duration(passed.Seconds()*float64(b.rate(a))), burst*b.share)
		a.at = now
	}
	b.mark(a)
}

// mark counts an allowance among the hungry, or no longer.
func (b *Budget) mark(a *allowance) {
	hungry := a.left < burst*b.share/2
	switch {
	case hungry && !a.hungry:
		b.hungry++
	case !hungry && a.hungry:
		b.hungry--
	}
	a.hungry = hungry
}

// sweep forgets environments that have all they may have.
func (b *Budget) sweep(now time.Time) {
	b.swept = now
	for env, a := range b.of {
		b.refill(a, now)
		if a.left == burst*b.share {
			delete(b.of, env)
		}
	}
}
