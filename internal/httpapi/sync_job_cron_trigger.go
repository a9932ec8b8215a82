package httpapi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// cronTriggerView is a schedule on the wire: what it does not have is null.
type cronTriggerView struct {
	millrace.SyncJobCronTrigger
	IntegratedAccountID *millrace.IntegratedAccountID `json:"integrated_account_id"`
	WebhookID           *millrace.WebhookID           `json:"webhook_id"`
	DaemonGroupKey      *string                       `json:"daemon_group_key"`
	SuperQuery          *string                       `json:"super_query"`
	ErrorHandling       *millrace.ErrorHandling       `json:"error_handling"`
}

type cronTriggers struct {
	*noun[millrace.SyncJobCronTriggerID, millrace.SyncJobCronTrigger, cronTriggerView]
}

func (a *api) syncJobCronTriggers() cronTriggers {
	return cronTriggers{&noun[millrace.SyncJobCronTriggerID, millrace.SyncJobCronTrigger, cronTriggerView]{
		api: a, one: (*store.Tx).SyncJobCronTrigger, many: (*store.Tx).ListSyncJobCronTriggers,
		drop: (*store.Tx).DeleteSyncJobCronTrigger,
		show: each(func(v *millrace.SyncJobCronTrigger) cronTriggerView {
			return cronTriggerView{
				*v, nullable(v.IntegratedAccountID), nullable(v.WebhookID), nullable(v.DaemonGroupKey),
				nullable(v.SuperQuery), nullable(v.ErrorHandling),
			}
		}),
	}}
}

// CronTriggerFields are what clients may set at any time.
type CronTriggerFields struct {
	Timezone       opt[string]                 `json:"timezone,omitzero" maxLength:"100" doc:"An IANA name; UTC when absent." example:"Europe/Berlin"`
	CatchUp        opt[millrace.CatchUp]       `json:"catch_up,omitzero" enum:"one,none,all" doc:"What becomes of instants that passed while no server was running: one run makes up for all (the default), none does, or each gets one, at most 100."`
	Overlap        opt[millrace.Overlap]       `json:"overlap,omitzero" enum:"queue,skip,allow" doc:"What becomes of an instant while an earlier run has not ended: one run waits for it (the default), none is made, or they go side by side."`
	Spread         opt[int64]                  `json:"spread,omitzero" minimum:"0" maximum:"86400" doc:"Start up to so many seconds after the instant, always by the same offset, which follows from the id."`
	Args           opt[object]                 `json:"args,omitzero" doc:"The arguments of the runs."`
	WebhookID      opt[string]                 `json:"webhook_id,omitzero" doc:"The webhook that gets the records; here or in args."`
	DaemonGroupKey opt[string]                 `json:"daemon_group_key,omitzero" doc:"Daemons are not available in this server."`
	SuperQuery     opt[string]                 `json:"super_query,omitzero" enum:"apac,wnam"`
	ErrorHandling  opt[millrace.ErrorHandling] `json:"error_handling,omitzero" enum:"ignore,fail_fast,batch"`
	EventsToSend   opt[[]string]               `json:"events_to_send,omitzero"`
	Meta           opt[object]                 `json:"meta,omitzero" doc:"Yours; it changes nothing."`
}

// check checks the ids of a schedule like those of a run, and its expression when there is one.
func (f *CronTriggerFields) check(sent json.RawMessage, expression string) []millrace.Failure {
	_, err := millrace.ParseRunRequest(sent, "")
	out := append(failuresOf("", err), checkDaemon(f.DaemonGroupKey.Value)...)
	if expression == "" {
		return out // reported as such, or not sent
	}
	return append(out, checkCron(expression, f.Timezone.Value, "")...)
}

// checkCron checks a schedule's expression and time zone; prefix is the path of the object that has them.
func checkCron(expression, timezone, prefix string) []millrace.Failure {
	_, err := expr.ParseCron(expression, timezone)
	return failuresOf(prefix, err)
}

func (f *CronTriggerFields) apply(v *millrace.SyncJobCronTrigger) {
	v.Timezone = f.Timezone.or(v.Timezone)
	v.CatchUp, v.Overlap, v.Spread = f.CatchUp.or(v.CatchUp), f.Overlap.or(v.Overlap), f.Spread.or(v.Spread)
	v.Settle()
	v.Args = sentRaw(f.Args, v.Args, "{}")
	v.WebhookID = millrace.WebhookID(f.WebhookID.or(string(v.WebhookID)))
	v.SuperQuery = f.SuperQuery.or(v.SuperQuery)
	v.ErrorHandling = f.ErrorHandling.or(v.ErrorHandling)
	v.Meta = sentRaw(f.Meta, v.Meta, "{}")
	if f.EventsToSend.Sent {
		v.EventsToSend = encodeEventTypes(f.EventsToSend.Value)
	}
}

// cronTriggerBody is the body of a create.
type cronTriggerBody struct {
	Identity
	SyncJobID           string      `json:"sync_job_id" format:"uuid" doc:"The job to run."`
	IntegratedAccountID opt[string] `json:"integrated_account_id,omitzero" doc:"The account to read from; here or in args."`
	CronExpression      string      `json:"cron_expression" minLength:"1" maxLength:"200" doc:"Five fields." example:"0 */6 * * *"`
	CronTriggerFields
}

func (b *cronTriggerBody) validate(_ *api, sent json.RawMessage) []millrace.Failure {
	return b.check(sent, b.CronExpression)
}

// newScheduleID returns the id that was chosen, or a new one: the offset of a schedule follows from its id.
func newScheduleID(chosen string) millrace.SyncJobCronTriggerID {
	if chosen != "" {
		return millrace.SyncJobCronTriggerID(chosen)
	}
	return millrace.NewID[millrace.SyncJobCronTriggerID]()
}

func (n cronTriggers) create(ctx context.Context, in *createIn[cronTriggerBody]) (*reply[cronTriggerView], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	made := func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v := &millrace.SyncJobCronTrigger{
			ID: newScheduleID(b.ID), EnvironmentID: in.Environment,
			SyncJobID: millrace.SyncJobID(lower(b.SyncJobID)), CronExpression: b.CronExpression,
			IntegratedAccountID: millrace.IntegratedAccountID(b.IntegratedAccountID.Value),
			Args:                json.RawMessage("{}"), EventsToSend: json.RawMessage("null"), Meta: json.RawMessage("{}"),
		}
		b.apply(v)
		return v, resolveTrigger(ctx, tx, v, nil)
	}
	if err := n.rehearse(ctx, made); err != nil {
		return nil, err
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v, err := made(tx)
		if err != nil {
			return nil, err
		}
		return v, tx.InsertSyncJobCronTrigger(ctx, v)
	})
}

// rehearse prepares the run that a schedule would start now, so that arguments which do not fit are refused at once and not
// in the night. The expressions of the job run outside of any transaction.
func (n cronTriggers) rehearse(ctx context.Context, made func(*store.Tx) (*millrace.SyncJobCronTrigger, error)) error {
	var v *millrace.SyncJobCronTrigger
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		v, err = made(tx)
		return err
	})
	if err == nil {
		_, err = n.api.cfg.Starter.Prepare(ctx, v.EnvironmentID, v.RunRequest(), "")
	}
	return err
}

// resolveTrigger looks up what a schedule names and finds its next instant. before is what it was, nil when it is new.
func resolveTrigger(ctx context.Context, tx *store.Tx, v, before *millrace.SyncJobCronTrigger) error {
	raw, err := json.Marshal(millrace.RunRequest{
		SyncJobID: v.SyncJobID, IntegratedAccountID: v.IntegratedAccountID, WebhookID: v.WebhookID, Args: v.Args,
	})
	if err != nil {
		return fmt.Errorf("encode run request: %w", err)
	}
	r, err := millrace.ParseRunRequest(raw, "")
	if err != nil {
		return err
	}
	if _, err := resolveRun(ctx, tx, v.EnvironmentID, r); err != nil {
		return err
	}
	v.IntegratedAccountID, v.WebhookID, v.Args = r.IntegratedAccountID, r.WebhookID, r.Args //commit:allow the row was made or read in the same transaction
	return expr.Reschedule(v, before, tx.Now())
}

// cronTriggerPatch is the body of a change.
type cronTriggerPatch struct {
	CronExpression opt[string] `json:"cron_expression,omitzero" minLength:"1" maxLength:"200" nullable:"false"`
	CronTriggerFields
}

func (b *cronTriggerPatch) validate(_ *api, sent json.RawMessage) []millrace.Failure {
	return b.check(sent, b.CronExpression.Value)
}

func (n cronTriggers) patch(ctx context.Context, in *patchIn[millrace.SyncJobCronTriggerID, cronTriggerPatch]) (*reply[cronTriggerView], error) {
	b := in.Data
	changed := func(tx *store.Tx, v *millrace.SyncJobCronTrigger) error {
		before := *v
		v.CronExpression = b.CronExpression.or(v.CronExpression)
		b.apply(v)
		if b.WebhookID.Sent && !b.Args.Sent {
			v.Args = withoutMember(v.Args, "webhook_id") // it is that of the old webhook
		}
		return resolveTrigger(ctx, tx, v, &before)
	}
	if b.Args.Sent || b.WebhookID.Sent || b.EventsToSend.Sent {
		err := n.rehearse(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
			v, err := tx.SyncJobCronTrigger(ctx, in.Environment, in.ID)
			if err != nil {
				return nil, err
			}
			return v, changed(tx, v)
		})
		if err != nil {
			return nil, err
		}
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v, err := tx.LockSyncJobCronTrigger(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if err := changed(tx, v); err != nil {
			return nil, err
		}
		return v, tx.UpdateSyncJobCronTrigger(ctx, v)
	})
}

// schedule makes sure that a schedule is active. Schedules are from the start, so for most there is nothing to do.
func (n cronTriggers) schedule(ctx context.Context, in *getIn[millrace.SyncJobCronTriggerID]) (*reply[success], error) {
	err := n.api.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.LockSyncJobCronTrigger(ctx, in.Environment, in.ID)
		if err != nil || v.NextRunAt != 0 {
			return err
		}
		if err := expr.Reschedule(v, nil, tx.Now()); err != nil {
			return err
		}
		return tx.MoveCronTrigger(ctx, v.EnvironmentID, v.ID, v.NextRunAt)
	})
	return succeeded(), err
}

// dropSchedules deletes the schedules that name something that is gone, since they could only fail from now on.
func dropSchedules(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, field, id string) error {
	query := millrace.Query{Filters: []millrace.Filter{{Field: field, Op: millrace.OpEq, Values: []string{id}}}}
	for {
		page, err := tx.ListSyncJobCronTriggers(ctx, env, query)
		if err != nil || len(page.Result) == 0 {
			return err
		}
		for _, schedule := range page.Result {
			if err := tx.DeleteSyncJobCronTrigger(ctx, env, schedule.ID); err != nil {
				return err
			}
		}
	}
}
