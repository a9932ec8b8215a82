package work

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/start"
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
	*rest.Resource[millrace.SyncJobCronTriggerID, millrace.SyncJobCronTrigger, cronTriggerView]
}

// SyncJobCronTriggers are the handlers of schedules.
func (h *Handlers) SyncJobCronTriggers() cronTriggers {
	return cronTriggers{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Schedules, rest.DeleteOf((*store.Tx).Schedules)), rest.Each(func(v *millrace.SyncJobCronTrigger) cronTriggerView {
		return cronTriggerView{
			*v, rest.Nullable(v.IntegratedAccountID), rest.Nullable(v.WebhookID), rest.Nullable(v.DaemonGroupKey),
			rest.Nullable(v.SuperQuery), rest.Nullable(v.ErrorHandling),
		}
	}))}
}

// CronTriggerFields are what clients may set at any time.
type CronTriggerFields struct {
	Timezone       rest.Opt[string]                 `json:"timezone,omitzero" maxLength:"100" doc:"An IANA name; UTC when absent." example:"Europe/Berlin"`
	CatchUp        rest.Opt[millrace.CatchUp]       `json:"catch_up,omitzero" enum:"one,none,all" doc:"What becomes of instants that passed while no server was running: one run makes up for all (the default), none does, or each gets one, at most 100."`
	Overlap        rest.Opt[millrace.Overlap]       `json:"overlap,omitzero" enum:"queue,skip,allow" doc:"What becomes of an instant while an earlier run has not ended: one run waits for it (the default), none is made, or they go side by side."`
	Spread         rest.Opt[int64]                  `json:"spread,omitzero" minimum:"0" maximum:"86400" doc:"Start up to so many seconds after the instant, always by the same offset, which follows from the id."`
	Args           rest.Opt[rest.Object]            `json:"args,omitzero" doc:"The arguments of the runs."`
	WebhookID      rest.Opt[string]                 `json:"webhook_id,omitzero" doc:"The webhook that gets the records; here or in args."`
	DaemonGroupKey rest.Opt[string]                 `json:"daemon_group_key,omitzero" doc:"Daemons are not available in this server."`
	SuperQuery     rest.Opt[string]                 `json:"super_query,omitzero" doc:"Super Query is not available in this server."`
	ErrorHandling  rest.Opt[millrace.ErrorHandling] `json:"error_handling,omitzero" enum:"ignore,fail_fast,batch"`
	EventsToSend   rest.Opt[[]string]               `json:"events_to_send,omitzero"`
	Meta           rest.Opt[rest.Object]            `json:"meta,omitzero" doc:"Yours; it changes nothing."`
}

// check checks the ids of a schedule like those of a run, and its expression when there is one.
func (f *CronTriggerFields) check(sent json.RawMessage, expression string) []millrace.Failure {
	_, err := millrace.ParseRunRequest(sent, "")
	out := millrace.FailuresOf("", err)
	if expression == "" {
		return out // reported as such, or not sent
	}
	return append(out, definition.CheckCron(expression, f.Timezone.Value, "")...)
}

func (f *CronTriggerFields) apply(v *millrace.SyncJobCronTrigger) {
	v.Timezone = f.Timezone.Or(v.Timezone)
	v.CatchUp, v.Overlap, v.Spread = f.CatchUp.Or(v.CatchUp), f.Overlap.Or(v.Overlap), f.Spread.Or(v.Spread)
	v.Settle()
	v.Args = rest.SentRaw(f.Args, v.Args, "{}")
	v.WebhookID = millrace.WebhookID(f.WebhookID.Or(string(v.WebhookID)))
	v.ErrorHandling = f.ErrorHandling.Or(v.ErrorHandling)
	v.Meta = rest.SentRaw(f.Meta, v.Meta, "{}")
	if f.EventsToSend.Sent {
		v.EventsToSend = rest.RawTexts(f.EventsToSend.Value)
	}
}

// cronTriggerBody is the body of a create.
type cronTriggerBody struct {
	rest.Identity
	SyncJobID           string           `json:"sync_job_id" format:"uuid" doc:"The job to run."`
	IntegratedAccountID rest.Opt[string] `json:"integrated_account_id,omitzero" doc:"The account to read from; here or in args."`
	CronExpression      string           `json:"cron_expression" minLength:"1" maxLength:"200" doc:"Five fields." example:"0 */6 * * *"`
	CronTriggerFields
}

func (b *cronTriggerBody) Validate(_ *rest.Request, sent json.RawMessage) []millrace.Failure {
	return b.check(sent, b.CronExpression)
}

// newScheduleID returns the id that was chosen, or a new one: the offset of a schedule follows from its id.
func newScheduleID(chosen string) millrace.SyncJobCronTriggerID {
	if chosen != "" {
		return millrace.SyncJobCronTriggerID(chosen)
	}
	return millrace.NewID[millrace.SyncJobCronTriggerID]()
}

func (n cronTriggers) Create(ctx context.Context, in *rest.CreateIn[cronTriggerBody]) (*rest.Reply[cronTriggerView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	made := func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v := &millrace.SyncJobCronTrigger{
			ID: newScheduleID(b.ID), EnvironmentID: in.Environment,
			SyncJobID: millrace.SyncJobID(strings.ToLower(b.SyncJobID)), CronExpression: b.CronExpression,
			IntegratedAccountID: millrace.IntegratedAccountID(b.IntegratedAccountID.Value),
			Args:                json.RawMessage("{}"), EventsToSend: json.RawMessage("null"), Meta: json.RawMessage("{}"),
		}
		b.apply(v)
		return v, resolveTrigger(ctx, tx, v, nil)
	}
	if err := n.rehearse(ctx, made); err != nil {
		return nil, err
	}
	return n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v, err := made(tx)
		if err != nil {
			return nil, err
		}
		return v, tx.Schedules().Create(ctx, v)
	})
}

// rehearse prepares the run that a schedule would start now, so that arguments which do not fit are rejected at once and not
// in the night. The expressions of the job run outside of any transaction.
func (n cronTriggers) rehearse(ctx context.Context, made func(*store.Tx) (*millrace.SyncJobCronTrigger, error)) error {
	var v *millrace.SyncJobCronTrigger
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		v, err = made(tx)
		return err
	})
	if err == nil {
		_, err = start.Prepare(ctx, n.DB, v.EnvironmentID, v.RunRequest(), "")
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
	return schedule.Reschedule(v, before, tx.Now())
}

// cronTriggerPatch is the body of a change.
type cronTriggerPatch struct {
	CronExpression rest.Opt[string] `json:"cron_expression,omitzero" minLength:"1" maxLength:"200" nullable:"false"`
	CronTriggerFields
}

func (b *cronTriggerPatch) Validate(_ *rest.Request, sent json.RawMessage) []millrace.Failure {
	return b.check(sent, b.CronExpression.Value)
}

func (n cronTriggers) Patch(ctx context.Context, in *rest.PatchIn[millrace.SyncJobCronTriggerID, cronTriggerPatch]) (*rest.Reply[cronTriggerView], error) {
	b := in.Data
	changed := func(tx *store.Tx, v *millrace.SyncJobCronTrigger) error {
		before := *v
		v.CronExpression = b.CronExpression.Or(v.CronExpression)
		b.apply(v)
		if b.WebhookID.Sent && !b.Args.Sent {
			v.Args = account.WithoutMember(v.Args, "webhook_id") // it is that of the old webhook
		}
		if v.WorkflowID != "" {
			v.IsDetached, v.RestReason = true, ""
		}
		return resolveTrigger(ctx, tx, v, &before)
	}
	if b.Args.Sent || b.WebhookID.Sent || b.EventsToSend.Sent {
		err := n.rehearse(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
			v, err := tx.Schedules().Get(ctx, in.Environment, in.ID)
			if err != nil {
				return nil, err
			}
			return v, changed(tx, v)
		})
		if err != nil {
			return nil, err
		}
	}
	return n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJobCronTrigger, error) {
		v, err := tx.Schedules().Lock(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if err := changed(tx, v); err != nil {
			return nil, err
		}
		return v, tx.Schedules().Update(ctx, v)
	})
}

// Schedule makes sure that a schedule is active. Schedules are from the start, so for most there is nothing to do.
func (n cronTriggers) Schedule(ctx context.Context, in *rest.GetIn[millrace.SyncJobCronTriggerID]) (*rest.Reply[rest.Success], error) {
	err := n.DB.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Schedules().Lock(ctx, in.Environment, in.ID)
		if err != nil || v.NextRunAt != 0 {
			return err
		}
		if v.RestReason != "" {
			return millrace.Invalid("id", "the schedule rests: %s; PATCH it to make it independent of the workflow", v.RestReason)
		}
		if err := schedule.Reschedule(v, nil, tx.Now()); err != nil {
			return err
		}
		return tx.Schedules().Move(ctx, v.EnvironmentID, v.ID, v.NextRunAt)
	})
	return rest.Succeeded(), err
}
