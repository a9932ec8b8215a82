package syncjob

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// errFenced ends the context of a slice whose run was stopped or taken over.
func errFenced() error {
	return millrace.Errorf(millrace.KindConflict, "the sync job run was stopped or taken over meanwhile")
}

// watch returns a context that ends soon after the run was stopped or taken over, so that a slow provider or
// webhook does not hold up the stop. The function must be called; it waits for the watcher to end.
func (s *slice) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	env, id, epoch := s.run.EnvironmentID, s.run.ID, s.run.Epoch
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(s.r.cfg.StopPoll)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if s.r.fenced(ctx, env, id, epoch) {
				cancel(errFenced())
				return
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		group.Wait()
	}
}

// fenced reports whether the run is known to have ended or to belong to another slice. When it cannot be read it is not.
func (r *Runner) fenced(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID, epoch int64) bool {
	fenced := false
	_ = r.db.View(ctx, func(tx *store.Tx) error {
		run, err := tx.SyncJobRuns().Get(ctx, env, id)
		if err == nil {
			fenced = run.Status.Finished() || run.Epoch != epoch
		} else {
			fenced = millrace.KindOf(err) == millrace.KindNotFound
		}
		return nil
	})
	return fenced
}
