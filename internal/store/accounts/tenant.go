package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Tenants are the tenants.
type Tenants struct{ tx *sqldb.Tx }

// Tenants returns the handle of the tenants.
func (h Accounts) Tenants() Tenants { return Tenants(h) }

var tenantTable = sync.OnceValue(func() *table.Table[millrace.Tenant] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Tenant
	return &table.Table[row]{
		Name: "tenant", What: "tenant", Audit: &table.Audit[row]{Subject: func(v *row) string { return string(v.ID) }},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.TenantID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("name", func(v *row) *string { return &v.Name }),
			table.Document("metadata", func(v *row) *json.RawMessage { return &v.Metadata }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			if v.Name == "" {
				v.Name = string(v.ID)
			}
			if len(v.Metadata) == 0 {
				v.Metadata = json.RawMessage("{}")
			}
			v.CreatedAt, v.UpdatedAt = tx.Now(), tx.Now()
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds tenants, fills in their names and times, and returns which of the ids it added: the others are taken.
func (h Tenants) Create(ctx context.Context, rows ...*millrace.Tenant) (map[string]bool, error) {
	return tenantTable().InsertAllNew(ctx, h.tx, rows)
}

// Ensure adds the tenant of an account unless there is one.
func (h Tenants) Ensure(ctx context.Context, env millrace.EnvironmentID, id string) error {
	if id == "" {
		return nil
	}
	_, err := h.Create(ctx, &millrace.Tenant{ID: millrace.TenantID(id), EnvironmentID: env})
	return err
}

// Get returns a tenant of the environment, or an error of KindNotFound.
func (h Tenants) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.TenantID) (*millrace.Tenant, error) {
	v, err := tenantTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2", string(id), string(env))
	if err == nil && v == nil {
		err = millrace.NotFound("tenant", string(id))
	}
	return v, err
}

// List returns one page of the environment's tenants. It returns an error of KindInvalid for a field, operator or cursor that it does not
// know.
func (h Tenants) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Tenant], error) {
	return tenantTable().List(ctx, h.tx, env, q)
}

// Update writes all of a tenant, or returns an error of KindNotFound.
func (h Tenants) Update(ctx context.Context, v *millrace.Tenant) error {
	return table.MustUpdate(ctx, h.tx, tenantTable(), v, string(v.ID))
}

// Delete removes a tenant, if there is one.
func (h Tenants) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.TenantID) error {
	if err := tenantTable().Watch(ctx, h.tx, env, string(id)); err != nil {
		return err
	}
	if _, err := h.tx.Exec(ctx, "DELETE FROM tenant WHERE id = $1 AND environment_id = $2", string(id), string(env)); err != nil {
		return fmt.Errorf("delete tenant: %w", err)
	}
	return nil
}
