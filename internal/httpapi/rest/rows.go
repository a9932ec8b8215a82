package rest

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Rows are the rows of a resource in the store. A verb that the resource does not have is nil.
type Rows[ID ~string, T any] struct {
	Get    func(*store.Tx, context.Context, millrace.EnvironmentID, ID) (*T, error)
	List   func(*store.Tx, context.Context, millrace.EnvironmentID, millrace.Query) (millrace.Page[T], error)
	delete func(*store.Tx, context.Context, millrace.EnvironmentID, ID) error
}

// rowHandle is what the store has for the rows of most resources.
type rowHandle[ID ~string, T any] interface {
	Get(ctx context.Context, env millrace.EnvironmentID, id ID) (*T, error)
	List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[T], error)
}

// RowsOf returns the rows behind a handle of the store: rowsOf((*store.Tx).Webhooks, nil). remove may be nil.
func RowsOf[H rowHandle[ID, T], ID ~string, T any](
	of func(*store.Tx) H, remove func(*store.Tx, context.Context, millrace.EnvironmentID, ID) error,
) Rows[ID, T] {
	return Rows[ID, T]{
		Get: func(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id ID) (*T, error) {
			return of(tx).Get(ctx, env, id)
		},
		List: func(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[T], error) {
			return of(tx).List(ctx, env, q)
		},
		delete: remove,
	}
}

// DeleteOf is the verb of a handle that deletes a row and nothing more.
func DeleteOf[H interface {
	Delete(ctx context.Context, env millrace.EnvironmentID, id ID) error
}, ID ~string](of func(*store.Tx) H) func(*store.Tx, context.Context, millrace.EnvironmentID, ID) error {
	return func(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id ID) error {
		return of(tx).Delete(ctx, env, id)
	}
}
