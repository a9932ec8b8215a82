package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/start"
)

const (
	// ticksAtOnce bounds how many due schedules one transaction fires: on SQLite, others wait for it.
	ticksAtOnce = 50
	// maxServed bounds how many environments a round leaves out because they had their turn.
	maxServed = 500
	// lookEvery bounds how long a schedule that was made or changed on another node waits to be seen.
	lookEvery = time.Second
	// lookAgain is how long to leave schedules alone that another transaction is firing or changing.
	lookAgain = 50 * time.Millisecond
)

// Ticker fires schedules that are due. Every node has one and all of them work: a schedule is fired under the lock of
// its row, and those that are locked are left to the transaction that fires them. So no leader must be elected first, and the
// schedules of a node that dies are fired by the others at once.
type Ticker struct {
	db     *store.DB
	logger *slog.Logger
	served []millrace.EnvironmentID // had schedules fired in the rounds since all had their turn
}

// NewTicker returns a ticker over a store.
func NewTicker(db *store.DB, logger *slog.Logger) *Ticker {
	return &Ticker{db: db, logger: logger}
}

// Run fires schedules until ctx ends.
func (t *Ticker) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait, err := t.Tick(ctx)
		if err != nil && ctx.Err() == nil {
			t.logger.ErrorContext(ctx, "schedules not fired", slog.String("err", err.Error()))
		}
		timer.Reset(wait)
	}
}

// Tick fires every schedule that is due, and returns how long to wait before the next tick.
func (t *Ticker) Tick(ctx context.Context) (time.Duration, error) {
	for {
		var now, next millrace.Time
		err := t.db.View(ctx, func(tx *store.Tx) error {
			var err error
			now = tx.Now()
			next, err = tx.Schedules().NextRun(ctx)
			return err
		})
		if err != nil || next == 0 {
			return lookEvery, err
		}
		if next > now {
			return min(next.Std().Sub(now.Std()), lookEvery), nil
		}
		fired, err := t.round(ctx)
		switch {
		case fired > 0: // there may be more, also behind one that cannot be fired
		case err != nil:
			return lookEvery, err
		default:
			return lookAgain, nil
		}
		if err != nil {
			t.logger.ErrorContext(ctx, "schedules not fired", slog.String("err", err.Error()))
		}
	}
}

// prepared is a schedule that is due and the run that it would make, or why it can make none. It is computed before the
// transaction: a job's expressions may take their time.
type prepared struct {
	schedule *millrace.SyncJobCronTrigger
	run      *millrace.SyncJobRun
	err      error
}

// round fires some of the schedules that are due and returns how many. When they cannot be fired together they are fired
// one by one, so that one that is broken keeps back no other.
func (t *Ticker) round(ctx context.Context) (int, error) {
	ready, err := t.prepare(ctx)
	if len(ready) == 0 {
		return 0, err
	}
	errs := []error{err}
	fired, err := t.commit(ctx, ready)
	if err == nil || ctx.Err() != nil {
		return fired, errors.Join(append(errs, err)...)
	}
	for i := range ready {
		n, err := t.commit(ctx, ready[i:i+1])
		if err != nil && lasting(err) {
			ready[i].err = err
			n, err = t.commit(ctx, ready[i:i+1])
		}
		fired += n
		errs = append(errs, err)
	}
	return fired, errors.Join(errs...)
}

// prepare prepares the runs of schedules that are due. Its error is about those that are left out.
func (t *Ticker) prepare(ctx context.Context) ([]prepared, error) {
	due, err := t.due(ctx)
	if err != nil {
		return nil, fmt.Errorf("find due schedules: %w", err)
	}
	var ready []prepared
	var errs []error
	for i := range due {
		c := &due[i]
		run, err := start.Prepare(ctx, t.db, c.EnvironmentID, c.RunRequest(), "")
		if err != nil && !lasting(err) {
			errs = append(errs, fmt.Errorf("prepare run of schedule %s: %w", c.ID, err))
			continue
		}
		ready = append(ready, prepared{c, run, err})
	}
	// Runs with a mutex_key lock it. Nodes that take several locks take them in the same order.
	slices.SortStableFunc(ready, func(a, b prepared) int { return cmp.Compare(a.mutex(), b.mutex()) })
	return ready, errors.Join(errs...)
}

// due returns some of the schedules that are due. Environments take turns, so that one with thousands at one time does not make
// the others late.
func (t *Ticker) due(ctx context.Context) ([]millrace.SyncJobCronTrigger, error) {
	if len(t.served) > maxServed {
		t.served = nil
	}
	var due []millrace.SyncJobCronTrigger
	err := t.db.View(ctx, func(tx *store.Tx) error {
		var err error
		due, err = tx.Schedules().Due(ctx, tx.Now(), t.served, ticksAtOnce)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(due) == 0 && len(t.served) > 0 {
		t.served = nil // all had their turn
		return t.due(ctx)
	}
	for i := range due {
		if !slices.Contains(t.served, due[i].EnvironmentID) {
			t.served = append(t.served, due[i].EnvironmentID)
		}
	}
	return due, nil
}

// mutex is the key that a run of the schedule holds while it runs.
func (p *prepared) mutex() string {
	switch {
	case p.run == nil:
		return ""
	case p.run.MutexKey == "" && p.schedule.Overlap == millrace.OverlapQueue:
		return "sync_job_cron_trigger:" + string(p.schedule.ID)
	}
	return p.run.MutexKey
}

// lasting reports whether repeating would end in the same error.
func lasting(err error) bool {
	return slices.Contains([]millrace.Kind{millrace.KindInvalid, millrace.KindNotFound, millrace.KindConflict}, millrace.KindOf(err))
}

// commit fires schedules in one transaction and returns how many. Those that were changed since they were prepared, or
// that another transaction is firing, are left alone.
func (t *Ticker) commit(ctx context.Context, ready []prepared) (int, error) {
	keys := make([]millrace.ScheduleKey, len(ready))
	for i := range ready {
		keys[i] = ready[i].schedule.Key()
	}
	return store.Compute(ctx, t.db, func(tx *store.Tx) (int, error) {
		now, err := tx.Schedules().LockAll(ctx, keys)
		if err != nil {
			return 0, fmt.Errorf("lock schedules: %w", err)
		}
		open, err := tx.SyncJobRuns().OpenOfSchedules(ctx, keys)
		if err != nil {
			return 0, err
		}
		fired := 0
		for i := range ready {
			p := &ready[i]
			if c := now[keys[i]]; c == nil || c.NextRunAt != p.schedule.NextRunAt || c.UpdatedAt != p.schedule.UpdatedAt {
				continue
			}
			f := &firing{Ticker: t, prepared: p, tx: tx, now: tx.Now(), failed: p.err, open: open[keys[i]]}
			if err := f.fire(ctx); err != nil {
				return 0, fmt.Errorf("fire schedule %s: %w", p.schedule.ID, err)
			}
			fired++
		}
		return fired, nil
	})
}
