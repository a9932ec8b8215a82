package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// syncJobRunView is a sync job run on the wire: ids that it does not have are null.
type syncJobRunView struct {
	millrace.SyncJobRun
	IntegratedAccountID *millrace.IntegratedAccountID `json:"integrated_account_id"`
	WebhookID           *millrace.WebhookID           `json:"webhook_id"`
}

type syncJobRuns struct {
	*noun[millrace.SyncJobRunID, millrace.SyncJobRun, syncJobRunView]
}

func (a *api) syncJobRuns() syncJobRuns {
	return syncJobRuns{&noun[millrace.SyncJobRunID, millrace.SyncJobRun, syncJobRunView]{
		api: a, one: (*store.Tx).SyncJobRun, many: (*store.Tx).ListSyncJobRuns,
		show: each(func(v *millrace.SyncJobRun) syncJobRunView {
			return syncJobRunView{*v, nullable(v.IntegratedAccountID), nullable(v.WebhookID)}
		}),
	}}
}

// syncJobRunBody is the body of a create. Members that clients send and that change nothing here, such as status and
// force, are tolerated.
type syncJobRunBody struct {
	Identity
	SyncJobID           string                      `json:"sync_job_id" format:"uuid" doc:"The job to run."`
	IntegratedAccountID opt[string]                 `json:"integrated_account_id,omitempty" doc:"The account to read from; here or in args."`
	WebhookID           opt[string]                 `json:"webhook_id,omitempty" doc:"The webhook that gets the records; here or in args."`
	Args                opt[object]                 `json:"args,omitempty" doc:"The arguments of the run."`
	ErrorHandling       opt[millrace.ErrorHandling] `json:"error_handling,omitempty" enum:"ignore,fail_fast,batch" doc:"That of the job when absent, else ignore."`
	IgnorePreviousRun   opt[bool]                   `json:"ignore_previous_run,omitempty" doc:"Read everything again."`
	Resources           opt[array]                  `json:"resources,omitempty" doc:"Replaces the job's resources for this run."`
	EventsToSend        opt[[]string]               `json:"events_to_send,omitempty" doc:"The events that the webhook gets; all when absent."`
	MutexKey            opt[string]                 `json:"mutex_key,omitempty" maxLength:"1000"`
	StateKey            opt[string]                 `json:"state_key,omitempty" maxLength:"1000"`
	DaemonGroupKey      opt[string]                 `json:"daemon_group_key,omitempty" doc:"Daemons are not available in this server."`
}

func (syncJobRunBody) example() string {
	return `{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b",` +
		`"integrated_account_id":"c7a4fe0b-6a9d-4a59-b53c-5d5a2c1e9d11","webhook_id":"9fda519d-148f-4cc5-bbac-4e373b16e5d4"}`
}

func (b *syncJobRunBody) validate(a *api) []millrace.Failure {
	t := b.target()
	out := append(t.check(), checkResources(a, b.Resources.Value.RawMessage, 0)...)
	if b.DaemonGroupKey.Value != "" {
		out = append(out, millrace.Failure{Path: "daemon_group_key", Message: "daemons are not available; use webhook_id"})
	}
	for path, text := range map[string]string{"mutex_key": b.MutexKey.Value, "state_key": b.StateKey.Value} {
		if _, err := expr.ParseTemplate(text); err != nil {
			out = append(out, millrace.Failure{Path: path, Message: err.Error()})
		}
	}
	return out
}

func (b *syncJobRunBody) target() *target {
	return &target{account: b.IntegratedAccountID.Value, webhook: b.WebhookID.Value, args: b.Args.Value.RawMessage}
}

func (n syncJobRuns) create(ctx context.Context, in *createIn[syncJobRunBody]) (*reply[syncJobRunView], error) {
	if err := in.Data.own(in.Environment); err != nil {
		return nil, err
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		v, err := newRun(ctx, tx, in.Environment, &in.Data)
		if err != nil {
			return nil, err
		}
		if err := tx.InsertSyncJobRun(ctx, v); err != nil {
			return nil, err
		}
		return v, tx.Enqueue(ctx, millrace.Task{Kind: millrace.TaskSlice, Key: string(v.ID)})
	})
}

// newRun makes the row of a run from its job, which it copies so that a change of the job does not change the run.
func newRun(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, b *syncJobRunBody) (*millrace.SyncJobRun, error) {
	job, err := tx.SyncJob(ctx, env, millrace.SyncJobID(lower(b.SyncJobID)))
	if err != nil {
		return nil, at("sync_job_id", err)
	}
	t := b.target()
	if err := t.resolve(ctx, tx, env); err != nil {
		return nil, err
	}
	v := &millrace.SyncJobRun{
		ID: millrace.SyncJobRunID(b.ID), EnvironmentID: env, SyncJobID: job.ID,
		IntegratedAccountID: millrace.IntegratedAccountID(t.account), WebhookID: millrace.WebhookID(t.webhook),
		Status: millrace.RunCreated, Args: t.args, Resources: rawOr(b.Resources.Value.RawMessage, string(job.Resources)),
		ErrorHandling: b.ErrorHandling.Value, IgnorePreviousRun: b.IgnorePreviousRun.Value,
		EventsToSend: encodeEventTypes(b.EventsToSend.Value), Version: job.DefaultRuntimeVersion,
		ResourceStats: json.RawMessage("{}"), Error: json.RawMessage("null"),
		MutexKey: b.MutexKey.or(job.MutexKey), StateKey: b.StateKey.or(job.StateKey),
	}
	if v.ErrorHandling == "" {
		v.ErrorHandling = job.ErrorHandling
	}
	if v.ErrorHandling == "" {
		v.ErrorHandling = millrace.ErrorIgnore
	}
	graph := isGraph(v.Resources)
	if v.Version == 0 {
		v.Version = 3
		if graph {
			v.Version = 4
		}
	}
	if !graph && len(v.Resources) > 2 && v.IntegratedAccountID == "" {
		return nil, millrace.Invalid("integrated_account_id", "is required: the resources of this job do not name an account")
	}
	return v, nil
}

// target is the account that a run reads from and the webhook that gets its records. Both may stand beside sync_job_id
// or in args, and end up in both places.
type target struct {
	account string
	webhook string
	args    json.RawMessage
}

// check finds what is wrong with the ids without looking them up.
func (t *target) check() []millrace.Failure {
	args, err := parseJSON(rawOr(t.args, "{}"))
	if err != nil || args.kind != kindObject {
		return nil // of the wrong shape, which is reported as such
	}
	var out []millrace.Failure
	for _, f := range []struct{ name, sent string }{{"integrated_account_id", t.account}, {"webhook_id", t.webhook}} {
		if f.sent != "" && !millrace.IsID(f.sent) {
			out = append(out, millrace.Failure{Path: f.name, Message: fmt.Sprintf("must be a UUID, not %q", shorten(f.sent))})
		}
		arg := args.get(f.name)
		if arg == nil || arg.kind == kindNull {
			continue
		}
		path := "args." + f.name
		switch {
		case arg.kind != kindString:
			out = append(out, millrace.Failure{Path: path, Message: fmt.Sprintf("must be a string, not %s", arg.kind)})
		case !millrace.IsID(arg.text):
			out = append(out, millrace.Failure{Path: path, Message: fmt.Sprintf("must be a UUID, not %q", shorten(arg.text))})
		case f.sent != "" && !strings.EqualFold(f.sent, arg.text):
			out = append(out, millrace.Failure{Path: path, Message: fmt.Sprintf("differs from %s", f.name)})
		}
	}
	return out
}

// resolve completes both places and looks the ids up in the environment.
func (t *target) resolve(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) error {
	args, err := parseJSON(rawOr(t.args, "{}"))
	if err != nil {
		return fmt.Errorf("read args: %w", err)
	}
	for name, id := range map[string]*string{"integrated_account_id": &t.account, "webhook_id": &t.webhook} {
		if arg := args.get(name); *id == "" && arg != nil && arg.kind == kindString {
			*id = arg.text
		}
		if *id = lower(*id); *id != "" {
			args.set(name, &value{kind: kindString, text: *id})
		}
	}
	t.args = args.json()
	if t.account != "" {
		if _, err := tx.IntegratedAccount(ctx, env, millrace.IntegratedAccountID(t.account)); err != nil {
			return at("integrated_account_id", err)
		}
	}
	if t.webhook != "" {
		if _, err := tx.Webhook(ctx, env, millrace.WebhookID(t.webhook)); err != nil {
			return at("webhook_id", err)
		}
	}
	return nil
}

// syncJobRunPatch is the body of a change.
type syncJobRunPatch struct {
	Status     opt[millrace.RunStatus] `json:"status,omitempty" enum:"created,running,rate_limited,completed,failed,stopped" nullable:"false"`
	StartedAt  opt[millrace.Time]      `json:"started_at,omitempty"`
	FinishedAt opt[millrace.Time]      `json:"finished_at,omitempty"`
}

func (n syncJobRuns) patch(ctx context.Context, in *patchIn[millrace.SyncJobRunID, syncJobRunPatch]) (*reply[syncJobRunView], error) {
	b := in.Data
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		v, err := tx.LockSyncJobRun(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if next := b.Status.or(v.Status); next != v.Status {
			if !v.Status.Next(next) {
				return nil, millrace.Invalid("status", "a run that is %s cannot become %s", v.Status, next)
			}
			v.Status = next
			if next.Finished() && v.FinishedAt == 0 {
				v.FinishedAt = tx.Now()
			}
		}
		v.StartedAt, v.FinishedAt = b.StartedAt.or(v.StartedAt), b.FinishedAt.or(v.FinishedAt)
		return v, tx.UpdateSyncJobRun(ctx, v)
	})
}

// stop ends a run. Its slice may be under way: it finds the run ended when it saves its next page. Stopping a run that
// has ended changes nothing.
func (n syncJobRuns) stop(ctx context.Context, in *getIn[millrace.SyncJobRunID]) (*reply[syncJobRunView], error) {
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		v, err := tx.LockSyncJobRun(ctx, in.Environment, in.ID)
		if err != nil || v.Status.Finished() {
			return v, err
		}
		v.Status, v.FinishedAt = millrace.RunStopped, tx.Now()
		return v, tx.UpdateSyncJobRun(ctx, v)
	})
}
