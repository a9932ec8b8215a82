package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
)

// InsertDecision adds what was decided about an event and a workflow and reports whether it was not there yet.
func (tx *Tx) InsertDecision(ctx context.Context, d *millrace.Decision) (bool, error) {
	fresh, err := tx.InsertDecisions(ctx, []*millrace.Decision{d})
	return len(fresh) > 0, err
}

// InsertDecisions adds what was decided about events and workflows, many with a statement, and returns those that were not
// there yet, in their order.
func (tx *Tx) InsertDecisions(ctx context.Context, decisions []*millrace.Decision) ([]*millrace.Decision, error) {
	type key struct{ event, workflow string }
	added := map[key]bool{}
	for rest := decisions; len(rest) > 0; {
		n := rowsAtOnce(len(rest))
		query, args := tx.decisionRows(rest[:n])
		err := tx.each(ctx, query, args, func(r rows) error {
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

// decisionRows returns the statement that adds some decisions, with its arguments.
func (tx *Tx) decisionRows(decisions []*millrace.Decision) (string, []any) {
	const columns = 9
	args := make([]any, 0, columns*len(decisions))
	values := make([]string, len(decisions))
	for i, d := range decisions {
		if d.CreatedAt == 0 {
			d.CreatedAt = tx.Now()
		}
		values[i] = "(" + placeholdersFrom(len(args)+1, columns) + ")"
		args = append(args, string(d.EventID), string(d.EnvironmentID), string(d.WorkflowID), d.WorkflowVersion, string(d.Outcome), string(d.Error),
			string(d.WorkflowRunID), int64(d.RunAt), int64(d.CreatedAt))
	}
	return `INSERT INTO decision (event_id, environment_id, workflow_id, workflow_version, outcome, error, workflow_run_id, run_at, created_at)
VALUES ` + strings.Join(values, ", ") + " ON CONFLICT DO NOTHING RETURNING event_id, workflow_id", args
}

// DecisionsOf returns the decisions about an event.
func (tx *Tx) DecisionsOf(ctx context.Context, env millrace.EnvironmentID, id millrace.EventID) ([]millrace.Decision, error) {
	out := []millrace.Decision{}
	err := tx.each(ctx, `SELECT event_id, environment_id, workflow_id, workflow_version, outcome, error, workflow_run_id, run_at, cancelled_by,
created_at FROM decision WHERE event_id = $1 AND environment_id = $2 ORDER BY workflow_id`, []any{string(id), string(env)}, func(r rows) error {
		var d millrace.Decision
		err := r.Scan((*string)(&d.EventID), (*string)(&d.EnvironmentID), (*string)(&d.WorkflowID), &d.WorkflowVersion,
			(*string)(&d.Outcome), &documentDest{&d.Error}, (*string)(&d.WorkflowRunID), (*int64)(&d.RunAt), (*string)(&d.CancelledBy), (*int64)(&d.CreatedAt))
		out = append(out, d)
		return err
	})
	return out, err
}
