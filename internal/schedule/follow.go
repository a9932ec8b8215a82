package schedule

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Schedules that a workflow has made belong to it: what they do follows its steps, and they rest once it would not make them
// any more. One that was edited by hand is detached, and follows nothing. All of it happens in the transaction that changes
// the workflow; one that makes a schedule holds the workflow's row, so none is missed.

// why a schedule rests.
const (
	restDeleted = "its workflow was deleted"
	restPaused  = "its workflow is not active"
	restTrigger = "trigger_name of its workflow was changed; the next event that the workflow runs for starts it again"
	restRunIf   = "run_if of its workflow was changed; the next event that the workflow runs for starts it again"
	restStep    = "its step was removed from the workflow, or has no cron_expression any more"
	restStepIf  = "run_if of its step was changed; the next event that the step runs for starts it again"
)

// followedAtOnce is how many schedules are read at a time.
const followedAtOnce = 500

// Follow makes the schedules of a workflow what it has become; after is nil when it was deleted.
func Follow(ctx context.Context, tx *store.Tx, before, after *millrace.Workflow) error {
	c := Compare(before, after)
	if c.same() {
		return nil
	}
	if c.moves() {
		if err := tx.Schedules().FreeSteps(ctx, before.EnvironmentID, before.ID); err != nil {
			return err
		}
	}
	last := millrace.SyncJobCronTriggerID("")
	for {
		some, err := tx.Schedules().OfWorkflow(ctx, before.EnvironmentID, before.ID, last, followedAtOnce)
		if err != nil || len(some) == 0 {
			return err
		}
		for i := range some {
			if err := c.follow(ctx, tx, &some[i]); err != nil {
				return fmt.Errorf("follow schedule %s: %w", some[i].ID, err)
			}
		}
		last = some[len(some)-1].ID
	}
}

// Change is how a workflow has changed, as far as schedules are concerned.
type Change struct {
	before, after *millrace.Workflow
	whole         string        // why all of them rest; empty: they do not
	steps         map[int64]int // where a step is now; one that is gone is missing
}

// Compare returns how a workflow has changed; after is nil when it was deleted.
func Compare(before, after *millrace.Workflow) Change {
	c := Change{before: before, after: after, steps: map[int64]int{}}
	switch {
	case after == nil:
		c.whole = restDeleted
		return c
	case before.Event != after.Event:
		c.whole = restTrigger
	case before.Config.RunIf != after.Config.RunIf:
		c.whole = restRunIf
	case after.IsPaused:
		c.whole = restPaused
	}
	same := func(i, j int) bool { return sameInput(&before.Config.Steps[i], &after.Config.Steps[j]) }
	taken := map[int]bool{}
	for _, fits := range []func(i, j int) bool{
		func(i, j int) bool { return i == j && same(i, j) },
		same,
		func(i, j int) bool { return i == j },
	} {
		for i := range before.Config.Steps {
			if _, found := c.steps[int64(i)]; found || before.Config.Steps[i].CronExpression == "" {
				continue
			}
			for j := range after.Config.Steps {
				if after.Config.Steps[j].CronExpression != "" && !taken[j] && fits(i, j) {
					c.steps[int64(i)], taken[j] = j, true
					break
				}
			}
		}
	}
	return c
}

// sameInput reports whether two steps do the same, at whatever time.
func sameInput(a, b *millrace.Step) bool {
	return a.Action == b.Action && a.RunIf == b.RunIf && string(a.Config) == string(b.Config)
}

// same reports whether schedules have nothing to follow.
func (c *Change) same() bool {
	return c.after != nil && c.whole == "" && !c.before.IsPaused &&
		slices.EqualFunc(c.before.Config.Steps, c.after.Config.Steps, func(a, b millrace.Step) bool {
			return sameInput(&a, &b) && a.CronExpression == b.CronExpression && a.Timezone == b.Timezone && a.SchedulePolicy() == b.SchedulePolicy()
		})
}

// moves reports whether a step has another place, which may be the old one of another step.
func (c *Change) moves() bool {
	if c.after == nil {
		return false
	}
	for i := range c.before.Config.Steps {
		if j, found := c.steps[int64(i)]; c.before.Config.Steps[i].CronExpression != "" && (!found || j != i) {
			return true
		}
	}
	return false
}

func (c *Change) follow(ctx context.Context, tx *store.Tx, v *millrace.SyncJobCronTrigger) error {
	before := *v
	if err := c.Apply(v, &before, tx.Now()); err != nil {
		return err
	}
	if v.RestReason != "" && v.RestReason != before.RestReason {
		_, err := tx.Schedules().CreateFire(ctx, &millrace.CronFire{
			EnvironmentID: v.EnvironmentID, CronTriggerID: v.ID, DueAt: tx.Now(), Outcome: millrace.FireStopped, Reason: v.RestReason,
		})
		if err != nil {
			return err
		}
	}
	return tx.Schedules().Update(ctx, v)
}

// Apply makes a schedule what the change of its workflow makes of it; before is what it was. One whose step is gone, now or
// earlier, rests for good, at a place that no step has.
func (c *Change) Apply(v, before *millrace.SyncJobCronTrigger, now millrace.Time) error {
	if v.StepIndex < -millrace.MaxSteps {
		return nil
	}
	index := v.StepIndex
	if index < 0 {
		index = -1 - index // see FreeSteps
	}
	reason, to := c.whole, index
	if c.after != nil {
		j, found := c.steps[index]
		if to = int64(j); !found {
			reason, to = restStep, -c.after.Version*millrace.MaxSteps-index
		}
	}
	v.StepIndex = to
	switch {
	case v.IsDetached:
		return nil
	case c.after == nil || reason == restStep:
		v.RestReason, v.NextRunAt = reason, 0
		return nil
	}
	step := &c.after.Config.Steps[to]
	v.CronExpression, v.Timezone = step.CronExpression, step.Timezone
	step.Override(&v.SchedulePolicy)
	if reason == "" && c.before.Config.Steps[index].RunIf != step.RunIf {
		reason = restStepIf
	}
	if v.RestReason == "" || v.RestReason == restPaused {
		v.RestReason = reason // another one stays: what it waits for has not come yet
	}
	if v.RestReason != "" {
		v.NextRunAt = 0
		return nil
	}
	return Reschedule(v, before, now)
}
