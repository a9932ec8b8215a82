package syncjobs

import (
	"encoding/json"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Templates are the templates of sync jobs.
type Templates struct {
	table.Noun[millrace.SyncJobTemplate, millrace.SyncJobTemplateID]
}

// Templates returns the handle of the templates of sync jobs.
func (h SyncJobs) Templates() Templates {
	return Templates{table.NewNoun[millrace.SyncJobTemplateID](h.Tx(), syncJobTemplateTable())}
}

var syncJobTemplateTable = sync.OnceValue(func() *table.Table[millrace.SyncJobTemplate] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.SyncJobTemplate
	return &table.Table[row]{
		Name: "sync_job_template", What: "sync job template", Audit: &table.Audit[row]{},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.SyncJobTemplateID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("team_id", func(v *row) *string { return &v.TeamID }),
			table.Text("label", func(v *row) *string { return &v.Label }),
			table.Text("integration_name", func(v *row) *string { return &v.IntegrationName }),
			table.Text("description", func(v *row) *string { return &v.Description }),
			table.Text("sharing", func(v *row) *string { return &v.Sharing }),
			table.Number("default_runtime_version", func(v *row) *int64 { return &v.DefaultRuntimeVersion }),
			table.Document("args_schema", func(v *row) *json.RawMessage { return &v.ArgsSchema }),
			table.Text("args_validation", func(v *row) *string { return &v.ArgsValidation }),
			table.Document("resources", func(v *row) *json.RawMessage { return &v.Resources }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})
