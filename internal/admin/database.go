package admin

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/store"
)

// withStore runs a transaction on the database of a server that may be running. What it changes with the context that it gets is
// recorded as done by the operator.
func withStore(ctx context.Context, o node.Options, fn func(context.Context, *store.Tx) error) error {
	_, err := compute(ctx, o, func(ctx context.Context, tx *store.Tx) (struct{}, error) { return struct{}{}, fn(ctx, tx) })
	return err
}

// compute is withStore for a result, which counts once the transaction has committed.
func compute[T any](ctx context.Context, o node.Options, fn func(context.Context, *store.Tx) (T, error)) (T, error) {
	db, err := node.OpenExisting(ctx, o)
	if err != nil {
		var none T
		return none, err
	}
	defer func() { _ = db.Close() }()
	db.SetQueue(noQueue{})
	ctx = node.ByOperator(ctx)
	return store.Compute(ctx, db, func(tx *store.Tx) (T, error) { return fn(ctx, tx) })
}

// noQueue leaves out tasks. What a transaction leaves to be done is in its rows, where a server finds it within a minute.
type noQueue struct{}

// Enqueue implements store.Queue.
func (noQueue) Enqueue(context.Context, *store.Tx, []millrace.Task) error { return nil }

// Finish implements store.Queue.
func (noQueue) Finish(context.Context, *store.Tx) error { return nil }
