package cache

import (
	"errors"
	"testing"
	"time"
)

func TestValuesLiveForAWhile(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	c := New[string, int](10, time.Second, func() time.Time { return now })
	loads := 0
	load := func() (int, error) {
		loads++
		now = now.Add(100 * time.Millisecond) // loading takes time
		return loads, nil
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {850 * time.Millisecond, 1}, {50 * time.Millisecond, 2}, {-time.Hour, 3}} {
		now = now.Add(step.after)
		if got, err := c.Load("a", load); got != step.want || err != nil {
			t.Errorf("got %d, %v after %v, want %d", got, err, step.after, step.want)
		}
	}
	c.Delete("a")
	if _, ok := c.Get("a"); ok {
		t.Error("a deleted value is there")
	}
	bad := errors.New("bad")
	if _, err := c.Load("a", func() (int, error) { return 7, bad }); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
	if _, ok := c.Get("a"); ok {
		t.Error("the value of an error is kept")
	}
}

func TestWhatWasUsedLongestAgoGoesFirst(t *testing.T) {
	t.Parallel()
	c := NewLasting[string, int](2)
	c.Set("a", 1)
	c.Set("b", 2)
	c.Get("a")
	c.Set("c", 3)
	if _, ok := c.Get("b"); ok {
		t.Error("b is there")
	}
	if v, ok := c.Get("a"); v != 1 || !ok {
		t.Errorf("got %d, %v", v, ok)
	}
	if got := c.Share("a", 9); got != 1 {
		t.Errorf("got %d, want what is there", got)
	}
	if got := c.Share("d", 9); got != 9 || c.Share("d", 8) != 9 {
		t.Errorf("got %d, want the first that was given", got)
	}
}
