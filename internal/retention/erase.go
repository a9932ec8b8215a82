package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/start"
)

// Eraser removes what is stored about a customer. Every transaction stores how far it has come, so a crash costs nothing.
type Eraser struct {
	db     *store.DB
	clock  func() time.Time
	logger *slog.Logger
}

// NewEraser returns an eraser.
func NewEraser(db *store.DB, clock func() time.Time, logger *slog.Logger) *Eraser {
	return &Eraser{db, clock, logger}
}

// Erase is the handler of the task.
func (e *Eraser) Erase(ctx context.Context, task millrace.Task) error {
	if env, whole := task.ErasedEnvironment(); whole {
		return e.eraseEnvironment(ctx, env)
	}
	id := millrace.ErasureID(task.Key)
	until := e.clock().Add(pruneSlice)
	var at *millrace.Erasure
	err := e.db.View(ctx, func(tx *store.Tx) error {
		var err error
		at, err = tx.Erasures().Get(ctx, id)
		return err
	})
	if err != nil || at == nil {
		return err
	}
	about := slog.Group("erasure", slog.String("environment_id", string(at.EnvironmentID)), slog.String("integrated_account_id", string(at.IntegratedAccountID)))
	for at != nil {
		now := e.clock()
		if wait := at.NotBefore.Std().Sub(now); at.NotBefore > 0 && wait > 0 {
			return millrace.RetryAfter(wait, nil)
		}
		if !now.Before(until) {
			return millrace.RetryAfter(0, nil)
		}
		if at, err = e.step(ctx, at); err != nil {
			return err
		}
		if err := pause(ctx, prunePause); err != nil {
			return err
		}
	}
	e.logger.LogAttrs(ctx, slog.LevelInfo, "customer erased", about)
	return nil
}

// step stops the account's runs before anything is removed, and then looks at some rows.
func (e *Eraser) step(ctx context.Context, at *millrace.Erasure) (*millrace.Erasure, error) {
	if at.Stage == 0 && at.IntegratedAccountID != "" {
		if err := e.stopRuns(ctx, at); err != nil {
			return nil, fmt.Errorf("stop runs of a deleted account: %w", err)
		}
	}
	return store.Compute(ctx, e.db, func(tx *store.Tx) (*millrace.Erasure, error) {
		return tx.Erasures().EraseRows(ctx, at.ID, PrunedAtOnce)
	})
}

func (e *Eraser) stopRuns(ctx context.Context, at *millrace.Erasure) error {
	for {
		var runs []millrace.SyncJobRunID
		err := e.db.View(ctx, func(tx *store.Tx) error {
			var err error
			runs, err = tx.SyncJobRuns().OpenOfAccount(ctx, at.EnvironmentID, at.IntegratedAccountID)
			return err
		})
		if err != nil || len(runs) == 0 {
			return err
		}
		for _, id := range runs {
			err := e.db.Update(ctx, func(tx *store.Tx) error {
				_, err := start.Stop(ctx, tx, at.EnvironmentID, id)
				return err
			})
			if err != nil && millrace.KindOf(err) != millrace.KindNotFound {
				return err
			}
		}
	}
}
