package upkeep

import (
	"context"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Audit is the record of who changed what. Handles record what they change for a context with an actor.
type Audit struct {
	table.Noun[table.AuditEntry, table.AuditID]
}

// NewAudit returns the handle of the record.
func NewAudit(tx *sqldb.Tx) Audit {
	return Audit{table.NewNoun[table.AuditID](tx, table.AuditTable())}
}

// Record stores what an actor has done beside the changes of rows, such as a key that was rotated. Without an actor it does nothing.
func (h Audit) Record(ctx context.Context, e *table.AuditEntry) error {
	return table.Record(ctx, h.Tx(), e)
}

// OfInstallation returns one page of the entries that belong to no environment.
func (h Audit) OfInstallation(ctx context.Context, q millrace.Query) (millrace.Page[table.AuditEntry], error) {
	q.Filters = append(slices.Clip(q.Filters), millrace.Filter{Field: "environment_id", Op: millrace.OpEq, Values: []string{""}})
	return h.List(ctx, "", q)
}
