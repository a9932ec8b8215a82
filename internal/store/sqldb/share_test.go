package sqldb

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace"
)

const (
	floods millrace.EnvironmentID = "00000000-0000-4000-8000-00000000000f"
	quiet  millrace.EnvironmentID = "00000000-0000-4000-8000-000000000001"
)

// Of fifty updates of one environment that wait, one of another that comes last goes second.
func TestUpdatesOfEnvironmentsTakeTurnsOnSQLite(t *testing.T) {
	t.Parallel()
	b, err := openSQLite(t.Context(), filepath.Join(t.TempDir(), "share.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.close() })
	var ran []millrace.EnvironmentID // by the leader of a commit, one after the other
	var group sync.WaitGroup
	update := func(env millrace.EnvironmentID, fn func()) {
		group.Go(func() {
			err := b.update(OnBehalfOf(t.Context(), env), func(conn) error {
				fn()
				ran = append(ran, env)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	begun, goOn := make(chan struct{}), make(chan struct{})
	update(floods, func() { close(begun); <-goOn })
	<-begun
	const n = 50
	for range n {
		update(floods, func() {})
	}
	waitFor(b, n)
	update(quiet, func() {})
	waitFor(b, n+1)
	close(goOn)
	group.Wait()
	if at := slices.Index(ran, quiet); len(ran) != n+2 || at > 2 {
		t.Errorf("the other environment's update was number %d of %d, want one of the first three", at+1, len(ran))
	}
}

// waitFor returns when n updates wait.
func waitFor(b *sqliteBackend, n int) {
	for {
		b.mu.Lock()
		waiting := 0
		for _, line := range b.waiting.lines {
			waiting += len(line)
		}
		b.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// However many updates of one environment are under way or wait, half of the places are left to others.
func TestGateKeepsPlacesForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(4, nil)
		done := make(chan struct{})
		var group sync.WaitGroup
		most := 0
		for range 20 {
			group.Go(func() {
				if err := g.enter(t.Context(), floods); err != nil {
					t.Error(err)
					return
				}
				g.mu.Lock()
				most = max(most, g.each[floods])
				g.mu.Unlock()
				<-done
				g.leave(floods)
			})
		}
		synctest.Wait()
		if err := g.enter(t.Context(), quiet); err != nil {
			t.Error(err)
		}
		g.leave(quiet)
		close(done)
		group.Wait()
		if most != 2 {
			t.Errorf("got %d places for one environment, want 2", most)
		}
		if g.busy != 0 || len(g.each) != 0 || len(g.waiting.order) != 0 {
			t.Errorf("the gate is not empty: %d busy, %v, %v wait", g.busy, g.each, g.waiting.order)
		}
	})
}

// An environment that has company gets few places, and half of them again when it has been alone for a while.
func TestGateGivesFewPlacesWhereThereIsCompany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(400, nil)
		g.few = 3
		done := make(chan struct{})
		var group sync.WaitGroup
		flood := func() int { // how many of many get a place
			for range 500 {
				group.Go(func() {
					if err := g.enter(t.Context(), floods); err != nil {
						t.Error(err)
						return
					}
					<-done
					g.leave(floods)
				})
			}
			synctest.Wait()
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.each[floods]
		}
		end := func() {
			close(done)
			group.Wait()
			done = make(chan struct{})
		}
		if got := flood(); got != 200 {
			t.Errorf("got %d places while alone, want 200", got)
		}
		end()
		if err := g.enter(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
		g.leave(quiet)
		if got := flood(); got != 3 {
			t.Errorf("got %d places in company, want 3", got)
		}
		end()
		time.Sleep(company + time.Second) // of the bubble's clock
		if got := flood(); got != 200 {
			t.Errorf("got %d places after the others were gone, want 200", got)
		}
		end()
	})
}

// A caller that gives up leaves the line, and no place is lost by it.
func TestGateForgetsCallersThatGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, nil)
		if err := g.enter(t.Context(), floods); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { failed <- g.enter(ctx, floods) }()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		g.leave(floods)
		if g.busy != 0 || len(g.waiting.order) != 0 || len(g.waiting.lines) != 0 {
			t.Errorf("the gate is not empty: %d busy, %v wait", g.busy, g.waiting.order)
		}
		if err := g.enter(t.Context(), floods); err != nil {
			t.Error(err)
		}
	})
}

func TestTurnsKeepTheOrderOfAnEnvironment(t *testing.T) {
	t.Parallel()
	var line turns[int]
	for i := range 4 {
		line.push(floods, i)
	}
	line.push(quiet, 10)
	line.push(quiet, 11)
	line.remove(quiet, 11)
	line.push(quiet, 12)
	var got []int
	for v, ok := line.pop(nil); ok; v, ok = line.pop(nil) {
		got = append(got, v)
	}
	if want := []int{0, 10, 1, 12, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestTurnsGoByWeight has both environments always want the next turn, each of which costs the same.
func TestTurnsGoByWeight(t *testing.T) {
	t.Parallel()
	w := &weights{}
	w.set(floods, 300)
	line := turns[int]{weights: w}
	served := map[int]int{}
	for _, env := range []millrace.EnvironmentID{floods, quiet} {
		for range 500 {
			line.push(env, map[millrace.EnvironmentID]int{floods: 3, quiet: 1}[env])
		}
	}
	for range 400 {
		v, _ := line.pop(nil)
		served[v]++
		line.charge(map[int]millrace.EnvironmentID{3: floods, 1: quiet}[v], time.Millisecond)
	}
	if served[3] != 300 || served[1] != 100 {
		t.Errorf("an environment of weight 300 was served %d times beside one of 100 that was served %d times", served[3], served[1])
	}
}
