package queue

import (
	"testing"

	"github.com/millrace/millrace"
)

// An environment may have half of what the others leave free, and always one.
func TestLimitOfARoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ capacity, percent, others, want int }{
		{8, 50, 0, 4}, {8, 50, 4, 2}, {8, 50, 7, 1}, {8, 50, 8, 1}, {8, 50, 20, 1}, {1, 50, 0, 1}, {256, 50, 128, 64}, {8, 100, 3, 5}, {8, 1, 0, 1},
	} {
		if got := newRoom(millrace.TaskSlice, c.capacity, c.percent, weightOf(100)).limit("env", c.others); got != c.want {
			t.Errorf("%d workers, %d %%, others have %d: got %d, want %d", c.capacity, c.percent, c.others, got, c.want)
		}
	}
}

// A task may be worked before the transaction that inserted it is noted. It must not be counted after that.
func TestTaskThatEndsBeforeItIsNoted(t *testing.T) {
	t.Parallel()
	r := newRoom(millrace.TaskSlice, 4, 50, weightOf(100))
	for id := range int64(3) {
		if !r.enter(id, "env") {
			t.Fatalf("task %d found no worker", id)
		}
		r.leave("env")
		r.forget(id)
		r.inserted(id, "env")
	}
	if r.admitted != 0 || r.working != 0 || len(r.jobs) != 0 || len(r.envs) != 0 {
		t.Errorf("got %d tasks, %d workers, %v, %v left", r.admitted, r.working, r.jobs, r.envs)
	}
	for id := range int64(2 * maxEarly) {
		r.enter(id+10, "env")
		r.leave("env")
		r.forget(id + 10)
	}
	if len(r.early) != maxEarly || len(r.earliest) != maxEarly {
		t.Errorf("%d and %d tasks are remembered, want %d", len(r.early), len(r.earliest), maxEarly)
	}
}

// The third task of an account goes behind the first of another, whenever they came.
func TestAccountsTakeTurnsInALine(t *testing.T) {
	t.Parallel()
	q := &Queue{rooms: map[millrace.TaskKind]*room{millrace.TaskSlice: newRoom(millrace.TaskSlice, 1, 50, weightOf(100))}}
	turns := func(account millrace.IntegratedAccountID, n int) []int64 {
		a := &admission{rooms: q.rooms, admitted: map[share]int{}, waiting: map[share]*line{}, jobs: map[int64]share{}}
		var out []int64
		for range n {
			out = append(out, a.wait(&millrace.Task{Kind: millrace.TaskSlice, Environment: "env", Account: account}).Turn)
		}
		a.commit()
		return out
	}
	if got := turns("busy", 3); got[0] != 1 || got[2] != 3 {
		t.Errorf("the first account got turns %v", got)
	}
	if got := turns("quiet", 2); got[0] != 1 || got[1] != 2 {
		t.Errorf("the second account got turns %v", got)
	}
	q.rooms[millrace.TaskSlice].taken(vacancy{env: "env"}, 2, false)
	if got := turns("late", 1); got[0] != 3 {
		t.Errorf("an account that comes after two turns got turn %v", got)
	}
	if got := turns("busy", 1); got[0] != 4 {
		t.Errorf("the first account got turn %v next", got)
	}
}

func weightOf(weight int64) func(millrace.EnvironmentID) int64 {
	return func(millrace.EnvironmentID) int64 { return weight }
}

// TestWeightsShareARoom fills a room with two environments that want all of it, one worker at a time.
func TestWeightsShareARoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		heavy, light  int64
		capacity      int
		first, second int // of the heavy and of the light one
	}{
		{100, 100, 300, 100, 100}, {200, 100, 400, 200, 100}, {300, 100, 500, 300, 100}, {1000, 1, 1200, 1090, 2}, {50, 100, 250, 50, 100},
	} {
		r := newRoom(millrace.TaskSlice, c.capacity, 50, func(env millrace.EnvironmentID) int64 {
			if env == "heavy" {
				return c.heavy
			}
			return c.light
		})
		has := map[millrace.EnvironmentID]int{}
		for range 10 * c.capacity { // tasks end and others begin
			for _, env := range []millrace.EnvironmentID{"heavy", "light"} {
				other := has["heavy"] + has["light"] - has[env]
				has[env] = min(has[env]+1, max(has[env]-1, r.limit(env, other)))
			}
		}
		if got := [2]int{has["heavy"], has["light"]}; got != [2]int{c.first, c.second} {
			t.Errorf("weights %d and %d share %d workers as %v, want [%d %d]", c.heavy, c.light, c.capacity, got, c.first, c.second)
		}
	}
}
