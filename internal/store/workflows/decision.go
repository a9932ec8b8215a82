package workflows

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Decisions are what was decided about events and workflows.
type Decisions struct{ tx *sqldb.Tx }

// NewDecisions returns the handle of what was decided about events and workflows.
func NewDecisions(tx *sqldb.Tx) Decisions { return Decisions{tx} }

// Create adds what was decided about an event and a workflow and reports whether it was not there yet.
func (h Decisions) Create(ctx context.Context, d *millrace.Decision) (bool, error) {
	fresh, err := h.CreateAll(ctx, []*millrace.Decision{d})
	return len(fresh) > 0, err
}

// CreateAll adds what was decided about events and workflows, many with a statement, and returns those that were not
// there yet, in their order.
func (h Decisions) CreateAll(ctx context.Context, decisions []*millrace.Decision) ([]*millrace.Decision, error) {
	type key struct{ event, workflow string }
	added := map[key]bool{}
	for rest := decisions; len(rest) > 0; {
		n := table.RowsAtOnce(len(rest))
		query, args := h.rows(rest[:n])
		err := h.tx.Each(ctx, query, args, func(r sqldb.Rows) error {
			var k key
			err := r.Scan(&k.event, &k.workflow)
			added[k] = true
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("store decisions: %w", err)
		}
		rest = rest[n:]
	}
	fresh := make([]*millrace.Decision, 0, len(added))
	for _, d := range decisions {
		if added[key{string(d.EventID), string(d.WorkflowID)}] {
			fresh = append(fresh, d)
		}
	}
	return fresh, nil
}

// Rows returns the statement that adds some decisions, with its arguments.
func (h Decisions) rows(decisions []*millrace.Decision) (string, []any) {
	const columns = 9
	args := make([]any, 0, columns*len(decisions))
	values := make([]string, len(decisions))
	for i, d := range decisions {
		if d.CreatedAt == 0 {
			d.CreatedAt = h.tx.Now()
		}
		values[i] = "(" + table.PlaceholdersFrom(len(args)+1, columns) + ")"
		args = append(args, string(d.EventID), string(d.EnvironmentID), string(d.WorkflowID), d.WorkflowVersion, string(d.Outcome), string(d.Error),
			string(d.WorkflowRunID), int64(d.RunAt), int64(d.CreatedAt))
	}
	return `INSERT INTO decision (event_id, environment_id, workflow_id, workflow_version, outcome, error, workflow_run_id, run_at, created_at)
VALUES ` + strings.Join(values, ", ") + " ON CONFLICT DO NOTHING RETURNING event_id, workflow_id", args
}

// Arrived reports whether something was decided about an event and a workflow.
func (h Decisions) Arrived(ctx context.Context, d *millrace.Decision) (bool, error) {
	var one int64
	return h.tx.One(ctx, "SELECT 1 FROM decision WHERE event_id = $1 AND workflow_id = $2 AND environment_id = $3",
		[]any{string(d.EventID), string(d.WorkflowID), string(d.EnvironmentID)}, &one)
}

// Skip changes the decision that has led to a run: it was skipped because of another one.
func (h Decisions) Skip(ctx context.Context, run *millrace.WorkflowRun, because millrace.WorkflowRunID) error {
	_, err := h.tx.Exec(ctx, "UPDATE decision SET outcome = 'skipped', workflow_run_id = $3 WHERE event_id = $1 AND workflow_id = $2 AND environment_id = $4",
		string(run.EventID), string(run.WorkflowID), string(because), string(run.EnvironmentID))
	if err != nil {
		return fmt.Errorf("mark decision skipped: %w", err)
	}
	return nil
}

// Cancel changes the decision that has led to a run: it was cancelled by another one.
func (h Decisions) Cancel(ctx context.Context, run *millrace.WorkflowRun, by millrace.WorkflowRunID) error {
	_, err := h.tx.Exec(ctx, "UPDATE decision SET outcome = 'cancelled', cancelled_by = $3 WHERE event_id = $1 AND workflow_id = $2 AND environment_id = $4",
		string(run.EventID), string(run.WorkflowID), string(by), string(run.EnvironmentID))
	if err != nil {
		return fmt.Errorf("mark decision cancelled: %w", err)
	}
	return nil
}

// OfEvent returns the decisions about an event.
func (h Decisions) OfEvent(ctx context.Context, env millrace.EnvironmentID, id millrace.EventID) ([]millrace.Decision, error) {
	out := []millrace.Decision{}
	err := h.tx.Each(ctx, `SELECT event_id, environment_id, workflow_id, workflow_version, outcome, error, workflow_run_id, run_at, cancelled_by,
created_at FROM decision WHERE event_id = $1 AND environment_id = $2 ORDER BY workflow_id`, []any{string(id), string(env)}, func(r sqldb.Rows) error {
		var d millrace.Decision
		err := r.Scan((*string)(&d.EventID), (*string)(&d.EnvironmentID), (*string)(&d.WorkflowID), &d.WorkflowVersion,
			(*string)(&d.Outcome), table.DocumentTo(&d.Error), (*string)(&d.WorkflowRunID), (*int64)(&d.RunAt), (*string)(&d.CancelledBy), (*int64)(&d.CreatedAt))
		out = append(out, d)
		return err
	})
	return out, err
}
