package queue

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace"
)

// Shares say how many tasks of one kind an environment, and within it an account, may have that wait or run before tasks of
// others overtake them. They decide the order of tasks that wait, and hold back none while workers are free.
type Shares struct {
	Few        int // tasks of one environment that count as few; 0: 16
	Flood      int // from how many on an environment is the last to be served; 0: 1,000
	AccountFew int // tasks of one account, in an environment that has more than few; 0: 4
}

func (s Shares) withDefaults() Shares {
	for _, d := range []struct {
		value *int
		or    int
	}{{&s.Few, 16}, {&s.Flood, 1000}, {&s.AccountFew, 4}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	return s
}

// River takes available jobs by priority, then by age. Within an environment that has many, accounts that have few go first.
const (
	priorityFew     = 1
	priorityMany    = 2
	priorityFlood   = 3
	priorityAccount = 1 // is added for an account that has many

	maxShares = 20_000
)

// halving is how fast tasks are forgotten that other nodes may have worked.
const halving = time.Second

// ledger counts the tasks of each environment that this process has inserted and not seen end. What it has forgotten or never
// knew costs some order among tasks, never a task.
type ledger struct {
	shares Shares
	clock  func() time.Time
	others atomic.Bool // other nodes work tasks, too

	mu    sync.Mutex
	debts map[share]debt
}

// share is whose tasks are counted; without an account those of the whole environment.
type share struct {
	kind    millrace.TaskKind
	env     millrace.EnvironmentID
	account millrace.IntegratedAccountID
}

type debt struct {
	tasks float64
	at    time.Time
}

func newLedger(s Shares, clock func() time.Time) *ledger {
	return &ledger{shares: s.withDefaults(), clock: clock, debts: map[share]debt{}}
}

// order is the tasks of one transaction, which count among themselves before it commits.
type order struct {
	*ledger
	now   time.Time
	added map[share]float64
}

func (l *ledger) order() *order { return &order{ledger: l, now: l.clock(), added: map[share]float64{}} }

// priority returns that of a task.
func (o *order) priority(t *millrace.Task) int {
	has := o.debt(share{kind: t.Kind, env: t.Environment})
	p := priorityFew
	switch {
	case has >= float64(o.shares.Flood):
		p = priorityFlood
	case has >= float64(o.shares.Few):
		p = priorityMany
	}
	if t.Account != "" && p > priorityFew && o.debt(share{t.Kind, t.Environment, t.Account}) >= float64(o.shares.AccountFew) {
		p += priorityAccount
	}
	o.add(t, 1)
	return p
}

// add counts a task in the order, or one less of its kind.
func (o *order) add(t *millrace.Task, n float64) {
	o.added[share{kind: t.Kind, env: t.Environment}] += n
	if t.Account != "" {
		o.added[share{t.Kind, t.Environment, t.Account}] += n
	}
}

func (o *order) debt(s share) float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.left(s, o.now) + o.added[s]
}

// commit counts what was inserted, once its transaction has committed.
func (o *order) commit() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for s, n := range o.added {
		if left := o.left(s, o.now) + n; left > 0 {
			o.debts[s] = debt{left, o.now}
		} else {
			delete(o.debts, s)
		}
	}
	if len(o.debts) > maxShares {
		clear(o.debts)
	}
}

// done notes that a task has ended.
func (l *ledger) done(t *millrace.Task) {
	o := l.order()
	o.add(t, -1)
	o.commit()
}

// left is for who holds the lock.
func (l *ledger) left(s share, now time.Time) float64 {
	d, known := l.debts[s]
	if !known || !l.others.Load() {
		return d.tasks
	}
	left := d.tasks * math.Exp2(-float64(now.Sub(d.at))/float64(halving))
	if left < 0.5 {
		return 0
	}
	return left
}
