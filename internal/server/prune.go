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
	for {
		var n int64
		err := p.db.Update(ctx, func(tx *store.Tx) error {
			var err error
			n, err = tx.ForgetIdempotentCalls(ctx, prunedAtOnce)
			return err
		})
		if err != nil || n < prunedAtOnce {
			return err
		}
	}
}
