package server

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// prunedAtOnce bounds how many rows one transaction removes.
const prunedAtOnce = 500

// pruner removes rows that are kept for a time only.
type pruner struct{ db *store.DB }

func (p pruner) prune(ctx context.Context, _ millrace.Task) error {
	for _, forget := range []func(*store.Tx, context.Context, int) (int64, error){(*store.Tx).ForgetIdempotentCalls, (*store.Tx).ForgetWorkflowKeys} {
		for more := true; more; {
			err := p.db.Update(ctx, func(tx *store.Tx) error {
				n, err := forget(tx, ctx, prunedAtOnce)
				more = n == prunedAtOnce
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
