package memory

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBudgetIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New(100)
		first, err := b.Acquire(t.Context(), "a", 80)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		var mu sync.Mutex
		for _, w := range []struct {
			owner string
			n     int64
		}{{"b", 60}, {"c", 50}} {
			go func() {
				l, err := b.Acquire(t.Context(), w.owner, w.n)
				if err != nil {
					return
				}
				mu.Lock()
				order = append(order, w.owner)
				mu.Unlock()
				l.Release()
			}()
			synctest.Wait()
		}
		if _, ok := b.Try("d", 1); ok {
			t.Error("one that does not wait passed those that do")
		}
		if len(order) != 0 {
			t.Errorf("%v did not wait for the one before", order)
		}
		first.Release()
		synctest.Wait()
		if strings.Join(order, "") != "bc" {
			t.Errorf("got the order %v, want b, c", order)
		}
		if used, waiting := b.Used(); used != 0 || waiting != 0 {
			t.Errorf("%d bytes are used and %d wait at the end", used, waiting)
		}
	})
}

func TestOwnerWithItsShareLetsOthersPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New(100)
		held, _ := b.Acquire(t.Context(), "greedy", 40)
		got := make(chan error, 1)
		go func() {
			_, err := b.Acquire(t.Context(), "greedy", 40)
			got <- err
		}()
		synctest.Wait()
		other, ok := b.Try("other", 50)
		if !ok {
			t.Fatal("another owner waits for the greedy one")
		}
		if len(got) != 0 {
			t.Fatal("an owner got more than its share")
		}
		held.Shrink(10)
		synctest.Wait()
		if len(got) != 1 {
			t.Error("the owner does not get its share")
		}
		other.Release()
	})
}

func TestWhoGivesUpWaitingHoldsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New(100)
		l, _ := b.Acquire(t.Context(), "a", 100)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Acquire(ctx, "b", 500); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		l.Release()
		l.Release()
		if whole, ok := b.Try("c", 500); !ok || whole.Size() != 100 {
			t.Errorf("more than the budget: got %d, %v, want all of it", whole.Size(), ok)
		}
	})
}

// Owners take and give back at random; nothing is given twice and everybody gets something.
func TestBudgetAtRandom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		b := New(1000)
		var group sync.WaitGroup
		for i := range uint64(50) {
			group.Go(func() {
				r := rand.New(rand.NewPCG(seed, i))
				for range 100 {
					l, err := b.Acquire(t.Context(), string(rune('a'+r.IntN(5))), 1+r.Int64N(1200))
					if err != nil {
						t.Error(err)
						return
					}
					if used, _ := b.Used(); used > 1000 {
						t.Errorf("%d bytes of 1000 are used", used)
					}
					time.Sleep(time.Duration(r.IntN(1000)))
					l.Shrink(r.Int64N(100))
					time.Sleep(time.Duration(r.IntN(1000)))
					l.Release()
				}
			})
		}
		group.Wait()
		if used, waiting := b.Used(); used != 0 || waiting != 0 || len(b.owners) != 0 {
			t.Errorf("%d bytes are used, %d wait, owners %v at the end", used, waiting, b.owners)
		}
	})
}

func TestMeterCountsValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		`[]`: 0, `[1]`: 1, `[1,2,[3,4],{}]`: 6, `{"a":1,"b":[1,2]}`: 4, `{"a,b":"[\",{"}`: 1, `[ 1 , 2 ]`: 2, `"text"`: 0, `<a><b/></a>`: 3,
	} {
		whole := Measure([]byte(text))
		if whole.Values() != want {
			t.Errorf("%s: got %d values, want %d", text, whole.Values(), want)
		}
		parts := &Meter{}
		for i := range len(text) {
			_, _ = parts.Write([]byte{text[i]})
		}
		if parts.Values() != want || parts.Size() != whole.Size() || parts.Text() != int64(len(text)) {
			t.Errorf("%s byte by byte: got %d values, %d bytes, want %d, %d", text, parts.Values(), parts.Size(), want, whole.Size())
		}
	}
}
