package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
	"github.com/millrace/millrace/internal/store/workflows"

	"github.com/millrace/millrace"
)

// Erasures are the erasures of customers.
type Erasures struct{ tx *sqldb.Tx }

// NewErasures returns the handle of the erasures of customers.
func NewErasures(tx *sqldb.Tx) Erasures { return Erasures{tx} }

// An erasure has two passes. The first cancels deliveries that wait; before it, the account's runs were stopped. The second
// removes rows. In between, every task that was at work ends and writes what it was about to write: a pump that has a
// delivery in hand fails when the row is gone.
const (
	erasePasses = 2
	eraseAfter  = time.Minute
)

// Start stores the wish to remove what is stored about a customer, and the task that does it.
func (h Erasures) Start(ctx context.Context, e *millrace.Erasure) error {
	table.NewRow(h.tx, &e.ID, &e.CreatedAt)
	_, err := h.tx.Exec(ctx, `INSERT INTO erasure (id, environment_id, integrated_account_id, tenant_id, pass, stage, mark_at, mark_id, not_before, created_at)
VALUES ($1, $2, $3, $4, 0, 0, 0, '', 0, $5)`, string(e.ID), string(e.EnvironmentID), string(e.IntegratedAccountID), e.TenantID, int64(e.CreatedAt))
	if err != nil {
		return fmt.Errorf("insert erasure: %w", err)
	}
	return h.tx.Enqueue(ctx, millrace.Task{Kind: millrace.TaskErase, Key: string(e.ID), Environment: e.EnvironmentID})
}

// Get returns an erasure that is under way, or nil.
func (h Erasures) Get(ctx context.Context, id millrace.ErasureID) (*millrace.Erasure, error) {
	return h.get(ctx, id, "")
}

func (h Erasures) get(ctx context.Context, id millrace.ErasureID, suffix string) (*millrace.Erasure, error) {
	e := &millrace.Erasure{ID: id}
	found, err := h.tx.One(ctx, `SELECT environment_id, integrated_account_id, tenant_id, pass, stage, mark_at, mark_id, not_before, created_at
FROM erasure WHERE id = $1`+suffix, []any{string(id)}, (*string)(&e.EnvironmentID), (*string)(&e.IntegratedAccountID), &e.TenantID, &e.Pass, &e.Stage,
		(*int64)(&e.MarkAt), &e.MarkID, (*int64)(&e.NotBefore), (*int64)(&e.CreatedAt))
	if err != nil {
		return nil, fmt.Errorf("read erasure: %w", err)
	}
	if !found {
		return nil, nil //nolint:nilnil // it has ended
	}
	return e, nil
}

// EraseRows looks at most so many rows further and removes, of these, what is about the customer. How far it has come is
// stored with it. It returns the updated erasure, or nil once it has ended.
func (h Erasures) EraseRows(ctx context.Context, id millrace.ErasureID, most int) (*millrace.Erasure, error) {
	e, err := h.get(ctx, id, h.tx.Dialect().ForUpdate())
	if err != nil || e == nil {
		return e, err
	}
	stages := h.stages(e)
	p := &Prune{Environment: e.EnvironmentID, Before: h.tx.Now().Add(time.Hour), After: table.Mark{At: e.MarkAt, ID: e.MarkID}, Most: most}
	next, done, err := stages[e.Stage](ctx, p)
	if err != nil {
		return nil, err
	}
	e.MarkAt, e.MarkID = next.At, next.ID
	if done {
		e.Stage, e.MarkAt, e.MarkID = e.Stage+1, 0, ""
	}
	if e.Stage == int64(len(stages)) {
		e.Stage, e.Pass, e.NotBefore = 0, e.Pass+1, h.tx.Now().Add(eraseAfter)
	}
	if e.Pass == erasePasses {
		if _, err := h.tx.Exec(ctx, "DELETE FROM erasure WHERE id = $1", string(id)); err != nil {
			return nil, fmt.Errorf("end erasure: %w", err)
		}
		return nil, nil //nolint:nilnil // it has ended
	}
	_, err = h.tx.Exec(ctx, "UPDATE erasure SET pass = $2, stage = $3, mark_at = $4, mark_id = $5, not_before = $6 WHERE id = $1",
		string(id), e.Pass, e.Stage, int64(e.MarkAt), e.MarkID, int64(e.NotBefore))
	if err != nil {
		return nil, fmt.Errorf("save erasure: %w", err)
	}
	return e, nil
}

// eraseStage looks at rows of one table. It returns where the next look begins, and whether there is nothing left.
type eraseStage func(ctx context.Context, p *Prune) (table.Mark, bool, error)

// customerRows are the conditions of the rows that are about a customer, with their values from $6.
type customerRows struct {
	deliveries, events string
	args               []any
}

// customerRows leaves out that the account was deleted, with its id alone: webhooks are still to be notified.
func (h Erasures) customerRows(e *millrace.Erasure) customerRows {
	if e.IntegratedAccountID == "" {
		about := "CASE WHEN e.payload <> '' THEN " + h.tx.Dialect().Member("e.payload", []string{"tenant_id"}) + " ELSE '' END = $6"
		return customerRows{inEvent(about), about, []any{e.TenantID}}
	}
	const last = "event <> '" + millrace.EventAccountDeleted + "'"
	about := "(" + h.tx.Dialect().Like("e.payload", "$7") + " OR " + ofRun("e") + ") AND e." + last
	return customerRows{
		"(t.integrated_account_id = $6 OR " + ofRun("t") + ") AND t." + last + " OR " + inEvent(about), about,
		[]any{string(e.IntegratedAccountID), "%" + string(e.IntegratedAccountID) + "%"},
	}
}

// inEvent is the condition of a delivery of an event.
func inEvent(about string) string {
	return "t.event_id <> '' AND EXISTS (SELECT 1 FROM event AS e WHERE e.id = t.event_id AND e.environment_id = t.environment_id AND " + about + ")"
}

// ofRun is the condition of a row that belongs to a run of the account $6.
func ofRun(alias string) string {
	return alias + ".sync_job_run_id <> '' AND EXISTS (SELECT 1 FROM sync_job_run AS r WHERE r.id = " + alias + ".sync_job_run_id AND r.environment_id = $1 AND r.integrated_account_id = $6)"
}

// stages returns what a pass looks at, in an order in which nothing is removed that is needed to find the rest.
func (h Erasures) stages(e *millrace.Erasure) []eraseStage {
	rows := h.customerRows(e)
	deliveries := prunable{
		table: "delivery", args: rows.args, free: "(" + rows.deliveries + ")",
		parts: []table.Part{{Table: "delivery_attempt", Column: "delivery_id"}, {Table: "run_log", Column: "delivery_id", Also: "delivery_id <> ''"}},
	}
	if e.Pass == 0 {
		return []eraseStage{h.cancelDeliveries(deliveries)}
	}
	events := prunable{
		table: "event", args: rows.args, free: "EXISTS (SELECT 1 FROM event AS e WHERE e.id = t.id AND e.environment_id = t.environment_id AND " + rows.events + ")",
		parts: []table.Part{{Table: "decision", Column: "event_id"}, {Table: "fan_out", Column: "root_event_id"}},
	}
	stages := []eraseStage{h.eraseTable(deliveries), h.eraseEvents(events)}
	calls := prunable{table: "call_log", args: rows.args, free: "t.tenant_id = $6"}
	if e.IntegratedAccountID == "" {
		return append(stages, h.eraseTable(calls), h.eraseAudit(e))
	}
	calls.free = "t.integrated_account_id = $6 AND $7 <> ''" // each argument has its place
	hooks := prunable{
		table: "inbound_hook", args: rows.args,
		free: "(t.integrated_account_id = $6 OR " + h.tx.Dialect().Like("t.integrated_account_ids", "$7") + ")",
	}
	return append(stages, h.eraseTable(hooks), h.eraseState(e), h.eraseRuns(e), h.eraseTable(calls), h.eraseRedeliveries(e), h.eraseAudit(e))
}

// cancelDeliveries cancels deliveries that wait.
func (h Erasures) cancelDeliveries(k prunable) eraseStage {
	return func(ctx context.Context, p *Prune) (table.Mark, bool, error) {
		next, full, err := NewRows(h.tx).window(ctx, &k, p)
		if err != nil || next == p.After {
			return next, true, err
		}
		_, err = h.tx.Exec(ctx, "UPDATE delivery AS t SET status = 'cancelled' WHERE "+inWindow+" AND t.status = 'pending' AND "+k.free,
			append(windowArgs(p, next), k.args...)...)
		if err != nil {
			return next, false, fmt.Errorf("cancel deliveries: %w", err)
		}
		return next, !full, nil
	}
}

// eraseEvents removes events, and the workflow runs that they have led to.
func (h Erasures) eraseEvents(k prunable) eraseStage {
	return func(ctx context.Context, p *Prune) (table.Mark, bool, error) {
		next, full, ids, err := h.eraseWindow(ctx, &k, p)
		if err != nil || len(ids) == 0 {
			return next, !full, err
		}
		args := append(table.Padded(ids), string(p.Environment))
		query := fmt.Sprintf("SELECT id FROM workflow_run WHERE event_id IN (%s) AND environment_id || '' = $%d ORDER BY id", table.Placeholders(len(args)-1), len(args))
		return next, !full, h.eraseWorkflowRuns(ctx, p.Environment, query, args)
	}
}

// eraseTable removes rows with their parts.
func (h Erasures) eraseTable(k prunable) eraseStage {
	return func(ctx context.Context, p *Prune) (table.Mark, bool, error) {
		next, full, _, err := h.eraseWindow(ctx, &k, p)
		return next, !full, err
	}
}

func (h Erasures) eraseWindow(ctx context.Context, k *prunable, p *Prune) (table.Mark, bool, []string, error) {
	next, full, err := NewRows(h.tx).window(ctx, k, p)
	if err != nil || next == p.After {
		return next, false, nil, err
	}
	ids, err := NewRows(h.tx).removeFree(ctx, k, p, next)
	if err != nil {
		return next, false, nil, err
	}
	return next, full, ids, table.RemoveParts(ctx, h.tx, p.Environment, k.parts, ids)
}

// eraseRuns removes the sync job runs of an account that have ended, and the workflow runs that started them.
func (h Erasures) eraseRuns(e *millrace.Erasure) eraseStage {
	account := string(e.IntegratedAccountID)
	runs := prunable{
		table: "sync_job_run", args: []any{account}, free: "t.integrated_account_id = $6 AND t.status NOT " + table.OpenRun,
		parts: []table.Part{{Table: "checkpoint_part", Column: "sync_job_run_id"}, {Table: "run_log", Column: "sync_job_run_id"}},
	}
	return func(ctx context.Context, p *Prune) (table.Mark, bool, error) {
		next, full, err := NewRows(h.tx).window(ctx, &runs, p)
		if err != nil || next == p.After {
			return next, true, err
		}
		query := "SELECT DISTINCT t.workflow_run_id FROM sync_job_run AS t WHERE " + inWindow + " AND t.integrated_account_id = $6 AND t.workflow_run_id <> '' ORDER BY t.workflow_run_id"
		if err := h.eraseWorkflowRuns(ctx, p.Environment, query, append(windowArgs(p, next), account)); err != nil {
			return next, false, err
		}
		ids, err := NewRows(h.tx).removeFree(ctx, &runs, p, next)
		if err != nil {
			return next, false, err
		}
		return next, !full, table.RemoveParts(ctx, h.tx, p.Environment, runs.parts, ids)
	}
}

// eraseWorkflowRuns removes the workflow runs whose ids a query yields.
func (h Erasures) eraseWorkflowRuns(ctx context.Context, env millrace.EnvironmentID, query string, args []any) error {
	ids, err := table.ReadIDs[millrace.WorkflowRunID](ctx, h.tx, query, args...)
	if err != nil {
		return fmt.Errorf("find workflow runs: %w", err)
	}
	for _, id := range ids {
		if err := workflows.NewWorkflowRuns(h.tx).Delete(ctx, env, id); err != nil && millrace.KindOf(err) != millrace.KindNotFound {
			return err
		}
	}
	return nil
}

// eraseState removes entries that runs of the account have written, and those that name it.
func (h Erasures) eraseState(e *millrace.Erasure) eraseStage {
	like := func(column string) string { return h.tx.Dialect().Like(column, "$3") }
	query := `DELETE FROM sync_job_run_state WHERE id IN (SELECT s.id FROM sync_job_run_state AS s WHERE s.environment_id = $1 AND (
s.sync_job_run_id <> '' AND EXISTS (SELECT 1 FROM sync_job_run AS r WHERE r.id = s.sync_job_run_id AND r.environment_id = $1 AND r.integrated_account_id = $2)
OR ` + like("s.state_key") + " OR " + like("s.key") + " OR " + like("s.value") + ") LIMIT $4)"
	return func(ctx context.Context, p *Prune) (table.Mark, bool, error) {
		n, err := h.tx.Exec(ctx, query, string(e.EnvironmentID), string(e.IntegratedAccountID), "%"+string(e.IntegratedAccountID)+"%", p.Most)
		if err != nil {
			return table.Mark{}, false, fmt.Errorf("erase state: %w", err)
		}
		return table.Mark{}, n < int64(p.Most), nil
	}
}

// eraseRedeliveries removes the redeliveries that were of the account only.
func (h Erasures) eraseRedeliveries(e *millrace.Erasure) eraseStage {
	query := "DELETE FROM webhook_redelivery WHERE environment_id = $1 AND " + h.tx.Dialect().Like("filter", "$2")
	return func(ctx context.Context, _ *Prune) (table.Mark, bool, error) {
		_, err := h.tx.Exec(ctx, query, string(e.EnvironmentID), "%"+string(e.IntegratedAccountID)+"%")
		if err != nil {
			return table.Mark{}, false, fmt.Errorf("erase redeliveries: %w", err)
		}
		return table.Mark{}, true, nil
	}
}

// eraseAudit takes what is about the customer out of the audit log. That there was a change, and by whom, stays.
func (h Erasures) eraseAudit(e *millrace.Erasure) eraseStage {
	entries := prunable{table: "audit_entry"}
	subject, id := e.TenantID, `CASE WHEN resource = 'tenant' THEN '' ELSE resource_id END`
	about, args := "t.subject = $6", []any{subject}
	if e.IntegratedAccountID != "" {
		subject, id = string(e.IntegratedAccountID), "CASE WHEN resource = 'sync_job_run_state' THEN '' ELSE resource_id END"
		about, args = "(t.subject = $6 OR "+h.tx.Dialect().Like("t.resource_id || t.before || t.after", "$7")+")", []any{subject, "%" + subject + "%"}
	}
	return func(ctx context.Context, p *Prune) (table.Mark, bool, error) {
		next, full, err := NewRows(h.tx).window(ctx, &entries, p)
		if err != nil || next == p.After {
			return next, true, err
		}
		_, err = h.tx.Exec(ctx, "UPDATE audit_entry AS t SET before = '', after = '', resource_id = "+id+" WHERE "+inWindow+" AND "+about,
			append(windowArgs(p, next), args...)...)
		if err != nil {
			return next, false, fmt.Errorf("erase audit entries: %w", err)
		}
		return next, !full, nil
	}
}
