package workflows

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// maxCauses bounds a chain; the workflows end it long before.
const maxCauses = 32

// Causes returns the chain that led to an event, the nearest link first. It ends at an event that came from outside, or
// at a row that retention has removed.
func (h Events) Causes(ctx context.Context, e *millrace.Event) ([]millrace.Cause, error) {
	causes := []millrace.Cause{}
	for run := e.SyncJobRunID; run != "" && len(causes) < maxCauses; {
		c := millrace.Cause{SyncJobRunID: run}
		found, err := h.tx.One(ctx, `SELECT w.id, w.workflow_id, COALESCE(d.label, ''), e.id, e.event, e.sync_job_run_id
FROM sync_job_run r JOIN workflow_run w ON w.id = r.workflow_run_id JOIN event e ON e.id = w.event_id AND e.environment_id = w.environment_id
LEFT JOIN workflow d ON d.id = w.workflow_id AND d.environment_id = w.environment_id WHERE r.id = $1 AND r.environment_id = $2`, []any{string(run), string(e.EnvironmentID)},
			(*string)(&c.WorkflowRunID), (*string)(&c.WorkflowID), &c.WorkflowLabel, (*string)(&c.EventID), &c.Event, (*string)(&run))
		if err != nil {
			return nil, fmt.Errorf("follow causes of event %s: %w", e.ID, err)
		}
		if !found {
			return causes, nil
		}
		causes = append(causes, c)
	}
	return causes, nil
}
