package sqldb

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace"
)

type shareKey struct{}

// OnBehalfOf returns a context whose transactions take turns with those of other environments. Without it they share the turns of
// the server itself.
func OnBehalfOf(ctx context.Context, env millrace.EnvironmentID) context.Context {
	if env == "" {
		return ctx
	}
	return context.WithValue(ctx, shareKey{}, env)
}

func shareOf(ctx context.Context) millrace.EnvironmentID {
	env, _ := ctx.Value(shareKey{}).(millrace.EnvironmentID)
	return env
}

// turns is a waiting line in which environments take turns, so that hundreds of updates of one do not stand before the few of
// another. Next is who has cost the least so far, counted from when it last had nothing in the line: who takes long waits as
// long as it has made others wait. Those of one environment stay in order.
type turns[T comparable] struct {
	lines map[millrace.EnvironmentID][]T
	order []millrace.EnvironmentID // that have a line, who came first in front
	spent map[millrace.EnvironmentID]time.Duration
	now   time.Duration // what the last one that was served had spent

	weights *weights // nil: all weigh the same
}

func (t *turns[T]) push(env millrace.EnvironmentID, v T) {
	if t.lines == nil {
		t.lines = map[millrace.EnvironmentID][]T{}
	}
	line := t.lines[env]
	if len(line) == 0 {
		t.order = append(t.order, env)
		t.charge(env, 0)
	}
	t.lines[env] = append(line, v)
}

// charge notes what an environment has cost, which counts less the more it weighs.
func (t *turns[T]) charge(env millrace.EnvironmentID, cost time.Duration) {
	if t.spent == nil {
		t.spent = map[millrace.EnvironmentID]time.Duration{}
	}
	t.spent[env] = max(t.spent[env], t.now) + t.weights.cost(env, cost)
}

// pop takes the next one that may go, and reports false when there is none.
func (t *turns[T]) pop(may func(millrace.EnvironmentID) bool) (T, bool) {
	next := -1
	for i, env := range t.order {
		if (may == nil || may(env)) && (next < 0 || t.spent[env] < t.spent[t.order[next]]) {
			next = i
		}
	}
	if next < 0 {
		var none T
		return none, false
	}
	env := t.order[next]
	line := t.lines[env]
	t.order = append(t.order[:next], t.order[next+1:]...)
	if len(line) > 1 {
		t.lines[env] = line[1:]
		t.order = append(t.order, env)
	} else {
		delete(t.lines, env)
	}
	t.now = max(t.now, t.spent[env])
	t.forget()
	return line[0], true
}

// forget drops what makes no difference any more, now and then.
func (t *turns[T]) forget() {
	if len(t.spent) < 2*len(t.lines)+64 {
		return
	}
	for env, spent := range t.spent {
		if spent <= t.now && len(t.lines[env]) == 0 {
			delete(t.spent, env)
		}
	}
}

// Remove takes one out of the line, and reports whether it was there.
func (t *turns[T]) remove(env millrace.EnvironmentID, v T) bool {
	before := len(t.lines[env])
	line := slices.DeleteFunc(t.lines[env], func(w T) bool { return w == v })
	if len(line) > 0 {
		t.lines[env] = line
		return len(line) < before
	}
	delete(t.lines, env)
	t.order = slices.DeleteFunc(t.order, func(e millrace.EnvironmentID) bool { return e == env })
	return before > 0
}

// others reports whether any environment but one has a line.
func (t *turns[T]) others(env millrace.EnvironmentID) bool {
	return len(t.order) > 1 || len(t.order) == 1 && t.order[0] != env
}

// company is how long an environment counts as one that others share the database with, after it came to the gate.
const company = 5 * time.Second

// gate bounds how many transactions are under way, and how many of them are one environment's: half of all while it is alone, and
// few while it has company. A few keep the machines busy; more would only make every statement of the others wait for a processor.
type gate struct {
	most, alone, few int

	mu           sync.Mutex
	busy         int
	each         map[millrace.EnvironmentID]int
	last, before visit // of the environment that came last, and of the one before that was another
	waiting      turns[*gatePass]
}

// visit says when an environment came to the gate.
type visit struct {
	env millrace.EnvironmentID
	at  time.Time
}

type gatePass struct {
	env  millrace.EnvironmentID
	open chan struct{} // closed when it may go
}

func newGate(most int, w *weights) *gate {
	alone := max(most/2, 1)
	return &gate{most: most, alone: alone, few: min(max(most/8, runtime.NumCPU()), alone), each: map[millrace.EnvironmentID]int{}, waiting: turns[*gatePass]{weights: w}}
}

// note is for who holds the lock. The server itself is no company.
func (g *gate) note(env millrace.EnvironmentID) {
	if env == "" {
		return
	}
	if env != g.last.env {
		g.before = g.last
	}
	g.last = visit{env, time.Now()} //nolint:forbidigo // how long ago others came
}

// mostOf is for who holds the lock.
func (g *gate) mostOf(env millrace.EnvironmentID) int {
	other := g.last
	if other.env == env {
		other = g.before
	}
	if env == "" || other.env == "" || time.Since(other.at) > company {
		return g.alone
	}
	return min(max(g.few*int(g.waiting.weights.get(env))/millrace.DefaultWeight, 1), g.alone)
}

// enter waits for a place, which leave gives back.
func (g *gate) enter(ctx context.Context, env millrace.EnvironmentID) error {
	g.mu.Lock()
	g.note(env)
	if g.may(env) { // if one that waits could go, it would not wait
		g.take(env)
		g.mu.Unlock()
		return nil
	}
	p := &gatePass{env: env, open: make(chan struct{})}
	g.waiting.push(env, p)
	g.mu.Unlock()
	select {
	case <-p.open:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-p.open: // in the same moment
		g.release(env)
	default:
		g.waiting.remove(env, p)
	}
	return context.Cause(ctx)
}

func (g *gate) leave(env millrace.EnvironmentID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release(env)
}

// may, take and release are for who holds the lock.
func (g *gate) may(env millrace.EnvironmentID) bool {
	return g.busy < g.most && g.each[env] < g.mostOf(env)
}

func (g *gate) take(env millrace.EnvironmentID) {
	g.busy++
	g.each[env]++
	g.waiting.charge(env, time.Millisecond) // all transactions count the same
}

func (g *gate) release(env millrace.EnvironmentID) {
	g.busy--
	if g.each[env]--; g.each[env] == 0 {
		delete(g.each, env)
	}
	for {
		p, ok := g.waiting.pop(g.may)
		if !ok {
			return
		}
		g.take(p.env)
		close(p.open)
	}
}
