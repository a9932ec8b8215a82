package table

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// Noun is the handle of a table whose rows are created, read, changed and deleted one by one, and nothing more.
type Noun[T any, ID ~string] struct {
	tx    *sqldb.Tx
	table *Table[T]
}

// NewNoun returns the handle of a table.
func NewNoun[ID ~string, T any](tx *sqldb.Tx, t *Table[T]) Noun[T, ID] { return Noun[T, ID]{tx, t} }

// Tx returns the transaction of the handle, for the handle of what belongs to its rows.
func (n Noun[T, ID]) Tx() *sqldb.Tx { return n.tx }

// Create adds a row and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (n Noun[T, ID]) Create(ctx context.Context, v *T) error { return n.table.Insert(ctx, n.tx, v) }

// Get returns a row of the environment, or an error of KindNotFound.
func (n Noun[T, ID]) Get(ctx context.Context, env millrace.EnvironmentID, id ID) (*T, error) {
	return n.table.Get(ctx, n.tx, env, string(id), "")
}

// List returns one page of the environment's rows. It returns an error of KindInvalid for a field, operator or cursor that
// it does not know.
func (n Noun[T, ID]) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[T], error) {
	return n.table.List(ctx, n.tx, env, q)
}

// Update writes all of a row, or returns an error of KindNotFound.
func (n Noun[T, ID]) Update(ctx context.Context, v *T) error {
	id, err := n.table.Columns[0].get(n.tx, v)
	if err != nil {
		return err
	}
	return MustUpdate(ctx, n.tx, n.table, v, fmt.Sprint(id))
}

// Delete removes a row, or returns an error of KindNotFound.
func (n Noun[T, ID]) Delete(ctx context.Context, env millrace.EnvironmentID, id ID) error {
	return n.table.Remove(ctx, n.tx, env, string(id))
}
