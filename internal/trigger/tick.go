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

// Ticker fires schedules that are due.
type Ticker struct {
	db   *store.DB
	emit Emitter
}

// NewTicker returns a ticker over a store.
func NewTicker(db *store.DB, emit Emitter) *Ticker { return &Ticker{db: db, emit: emit} }

// Tick starts a run for every schedule that is due and moves it to its next instant. Schedule and instant are the key
// that keeps an instant from firing twice on any number of nodes. Instants that passed while nobody looked are made
// up for by one run.
func (t *Ticker) Tick(ctx context.Context, _ millrace.Task) error {
	for {
		n := 0
		err := t.db.Update(ctx, func(tx *store.Tx) error {
			due, err := tx.DueCronTriggers(ctx, tx.Now(), ticksAtOnce)
			if err != nil {
				return fmt.Errorf("find due schedules: %w", err)
			}
			n = len(due)
			for i := range due {
				if err := t.fire(ctx, tx, &due[i]); err != nil {
					return fmt.Errorf("fire schedule %s: %w", due[i].ID, err)
				}
			}
			return nil
		})
		if err != nil || n < ticksAtOnce {
			return err
		}
	}
}

func (t *Ticker) fire(ctx context.Context, tx *store.Tx, c *millrace.SyncJobCronTrigger) error {
	fire := &millrace.CronFire{CronTriggerID: c.ID, EnvironmentID: c.EnvironmentID, DueAt: c.NextRunAt, Outcome: millrace.FireRan}
	cron, err := expr.ParseCron(c.CronExpression, c.Timezone)
	if err != nil {
		return t.fail(ctx, tx, c, fire, err)
	}
	now := tx.Now()
	if missed := millrace.TimeOf(cron.Next(c.NextRunAt.Std())); missed != 0 && missed <= now {
		fire.Outcome, fire.Reason = millrace.FireCoalesced, "later instants passed before this one could run; one run makes up for all"
	}
	run, err := t.start(ctx, tx, c)
	if k := millrace.KindOf(err); err != nil && (k == millrace.KindInvalid || k == millrace.KindNotFound || k == millrace.KindConflict) {
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

func (t *Ticker) start(ctx context.Context, tx *store.Tx, c *millrace.SyncJobCronTrigger) (*millrace.SyncJobRun, error) {
	r := &millrace.RunRequest{
		// The id follows from schedule and instant, so that the same instant cannot make a second run.
		ID:        millrace.DeriveID[millrace.SyncJobRunID](string(c.ID), c.NextRunAt.String()),
		SyncJobID: c.SyncJobID, IntegratedAccountID: c.IntegratedAccountID, WebhookID: c.WebhookID, Args: c.Args,
		ErrorHandling: c.ErrorHandling, EventsToSend: c.EventsToSend,
	}
	job, err := tx.ResolveRun(ctx, c.EnvironmentID, r, "")
	if err != nil {
		return nil, err
	}
	run, err := tx.StartRun(ctx, job, r, millrace.SyncJobRun{SyncJobCronTriggerID: c.ID})
	if err != nil {
		return nil, err
	}
	e, err := millrace.RunEvent(millrace.EventRunCreated, run)
	if err != nil {
		return nil, err
	}
	return run, t.emit.EmitTx(ctx, tx, e)
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
	e, err := millrace.NewEvent(c.EnvironmentID, millrace.EventCronFailed, struct {
		*millrace.SyncJobCronTrigger
		Error string `json:"error"`
	}{c, cause.Error()})
	if err != nil {
		return err
	}
	return t.emit.EmitTx(ctx, tx, e)
}
