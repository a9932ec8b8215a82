package work

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/start"
)

// syncJobRunView is a sync job run on the wire: ids that it does not have are null.
type syncJobRunView struct {
	millrace.SyncJobRun
	IntegratedAccountID *millrace.IntegratedAccountID `json:"integrated_account_id"`
	WebhookID           *millrace.WebhookID           `json:"webhook_id"`
}

type syncJobRuns struct {
	*rest.Resource[millrace.SyncJobRunID, millrace.SyncJobRun, syncJobRunView]
}

// SyncJobRuns are the handlers of sync job runs.
func (h *Handlers) SyncJobRuns() syncJobRuns {
	return syncJobRuns{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).SyncJobRuns, nil), rest.Each(func(v *millrace.SyncJobRun) syncJobRunView {
		return syncJobRunView{*v, rest.Nullable(v.IntegratedAccountID), rest.Nullable(v.WebhookID)}
	}))}
}

// syncJobRunBody is the body of a create. Members that clients send and that change nothing here, such as status, are
// tolerated.
type syncJobRunBody struct {
	rest.Identity
	SyncJobID           string                           `json:"sync_job_id" format:"uuid" doc:"The job to run."`
	IntegratedAccountID rest.Opt[string]                 `json:"integrated_account_id,omitzero" doc:"The account to read from; here or in args."`
	WebhookID           rest.Opt[string]                 `json:"webhook_id,omitzero" doc:"The webhook that gets the records; here or in args."`
	Args                rest.Opt[rest.Object]            `json:"args,omitzero" doc:"The arguments of the run."`
	ErrorHandling       rest.Opt[millrace.ErrorHandling] `json:"error_handling,omitzero" enum:"ignore,fail_fast,batch" doc:"That of the job when absent, else ignore."`
	IgnorePreviousRun   rest.Opt[bool]                   `json:"ignore_previous_run,omitzero" doc:"Read everything again."`
	Resources           rest.Opt[rest.Array]             `json:"resources,omitzero" doc:"Replaces the job's resources for this run."`
	EventsToSend        rest.Opt[[]string]               `json:"events_to_send,omitzero" doc:"The events that the webhook gets; all when absent."`
	MutexKey            rest.Opt[string]                 `json:"mutex_key,omitzero" maxLength:"1000" doc:"A template; that of the job when absent. The run waits while another one has the same key."`
	Force               rest.Opt[bool]                   `json:"force,omitzero" doc:"Start at once, whatever the mutex_key."`
	StateKey            rest.Opt[string]                 `json:"state_key,omitzero" maxLength:"1000" doc:"A template; that of the job when absent. Names the state that the run reads and writes."`
	DaemonGroupKey      rest.Opt[string]                 `json:"daemon_group_key,omitzero" doc:"Daemons are not available in this server."`
	DaemonID            rest.Opt[string]                 `json:"daemon_id,omitzero" doc:"Daemons are not available in this server."`
	DatastoreID         rest.Opt[string]                 `json:"datastore_id,omitzero" doc:"Datastores are not available in this server."`
	SuperQuery          rest.Opt[string]                 `json:"super_query,omitzero" doc:"Super Query is not available in this server."`
	Version             rest.Opt[int64]                  `json:"version,omitzero" doc:"That of the job, its default_runtime_version; anything else is rejected."`

	request *millrace.RunRequest
}

func (*syncJobRunBody) Example() string {
	return `{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b",` +
		`"integrated_account_id":"c7a4fe0b-6a9d-4a59-b53c-5d5a2c1e9d11","webhook_id":"9fda519d-148f-4cc5-bbac-4e373b16e5d4"}`
}

func (b *syncJobRunBody) Validate(_ *rest.Request, sent json.RawMessage) []millrace.Failure {
	var err error
	b.request, err = millrace.ParseRunRequest(sent, "")
	return append(millrace.FailuresOf("", err), definition.CheckKeys(b.MutexKey.Value, b.StateKey.Value)...)
}

func (n syncJobRuns) Create(ctx context.Context, in *rest.CreateIn[syncJobRunBody]) (*rest.Reply[syncJobRunView], error) {
	if err := in.Data.Own(in.Environment); err != nil {
		return nil, err
	}
	r := *in.Data.request
	r.ID, r.SyncJobID = millrace.SyncJobRunID(in.Data.ID), millrace.SyncJobID(strings.ToLower(in.Data.SyncJobID))
	run, err := start.Prepare(ctx, n.DB, in.Environment, &r, "")
	if err != nil {
		return nil, notFoundOf(err)
	}
	if !isGraph(run) && run.IntegratedAccountID == "" {
		return nil, millrace.Invalid("integrated_account_id", "is required: the resources of this job do not name an account")
	}
	return n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) { return start.Start(ctx, tx, run) })
}

// resolveRun looks up what a request names. What the environment does not have is not found.
func resolveRun(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, r *millrace.RunRequest) (*millrace.SyncJob, error) {
	job, err := tx.SyncJobRuns().Resolve(ctx, env, r, "")
	return job, notFoundOf(err)
}

// notFoundOf makes an error that only lists what the request names and the environment does not have one of KindNotFound.
func notFoundOf(err error) error {
	known, ok := errors.AsType[*millrace.Error](err)
	if !ok || known.Kind != millrace.KindInvalid || len(known.Failures) == 0 {
		return err
	}
	for _, f := range known.Failures {
		if f.Code != millrace.CodeMissing || f.IsBelow("args") {
			return err
		}
	}
	missing := *known
	missing.Kind = millrace.KindNotFound
	return &missing
}

// isGraph reports whether a run's resources are a graph of nodes, which name their accounts themselves, or empty.
func isGraph(v *millrace.SyncJobRun) bool {
	var nodes []struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(v.Resources, &nodes)
	for _, n := range nodes {
		if n.Type != "" {
			return true
		}
	}
	return err == nil && len(nodes) == 0
}

// syncJobRunPatch is the body of a change.
type syncJobRunPatch struct {
	Status     rest.Opt[millrace.RunStatus] `json:"status,omitzero" enum:"created,running,rate_limited,completed,failed,stopped" nullable:"false"`
	StartedAt  rest.Opt[millrace.Time]      `json:"started_at,omitzero"`
	FinishedAt rest.Opt[millrace.Time]      `json:"finished_at,omitzero"`
}

// failedByClient is the error of a run that a client has made fail.
const failedByClient = `{"code":"failed_by_client","message":"a client set the status to failed"}`

func (n syncJobRuns) Patch(ctx context.Context, in *rest.PatchIn[millrace.SyncJobRunID, syncJobRunPatch]) (*rest.Reply[syncJobRunView], error) {
	b := in.Data
	return n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		v, err := tx.SyncJobRuns().Lock(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if next := b.Status.Or(v.Status); next != v.Status {
			if v.WaitingFor != "" && !next.Finished() {
				return nil, millrace.Invalid("status", "the run waits for %s, which has the same mutex_key; force starts a run at once", v.WaitingFor)
			}
			if !v.Status.Next(next) {
				return nil, millrace.Invalid("status", "a run that is %s cannot become %s", v.Status, next)
			}
			v.Status = next
			if next.Finished() && v.FinishedAt == 0 {
				v.FinishedAt = tx.Now()
			}
			if next == millrace.RunFailed {
				v.Error = json.RawMessage(failedByClient)
			}
		}
		v.StartedAt, v.FinishedAt = b.StartedAt.Or(v.StartedAt), b.FinishedAt.Or(v.FinishedAt)
		return v, tx.SyncJobRuns().Update(ctx, v)
	})
}

// Stop ends a run. Stopping a run that has ended changes nothing.
func (n syncJobRuns) Stop(ctx context.Context, in *rest.GetIn[millrace.SyncJobRunID]) (*rest.Reply[syncJobRunView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		return start.Stop(ctx, tx, in.Environment, in.ID)
	})
}
