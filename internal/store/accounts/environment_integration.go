package accounts

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Installs are the integrations that environments have installed.
type Installs struct {
	table.Noun[millrace.EnvironmentIntegration, millrace.EnvironmentIntegrationID]
	tx *sqldb.Tx
}

// NewInstalls returns the handle of the integrations that environments have installed.
func NewInstalls(tx *sqldb.Tx) Installs {
	return Installs{table.NewNoun[millrace.EnvironmentIntegrationID](tx, environmentIntegrationTable()), tx}
}

var environmentIntegrationTable = sync.OnceValue(func() *table.Table[millrace.EnvironmentIntegration] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.EnvironmentIntegration
	return &table.Table[row]{
		Name: "environment_integration", What: "environment integration", Audit: &table.Audit[row]{},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.EnvironmentIntegrationID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("integration_id", func(v *row) *millrace.IntegrationID { return &v.IntegrationID }),
			table.Flag("show_in_catalog", func(v *row) *bool { return &v.ShowInCatalog }),
			table.Flag("is_enabled", func(v *row) *bool { return &v.IsEnabled }),
			table.Sealed("environment_integration", "override", func(v *row) *json.RawMessage { return &v.Override }),
			table.Hidden(table.Flag("addressable", func(v *row) *bool { return &v.Addressable })),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Virtual: map[string]table.Virtual{
			"integration.name":     table.Computed("COALESCE((SELECT i.name FROM integration i WHERE i.id = t.integration_id AND i.environment_id = t.environment_id), '')", table.KindText),
			"integration.category": table.Computed("COALESCE((SELECT i.category FROM integration i WHERE i.id = t.integration_id AND i.environment_id = t.environment_id), '')", table.KindText),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			v.Addressable = addressable(v.EnvironmentID, string(v.ID))
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Update writes all of an installation, or returns an error of KindNotFound.
func (h Installs) Update(ctx context.Context, v *millrace.EnvironmentIntegration) error {
	h.tx.Outdate()
	return h.Noun.Update(ctx, v)
}

// Delete removes an installation, or returns an error of KindNotFound.
func (h Installs) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) error {
	h.tx.Outdate()
	return h.Noun.Delete(ctx, env, id)
}

// Of returns the installation of an integration, or nil.
func (h Installs) Of(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegrationID) (*millrace.EnvironmentIntegration, error) {
	return environmentIntegrationTable().Find(ctx, h.tx, "environment_id = $1 AND integration_id = $2", string(env), string(id))
}

// Installed returns the integrations that an environment has installed.
func (h Installs) Installed(ctx context.Context, env millrace.EnvironmentID) (map[millrace.IntegrationID]bool, error) {
	installed := map[millrace.IntegrationID]bool{}
	err := h.tx.Each(ctx, "SELECT integration_id FROM environment_integration WHERE environment_id = $1", []any{string(env)}, func(r sqldb.Rows) error {
		var id string
		err := r.Scan(&id)
		installed[millrace.IntegrationID(id)] = true
		return err
	})
	return installed, err
}
