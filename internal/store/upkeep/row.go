package upkeep

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Rows are the rows of all tables: what is old, what belongs to an environment, and how much there is.
type Rows struct{ tx *sqldb.Tx }

// NewRows returns the handle of the rows of all tables: what is old, what belongs to an environment, and how much there is.
func NewRows(tx *sqldb.Tx) Rows { return Rows{tx} }

// Need is a reason for which a row stays although it is old. internal/retention says which reasons count for which kind of rows.
type Need string

// The reasons. Each is a condition of the rows of some kinds.
const (
	NeedAge         Need = "age"          // it ended, or was last due, at Since or later
	NeedOpen        Need = "open"         // it has not ended, or is still to be evaluated
	NeedWebhook     Need = "webhook"      // it waits for a webhook that is active
	NeedRun         Need = "run"          // it belongs to a sync job run that has not ended
	NeedMatch       Need = "match"        // its workflows have not been found yet
	NeedDelivery    Need = "delivery"     // a delivery of it waits
	NeedWorkflowRun Need = "workflow_run" // a workflow run of it has not ended
	NeedSlot        Need = "slot"         // it holds a slot
	NeedRate        Need = "rate"         // a rate limit counts it, at Since or later
	NeedLine        Need = "line"         // another run waits for it
	NeedPrevious    Need = "previous"     // it is the last run of a sync job and an account in which nothing failed
	NeedScheduled   Need = "scheduled"    // it stands for a scheduled time that is still to come, and would run twice without it
)

// Needed is a reason, with its time where it has one.
type Needed struct {
	Need  Need
	Since millrace.Time
}

// needs are the conditions of the reasons of a kind of rows. $since is the time of the reason.
func needs(kind millrace.Kept) map[Need]string {
	switch kind {
	case millrace.KeptDeliveries:
		return map[Need]string{
			NeedAge: "t.delivered_at >= $since",
			NeedWebhook: `t.status = 'pending' AND t.sync_job_run_id = ''
AND EXISTS (SELECT 1 FROM webhook AS w WHERE w.id = t.webhook_id AND w.environment_id = t.environment_id AND w.is_active = TRUE)`,
			NeedRun: `t.status = 'pending' AND t.sync_job_run_id <> ''
AND EXISTS (SELECT 1 FROM sync_job_run AS r WHERE r.id = t.sync_job_run_id AND r.environment_id = t.environment_id AND r.status ` + table.OpenRun + ")",
		}
	case millrace.KeptEvents:
		return map[Need]string{
			NeedMatch: "EXISTS (SELECT 1 FROM event_batch AS b WHERE b.id = t.batch_id)",
			NeedDelivery: `EXISTS (SELECT 1 FROM delivery AS d WHERE d.environment_id = t.environment_id AND d.created_at = t.created_at
AND d.event_id = t.id AND d.status = 'pending' AND d.sequence > 0)`,
			NeedWorkflowRun: "EXISTS (SELECT 1 FROM workflow_run AS w WHERE w.event_id = t.id AND w.environment_id = t.environment_id AND w.status " + table.OpenWorkflowRun + ")",
		}
	case millrace.KeptWorkflowRuns:
		return map[Need]string{
			NeedOpen: "t.status " + table.OpenWorkflowRun, NeedAge: "t.finished_at >= $since", NeedSlot: "t.slot <> 0", NeedRate: "t.rate_at >= $since",
		}
	case millrace.KeptSyncJobRuns:
		return map[Need]string{
			NeedOpen: "t.status " + table.OpenRun, NeedAge: "t.finished_at >= $since",
			NeedLine: "EXISTS (SELECT 1 FROM sync_job_run AS w WHERE w.waiting_for = t.id AND w.environment_id = t.environment_id AND w.waiting_for <> '')",
			NeedPrevious: `t.status = 'completed' AND t.error_count = 0 AND EXISTS (SELECT 1 FROM sync_job AS j WHERE j.id = t.sync_job_id AND j.environment_id = t.environment_id) AND NOT EXISTS (SELECT 1 FROM sync_job_run AS n
WHERE n.environment_id = t.environment_id AND n.sync_job_id = t.sync_job_id AND n.integrated_account_id = t.integrated_account_id
AND n.status = 'completed' AND n.error_count = 0 AND n.started_at >= t.started_at AND (n.started_at > t.started_at OR n.id < t.id))`,
		}
	case millrace.KeptFires:
		return map[Need]string{
			NeedAge: "t.last_due_at >= $since",
			NeedScheduled: `EXISTS (SELECT 1 FROM sync_job_cron_trigger AS c
WHERE c.id = t.sync_job_cron_trigger_id AND c.environment_id = t.environment_id AND c.next_run_at > 0 AND c.next_run_at <= t.last_due_at)`,
		}
	case millrace.KeptInboundHooks:
		return map[Need]string{NeedOpen: "t.status = 'accepted'"}
	case millrace.KeptRunLogs, millrace.KeptCallLogs, millrace.KeptAudit:
	}
	return nil
}

// prunable says which rows of a kind may go, and what goes with them. Rows are looked at in the order of the index that
// lists them, so that retention needs no index of its own and every transaction has little to do, also where many old
// rows are still needed.
type prunable struct {
	table string
	among string // which rows are looked at, for a partial index
	free  string // which of these are no longer needed
	args  []any  // further values in it, from $6
	parts []table.Part
}

// prunableOf returns where the rows of a kind are, and what goes with them.
func prunableOf(kind millrace.Kept) (prunable, error) {
	switch kind {
	case millrace.KeptDeliveries:
		return prunable{table: "delivery", parts: []table.Part{{Table: "delivery_attempt", Column: "delivery_id"}, {Table: "run_log", Column: "delivery_id", Also: "delivery_id <> ''"}}}, nil
	case millrace.KeptEvents:
		return prunable{table: "event", parts: []table.Part{{Table: "decision", Column: "event_id"}, {Table: "fan_out", Column: "root_event_id"}}}, nil
	case millrace.KeptWorkflowRuns:
		return prunable{table: "workflow_run", parts: []table.Part{{Table: "workflow_step", Column: "workflow_run_id"}}}, nil
	case millrace.KeptSyncJobRuns:
		return prunable{table: "sync_job_run", parts: []table.Part{{Table: "checkpoint_part", Column: "sync_job_run_id"}}}, nil
	case millrace.KeptRunLogs:
		return prunable{table: "run_log", among: "t.delivery_id = ''"}, nil
	case millrace.KeptFires:
		return prunable{table: "cron_fire"}, nil
	case millrace.KeptInboundHooks:
		return prunable{table: "inbound_hook"}, nil
	case millrace.KeptCallLogs:
		return prunable{table: "call_log"}, nil
	case millrace.KeptAudit:
		return prunable{table: "audit_entry"}, nil
	}
	return prunable{}, fmt.Errorf("nothing is known about keeping %q", kind)
}

// unless returns k without the rows of a kind that are needed.
func (k prunable) unless(kind millrace.Kept, reasons []Needed) (prunable, error) {
	const firstArg = 6
	known := needs(kind)
	free := make([]string, len(reasons))
	for i, n := range reasons {
		condition := known[n.Need]
		if condition == "" {
			return prunable{}, fmt.Errorf("%q is no reason to keep %s", n.Need, kind)
		}
		if strings.Contains(condition, "$since") {
			condition = strings.ReplaceAll(condition, "$since", fmt.Sprintf("$%d", firstArg+len(k.args)))
			k.args = append(k.args, int64(n.Since))
		}
		free[i] = "NOT (" + condition + ")"
	}
	k.free = strings.Join(free, " AND ")
	return k, nil
}

// Prune is one look at the oldest rows of a kind.
type Prune struct {
	Kind        millrace.Kept
	Environment millrace.EnvironmentID
	Before      millrace.Time // rows from then on are kept
	Unless      []Needed      // why others are
	After       table.Mark    // where the last look ended
	Most        int           // how many rows are looked at
}

// Pruned is what a look has come to.
type Pruned struct {
	Removed int64
	Next    table.Mark // where the next look begins
	Done    bool       // there is nothing left to look at
}

// Prune removes, of the oldest rows of a kind, those that no reason keeps.
func (h Rows) Prune(ctx context.Context, p Prune) (Pruned, error) {
	k, err := prunableOf(p.Kind)
	if err != nil {
		return Pruned{}, err
	}
	if k, err = k.unless(p.Kind, p.Unless); err != nil {
		return Pruned{}, err
	}
	next, full, err := h.window(ctx, &k, &p)
	if err != nil || next == p.After {
		return Pruned{Next: next, Done: true}, err
	}
	ids, err := h.removeFree(ctx, &k, &p, next)
	if err != nil {
		return Pruned{}, err
	}
	return Pruned{Removed: int64(len(ids)), Next: next, Done: !full}, table.RemoveParts(ctx, h.tx, p.Environment, k.parts, ids)
}

// window finds where a look ends, and whether it is as large as it may be.
func (h Rows) window(ctx context.Context, k *prunable, p *Prune) (table.Mark, bool, error) {
	end, seen := p.After, 0
	query := "SELECT t.created_at, t.id FROM " + k.table + " AS t WHERE t.environment_id = $1 AND (t.created_at, t.id) > ($2, $3) AND t.created_at < $4"
	if k.among != "" {
		query += " AND " + k.among
	}
	err := h.tx.Each(ctx, query+" ORDER BY t.created_at, t.id LIMIT $5",
		[]any{string(p.Environment), int64(p.After.At), p.After.ID, int64(p.Before), p.Most}, func(r sqldb.Rows) error {
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

func windowArgs(p *Prune, end table.Mark) []any {
	return []any{string(p.Environment), int64(p.After.At), p.After.ID, int64(end.At), end.ID}
}

func (h Rows) removeFree(ctx context.Context, k *prunable, p *Prune, end table.Mark) ([]string, error) {
	conditions := slices.DeleteFunc([]string{inWindow, k.among, k.free}, func(c string) bool { return c == "" })
	query := "DELETE FROM " + k.table + " AS t WHERE " + strings.Join(conditions, " AND ")
	args := append(windowArgs(p, end), k.args...)
	ids, err := table.ReadIDs[string](ctx, h.tx, query+" RETURNING id", args...)
	if err != nil {
		return nil, fmt.Errorf("remove old rows of %s: %w", k.table, err)
	}
	return ids, nil
}
