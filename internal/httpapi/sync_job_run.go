package httpapi

import (
	"context"
	"encoding/json"

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

// syncJobRunBody is the body of a create. Members that clients send and that change nothing here, such as status, are
// tolerated.
type syncJobRunBody struct {
	Identity
	SyncJobID           string                      `json:"sync_job_id" format:"uuid" doc:"The job to run."`
	IntegratedAccountID opt[string]                 `json:"integrated_account_id,omitzero" doc:"The account to read from; here or in args."`
	WebhookID           opt[string]                 `json:"webhook_id,omitzero" doc:"The webhook that gets the records; here or in args."`
	Args                opt[object]                 `json:"args,omitzero" doc:"The arguments of the run."`
	ErrorHandling       opt[millrace.ErrorHandling] `json:"error_handling,omitzero" enum:"ignore,fail_fast,batch" doc:"That of the job when absent, else ignore."`
	IgnorePreviousRun   opt[bool]                   `json:"ignore_previous_run,omitzero" doc:"Read everything again."`
	Resources           opt[array]                  `json:"resources,omitzero" doc:"Replaces the job's resources for this run."`
	EventsToSend        opt[[]string]               `json:"events_to_send,omitzero" doc:"The events that the webhook gets; all when absent."`
	MutexKey            opt[string]                 `json:"mutex_key,omitzero" maxLength:"1000" doc:"A template; that of the job when absent. The run waits while another one has the same key."`
	Force               opt[bool]                   `json:"force,omitzero" doc:"Start at once, whatever the mutex_key."`
	StateKey            opt[string]                 `json:"state_key,omitzero" maxLength:"1000" doc:"A template; that of the job when absent. Names the state that the run reads and writes."`
	DaemonGroupKey      opt[string]                 `json:"daemon_group_key,omitzero" doc:"Daemons are not available in this server."`

	request *millrace.RunRequest
}

func (*syncJobRunBody) example() string {
	return `{"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b",` +
		`"integrated_account_id":"c7a4fe0b-6a9d-4a59-b53c-5d5a2c1e9d11","webhook_id":"9fda519d-148f-4cc5-bbac-4e373b16e5d4"}`
}

func (b *syncJobRunBody) validate(_ *api, sent json.RawMessage) []millrace.Failure {
	var err error
	b.request, err = millrace.ParseRunRequest(sent, "")
	out := append(failuresOf("", err), checkDaemon(b.DaemonGroupKey.Value)...)
	return append(out, checkKeys(b.MutexKey.Value, b.StateKey.Value)...)
}

func checkDaemon(group string) []millrace.Failure {
	if group == "" {
		return nil
	}
	return []millrace.Failure{{Path: "daemon_group_key", Message: "daemons are not available; use webhook_id"}}
}

// checkKeys checks the templates of mutex_key and state_key.
func checkKeys(mutex, state string) []millrace.Failure {
	var out []millrace.Failure
	for _, key := range []struct{ path, text string }{{"mutex_key", mutex}, {"state_key", state}} {
		if _, err := expr.ParseTemplate(key.text); err != nil {
			out = append(out, expr.FailureOf(key.path, err))
		}
	}
	return out
}

func (n syncJobRuns) create(ctx context.Context, in *createIn[syncJobRunBody]) (*reply[syncJobRunView], error) {
	if err := in.Data.own(in.Environment); err != nil {
		return nil, err
	}
	r := *in.Data.request
	r.ID, r.SyncJobID = millrace.SyncJobRunID(in.Data.ID), millrace.SyncJobID(lower(in.Data.SyncJobID))
	run, err := n.api.cfg.Starter.Prepare(ctx, in.Environment, &r, "")
	if err != nil {
		return nil, notFoundOf(err)
	}
	if !isGraph(run) && run.IntegratedAccountID == "" {
		return nil, millrace.Invalid("integrated_account_id", "is required: the resources of this job do not name an account")
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) { return n.api.cfg.Starter.StartTx(ctx, tx, run) })
}

// resolveRun looks up what a request names. What the environment does not have is not found.
func resolveRun(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, r *millrace.RunRequest) (*millrace.SyncJob, error) {
	job, err := tx.ResolveRun(ctx, env, r, "")
	return job, notFoundOf(err)
}

// notFoundOf makes an error that only lists what the request names and the environment does not have one of KindNotFound.
func notFoundOf(err error) error {
	known, ok := asError(err)
	if !ok || known.Kind != millrace.KindInvalid || len(known.Failures) == 0 {
		return err
	}
	for _, f := range known.Failures {
		if f.Code != millrace.CodeMissing || hasPrefixPath(f.Path, "args") {
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
	Status     opt[millrace.RunStatus] `json:"status,omitzero" enum:"created,running,rate_limited,completed,failed,stopped" nullable:"false"`
	StartedAt  opt[millrace.Time]      `json:"started_at,omitzero"`
	FinishedAt opt[millrace.Time]      `json:"finished_at,omitzero"`
}

// failedByClient is the error of a run that a client has made fail.
const failedByClient = `{"code":"failed_by_client","message":"a client set the status to failed"}`

func (n syncJobRuns) patch(ctx context.Context, in *patchIn[millrace.SyncJobRunID, syncJobRunPatch]) (*reply[syncJobRunView], error) {
	b := in.Data
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		v, err := tx.LockSyncJobRun(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if next := b.Status.or(v.Status); next != v.Status {
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
		v.StartedAt, v.FinishedAt = b.StartedAt.or(v.StartedAt), b.FinishedAt.or(v.FinishedAt)
		return v, tx.UpdateSyncJobRun(ctx, v)
	})
}

// stop ends a run. Stopping a run that has ended changes nothing.
func (n syncJobRuns) stop(ctx context.Context, in *getIn[millrace.SyncJobRunID]) (*reply[syncJobRunView], error) {
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		return n.api.cfg.Starter.StopTx(ctx, tx, in.Environment, in.ID)
	})
}
