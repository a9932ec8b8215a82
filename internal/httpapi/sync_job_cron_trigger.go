package httpapi

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
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
	Timezone       opt[string]                 `json:"timezone,omitempty" maxLength:"100" doc:"An IANA name; UTC when absent." example:"Europe/Berlin"`
	Args           opt[object]                 `json:"args,omitempty" doc:"The arguments of the runs."`
	WebhookID      opt[string]                 `json:"webhook_id,omitempty" doc:"The webhook that gets the records; here or in args."`
	DaemonGroupKey opt[string]                 `json:"daemon_group_key,omitempty" doc:"Daemons are not available in this server."`
	SuperQuery     opt[string]                 `json:"super_query,omitempty" enum:"apac,wnam"`
	ErrorHandling  opt[millrace.ErrorHandling] `json:"error_handling,omitempty" enum:"ignore,fail_fast,batch"`
	EventsToSend   opt[[]string]               `json:"events_to_send,omitempty"`
	Meta           opt[object]                 `json:"meta,omitempty" doc:"Yours; it changes nothing."`
}

func (f *CronTriggerFields) check() []millrace.Failure {
	if f.DaemonGroupKey.Value == "" {
		return nil
	}
	return []millrace.Failure{{Path: "daemon_group_key", Message: "daemons are not available; use webhook_id"}}
}

func (f *CronTriggerFields) apply(v *millrace.SyncJobCronTrigger) {
	v.Timezone = f.Timezone.or(v.Timezone)
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
	IntegratedAccountID opt[string] `json:"integrated_account_id,omitempty" doc:"The account to read from; here or in args."`
	CronExpression      string      `json:"cron_expression" minLength:"1" maxLength:"200" doc:"Five fields." example:"0 */6 * * *"`
	CronTriggerFields
}

func (b *cronTriggerBody) validate(*api) []millrace.Failure {
	t := &target{account: b.IntegratedAccountID.Value, webhook: b.WebhookID.Value, args: b.Args.Value.RawMessage}
	out := append(t.check(), b.check()...)
	if b.CronExpression == "" {
		return out // reported as such
	}
	return append(out, checkCron(b.CronExpression, b.Timezone.Value, "")...)
}

func (n cronTriggers) create(ctx context.Context, in *createIn[cronTriggerBody]) (*reply[cronTriggerView], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v := &millrace.SyncJobCronTrigger{
			ID: millrace.SyncJobCronTriggerID(b.ID), EnvironmentID: in.Environment,
			SyncJobID: millrace.SyncJobID(lower(b.SyncJobID)), CronExpression: b.CronExpression,
			IntegratedAccountID: millrace.IntegratedAccountID(b.IntegratedAccountID.Value),
			Args:                json.RawMessage("{}"), EventsToSend: json.RawMessage("null"), Meta: json.RawMessage("{}"),
		}
		b.apply(v)
		if _, err := tx.SyncJob(ctx, in.Environment, v.SyncJobID); err != nil {
			return nil, at("sync_job_id", err)
		}
		if err := resolveTrigger(ctx, tx, v); err != nil {
			return nil, err
		}
		return v, tx.InsertSyncJobCronTrigger(ctx, v)
	})
}

// resolveTrigger looks up what a schedule names and finds its next instant.
func resolveTrigger(ctx context.Context, tx *store.Tx, v *millrace.SyncJobCronTrigger) error {
	t := &target{account: string(v.IntegratedAccountID), webhook: string(v.WebhookID), args: v.Args}
	if failures := t.check(); len(failures) > 0 {
		return millrace.InvalidAll(failures)
	}
	if err := t.resolve(ctx, tx, v.EnvironmentID); err != nil {
		return err
	}
	v.IntegratedAccountID, v.WebhookID = millrace.IntegratedAccountID(t.account), millrace.WebhookID(t.webhook)
	v.Args = t.args
	var err error
	v.NextRunAt, err = nextRun(v, tx.Now())
	return err
}

// cronTriggerPatch is the body of a change.
type cronTriggerPatch struct {
	CronExpression opt[string] `json:"cron_expression,omitempty" minLength:"1" maxLength:"200" nullable:"false"`
	CronTriggerFields
}

func (b *cronTriggerPatch) validate(*api) []millrace.Failure {
	out := b.check()
	if b.CronExpression.Value == "" {
		return out
	}
	return append(out, checkCron(b.CronExpression.Value, b.Timezone.Value, "")...)
}

func (n cronTriggers) patch(ctx context.Context, in *patchIn[millrace.SyncJobCronTriggerID, cronTriggerPatch]) (*reply[cronTriggerView], error) {
	b := in.Data
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v, err := tx.SyncJobCronTrigger(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		before := *v
		v.CronExpression = b.CronExpression.or(v.CronExpression)
		b.apply(v)
		if b.WebhookID.Sent && !b.Args.Sent {
			v.Args = withoutMember(v.Args, "webhook_id") // it is that of the old webhook
		}
		if err := resolveTrigger(ctx, tx, v); err != nil {
			return nil, err
		}
		if v.CronExpression == before.CronExpression && v.Timezone == before.Timezone && before.NextRunAt != 0 {
			v.NextRunAt = before.NextRunAt // a change of something else must not skip an instant that is due
		}
		return v, tx.UpdateSyncJobCronTrigger(ctx, v)
	})
}

// schedule makes sure that a schedule is active. Schedules are from the start, so for most there is nothing to do.
func (n cronTriggers) schedule(ctx context.Context, in *getIn[millrace.SyncJobCronTriggerID]) (*reply[success], error) {
	err := n.api.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.SyncJobCronTrigger(ctx, in.Environment, in.ID)
		if err != nil || v.NextRunAt != 0 {
			return err
		}
		if v.NextRunAt, err = nextRun(v, tx.Now()); err != nil {
			return err
		}
		return tx.UpdateSyncJobCronTrigger(ctx, v)
	})
	return succeeded(), err
}
