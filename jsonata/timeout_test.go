package jsonata

import (
	"errors"
	"testing"
	"time"
)

// An expression of a few steps must not fail because other work has kept the processors for longer than it may take.
func TestTimeoutOfFewSteps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		since time.Duration // since it was last let run
		steps int
		late  bool
	}{
		{"in time", 0, 5000, false},
		{"stopped after few steps", 25 * time.Millisecond, 100, false},
		{"at work all the time", 25 * time.Millisecond, 10_000, true},
		{"few steps that never end", time.Second, 100, true},
	} {
		ev := &evaluator{}
		ev.start(t.Context(), nil, Input{Limits: Limits{Timeout: 10 * time.Millisecond}})
		ev.since = time.Now().Add(-c.since)
		ev.reserve -= c.steps
		err := ev.alive()
		var e *Error
		if late := errors.As(err, &e) && e.Code == CodeTimeout; late != c.late {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// What others do before an evaluation gets its turn is not its own work.
func TestTimeoutBeginsWithTheFirstTurn(t *testing.T) {
	t.Parallel()
	ev := &evaluator{}
	ev.start(t.Context(), nil, Input{Limits: Limits{Timeout: time.Nanosecond}})
	if err := ev.alive(); err != nil {
		t.Errorf("got %v before the first step", err)
	}
}
