package queue

import (
	"testing"
	"time"

	"github.com/millrace/millrace"
)

func asked(l *ledger, t millrace.Task) int {
	o := l.order()
	p := o.priority(&t)
	o.commit()
	return p
}

// A flood that is only a little faster than the workers must not stay in front with all that has piled up.
func TestWhatWaitsCountsHoweverSlowlyItCame(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	l := newLedger(Shares{}, func() time.Time { return now })
	task := millrace.Task{Kind: millrace.TaskMatch, Environment: "flood"}
	first := 0
	for i := range 1000 {
		now = now.Add(20 * time.Millisecond)
		if p := asked(l, task); p > priorityFew && first == 0 {
			first = i
		}
		if i%10 != 0 { // nine of ten are worked
			l.done(&task)
		}
	}
	if first < 150 || first > 170 {
		t.Errorf("task %d was the first of many; want the one when 16 waited", first)
	}
	quiet := millrace.Task{Kind: millrace.TaskMatch, Environment: "quiet"}
	for i := range 1000 {
		if p := asked(l, quiet); p != priorityFew {
			t.Fatalf("task %d of an environment of which none waits has priority %d", i, p)
		}
		l.done(&quiet)
	}
}

// What other nodes have worked is forgotten with time.
func TestTasksThatOthersWorkAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	l := newLedger(Shares{}, func() time.Time { return now })
	task := millrace.Task{Kind: millrace.TaskSlice, Environment: "env", Account: "account"}
	for range 100 {
		asked(l, task)
	}
	now = now.Add(time.Minute)
	if p := asked(l, task); p != priorityMany+priorityAccount {
		t.Errorf("got priority %d while 100 tasks wait", p)
	}
	l.others.Store(true)
	now = now.Add(time.Minute)
	if p := asked(l, task); p != priorityFew {
		t.Errorf("got priority %d a minute after the last of them", p)
	}
}
