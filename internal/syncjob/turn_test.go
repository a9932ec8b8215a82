package syncjob

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace"
)

// However many slices an environment has, few of them are at work beside the network while another has runs, which does not wait
// for them. One that is alone may use all it can.
func TestSlicesOfAnEnvironmentTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const flood, quiet = millrace.EnvironmentID("flood"), millrace.EnvironmentID("quiet")
		all := newTurns(func() millrace.Time { return millrace.TimeOf(time.Now()) })
		other := all.join(quiet)
		other.take(t.Context())
		release, again := make(chan struct{}), make(chan struct{})
		n := 5 * all.most
		for range n {
			go func() {
				own := all.join(flood)
				defer own.leave()
				own.take(t.Context())
				<-release
				_, _ = away(t.Context(), own, func() (int, error) { return 0, nil })
				<-again
			}()
		}
		synctest.Wait()
		if got := all.rooms[flood].busy; got != all.most {
			t.Errorf("beside another environment: got %d at work, want %d", got, all.most)
		}
		if _, err := away(t.Context(), other, func() (int, error) {
			if got := all.rooms[quiet].busy; got != 0 {
				t.Errorf("got %d places held at the network, want 0", got)
			}
			return 0, nil
		}); err != nil || !other.held {
			t.Errorf("got held %v and %v, want a place again", other.held, err)
		}
		other.leave()
		time.Sleep(2 * time.Second) // of the bubble
		close(release)
		synctest.Wait()
		if got := all.rooms[flood].busy; got != n {
			t.Errorf("alone: got %d at work, want %d", got, n)
		}
		close(again)
		synctest.Wait()
		if r := all.rooms[flood]; r.busy != 0 || r.slices != 0 || len(r.waiting) != 0 {
			t.Errorf("got %+v, want an empty room", *r)
		}
	})
}

// A slice that is stopped while it waits holds nothing and leaves the line.
func TestStoppedSliceLeavesTheLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(func() millrace.Time { return millrace.TimeOf(time.Now()) })
		all.most = 1
		other, first, second := all.join("quiet"), all.join("flood"), all.join("flood")
		other.take(t.Context())
		first.take(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			second.take(ctx)
			close(done)
		}()
		synctest.Wait()
		cancel()
		<-done
		if second.held || len(all.rooms["flood"].waiting) != 0 {
			t.Errorf("got held %v, %d in line", second.held, len(all.rooms["flood"].waiting))
		}
		second.leave()
		first.leave()
		other.leave()
		if r := all.rooms["flood"]; r.busy != 0 || r.slices != 0 {
			t.Errorf("got %+v, want an empty room", *r)
		}
	})
}
