package trigger

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// ticksAtOnce bounds how many due schedules one transaction fires.
const ticksAtOnce = 100

// Emitter stores events in a transaction.
type Emitter interface {
	EmitTx(ctx context.Context, tx *store.Tx, events ...*millrace.Event) error
}

// Starter makes sync job runs.
type Starter interface {
	// Prepare checks a request and returns the run that it asks for.
	Prepare(ctx context.Context, env millrace.EnvironmentID, r *millrace.RunRequest, prefix string) (*millrace.SyncJobRun, error)
	// StartTx stores a prepared run and returns it as it is stored.
	StartTx(ctx context.Context, tx *store.Tx, prepared *millrace.SyncJobRun) (*millrace.SyncJobRun, error)
}

// Ticker fires schedules that are due.
type Ticker struct {
	db      *store.DB
	emit    Emitter
	starter Starter
}

// NewTicker returns a ticker over a store.
func NewTicker(db *store.DB, emit Emitter, starter Starter) *Ticker {
	return &Ticker{db: db, emit: emit, starter: starter}
}

// prepared is the run of a schedule for one instant, or why there can be none. It is computed before the transaction: a
// job's expressions may take their time.
type prepared struct {
	run *millrace.SyncJobRun
	err error
}

// instant is what a prepared run is for. A schedule that was changed meanwhile is prepared again.
type instant struct {
	id      millrace.SyncJobCronTriggerID
	due     millrace.Time
	changed millrace.Time
}

func instantOf(c *millrace.SyncJobCronTrigger) instant {
	return instant{c.ID, c.NextRunAt, c.UpdatedAt}
}

// Tick starts a run for every schedule that is due and moves it to its next instant. Schedule and instant are the key
// that keeps an instant from firing twice on any number of nodes. Instants that passed while nobody looked are made
// up for by one run.
func (t *Ticker) Tick(ctx context.Context, _ millrace.Task) error {
	for {
		ready, err := t.prepare(ctx)
		if err != nil || len(ready) == 0 {
			return err
		}
		err = t.db.Update(ctx, func(tx *store.Tx) error {
			due, err := tx.DueCronTriggers(ctx, tx.Now(), ticksAtOnce)
			if err != nil {
				return fmt.Errorf("find due schedules: %w", err)
			}
			for i := range due {
				run, ok := ready[instantOf(&due[i])]
				if !ok {
					continue // the next round prepares it
				}
				if err := t.fire(ctx, tx, &due[i], run); err != nil {
					return fmt.Errorf("fire schedule %s: %w", due[i].ID, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// prepare prepares the runs of the schedules that are due. An error is one that repeating may mend.
func (t *Ticker) prepare(ctx context.Context) (map[instant]prepared, error) {
	var due []millrace.SyncJobCronTrigger
	err := t.db.View(ctx, func(tx *store.Tx) error {
		var err error
		due, err = tx.DueCronTriggers(ctx, tx.Now(), ticksAtOnce)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find due schedules: %w", err)
	}
	ready := make(map[instant]prepared, len(due))
	for i := range due {
		c := &due[i]
		run, err := t.starter.Prepare(ctx, c.EnvironmentID, &millrace.RunRequest{
			// The id follows from schedule and instant, so that the same instant cannot make a second run.
			ID:        millrace.DeriveID[millrace.SyncJobRunID](string(c.ID), c.NextRunAt.String()),
			SyncJobID: c.SyncJobID, IntegratedAccountID: c.IntegratedAccountID, WebhookID: c.WebhookID, Args: c.Args,
			ErrorHandling: c.ErrorHandling, EventsToSend: c.EventsToSend,
		}, "")
		if err != nil && !lasting(err) {
			return nil, fmt.Errorf("prepare run of schedule %s: %w", c.ID, err)
		}
		ready[instantOf(c)] = prepared{run, err}
	}
	return ready, nil
}

// lasting reports whether repeating would end in the same error.
func lasting(err error) bool {
	switch millrace.KindOf(err) {
	case millrace.KindInvalid, millrace.KindNotFound, millrace.KindConflict:
		return true
	}
	return false
}

func (t *Ticker) fire(ctx context.Context, tx *store.Tx, c *millrace.SyncJobCronTrigger, ready prepared) error {
	fire := &millrace.CronFire{CronTriggerID: c.ID, EnvironmentID: c.EnvironmentID, DueAt: c.NextRunAt, Outcome: millrace.FireRan}
	cron, err := expr.ParseCron(c.CronExpression, c.Timezone)
	if err != nil {
		return t.fail(ctx, tx, c, fire, err)
	}
	now := tx.Now()
	if missed := millrace.TimeOf(cron.Next(c.NextRunAt.Std())); missed != 0 && missed <= now {
		fire.Outcome, fire.Reason = millrace.FireCoalesced, "later instants passed before this one could run; one run makes up for all"
	}
	run, err := t.start(ctx, tx, c, ready)
	if err != nil && lasting(err) {
		c.NextRunAt = millrace.TimeOf(cron.Next(now.Std()))
		return t.fail(ctx, tx, c, fire, err)
	}
	if err != nil {
		return err
	}
	fire.SyncJobRunID = run.ID
	if _, err := tx.InsertFire(ctx, fire); err != nil {
		return err
	}
	c.NextRunAt = millrace.TimeOf(cron.Next(now.Std()))
	return tx.UpdateSyncJobCronTrigger(ctx, c)
}

func (t *Ticker) start(ctx context.Context, tx *store.Tx, c *millrace.SyncJobCronTrigger, ready prepared) (*millrace.SyncJobRun, error) {
	if ready.err != nil {
		return nil, ready.err
	}
	run := *ready.run
	run.SyncJobCronTriggerID = c.ID
	return t.starter.StartTx(ctx, tx, &run)
}

// fail records that an instant made no run, and says so to webhooks and workflows. A schedule whose expression cannot
// be read any more has no next instant.
func (t *Ticker) fail(ctx context.Context, tx *store.Tx, c *millrace.SyncJobCronTrigger, fire *millrace.CronFire, cause error) error {
	fire.Outcome, fire.Reason = millrace.FireFailed, cause.Error()
	if c.NextRunAt == fire.DueAt {
		c.NextRunAt = 0
	}
	fresh, err := tx.InsertFire(ctx, fire)
	if err != nil {
		return err
	}
	if err := tx.UpdateSyncJobCronTrigger(ctx, c); err != nil || !fresh {
		return err
	}
	e, err := millrace.NewEvent(c.EnvironmentID, millrace.EventCronFailed, millrace.CronFailedPayload{SyncJobCronTrigger: c, Error: cause.Error()})
	if err != nil {
		return err
	}
	return t.emit.EmitTx(ctx, tx, e)
}
