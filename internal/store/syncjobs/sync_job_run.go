package syncjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// SyncJobRuns are the sync job runs with their log.
type SyncJobRuns struct{ tx *sqldb.Tx }

// NewSyncJobRuns returns the handle of the sync job runs with their log.
func NewSyncJobRuns(tx *sqldb.Tx) SyncJobRuns { return SyncJobRuns{tx} }

var syncJobRunTable = sync.OnceValue(func() *table.Table[millrace.SyncJobRun] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.SyncJobRun
	return &table.Table[row]{
		Name: "sync_job_run", What: "sync job run",
		Audit: &table.Audit[row]{
			Subject: func(v *row) string { return string(v.IntegratedAccountID) },
			Without: []string{
				"resources", "version", "resource_stats", "error", "error_count", "first_error", "is_partial", "wait_reason", "waiting_for", "retry_at",
				"parked_since", "started_at", "finished_at",
			},
		},
		Status: table.NewMachine("sync_job_run", "sync job run", millrace.RunStatuses()),
		Open:   table.OpenRun,
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.SyncJobRunID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("sync_job_id", func(v *row) *millrace.SyncJobID { return &v.SyncJobID }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Text("webhook_id", func(v *row) *millrace.WebhookID { return &v.WebhookID }),
			table.Text("workflow_run_id", func(v *row) *millrace.WorkflowRunID { return &v.WorkflowRunID }),
			table.Hidden(table.Number("step_index", func(v *row) *int64 { return &v.StepIndex })),
			table.Text("sync_job_cron_trigger_id", func(v *row) *millrace.SyncJobCronTriggerID { return &v.SyncJobCronTriggerID }),
			table.Text("status", func(v *row) *millrace.RunStatus { return &v.Status }),
			table.Document("args", func(v *row) *json.RawMessage { return &v.Args }),
			table.Document("resources", func(v *row) *json.RawMessage { return &v.Resources }),
			table.Text("error_handling", func(v *row) *millrace.ErrorHandling { return &v.ErrorHandling }),
			table.Flag("ignore_previous_run", func(v *row) *bool { return &v.IgnorePreviousRun }),
			table.Document("events_to_send", func(v *row) *json.RawMessage { return &v.EventsToSend }),
			table.Number("version", func(v *row) *int64 { return &v.Version }),
			table.Document("resource_stats", func(v *row) *json.RawMessage { return &v.ResourceStats }),
			table.Text("mutex_key", func(v *row) *string { return &v.MutexKey }),
			table.Flag("force", func(v *row) *bool { return &v.Force }),
			table.Text("waiting_for", func(v *row) *millrace.SyncJobRunID { return &v.WaitingFor }),
			table.Text("state_key", func(v *row) *string { return &v.StateKey }),
			table.Document("error", func(v *row) *json.RawMessage { return &v.Error }),
			table.Number("error_count", func(v *row) *int64 { return &v.ErrorCount }),
			table.Document("first_error", func(v *row) *json.RawMessage { return &v.FirstError }),
			table.Flag("is_partial", func(v *row) *bool { return &v.IsPartial }),
			table.Text("wait_reason", func(v *row) *string { return &v.WaitReason }),
			table.Stamp("retry_at", func(v *row) *millrace.Time { return &v.RetryAt }),
			table.Stamp("parked_since", func(v *row) *millrace.Time { return &v.ParkedSince }),
			table.Hidden(table.Text("waits_for_account", func(v *row) *millrace.IntegratedAccountID { return &v.WaitsForAccount })),
			table.Hidden(table.Number("depth", func(v *row) *int64 { return &v.Depth })),
			table.Hidden(table.Text("root_event_id", func(v *row) *millrace.EventID { return &v.RootEventID })),
			table.Hidden(table.Text("traceparent", func(v *row) *string { return &v.Traceparent })),
			table.Hidden(table.Number("epoch", func(v *row) *int64 { return &v.Epoch })),
			table.Hidden(table.Number("sequence", func(v *row) *int64 { return &v.Sequence })),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("started_at", func(v *row) *millrace.Time { return &v.StartedAt }),
			table.Stamp("finished_at", func(v *row) *millrace.Time { return &v.FinishedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds a sync job run and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (h SyncJobRuns) Create(ctx context.Context, v *millrace.SyncJobRun) error {
	return syncJobRunTable().Insert(ctx, h.tx, v)
}

// Get returns a sync job run of the environment, or an error of KindNotFound.
func (h SyncJobRuns) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	return syncJobRunTable().Get(ctx, h.tx, env, string(id), "")
}

// List returns one page of the environment's sync job runs. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h SyncJobRuns) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.SyncJobRun], error) {
	return syncJobRunTable().List(ctx, h.tx, env, q)
}

// OpenOfWorkflowRun returns the sync job runs that a workflow run has started and that have not ended.
func (h SyncJobRuns) OpenOfWorkflowRun(ctx context.Context, id millrace.WorkflowRunID) ([]millrace.SyncJobRunID, error) {
	out, err := table.ReadIDs[millrace.SyncJobRunID](ctx, h.tx, "SELECT id FROM sync_job_run WHERE workflow_run_id = $1 AND workflow_run_id <> '' AND status "+
		table.OpenRun+" ORDER BY step_index", string(id))
	if err != nil {
		return nil, fmt.Errorf("find open runs: %w", err)
	}
	return out, nil
}

// OpenOfAccount returns some of the sync job runs of an account that have not ended.
func (h SyncJobRuns) OpenOfAccount(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) ([]millrace.SyncJobRunID, error) {
	out, err := table.ReadIDs[millrace.SyncJobRunID](ctx, h.tx, "SELECT id FROM sync_job_run WHERE status "+table.OpenRun+
		" AND environment_id = $1 AND integrated_account_id = $2 ORDER BY created_at LIMIT 100", string(env), string(id))
	if err != nil {
		return nil, fmt.Errorf("find open runs: %w", err)
	}
	return out, nil
}
