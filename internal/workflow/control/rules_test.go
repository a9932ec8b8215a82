package control

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace/millrace"
)

const (
	second = millrace.Time(time.Second / time.Microsecond)
	noon   = millrace.Time(1_800_000_000) * second
)

func runs(ids ...millrace.WorkflowRunID) []millrace.WorkflowRun {
	var out []millrace.WorkflowRun
	for _, id := range ids {
		out = append(out, millrace.WorkflowRun{ID: id, Status: millrace.WorkflowRunRunning, Slot: millrace.SlotHold})
	}
	return out
}

func period(s int) millrace.Period { return millrace.Period(s) }

func TestPlace(t *testing.T) {
	t.Parallel()
	limit := &millrace.RateLimit{Limit: 2, Period: period(60)}
	conflict := func(what millrace.OnConflict) *millrace.Concurrency {
		return &millrace.Concurrency{Limit: 2, OnConflict: what}
	}
	for _, c := range []struct {
		name    string
		config  millrace.WorkflowConfig
		counted counted
		outcome millrace.Outcome
		want    millrace.WorkflowRun
		led     millrace.WorkflowRunID
		ousted  []millrace.WorkflowRun
	}{
		{name: "no control", outcome: millrace.OutcomeMatched},
		{
			name: "the limit has given away too few times", config: millrace.WorkflowConfig{RateLimit: limit},
			outcome: millrace.OutcomeMatched, want: millrace.WorkflowRun{RateAt: noon},
		},
		{
			name: "the period is over", config: millrace.WorkflowConfig{RateLimit: limit}, counted: counted{rate: noon - 60*second},
			outcome: millrace.OutcomeMatched, want: millrace.WorkflowRun{RateAt: noon},
		},
		{
			name: "throttled", config: millrace.WorkflowConfig{RateLimit: limit}, counted: counted{rate: noon - 59*second},
			outcome: millrace.OutcomeThrottled, want: millrace.WorkflowRun{RateAt: noon + second, RunAt: noon + second, Waiting: millrace.WaitRateLimit},
		},
		{
			name: "throttled by times that are still to come", config: millrace.WorkflowConfig{RateLimit: limit}, counted: counted{rate: noon + 10*second},
			outcome: millrace.OutcomeThrottled, want: millrace.WorkflowRun{RateAt: noon + 70*second, RunAt: noon + 70*second, Waiting: millrace.WaitRateLimit},
		},
		{
			name: "delayed", config: millrace.WorkflowConfig{Delay: period(5)},
			outcome: millrace.OutcomeDelayed, want: millrace.WorkflowRun{RunAt: noon + 5*second, Waiting: millrace.WaitDelay},
		},
		{
			name: "throttled, and delayed behind that", config: millrace.WorkflowConfig{RateLimit: limit, Delay: period(5)}, counted: counted{rate: noon - 59*second},
			outcome: millrace.OutcomeThrottled, want: millrace.WorkflowRun{RateAt: noon + second, RunAt: noon + 6*second, Waiting: millrace.WaitRateLimit},
		},
		{
			name: "in a queue no run makes way", config: millrace.WorkflowConfig{Concurrency: conflict(millrace.ConflictQueue)}, counted: counted{open: runs("a", "b", "c")},
			outcome: millrace.OutcomeMatched, want: millrace.WorkflowRun{Slot: millrace.SlotWant},
		},
		{
			name: "a slot is free", config: millrace.WorkflowConfig{Concurrency: conflict(millrace.ConflictSkip)}, counted: counted{open: runs("a")},
			outcome: millrace.OutcomeMatched, want: millrace.WorkflowRun{Slot: millrace.SlotWant},
		},
		{
			name: "skipped for the oldest", config: millrace.WorkflowConfig{Concurrency: conflict(millrace.ConflictSkip)}, counted: counted{open: runs("a", "b")},
			outcome: millrace.OutcomeSkipped, led: "a",
		},
		{
			name: "what is skipped uses up no rate limit", config: millrace.WorkflowConfig{RateLimit: limit, Concurrency: conflict(millrace.ConflictSkip)},
			counted: counted{open: runs("a", "b"), rate: noon - second}, outcome: millrace.OutcomeSkipped, led: "a",
		},
		{
			name: "the oldest makes way", config: millrace.WorkflowConfig{Concurrency: conflict(millrace.ConflictCancelRunning)}, counted: counted{open: runs("a", "b")},
			outcome: millrace.OutcomeMatched, want: millrace.WorkflowRun{Slot: millrace.SlotWant}, ousted: runs("a"),
		},
		{
			name: "several make way when the limit has become smaller", config: millrace.WorkflowConfig{Concurrency: conflict(millrace.ConflictCancelRunning)},
			counted: counted{open: runs("a", "b", "c")}, outcome: millrace.OutcomeMatched, want: millrace.WorkflowRun{Slot: millrace.SlotWant}, ousted: runs("a", "b"),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := millrace.WorkflowRun{ID: "new", Status: millrace.WorkflowRunCreated}
			c.counted.now = noon
			p := place(&c.config, run, c.counted)
			c.want.ID, c.want.Status = run.ID, run.Status
			if c.led == "" {
				c.led = run.ID
			}
			if p.outcome != c.outcome || p.led != c.led || p.runAt != c.want.RunAt {
				t.Errorf("got %s, run %s at %s; want %s, run %s at %s", p.outcome, p.led, p.runAt, c.outcome, c.led, c.want.RunAt)
			}
			if diff := cmp.Diff(c.want, p.run); diff != "" {
				t.Errorf("the run (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(fmt.Sprint(c.ousted), fmt.Sprint(p.ousted)); diff != "" {
				t.Errorf("runs that make way (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDebouncedRunTakesOver(t *testing.T) {
	t.Parallel()
	c := &millrace.Debounce{Period: period(10), Max: period(25)}
	waiting := postponed(c, millrace.WorkflowRun{ID: "first", EventID: "1", WorkflowVersion: 1, RateKey: "r1", CreatedAt: noon})
	if waiting.RunAt != noon+10*second || waiting.RunBefore != noon+25*second || waiting.Waiting != millrace.WaitDebounce {
		t.Errorf("got %+v", waiting)
	}
	for _, at := range []struct{ after, want millrace.Time }{{4, 14}, {3, 14}, {12, 22}, {20, 25}, {24, 25}} { // clocks of nodes may differ
		waiting = takeOver(c, waiting, &millrace.WorkflowRun{ID: "next", EventID: "2", WorkflowVersion: 2, RateKey: "r2", ConcurrencyKey: "c2", CreatedAt: noon + at.after*second})
		if waiting.RunAt != noon+at.want*second {
			t.Errorf("with an event after %d s: got %s, want %s", at.after, waiting.RunAt, noon+at.want*second)
		}
	}
	want := millrace.WorkflowRun{
		ID: "first", EventID: "2", WorkflowVersion: 2, RateKey: "r2", ConcurrencyKey: "c2", CreatedAt: noon,
		Waiting: millrace.WaitDebounce, RunAt: noon + 25*second, RunBefore: noon + 25*second,
	}
	if diff := cmp.Diff(want, waiting); diff != "" {
		t.Errorf("the run (-want +got):\n%s", diff)
	}
	if got := postponed(&millrace.Debounce{Period: period(10)}, millrace.WorkflowRun{CreatedAt: noon}).RunBefore; got != noon.Add(millrace.MaxPeriod.Duration()) {
		t.Errorf("without a max: got %s", got)
	}
}

func TestRunsThatMakeWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, want millrace.WorkflowRunStatus
		slot, left   millrace.Slot
	}{
		{millrace.WorkflowRunCreated, millrace.WorkflowRunCancelled, millrace.SlotWant, millrace.SlotNone},
		{millrace.WorkflowRunRunning, millrace.WorkflowRunCancelled, millrace.SlotHold, millrace.SlotHold}, // until what it has started has stopped
		{millrace.WorkflowRunCompleted, millrace.WorkflowRunCompleted, millrace.SlotHold, millrace.SlotHold},
	} {
		got, err := superseded(millrace.WorkflowRun{Status: c.status, Slot: c.slot, Waiting: millrace.WaitSlot}, "new", noon)
		if err != nil || got.Status != c.want || got.Slot != c.left || got.CancelledBy != "new" {
			t.Errorf("a run that is %s: got %+v, %v; want %s", c.status, got, err, c.want)
		}
		if ended := c.want != c.status; ended != (got.FinishedAt == noon) || ended != (got.Waiting == millrace.WaitNone) || ended != (len(got.Error) > 0) {
			t.Errorf("a run that is %s: got %+v", c.status, got)
		}
	}
}

// TestRateLimitHolds shows that whatever comes when, no period has more runs than the limit allows.
func TestRateLimitHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		l := &millrace.RateLimit{Limit: rapid.Int64Range(1, 4).Draw(r, "limit"), Period: period(rapid.IntRange(1, 30).Draw(r, "period"))}
		var given []millrace.Time
		now := noon
		for range rapid.IntRange(1, 30).Draw(r, "events") {
			now += millrace.Time(rapid.Int64Range(0, 20).Draw(r, "pause")) * second
			f := counted{now: now}
			if n := len(given) - int(l.Limit); n >= 0 {
				f.rate = given[n]
			}
			p := place(&millrace.WorkflowConfig{RateLimit: l}, millrace.WorkflowRun{}, f)
			if n := len(given) - int(l.Limit); n >= 0 && p.run.RateAt < given[n].Add(l.Period.Duration()) {
				r.Fatalf("%s is the time %d in a period of %s after %s", p.run.RateAt, l.Limit+1, l.Period.Duration(), given[n])
			}
			if n := len(given); n > 0 && p.run.RateAt < given[n-1] {
				r.Fatalf("%s is earlier than %s, which was given away before", p.run.RateAt, given[n-1])
			}
			given = append(given, p.run.RateAt)
		}
	})
}
