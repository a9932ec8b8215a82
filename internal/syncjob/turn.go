package syncjob

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace"
)

const (
	// turnsEach is how many runs of one environment compute and store at a time, for each processor, while another environment has
	// runs. Those that wait for a provider or a webhook are not counted. Whatever the other has to do would stand behind all of
	// them, at the processors and at the database.
	turnsEach = 2
	// othersFor is how long an environment is taken for one that has runs after it had one.
	othersFor = millrace.Time(time.Second / time.Microsecond)
)

// turns bounds how many slices of an environment are at work beside the network, while it is not alone.
type turns struct {
	most int
	now  func() millrace.Time

	mu    sync.Mutex
	rooms map[millrace.EnvironmentID]*room
}

// room is that of one environment.
type room struct {
	slices  int
	busy    int
	seen    millrace.Time // when it last had a slice at work
	waiting []chan struct{}
}

func newTurns(now func() millrace.Time) *turns {
	return &turns{most: turnsEach * runtime.GOMAXPROCS(0), now: now, rooms: map[millrace.EnvironmentID]*room{}}
}

// turn is one slice's place in the room of its environment.
type turn struct {
	turns *turns
	room  *room
	held  bool
}

// join begins a slice; leave ends it.
func (t *turns) join(env millrace.EnvironmentID) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for env, r := range t.rooms {
		if r.slices == 0 && r.seen+othersFor < now {
			delete(t.rooms, env)
		}
	}
	r := t.rooms[env]
	if r == nil {
		r = &room{}
		t.rooms[env] = r
	}
	r.slices++
	r.seen = now
	return &turn{turns: t, room: r}
}

// free reports whether another slice may work. It is for who holds the lock.
func (t *turns) free(r *room) bool {
	if r.busy < t.most {
		return true
	}
	now := t.now()
	for _, other := range t.rooms {
		if other != r && (other.slices > 0 || other.seen+othersFor >= now) {
			return false
		}
	}
	return true
}

// take waits for a place, in the order of those that wait. When ctx ends first there is none, and the slice ends soon.
func (t *turn) take(ctx context.Context) {
	t.turns.mu.Lock()
	if len(t.room.waiting) == 0 && t.turns.free(t.room) {
		t.room.busy++
		t.held = true
		t.turns.mu.Unlock()
		return
	}
	mine := make(chan struct{})
	t.room.waiting = append(t.room.waiting, mine)
	t.turns.mu.Unlock()
	select {
	case <-mine:
		t.held = true
	case <-ctx.Done():
		t.forgo(mine)
	}
}

// forgo leaves the line, or gives back the place that was got in the same moment.
func (t *turn) forgo(mine chan struct{}) {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	select {
	case <-mine:
		t.turns.release(t.room)
	default:
		t.room.waiting = slices.DeleteFunc(t.room.waiting, func(c chan struct{}) bool { return c == mine })
	}
}

func (t *turn) give() {
	if !t.held {
		return
	}
	t.held = false
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	t.turns.release(t.room)
}

// release is for who holds the lock.
func (t *turns) release(r *room) {
	r.busy--
	r.seen = t.now()
	for len(r.waiting) > 0 && t.free(r) {
		close(r.waiting[0])
		r.waiting = r.waiting[1:]
		r.busy++
	}
}

func (t *turn) leave() {
	t.give()
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	t.room.slices--
}

// away runs what waits for the network without a place.
func away[T any](ctx context.Context, t *turn, fn func() (T, error)) (T, error) {
	t.give()
	defer t.take(ctx)
	return fn()
}
