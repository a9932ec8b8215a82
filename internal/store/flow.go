package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace"
)

// Flow control decides when a workflow's runs begin, and which do not. What it counts are rows: runs that wait, slots
// that runs hold, instants that a rate limit has given away, keys that were seen. Whoever reads them to decide holds the
// lock of the key, so that decisions about one key come one after the other, also from several processes.

// FlowLock names the lock of some keys of a workflow.
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

// LockFlow takes locks until the transaction ends, in an order that is the same for everybody. A transaction that also
// changes the rows of runs takes them before.
func (tx *Tx) LockFlow(ctx context.Context, locks []FlowLock) error {
	lock := tx.db.dialect.lockText()
	if lock == "" {
		return nil
	}
	sorted := slices.Clone(locks)
	slices.SortFunc(sorted, cmp.Compare[FlowLock])
	for _, name := range slices.Compact(sorted) {
		if _, err := tx.exec(ctx, lock, string(name)); err != nil {
			return fmt.Errorf("lock flow: %w", err)
		}
	}
	return nil
}

// seenKey returns the run that an idempotency key has led to, or "".
func (tx *Tx) seenKey(ctx context.Context, env millrace.EnvironmentID, key string) (millrace.WorkflowRunID, error) {
	var id millrace.WorkflowRunID
	if key == "" {
		return "", nil
	}
	_, err := tx.one(ctx, "SELECT workflow_run_id FROM workflow_key WHERE id = $1 AND environment_id = $2 AND created_at > $3",
		[]any{key, string(env), int64(tx.Now().Add(-millrace.KeepWorkflowKey))}, (*string)(&id))
	if err != nil {
		return "", fmt.Errorf("read workflow key: %w", err)
	}
	return id, nil
}

// rememberKey records the run that an idempotency key has led to.
func (tx *Tx) rememberKey(ctx context.Context, key string, run *millrace.WorkflowRun) error {
	if key == "" {
		return nil
	}
	_, err := tx.exec(ctx, `INSERT INTO workflow_key (id, environment_id, workflow_run_id, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (id, environment_id) DO UPDATE SET workflow_run_id = excluded.workflow_run_id, created_at = excluded.created_at`,
		key, string(run.EnvironmentID), string(run.ID), int64(tx.Now()))
	if err != nil {
		return fmt.Errorf("remember workflow key: %w", err)
	}
	return nil
}

// ForgetWorkflowKeys removes keys that are older than [millrace.KeepWorkflowKey], at most so many, and returns how many
// it removed.
func (tx *Tx) ForgetWorkflowKeys(ctx context.Context, most int) (int64, error) {
	n, err := tx.exec(ctx, "DELETE FROM workflow_key WHERE (id, environment_id) IN (SELECT id, environment_id FROM workflow_key WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
		int64(tx.Now().Add(-millrace.KeepWorkflowKey)), most)
	if err != nil {
		return 0, fmt.Errorf("forget workflow keys: %w", err)
	}
	return n, nil
}

// rateInstant returns when a rate limit lets the next run begin: not before as many as the limit allows have become
// older than the period. Instants that were given away never come earlier, so no period holds more of them.
func (tx *Tx) rateInstant(ctx context.Context, run *millrace.WorkflowRun, l *millrace.RateLimit, now millrace.Time) (millrace.Time, error) {
	var counted millrace.Time
	found, err := tx.one(ctx, "SELECT rate_at FROM workflow_run WHERE rate_key = $1 AND environment_id = $2 AND rate_at > 0 ORDER BY rate_at DESC LIMIT 1 OFFSET $3",
		[]any{run.RateKey, string(run.EnvironmentID), l.Limit - 1}, (*int64)(&counted))
	if err != nil {
		return 0, fmt.Errorf("read rate limit: %w", err)
	}
	if !found {
		return now, nil
	}
	return max(now, counted.Add(l.Period.Duration())), nil
}
