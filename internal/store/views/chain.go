package views

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Chain is a sync job run that a workflow has started, with what led to it.
type Chain struct {
	Run         millrace.SyncJobRunID
	Job         string // its label
	Webhook     millrace.WebhookID
	WorkflowRun millrace.WorkflowRunID
	Workflow    millrace.WorkflowID
	Label       string // of the workflow
	Event       millrace.EventID
	EventName   string
	EventAt     millrace.Time
	Account     millrace.IntegratedAccountID
	TenantID    string
	Integration string // its name; empty: it is gone
}

// chained is among how many of the last sync job runs one is looked for.
const chained = 50

// LastChain returns the last sync job run that is completed and that a workflow has started, as far as everything that led to it is
// there, of the last 50 of the environment; nil: there is none.
func (h Views) LastChain(ctx context.Context, env millrace.EnvironmentID) (*Chain, error) {
	c := new(Chain)
	found, err := h.tx.One(ctx, fmt.Sprintf(`SELECT r.id, COALESCE(j.label, ''), r.webhook_id, w.id, f.id, f.label, e.id, e.event, e.created_at, a.id, a.tenant_id, COALESCE(i.name, '')
FROM (SELECT id, environment_id, sync_job_id, webhook_id, workflow_run_id, integrated_account_id, status, created_at FROM sync_job_run
WHERE environment_id = $1 ORDER BY created_at DESC, id DESC LIMIT %d) AS r
JOIN workflow_run AS w ON w.id = r.workflow_run_id AND w.environment_id = r.environment_id
JOIN workflow AS f ON f.id = w.workflow_id AND f.environment_id = w.environment_id
JOIN event AS e ON e.id = w.event_id AND e.environment_id = w.environment_id
JOIN decision AS d ON d.event_id = e.id AND d.workflow_id = f.id AND d.environment_id = e.environment_id AND d.outcome = 'matched'
JOIN integrated_account AS a ON a.id = r.integrated_account_id AND a.environment_id = r.environment_id
LEFT JOIN sync_job AS j ON j.id = r.sync_job_id AND j.environment_id = r.environment_id
LEFT JOIN environment_integration AS n ON n.id = a.environment_integration_id AND n.environment_id = a.environment_id
LEFT JOIN integration AS i ON i.id = n.integration_id AND i.environment_id = n.environment_id
WHERE r.status = 'completed' ORDER BY r.created_at DESC, r.id DESC LIMIT 1`, chained), []any{string(env)},
		(*string)(&c.Run), &c.Job, (*string)(&c.Webhook), (*string)(&c.WorkflowRun), (*string)(&c.Workflow), &c.Label, (*string)(&c.Event), &c.EventName,
		(*int64)(&c.EventAt), (*string)(&c.Account), &c.TenantID, &c.Integration)
	if err != nil {
		return nil, fmt.Errorf("find a run with what led to it: %w", err)
	}
	if !found {
		return nil, nil //nolint:nilnil // there is none
	}
	return c, nil
}

// NotMatched returns one of some events that did not match a workflow; empty: none.
func (h Views) NotMatched(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID, events []millrace.EventID) (millrace.EventID, error) {
	if len(events) == 0 {
		return "", nil
	}
	args := []any{string(env), string(id)}
	for _, e := range events {
		args = append(args, string(e))
	}
	var out millrace.EventID
	err := h.tx.Each(ctx, "SELECT event_id FROM decision WHERE environment_id = $1 AND workflow_id = $2 AND outcome = 'not_matched' AND event_id IN ("+
		table.PlaceholdersFrom(3, len(events))+") ORDER BY created_at DESC LIMIT 1", args, func(r sqldb.Rows) error { return r.Scan((*string)(&out)) })
	if err != nil {
		return "", fmt.Errorf("find an event that did not match: %w", err)
	}
	return out, nil
}
