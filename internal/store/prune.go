package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// prunable says which rows of a kind may go, and what goes with them. Rows are looked at in the order of the index that
// lists them, so that retention needs no index of its own and every transaction has little to do, also where many old
// rows are still needed.
type prunable struct {
	table string
	among string // which rows are looked at, for a partial index
	free  string // which of these nobody needs any more
	args  []any  // further values in it, from $6
	parts []part
}

// part is a table whose rows belong to those of another.
type part struct {
	table, column string
	also          string // the condition of a partial index
}

const openRun = "IN ('created', 'running', 'rate_limited')"

// prunable returns what is to be known about a kind of rows that are old when they are from before a time. Many things end
// later than they are made, and count from their end.
func (tx *Tx) prunable(kind millrace.Kept, before millrace.Time) (prunable, error) {
	old := []any{int64(before)}
	switch kind {
	case millrace.KeptDeliveries:
		// What waits for a webhook that is inactive or deleted waits no longer than anything else is kept.
		return prunable{
			table: "delivery", args: old, free: `t.delivered_at < $6 AND NOT (t.status = 'pending' AND (
t.sync_job_run_id = '' AND EXISTS (SELECT 1 FROM webhook AS w WHERE w.id = t.webhook_id AND w.environment_id = t.environment_id AND w.is_active = TRUE)
OR t.sync_job_run_id <> '' AND EXISTS (SELECT 1 FROM sync_job_run AS r WHERE r.id = t.sync_job_run_id AND r.environment_id = t.environment_id AND r.status ` + openRun + `)))`,
			parts: []part{{table: "delivery_attempt", column: "delivery_id"}, {"run_log", "delivery_id", "delivery_id <> ''"}},
		}, nil
	case millrace.KeptEvents:
		return prunable{
			table: "event", free: `NOT EXISTS (SELECT 1 FROM event_batch AS b WHERE b.id = t.batch_id)
AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.environment_id = t.environment_id AND d.created_at = t.created_at
AND d.event_id = t.id AND d.status = 'pending' AND d.sequence > 0)
AND NOT EXISTS (SELECT 1 FROM workflow_run AS w WHERE w.event_id = t.id AND w.environment_id = t.environment_id AND w.status IN ('created', 'running'))`,
			parts: []part{{table: "decision", column: "event_id"}, {table: "fan_out", column: "root_event_id"}},
		}, nil
	case millrace.KeptWorkflowRuns:
		// Rate limits count runs of the longest period that there is.
		return prunable{
			table: "workflow_run", free: "t.status NOT IN ('created', 'running') AND t.slot = 0 AND t.finished_at < $6 AND t.rate_at < $7",
			args:  append(old, int64(tx.Now().Add(-millrace.MaxPeriod.Duration()))),
			parts: []part{{table: "workflow_step", column: "workflow_run_id"}},
		}, nil
	case millrace.KeptSyncJobRuns:
		// The next run of a job for an account asks when the last completed one began.
		return prunable{
			table: "sync_job_run", args: old, free: `t.status NOT ` + openRun + ` AND t.finished_at < $6
AND NOT EXISTS (SELECT 1 FROM sync_job_run AS w WHERE w.waiting_for = t.id AND w.environment_id = t.environment_id AND w.waiting_for <> '')
AND NOT (t.status = 'completed' AND EXISTS (SELECT 1 FROM sync_job AS j WHERE j.id = t.sync_job_id AND j.environment_id = t.environment_id) AND NOT EXISTS (SELECT 1 FROM sync_job_run AS n
WHERE n.environment_id = t.environment_id AND n.sync_job_id = t.sync_job_id AND n.integrated_account_id = t.integrated_account_id
AND n.status = 'completed' AND n.started_at >= t.started_at AND (n.started_at > t.started_at OR n.id < t.id)))`,
			parts: []part{{table: "checkpoint_part", column: "sync_job_run_id"}},
		}, nil
	case millrace.KeptRunLogs:
		return prunable{table: "run_log", among: "t.delivery_id = ''"}, nil
	case millrace.KeptFires:
		// A row that stands for an instant that is still to come would keep it from running twice.
		return prunable{table: "cron_fire", args: old, free: `t.last_due_at < $6 AND NOT EXISTS (SELECT 1 FROM sync_job_cron_trigger AS c
WHERE c.id = t.sync_job_cron_trigger_id AND c.environment_id = t.environment_id AND c.next_run_at > 0 AND c.next_run_at <= t.last_due_at)`}, nil
	case millrace.KeptInboundHooks:
		return prunable{table: "inbound_hook", free: "t.status <> 'accepted'"}, nil
	}
	return prunable{}, fmt.Errorf("nothing is known about keeping %q", kind)
}

// Mark is a place among the rows of an environment, which are ordered by age.
type Mark struct {
	At millrace.Time
	ID string
}

// Prune is one look at the oldest rows of a kind.
type Prune struct {
	Kind        millrace.Kept
	Environment millrace.EnvironmentID
	Before      millrace.Time // rows from then on are kept
	After       Mark          // where the last look ended
	Most        int           // how many rows are looked at
}

// Pruned is what a look has come to.
type Pruned struct {
	Removed int64
	Next    Mark // where the next look begins
	Done    bool // there is nothing left to look at
}

// PruneRows removes, of the oldest rows of a kind, those that nobody needs any more.
func (tx *Tx) PruneRows(ctx context.Context, p Prune) (Pruned, error) {
	k, err := tx.prunable(p.Kind, p.Before)
	if err != nil {
		return Pruned{}, err
	}
	next, full, err := tx.window(ctx, &k, &p)
	if err != nil || next == p.After {
		return Pruned{Next: next, Done: true}, err
	}
	ids, err := tx.removeFree(ctx, &k, &p, next)
	if err != nil {
		return Pruned{}, err
	}
	return Pruned{Removed: int64(len(ids)), Next: next, Done: !full}, tx.removeParts(ctx, p.Environment, k.parts, ids)
}

// window finds where a look ends, and whether it is as large as it may be.
func (tx *Tx) window(ctx context.Context, k *prunable, p *Prune) (Mark, bool, error) {
	end, seen := p.After, 0
	query := "SELECT t.created_at, t.id FROM " + k.table + " AS t WHERE t.environment_id = $1 AND (t.created_at, t.id) > ($2, $3) AND t.created_at < $4"
	if k.among != "" {
		query += " AND " + k.among
	}
	err := tx.each(ctx, query+" ORDER BY t.created_at, t.id LIMIT $5",
		[]any{string(p.Environment), int64(p.After.At), p.After.ID, int64(p.Before), p.Most}, func(r rows) error {
			seen++
			return r.Scan((*int64)(&end.At), &end.ID)
		})
	if err != nil {
		return end, false, fmt.Errorf("find old rows of %s: %w", k.table, err)
	}
	return end, seen == p.Most, nil
}

// inWindow is the condition of the rows that a look has found; windowArgs are its values.
const inWindow = "t.environment_id = $1 AND (t.created_at, t.id) > ($2, $3) AND (t.created_at, t.id) <= ($4, $5)"

func windowArgs(p *Prune, end Mark) []any {
	return []any{string(p.Environment), int64(p.After.At), p.After.ID, int64(end.At), end.ID}
}

func (tx *Tx) removeFree(ctx context.Context, k *prunable, p *Prune, end Mark) ([]string, error) {
	conditions := slices.DeleteFunc([]string{inWindow, k.among, k.free}, func(c string) bool { return c == "" })
	query := "DELETE FROM " + k.table + " AS t WHERE " + strings.Join(conditions, " AND ")
	args := append(windowArgs(p, end), k.args...)
	ids, err := readIDs[string](ctx, tx, query+" RETURNING id", args...)
	if err != nil {
		return nil, fmt.Errorf("remove old rows of %s: %w", k.table, err)
	}
	return ids, nil
}

// removeParts removes what belongs to rows of an environment.
func (tx *Tx) removeParts(ctx context.Context, env millrace.EnvironmentID, parts []part, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	args := append(padded(ids), string(env))
	// The environment is no bare column, or SQLite would take the index that lists all of its rows.
	last := fmt.Sprintf(") AND environment_id || '' = $%d", len(args))
	for _, p := range parts {
		query := "DELETE FROM " + p.table + " WHERE " + p.column + " IN (" + placeholders(len(args)-1) + last
		if p.also != "" {
			query += " AND " + p.also
		}
		if _, err := tx.exec(ctx, query, args...); err != nil {
			return fmt.Errorf("remove rows of %s: %w", p.table, err)
		}
	}
	return nil
}
