package syncjobs

import (
	"context"

	"github.com/millrace/millrace/internal/store/accounts"
	"github.com/millrace/millrace/internal/store/deliveries"

	"github.com/millrace/millrace"
)

// missing collects the ids of a request that do not exist in the environment.
type missing struct {
	prefix   string
	failures []millrace.Failure
	err      error
}

func (m *missing) check(name, what, id string, err error) {
	switch {
	case err == nil || m.err != nil:
	case millrace.KindOf(err) == millrace.KindNotFound:
		path := name
		if m.prefix != "" {
			path = m.prefix + "." + name
		}
		m.failures = append(m.failures, millrace.Failure{
			Path: path, Code: millrace.CodeMissing, Message: what + " \"" + id + "\" does not exist in this environment",
		})
	default:
		m.err = err
	}
}

func (m *missing) result() error {
	if m.err != nil {
		return m.err
	}
	return millrace.InvalidAll(m.failures)
}

// Resolve finds the sync job that a request names and checks that everything else it names exists in the
// environment. It returns an error of KindInvalid that lists what does not, with paths below prefix.
func (h SyncJobRuns) Resolve(ctx context.Context, env millrace.EnvironmentID, r *millrace.RunRequest, prefix string) (*millrace.SyncJob, error) {
	m := &missing{prefix: prefix}
	var job *millrace.SyncJob
	if r.SyncJobID == "" {
		m.failures = append(m.failures, millrace.Invalid("sync_job_id", "is required").Failures...)
		if prefix != "" {
			m.failures[0].Path = prefix + ".sync_job_id"
		}
	} else {
		var err error
		job, err = NewSyncJobs(h.tx).Get(ctx, env, r.SyncJobID)
		m.check("sync_job_id", "sync job", string(r.SyncJobID), err)
	}
	if r.IntegratedAccountID != "" {
		_, err := accounts.NewAccounts(h.tx).Get(ctx, env, r.IntegratedAccountID)
		m.check("integrated_account_id", "integrated account", string(r.IntegratedAccountID), err)
	}
	if r.WebhookID != "" {
		_, err := deliveries.NewWebhooks(h.tx).Get(ctx, env, r.WebhookID)
		m.check("webhook_id", "webhook", string(r.WebhookID), err)
	}
	return job, m.result()
}

// Start stores a new run and the task that starts it. A run whose mutex_key another one holds stands in line and gets
// its task when its turn comes.
func (h SyncJobRuns) Start(ctx context.Context, run *millrace.SyncJobRun) error {
	if err := h.joinLine(ctx, run); err != nil {
		return err
	}
	if err := h.Create(ctx, run); err != nil || run.WaitingFor != "" {
		return err
	}
	return h.tx.Enqueue(ctx, millrace.SliceTask(run))
}
