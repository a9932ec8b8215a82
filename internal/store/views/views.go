package views

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Views are the questions of the dashboard.
type Views struct{ tx *sqldb.Tx }

// New returns the questions in a transaction.
func New(tx *sqldb.Tx) Views { return Views{tx} }

// What is something that happens often.
type What string

// What happens often. They are the names of tables.
const (
	Events       What = "event"
	WorkflowRuns What = "workflow_run"
	SyncJobRuns  What = "sync_job_run"
	Deliveries   What = "delivery"
	InboundHooks What = "inbound_hook"
)

// Counted bounds what is counted one by one.
const Counted = 5000

// Lately is when something happened since a time, the last first.
type Lately struct {
	Times []millrace.Time
	More  bool // there was more, before the last of Times
}

// Lately returns when something happened since a time: at most [Counted] times.
func (h Views) Lately(ctx context.Context, env millrace.EnvironmentID, what What, since millrace.Time) (Lately, error) {
	out := Lately{}
	query := fmt.Sprintf("SELECT created_at FROM %s WHERE environment_id = $1 AND created_at > $2 ORDER BY created_at DESC LIMIT %d", what, Counted+1)
	err := h.tx.Each(ctx, query, []any{string(env), int64(since)}, func(r sqldb.Rows) error {
		var at int64
		err := r.Scan(&at)
		out.Times = append(out.Times, millrace.Time(at))
		return err
	})
	if err != nil {
		return out, fmt.Errorf("count %s: %w", what, err)
	}
	if out.More = len(out.Times) > Counted; out.More {
		out.Times = out.Times[:Counted]
	}
	return out, nil
}

// Number is how many there are; with More, at least so many.
type Number struct {
	N    int64
	More bool
}

func (h Views) count(ctx context.Context, query string, args ...any) (Number, error) {
	var n int64
	if _, err := h.tx.One(ctx, fmt.Sprintf("SELECT COUNT(*) FROM (%s LIMIT %d) AS t", query, Counted+1), args, &n); err != nil {
		return Number{}, fmt.Errorf("count: %w", err)
	}
	return Number{min(n, Counted), n > Counted}, nil
}

// Backlog returns how many deliveries wait, without those that runs send themselves.
func (h Views) Backlog(ctx context.Context, env millrace.EnvironmentID) (Number, error) {
	return h.count(ctx, "SELECT 1 FROM delivery WHERE environment_id = $1 AND status = 'pending' AND sequence > 0", string(env))
}

// OpenRuns returns how many sync job runs have not ended, and how many of them wait for a provider or a webhook.
func (h Views) OpenRuns(ctx context.Context, env millrace.EnvironmentID) (open, waiting Number, err error) { //nolint:nonamedreturns // two of a kind
	// The index of those that have not ended does not begin with the environment, of which SQLite would take the index of all.
	const under = "SELECT 1 FROM sync_job_run WHERE environment_id || '' = $1 AND status " + table.OpenRun
	if open, err = h.count(ctx, under, string(env)); err != nil {
		return open, waiting, err
	}
	waiting, err = h.count(ctx, under+" AND wait_reason <> ''", string(env))
	return open, waiting, err
}

// TroubledAccount is an account that needs attention.
type TroubledAccount struct {
	ID          millrace.IntegratedAccountID
	TenantID    string
	Integration string
	Status      millrace.AccountStatus
	Error       string
	At          millrace.Time
}

// TroubledAccounts returns the accounts that need attention, the last changed first.
func (h Views) TroubledAccounts(ctx context.Context, env millrace.EnvironmentID, limit int) ([]TroubledAccount, error) {
	var out []TroubledAccount
	err := h.tx.Each(ctx, `SELECT a.id, a.tenant_id, COALESCE(i.name, ''), a.status, a.last_error, a.updated_at FROM integrated_account AS a
LEFT JOIN environment_integration AS e ON e.id = a.environment_integration_id AND e.environment_id = a.environment_id
LEFT JOIN integration AS i ON i.id = e.integration_id AND i.environment_id = e.environment_id
WHERE a.environment_id = $1 AND a.status IN ('needs_reauth', 'validation_error', 'post_install_error') ORDER BY a.updated_at DESC LIMIT $2`,
		[]any{string(env), limit}, func(r sqldb.Rows) error {
			var a TroubledAccount
			err := r.Scan((*string)(&a.ID), &a.TenantID, &a.Integration, (*string)(&a.Status), &a.Error, (*int64)(&a.At))
			out = append(out, a)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("find troubled accounts: %w", err)
	}
	return out, nil
}

// TroubledRun is a sync job run that failed, or in which something did.
type TroubledRun struct {
	ID        millrace.SyncJobRunID
	Status    millrace.RunStatus
	IsPartial bool
	Job       string // its label
	TenantID  string // of its account
	Account   millrace.IntegratedAccountID
	Error     []byte // a RunError
	First     []byte // a FirstError
	At        millrace.Time
}

// TroubledRuns returns the sync job runs since a time that failed or are partial, the last first.
func (h Views) TroubledRuns(ctx context.Context, env millrace.EnvironmentID, since millrace.Time, limit int) ([]TroubledRun, error) {
	var out []TroubledRun
	err := h.tx.Each(ctx, `SELECT r.id, r.status, r.is_partial, COALESCE(j.label, ''), COALESCE(a.tenant_id, ''), r.integrated_account_id, r.error, r.first_error, r.created_at
FROM (
SELECT * FROM (SELECT * FROM sync_job_run WHERE environment_id = $1 AND status = 'failed' AND created_at > $2 ORDER BY created_at DESC, id DESC LIMIT $3) AS f
UNION ALL SELECT * FROM (SELECT * FROM sync_job_run WHERE environment_id = $1 AND is_partial = TRUE AND created_at > $2 ORDER BY created_at DESC, id DESC LIMIT $3) AS p
) AS r LEFT JOIN sync_job AS j ON j.id = r.sync_job_id AND j.environment_id = r.environment_id
LEFT JOIN integrated_account AS a ON a.id = r.integrated_account_id AND a.environment_id = r.environment_id ORDER BY r.created_at DESC, r.id DESC LIMIT $3`,
		[]any{string(env), int64(since), limit}, func(r sqldb.Rows) error {
			var v TroubledRun
			var failed, first string
			err := r.Scan((*string)(&v.ID), (*string)(&v.Status), &v.IsPartial, &v.Job, &v.TenantID, (*string)(&v.Account), &failed, &first, (*int64)(&v.At))
			v.Error, v.First = []byte(failed), []byte(first)
			out = append(out, v)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("find troubled runs: %w", err)
	}
	return out, nil
}

// TroubledWorkflowRun is a workflow run that failed.
type TroubledWorkflowRun struct {
	ID       millrace.WorkflowRunID
	Workflow string // its label
	Error    []byte // a Failure
	At       millrace.Time
}

// TroubledWorkflowRuns returns the workflow runs since a time that failed, the last first.
func (h Views) TroubledWorkflowRuns(ctx context.Context, env millrace.EnvironmentID, since millrace.Time, limit int) ([]TroubledWorkflowRun, error) {
	var out []TroubledWorkflowRun
	err := h.tx.Each(ctx, `SELECT r.id, COALESCE(w.label, ''), r.error, r.created_at FROM workflow_run AS r
LEFT JOIN workflow AS w ON w.id = r.workflow_id AND w.environment_id = r.environment_id
WHERE r.environment_id = $1 AND r.status = 'failed' AND r.created_at > $2 ORDER BY r.created_at DESC, r.id DESC LIMIT $3`,
		[]any{string(env), int64(since), limit}, func(r sqldb.Rows) error {
			var v TroubledWorkflowRun
			var failed string
			err := r.Scan((*string)(&v.ID), &v.Workflow, &failed, (*int64)(&v.At))
			v.Error = []byte(failed)
			out = append(out, v)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("find troubled workflow runs: %w", err)
	}
	return out, nil
}

// TroubledWebhook is a webhook or a notification destination that fails, or that was switched off.
type TroubledWebhook struct {
	ID           millrace.WebhookID
	Target       string // of a destination, its label
	Destination  bool
	IsActive     bool
	FailingSince millrace.Time
}

// TroubledWebhooks returns the webhooks that fail or are inactive, those that fail for the longest time first.
func (h Views) TroubledWebhooks(ctx context.Context, env millrace.EnvironmentID, limit int) ([]TroubledWebhook, error) {
	var out []TroubledWebhook
	err := h.tx.Each(ctx, `SELECT id, CASE WHEN notification = '' THEN target_url ELSE label END, notification <> '', is_active, failing_since FROM webhook
WHERE environment_id = $1 AND (failing_since > 0 OR is_active = FALSE) ORDER BY CASE WHEN failing_since > 0 THEN failing_since ELSE 9223372036854775807 END, id LIMIT $2`,
		[]any{string(env), limit}, func(r sqldb.Rows) error {
			var v TroubledWebhook
			err := r.Scan((*string)(&v.ID), &v.Target, &v.Destination, &v.IsActive, (*int64)(&v.FailingSince))
			out = append(out, v)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("find troubled webhooks: %w", err)
	}
	return out, nil
}

// MissedFire is a scheduled time that made no run.
type MissedFire struct {
	Schedule millrace.SyncJobCronTriggerID
	Outcome  millrace.FireOutcome
	Reason   string
	DueAt    millrace.Time
	Instants int64
}

// MissedFires returns the scheduled times that were missed or failed since a time, the last first.
func (h Views) MissedFires(ctx context.Context, env millrace.EnvironmentID, since millrace.Time, limit int) ([]MissedFire, error) {
	var out []MissedFire
	err := h.tx.Each(ctx, `SELECT sync_job_cron_trigger_id, outcome, reason, due_at, instants FROM cron_fire
WHERE environment_id = $1 AND outcome IN ('missed', 'failed') AND created_at > $2 ORDER BY created_at DESC LIMIT $3`,
		[]any{string(env), int64(since), limit}, func(r sqldb.Rows) error {
			var v MissedFire
			err := r.Scan((*string)(&v.Schedule), (*string)(&v.Outcome), &v.Reason, (*int64)(&v.DueAt), &v.Instants)
			out = append(out, v)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("find missed fires: %w", err)
	}
	return out, nil
}
