package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
)

// DebouncedRun returns the run that waits for more events of a debounce key, or nil, and keeps others from changing it.
func (h Flow) DebouncedRun(ctx context.Context, env millrace.EnvironmentID, key string) (*millrace.WorkflowRun, error) {
	return workflowRunTable().Find(ctx, h.tx, "debounce_key = $1 AND environment_id = $2 AND waiting = 'debounce'"+h.tx.Dialect().ForUpdate(),
		key, string(env))
}

// LockRun returns a run, or nil, and keeps others from changing it. The caller holds the locks of its keys.
func (h Flow) LockRun(ctx context.Context, id millrace.WorkflowRunID) (*millrace.WorkflowRun, error) {
	return workflowRunTable().Find(ctx, h.tx, "id = $1"+h.tx.Dialect().ForUpdate(), string(id))
}

// SaveRun writes all of a run, with what flow control has decided about it.
func (h Flow) SaveRun(ctx context.Context, run *millrace.WorkflowRun) error {
	_, err := workflowRunTable().Update(ctx, h.tx, run, "")
	return err
}

// cancelWaiting ends the runs of a workflow that wait: without the workflow they could not begin.
func (h Flow) cancelWaiting(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) error {
	why, err := json.Marshal(millrace.WorkflowDeleted())
	if err != nil {
		return err
	}
	_, err = h.tx.Exec(ctx, `UPDATE workflow_run SET status = 'cancelled', waiting = '', slot = 0, error = $3, finished_at = $4, updated_at = $4
WHERE workflow_id = $1 AND environment_id = $2 AND waiting <> '' AND status = 'created'`,
		strings.ToLower(string(id)), string(env), string(why), int64(h.tx.Now()))
	if err != nil {
		return fmt.Errorf("cancel waiting runs: %w", err)
	}
	return nil
}
