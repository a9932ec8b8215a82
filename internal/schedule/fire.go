package schedule

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/start"
)

// grace is how late an instant may be fired without being taken for one that was missed: the pauses of a machine, and
// the time in which another node takes over.
const grace = time.Minute

// firing is what becomes of the instants of one schedule that have passed, in one transaction that holds its row.
type firing struct {
	*Ticker
	*prepared
	tx     *store.Tx
	now    millrace.Time
	failed error                 // why there can be no run
	open   []millrace.SyncJobRun // its runs that have not ended, the oldest first
}

// fire gives every instant that has passed its row, makes the runs, and moves the schedule to its next instant.
func (f *firing) fire(ctx context.Context) error {
	c := f.schedule
	cron, err := ParseCron(c.CronExpression, c.Timezone)
	if err != nil { // stored by an older version; there is no next instant
		f.failed = err //commit:allow the firing is of the same transaction
		if err := f.decide(ctx, c.DueAt()); err != nil {
			return err
		}
		return f.tx.Schedules().Move(ctx, c.EnvironmentID, c.ID, 0)
	}
	older, instants := passed(cron, c.DueAt(), f.now.Add(-c.Offset()))
	switch c.CatchUp {
	case millrace.CatchUpNone:
		err = f.catchUpNone(ctx, older, instants)
	case millrace.CatchUpAll:
		err = f.catchUpAll(ctx, older, instants)
	case millrace.CatchUpOne:
		err = f.catchUpOne(ctx, older, instants)
	}
	if err != nil {
		return err
	}
	var next millrace.Time
	if at := millrace.TimeOf(cron.Next(instants[len(instants)-1].Std())); at != 0 {
		next = at.Add(c.Offset())
	}
	return f.tx.Schedules().Move(ctx, c.EnvironmentID, c.ID, next)
}

const noServer = "no server fired schedules at that time"

// catchUpNone leaves out all instants that are late.
func (f *firing) catchUpNone(ctx context.Context, older span, instants []millrace.Time) error {
	if err := f.share(ctx, older, millrace.CronFire{Outcome: millrace.FireMissed, Reason: noServer}); err != nil {
		return err
	}
	for _, at := range instants {
		var err error
		if f.lateness(at) > grace {
			_, err = f.record(ctx, millrace.CronFire{DueAt: at, Outcome: millrace.FireMissed, Reason: noServer})
		} else {
			err = f.decide(ctx, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// catchUpAll decides about each instant on its own, the oldest first.
func (f *firing) catchUpAll(ctx context.Context, older span, instants []millrace.Time) error {
	reason := fmt.Sprintf("%s, and at most %d instants are made up for", noServer, maxFires)
	if err := f.share(ctx, older, millrace.CronFire{Outcome: millrace.FireMissed, Reason: reason}); err != nil {
		return err
	}
	for _, at := range instants {
		if err := f.decide(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// catchUpOne decides about the last instant only. The earlier ones are coalesced into its run, or share its outcome.
func (f *firing) catchUpOne(ctx context.Context, older span, instants []millrace.Time) error {
	last := len(instants) - 1
	outcome := f.outcome(instants[last])
	earlier := outcome
	if outcome.Outcome == millrace.FireRan {
		earlier.Outcome, earlier.Reason = millrace.FireCoalesced, "the run of "+instants[last].String()+" makes up for it: "+noServer
	}
	if err := f.share(ctx, older, earlier); err != nil {
		return err
	}
	for _, at := range instants[:last] {
		fire := earlier
		fire.DueAt = at
		if _, err := f.record(ctx, fire); err != nil {
			return err
		}
	}
	return f.settle(ctx, outcome)
}

// lateness is by how much the start of an instant's run is late.
func (f *firing) lateness(at millrace.Time) time.Duration {
	return f.now.Std().Sub(at.Add(f.schedule.Offset()).Std())
}

// share gives instants that are too many one row.
func (f *firing) share(ctx context.Context, older span, fire millrace.CronFire) error {
	if older.count == 0 {
		return nil
	}
	fire.DueAt, fire.LastDueAt, fire.Instants = older.first, older.last, older.count
	count := strconv.FormatInt(older.count, 10)
	if older.more {
		count = "more than " + count
	}
	fire.Reason = fmt.Sprintf("%s instants from %s to %s: %s", count, older.first, older.last, fire.Reason)
	_, err := f.record(ctx, fire)
	return err
}

// decide gives one instant its row and its run.
func (f *firing) decide(ctx context.Context, at millrace.Time) error {
	return f.settle(ctx, f.outcome(at))
}

// outcome decides about an instant that would get a run.
func (f *firing) outcome(at millrace.Time) millrace.CronFire {
	fire := millrace.CronFire{DueAt: at}
	if f.failed != nil {
		fire.Outcome, fire.Reason = millrace.FireFailed, f.failed.Error()
		return fire
	}
	if len(f.open) > 0 {
		last := f.open[len(f.open)-1]
		switch waits := last.Status == millrace.RunCreated; {
		case f.schedule.Overlap == millrace.OverlapSkip:
			fire.Outcome, fire.SyncJobRunID, fire.Reason = millrace.FireSkipped, last.ID, fmt.Sprintf("run %s had not ended", last.ID)
			return fire
		case f.schedule.Overlap == millrace.OverlapQueue && waits:
			fire.Outcome, fire.SyncJobRunID = millrace.FireCoalesced, last.ID
			fire.Reason = fmt.Sprintf("run %s had not begun and makes up for it", last.ID)
			return fire
		case f.schedule.Overlap == millrace.OverlapQueue:
			fire.Reason = fmt.Sprintf("waits for run %s, which had not ended", last.ID)
		}
	}
	if late := f.lateness(at); fire.Reason == "" && late > grace {
		fire.Reason = fmt.Sprintf("made %s late: %s", late.Round(time.Second), noServer)
	}
	fire.Outcome = millrace.FireRan
	// The id follows from schedule and instant, so that the same instant cannot make a second run.
	fire.SyncJobRunID = millrace.DeriveID[millrace.SyncJobRunID](string(f.schedule.ID), at.String(), string(f.schedule.EnvironmentID))
	return fire
}

// settle stores an outcome with what it means: a run, or an event that says that there is none.
func (f *firing) settle(ctx context.Context, fire millrace.CronFire) error {
	fresh, err := f.record(ctx, fire)
	if err != nil || !fresh {
		return err
	}
	switch fire.Outcome {
	case millrace.FireRan:
		run := *f.run
		run.ID, run.SyncJobCronTriggerID, run.MutexKey = fire.SyncJobRunID, f.schedule.ID, f.mutex()
		started, err := start.Start(ctx, f.tx, &run)
		if err != nil {
			return err
		}
		f.open = append(f.open, *started) //commit:allow the firing is of the same transaction
	case millrace.FireFailed:
		e, err := millrace.NewEvent(f.schedule.EnvironmentID, millrace.EventCronFailed, millrace.CronFailedPayload{
			SyncJobCronTrigger: f.schedule, DueAt: fire.DueAt, Error: fire.Reason,
		})
		if err != nil {
			return err
		}
		return event.Emit(ctx, f.tx, e)
	case millrace.FireCoalesced, millrace.FireSkipped, millrace.FireMissed, millrace.FireStopped:
	}
	return nil
}

// record stores the row of an instant and reports whether it had none: schedule and instant are the key that keeps an
// instant from running twice.
func (f *firing) record(ctx context.Context, fire millrace.CronFire) (bool, error) {
	fire.CronTriggerID, fire.EnvironmentID = f.schedule.ID, f.schedule.EnvironmentID
	fresh, err := f.tx.Schedules().CreateFire(ctx, &fire)
	if err != nil {
		return false, fmt.Errorf("store fire: %w", err)
	}
	return fresh, nil
}
