package syncjobs

import (
	"encoding/json"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// SyncJobs are the sync jobs.
type SyncJobs struct {
	table.Noun[millrace.SyncJob, millrace.SyncJobID]
}

// NewSyncJobs returns the handle of the sync jobs.
func NewSyncJobs(tx *sqldb.Tx) SyncJobs {
	return SyncJobs{table.NewNoun[millrace.SyncJobID](tx, syncJobTable())}
}

var syncJobTable = sync.OnceValue(func() *table.Table[millrace.SyncJob] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.SyncJob
	return &table.Table[row]{
		Name: "sync_job", What: "sync job", Audit: &table.Audit[row]{},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.SyncJobID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("label", func(v *row) *string { return &v.Label }),
			table.Text("integration_name", func(v *row) *string { return &v.IntegrationName }),
			table.Number("default_runtime_version", func(v *row) *int64 { return &v.DefaultRuntimeVersion }),
			table.Document("args_schema", func(v *row) *json.RawMessage { return &v.ArgsSchema }),
			table.Text("args_validation", func(v *row) *string { return &v.ArgsValidation }),
			table.Text("mutex_key", func(v *row) *string { return &v.MutexKey }),
			table.Text("state_key", func(v *row) *string { return &v.StateKey }),
			table.Text("error_handling", func(v *row) *millrace.ErrorHandling { return &v.ErrorHandling }),
			table.Document("resources", func(v *row) *json.RawMessage { return &v.Resources }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			table.Warnings(func(v *row) *[]millrace.Failure { return &v.Warnings }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})
