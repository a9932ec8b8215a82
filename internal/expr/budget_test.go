package expr_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

const busy = millrace.EnvironmentID("busy")

// spend uses a budget for some time, waiting when it has to, and returns how much it has used.
func spend(b *expr.Budget, env millrace.EnvironmentID, each, until time.Duration) time.Duration {
	var used time.Duration
	for began := time.Now(); time.Since(began) < until; {
		if wait := b.Wait(env); wait > 0 {
			time.Sleep(wait)
			continue
		}
		b.Use(env, func() { time.Sleep(each) })
		used += each
	}
	return used
}

func TestAnEnvironmentUsesItsShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := expr.NewBudget(200*time.Millisecond, time.Now)
		used := spend(b, busy, 50*time.Millisecond, 100*time.Second)
		if want := 20 * time.Second; used < want || used > want+time.Second {
			t.Errorf("used %v of 100 s, want about %v", used, want)
		}
		if wait := b.Wait("quiet"); wait != 0 {
			t.Errorf("another environment has to wait %v", wait)
		}
	})
}

func TestManyEnvironmentsLeaveHalfTheProcessors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := expr.NewBudget(500*time.Millisecond, time.Now)
		envs := 40
		used := make(chan time.Duration, envs)
		for i := range envs {
			go func() { used <- spend(b, millrace.EnvironmentID(rune('a'+i)), 20*time.Millisecond, 100*time.Second) }()
		}
		var sum time.Duration
		for range envs {
			sum += <-used
		}
		// Each has its burst of a second besides.
		if most := time.Duration(runtime.GOMAXPROCS(0))*50*time.Second + time.Duration(envs)*3*time.Second/2; sum > most {
			t.Errorf("all of them used %v in 100 s, want at most %v", sum, most)
		}
		time.Sleep(time.Minute)
		if used := spend(b, busy, 20*time.Millisecond, 100*time.Second); used < 45*time.Second {
			t.Errorf("alone again, one used %v of 100 s, want half", used)
		}
	})
}

func TestNoBudgetHasNoBounds(t *testing.T) {
	t.Parallel()
	var b *expr.Budget
	ran := false
	if b.Use(busy, func() { ran = true }); !ran || b.Wait(busy) != 0 {
		t.Error("a nil budget must let everything through")
	}
}
