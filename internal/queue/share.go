package queue

import (
	"sync"
	"time"

	"github.com/millrace/millrace"
)

// Shares say how many tasks of one kind an environment, and within it an account, may start before tasks of others overtake
// them. They decide the order of tasks that wait, and hold back none while workers are free.
type Shares struct {
	Rate        float64 // tasks a second of one environment that no flood delays; 0: 50
	Burst       float64 // tasks at once of one environment that count as few; 0: 50
	Flood       float64 // tasks at once from which an environment is the last to be served; 0: 1,000
	AccountRate float64 // the same for one account of an environment that has more than few; 0: 5
}

func (s Shares) withDefaults() Shares {
	for _, d := range []struct {
		value *float64
		or    float64
	}{{&s.Rate, 50}, {&s.Burst, 50}, {&s.Flood, 1000}, {&s.AccountRate, 5}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	return s
}

// River takes available jobs by priority, then by age. Within an environment that has many, accounts that have few go first.
const (
	priorityFew      = 1
	priorityMany     = 2 // and of an account that has few: of an environment that floods
	priorityFlood    = 3
	priorityAccount  = 1 // is added for an account that has many
	maxRememberedFor = 20_000
)

// ledger counts what each environment has asked for lately. It is this process's own: what it has forgotten or never knew costs
// some order among tasks, never a task.
type ledger struct {
	shares Shares
	clock  func() time.Time

	mu    sync.Mutex
	debts map[share]debt
}

// share is whose tasks are counted; without an account those of the whole environment.
type share struct {
	kind    millrace.TaskKind
	env     millrace.EnvironmentID
	account millrace.IntegratedAccountID
}

// debt is how many tasks were asked for, less what the rate has paid off since.
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

// priority returns that of a task, and counts it in the order.
func (o *order) priority(t *millrace.Task) int {
	env := share{kind: t.Kind, env: t.Environment}
	of := o.debt(env)
	o.added[env]++
	p := priorityFew
	switch {
	case of >= o.shares.Flood:
		p = priorityFlood
	case of >= o.shares.Burst:
		p = priorityMany
	}
	if t.Account == "" {
		return p
	}
	account := share{t.Kind, t.Environment, t.Account}
	if p > priorityFew && o.debt(account) >= o.shares.AccountRate {
		p += priorityAccount
	}
	o.added[account]++
	return p
}

func (o *order) debt(s share) float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.left(s, o.now) + o.added[s]
}

// commit counts what was inserted. It may be called once, after the transaction.
func (o *order) commit() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.debts) > maxRememberedFor {
		o.forget()
	}
	for s, n := range o.added {
		o.debts[s] = debt{o.left(s, o.now) + n, o.now}
	}
}

// left is for who holds the lock.
func (l *ledger) left(s share, now time.Time) float64 {
	d, known := l.debts[s]
	if !known {
		return 0
	}
	rate := l.shares.Rate
	if s.account != "" {
		rate = l.shares.AccountRate
	}
	return max(0, d.tasks-rate*now.Sub(d.at).Seconds())
}

// forget drops who owes nothing, and everything when all do.
func (l *ledger) forget() {
	now := l.clock()
	for s := range l.debts {
		if l.left(s, now) == 0 {
			delete(l.debts, s)
		}
	}
	if len(l.debts) > maxRememberedFor {
		clear(l.debts)
	}
}
