package table

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// Part is a table whose rows belong to those of another.
type Part struct {
	Table, Column string
	Also          string // the condition of a partial index
}

// RemoveParts removes what belongs to rows of an environment.
func RemoveParts(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, parts []Part, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	args := append(Padded(ids), string(env))
	// The environment is no bare column, or SQLite would take the index that lists all of its rows.
	last := fmt.Sprintf(") AND environment_id || '' = $%d", len(args))
	for _, p := range parts {
		query := "DELETE FROM " + p.Table + " WHERE " + p.Column + " IN (" + Placeholders(len(args)-1) + last
		if p.Also != "" {
			query += " AND " + p.Also
		}
		if _, err := tx.Exec(ctx, query, args...); err != nil {
			return fmt.Errorf("remove rows of %s: %w", p.Table, err)
		}
	}
	return nil
}
