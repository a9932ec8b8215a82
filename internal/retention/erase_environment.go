package retention

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// EraseEnvironment removes the rows of an environment. It reports whether the entry itself must stay for a while.
func EraseEnvironment(ctx context.Context, db *store.DB, env *millrace.Environment) (bool, error) {
	for {
		done, err := EraseSome(ctx, db, env)
		if err != nil || done.Removed == 0 {
			return done.Again > 0, err
		}
	}
}

// EraseSome removes some rows of an environment that is being deleted, in one transaction.
func EraseSome(ctx context.Context, db *store.DB, env *millrace.Environment) (store.ErasedRows, error) {
	return store.Compute(ctx, db, func(tx *store.Tx) (store.ErasedRows, error) {
		return tx.Erasures().EraseEnvironment(ctx, env, PrunedAtOnce)
	})
}

// eraseEnvironment is the handler of a task about an environment that is being deleted.
func (e *Eraser) eraseEnvironment(ctx context.Context, id millrace.EnvironmentID) error {
	var env *millrace.Environment
	err := e.db.View(ctx, func(tx *store.Tx) error {
		var err error
		env, err = tx.Environments().Erasing(ctx, id)
		return err
	})
	if err != nil || env == nil {
		return err
	}
	for until := e.clock().Add(pruneSlice); ; {
		done, err := EraseSome(ctx, e.db, env)
		switch {
		case err != nil:
			return err
		case done.Again > 0:
			return millrace.RetryAfter(max(done.Again.Std().Sub(e.clock()), time.Second), nil)
		case done.Removed == 0:
			e.logger.InfoContext(ctx, "environment deleted", slog.String("environment_id", string(id)))
			return nil
		case !e.clock().Before(until):
			return millrace.RetryAfter(0, nil)
		}
		if err := pause(ctx, prunePause); err != nil {
			return err
		}
	}
}
