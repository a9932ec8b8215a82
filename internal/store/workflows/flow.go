package workflows

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/internal/store/sqldb"

	"github.com/millrace/millrace"
)

// Flow are the rows that the flow control of workflow runs counts: keys that were seen, times that a rate limit has given away,
// runs that wait, and slots that runs hold. What follows from them is decided in internal/workflow/control.
type Flow struct{ tx *sqldb.Tx }

// NewFlow returns the handle of what flow control counts.
func NewFlow(tx *sqldb.Tx) Flow { return Flow{tx} }

// FlowLock names the lock of some keys of a workflow. A transaction that reads flow control to decide holds it, so that decisions
// about one key come one after the other, also from several processes.
type FlowLock string

// FlowLocks returns the locks of keys. A workflow has sixteen, so that one transaction takes few, whatever it decides
// about, and that different keys seldom wait for each other.
func FlowLocks(env millrace.EnvironmentID, id millrace.WorkflowID, keys ...string) []FlowLock {
	var out []FlowLock
	for _, key := range keys {
		if key != "" {
			out = append(out, FlowLock("flow "+string(env)+" "+string(id)+" "+key[:1]))
		}
	}
	return out
}

// Lock takes locks until the transaction ends, in an order that is the same for everybody. A transaction that also
// changes the rows of runs takes them before.
func (h Flow) Lock(ctx context.Context, locks []FlowLock) error {
	lock := h.tx.Dialect().LockText()
	if lock == "" {
		return nil
	}
	sorted := slices.Clone(locks)
	slices.SortFunc(sorted, cmp.Compare[FlowLock])
	for _, name := range slices.Compact(sorted) {
		if _, err := h.tx.Exec(ctx, lock, string(name)); err != nil {
			return fmt.Errorf("lock flow: %w", err)
		}
	}
	return nil
}

// SeenKey returns the run that an idempotency key has led to after a time, or "".
func (h Flow) SeenKey(ctx context.Context, env millrace.EnvironmentID, key string, after millrace.Time) (millrace.WorkflowRunID, error) {
	var id millrace.WorkflowRunID
	_, err := h.tx.One(ctx, "SELECT workflow_run_id FROM workflow_key WHERE id = $1 AND environment_id = $2 AND created_at > $3",
		[]any{key, string(env), int64(after)}, (*string)(&id))
	if err != nil {
		return "", fmt.Errorf("read workflow key: %w", err)
	}
	return id, nil
}

// RememberKey records the run that an idempotency key has led to.
func (h Flow) RememberKey(ctx context.Context, key string, run *millrace.WorkflowRun) error {
	_, err := h.tx.Exec(ctx, `INSERT INTO workflow_key (id, environment_id, workflow_run_id, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (id, environment_id) DO UPDATE SET workflow_run_id = excluded.workflow_run_id, created_at = excluded.created_at`,
		key, string(run.EnvironmentID), string(run.ID), int64(h.tx.Now()))
	if err != nil {
		return fmt.Errorf("remember workflow key: %w", err)
	}
	return nil
}

// PruneKeys removes keys from before a time, at most so many, and returns how many it removed.
func (h Flow) PruneKeys(ctx context.Context, before millrace.Time, most int) (int64, error) {
	n, err := h.tx.Exec(ctx, "DELETE FROM workflow_key WHERE (id, environment_id) IN (SELECT id, environment_id FROM workflow_key WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
		int64(before), most)
	if err != nil {
		return 0, fmt.Errorf("forget workflow keys: %w", err)
	}
	return n, nil
}

// RateTime returns the nth latest of the times that were given away under the rate key of a run, from 1, or 0.
func (h Flow) RateTime(ctx context.Context, run *millrace.WorkflowRun, nth int64) (millrace.Time, error) {
	var at millrace.Time
	_, err := h.tx.One(ctx, "SELECT rate_at FROM workflow_run WHERE rate_key = $1 AND environment_id = $2 AND rate_at > 0 ORDER BY rate_at DESC LIMIT 1 OFFSET $3",
		[]any{run.RateKey, string(run.EnvironmentID), nth - 1}, (*int64)(&at))
	if err != nil {
		return 0, fmt.Errorf("read rate limit: %w", err)
	}
	return at, nil
}
