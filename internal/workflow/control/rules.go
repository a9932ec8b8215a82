package control

import (
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
)

// counted is what the controls count, as far as they need it to decide about a run.
type counted struct {
	now  millrace.Time
	rate millrace.Time          // the earliest of as many times as the rate limit allows in a period; 0: it has not given away so many
	open []millrace.WorkflowRun // that count under the concurrency key, the oldest first
}

// placed is what flow control has decided about a run.
type placed struct {
	outcome millrace.Outcome
	run     millrace.WorkflowRun
	led     millrace.WorkflowRunID // the run that the event has led to, which may be another event's
	runAt   millrace.Time
	ousted  []millrace.WorkflowRun // they make way
}

// place finds the time at which a run may begin, and whether it may at all. A run that may begin at once has no time. One that may
// not stays as it was: it counts for nothing.
func place(c *millrace.WorkflowConfig, run millrace.WorkflowRun, f counted) placed {
	p := placed{outcome: millrace.OutcomeMatched, led: run.ID}
	if c.Concurrency != nil {
		over := exceeding(c.Concurrency, f.open)
		if len(over) > 0 && c.Concurrency.OnConflict == millrace.ConflictSkip {
			return placed{outcome: millrace.OutcomeSkipped, run: run, led: over[0].ID}
		}
		run.Slot, p.ousted = millrace.SlotWant, over
	}
	run.Waiting, run.RunAt = millrace.WaitNone, 0
	if c.RateLimit != nil {
		run.RateAt = rateTime(c.RateLimit, f.rate, f.now)
		if run.RateAt > f.now {
			p.outcome, run.Waiting, run.RunAt = millrace.OutcomeThrottled, millrace.WaitRateLimit, run.RateAt
		}
	}
	if c.Delay > 0 {
		run.RunAt = max(run.RunAt, f.now).Add(c.Delay.Duration())
		if run.Waiting == millrace.WaitNone {
			p.outcome, run.Waiting = millrace.OutcomeDelayed, millrace.WaitDelay
		}
	}
	p.run, p.runAt = run, run.RunAt
	return p
}

// rateTime returns when a rate limit lets the next run begin: not before as many as the limit allows have become
// older than the period. Times that were given away never come earlier, so no period holds more of them.
func rateTime(l *millrace.RateLimit, earliest, now millrace.Time) millrace.Time {
	if earliest == 0 {
		return now
	}
	return max(now, earliest.Add(l.Period.Duration()))
}

// exceeding returns the oldest of the open runs, which are too many for one more. In a queue, none is: the new one waits.
func exceeding(c *millrace.Concurrency, open []millrace.WorkflowRun) []millrace.WorkflowRun {
	if c.OnConflict == millrace.ConflictQueue {
		return nil
	}
	return open[:max(len(open)-int(c.Limit)+1, 0)]
}

// postponed is a run that waits for more events.
func postponed(c *millrace.Debounce, run millrace.WorkflowRun) millrace.WorkflowRun {
	most := c.Max
	if most == 0 {
		most = millrace.MaxPeriod
	}
	run.Waiting, run.RunAt, run.RunBefore = millrace.WaitDebounce, run.CreatedAt.Add(c.Period.Duration()), run.CreatedAt.Add(most.Duration())
	return run
}

// takeOver is a run that waits for more events and gets the event of a new one. It keeps its latest beginning, and never begins
// earlier than it was to, so that its task need not be hastened.
func takeOver(c *millrace.Debounce, waiting millrace.WorkflowRun, run *millrace.WorkflowRun) millrace.WorkflowRun {
	waiting.EventID, waiting.WorkflowVersion = run.EventID, run.WorkflowVersion
	waiting.RateKey, waiting.ConcurrencyKey = run.RateKey, run.ConcurrencyKey
	waiting.RunAt = max(waiting.RunAt, min(run.CreatedAt.Add(c.Period.Duration()), waiting.RunBefore))
	return waiting
}

// begun is a run that begins.
func begun(run millrace.WorkflowRun, now millrace.Time) millrace.WorkflowRun {
	if run.Slot == millrace.SlotWant {
		run.Slot = millrace.SlotHold
	}
	run.Status, run.Waiting, run.StartedAt = millrace.WorkflowRunRunning, millrace.WaitNone, now
	return run
}

// superseded is a run that makes way for another. One that has ended keeps its status: what it has started has not.
func superseded(run millrace.WorkflowRun, by millrace.WorkflowRunID, now millrace.Time) (millrace.WorkflowRun, error) {
	run.CancelledBy = by
	if run.Status.Finished() {
		return run, nil
	}
	return cancelled(run, millrace.Failure{Code: "superseded", Message: fmt.Sprintf("run %s took its place", by)}, now)
}

// cancelled is a run that flow control has ended. One that has not begun leaves the line.
func cancelled(run millrace.WorkflowRun, why millrace.Failure, now millrace.Time) (millrace.WorkflowRun, error) {
	var err error
	if run.Error, err = json.Marshal(why); err != nil {
		return run, fmt.Errorf("encode why a run was cancelled: %w", err)
	}
	if run.Slot == millrace.SlotWant {
		run.Slot = millrace.SlotNone
	}
	run.Status, run.Waiting, run.FinishedAt = millrace.WorkflowRunCancelled, millrace.WaitNone, now
	return run, nil
}
