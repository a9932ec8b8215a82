package accounts

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Integrations are the integrations.
type Integrations struct {
	table.Noun[millrace.Integration, millrace.IntegrationID]
	tx *sqldb.Tx
}

// NewIntegrations returns the handle of the integrations.
func NewIntegrations(tx *sqldb.Tx) Integrations {
	return Integrations{table.NewNoun[millrace.IntegrationID](tx, integrationTable()), tx}
}

// Update writes all of an integration, or returns an error of KindNotFound.
func (h Integrations) Update(ctx context.Context, v *millrace.Integration) error {
	h.tx.Outdate()
	return h.Noun.Update(ctx, v)
}

// Delete removes an integration, or returns an error of KindNotFound.
func (h Integrations) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegrationID) error {
	h.tx.Outdate()
	return h.Noun.Delete(ctx, env, id)
}

// Named returns the integration of the environment with that name, or an error of KindNotFound.
func (h Integrations) Named(ctx context.Context, env millrace.EnvironmentID, name string) (*millrace.Integration, error) {
	page, err := h.List(ctx, env, millrace.Query{Limit: 1, Filters: []millrace.Filter{{Field: "name", Op: millrace.OpEq, Values: []string{name}}}})
	if err != nil {
		return nil, err
	}
	if len(page.Result) == 0 {
		return nil, millrace.NotFound("integration", millrace.Shorten(name))
	}
	return &page.Result[0], nil
}

var integrationTable = sync.OnceValue(func() *table.Table[millrace.Integration] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Integration
	return &table.Table[row]{
		Name: "integration", What: "integration", Audit: &table.Audit[row]{},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.IntegrationID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("name", func(v *row) *string { return &v.Name }),
			table.Text("category", func(v *row) *string { return &v.Category }),
			table.Flag("is_beta", func(v *row) *bool { return &v.IsBeta }),
			table.Text("sharing", func(v *row) *string { return &v.Sharing }),
			table.Text("team_id", func(v *row) *string { return &v.TeamID }),
			table.Number("version", func(v *row) *int64 { return &v.Version }),
			table.Sealed("integration", "config", func(v *row) *json.RawMessage { return &v.Config }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})
