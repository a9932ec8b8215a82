package syncjob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/store"
)

// errOver says that the row of the run is final and that its task was finished with it.
var errOver = errors.New("syncjob: the run is over")

// slice is some seconds of one run.
type slice struct {
	r       *Runner
	run     *millrace.SyncJobRun // as it is stored with the next freeze
	stored  millrace.RunStatus   // of the row
	point   *checkpoint          // ahead of the stored one until the next freeze
	stats   stats
	parts   map[int64]bool         // of the checkpoint that are stored
	pending []*pending             // frozen and not answered, in order
	changed map[string]stateChange // of the state, not stored yet
	behind  write                  // of the last answer, not written yet; the run is ahead of its row by it
	ahead   bool                   // a commit has failed: nothing of this counts any more but what is stored
	account *millrace.IntegratedAccount
	events  map[string]bool // events_to_send; nil: all
	heard   map[string]bool // the events of records that workflows listen to
	graph   *graph
	plan    []millrace.Failure // what is wrong with the graph
	base    scope
	began   millrace.Time
	until   millrace.Time
	worked  time.Duration // before this slice
	turn    *turn
	lease   *memory.Lease // on the page that is worked on
}

// pending is a frozen delivery, with the event that it is to workflows.
type pending struct {
	millrace.FrozenDelivery
	event *millrace.Event // of records, for workflows that listen to them; nil: none does
}

// Slice works on the run named by the task's key until its time is over, the run must wait, or it has ended. It
// returns nil when there is nothing left to do, and a [millrace.RetryError] when the task shall come again.
func (r *Runner) Slice(ctx context.Context, task millrace.Task) error {
	began := r.now()
	env, id := millrace.ParseTaskKey[millrace.SyncJobRunID](task.Key)
	s, err := r.claim(ctx, env, id)
	if s == nil || err != nil {
		return err
	}
	if wait := until(s.run.RetryAt, began); wait > 0 {
		return millrace.RetryAfter(wait, nil)
	}
	s.began, s.until = began, began.Add(r.cfg.Slice)
	ctx, stop := s.watch(ctx)
	defer stop()
	s.turn = r.turns.join(s.run.EnvironmentID)
	defer s.turn.leave()
	s.turn.take(ctx)
	err = s.load(ctx)
	if err == nil {
		err = s.work(ctx)
		if late := s.catchUp(ctx); late != nil {
			err = late
		}
	}
	err = s.conclude(ctx, err)
	r.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "slice done",
		slog.String("sync_job_run_id", string(id)), slog.String("status", string(s.run.Status)),
		slog.Int64("sequence", s.run.Sequence), slog.Int64("duration_ms", int64(r.now()-began)/1000))
	return err
}

// until returns how long it is from now to at.
func until(at, now millrace.Time) time.Duration {
	return time.Duration(at-now) * time.Microsecond
}

// claim takes the run over. It returns nothing when the run is gone or over; then the task is finished.
func (r *Runner) claim(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*slice, error) {
	s, err := store.Compute(ctx, r.db, func(tx *store.Tx) (*slice, error) {
		if env == "" {
			return nil, tx.RescopeTask(ctx, millrace.TaskSlice, string(id))
		}
		run, err := tx.ClaimSyncJobRun(ctx, env, id)
		if err != nil {
			return nil, err
		}
		if run == nil {
			return nil, tx.Finish(ctx)
		}
		if run.Status.Finished() {
			if err := cancelPending(ctx, tx, run); err != nil {
				return nil, err
			}
			return nil, tx.Finish(ctx)
		}
		if run.WaitingFor != "" {
			return nil, tx.Finish(ctx) // it gets a task of its own when its turn comes
		}
		return &slice{r: r, run: run, stored: run.Status}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim sync job run: %w", err)
	}
	return s, nil
}

// cancelPending cancels what a run that is over has not delivered, and drops what its checkpoint has left.
func cancelPending(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) error {
	if err := tx.DropCheckpoint(ctx, run.EnvironmentID, run.ID); err != nil {
		return err
	}
	frozen, err := tx.FrozenDeliveries(ctx, run.EnvironmentID, run.ID)
	if err != nil {
		return err
	}
	for i := range frozen {
		frozen[i].Status = millrace.DeliveryCancelled
		if err := tx.SaveDeliveries(ctx, millrace.TriedDelivery{Delivery: frozen[i].Delivery}); err != nil {
			return err
		}
	}
	return nil
}

// work sends what is pending and moves on, until something ends the slice: it never returns nil.
func (s *slice) work(ctx context.Context) error {
	for {
		if err := s.deliver(ctx); err != nil {
			return err
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
		if err := s.proceed(ctx); err != nil {
			return err
		}
	}
}

// pause returns why the slice must not go on now, if it must not.
func (s *slice) pause(ctx context.Context) error {
	now := s.r.now()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.point.NotBefore > now:
		return millrace.RetryAfter(until(s.point.NotBefore, now), nil)
	case now >= s.until:
		return millrace.RetryAfter(0, nil)
	}
	return nil
}

// proceed does the next thing that ends with a freeze.
func (s *slice) proceed(ctx context.Context) error {
	switch {
	case !s.point.Started:
		return s.begin(ctx)
	case len(s.plan) > 0 && s.point.Failing == nil:
		return s.fail(ctx, s.evaluation(nil), s.planError())
	}
	if reason := s.overdue(); reason != nil {
		return s.fail(ctx, s.evaluation(nil), *reason)
	}
	return s.advance(ctx)
}

// planError says why the plan of the run cannot be followed, and at which node.
func (s *slice) planError() millrace.RunError {
	failure := s.plan[0]
	reason := millrace.RunError{Code: codePlan, Message: millrace.InvalidAll(s.plan).Error(), Position: &failure}
	for name, n := range s.graph.byName {
		if n.at != "" && strings.HasPrefix(failure.Path+".", n.at+".") {
			reason.Node = name
			if n.request != nil {
				reason.Resource = n.request.resource
			}
		}
	}
	return reason
}

// conclude turns what ended the work into what the queue shall do.
func (s *slice) conclude(ctx context.Context, err error) error {
	var retry *millrace.RetryError
	switch {
	case errors.Is(err, errOver):
		return nil
	case errors.As(err, &retry):
		return retry
	case millrace.KindOf(err) == millrace.KindConflict, millrace.KindOf(context.Cause(ctx)) == millrace.KindConflict:
		return s.leave(context.WithoutCancel(ctx))
	case ctx.Err() != nil:
		return millrace.RetryAfter(0, nil) // everything that counts is stored
	}
	return fmt.Errorf("sync job run %s: %w", s.run.ID, err)
}

// leave lets go of a run that was stopped, or taken over by another slice, which then does the rest.
func (s *slice) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	status, err := store.Compute(ctx, s.r.db, func(tx *store.Tx) (millrace.RunStatus, error) {
		run, err := optional(tx.SyncJobRun(ctx, s.run.EnvironmentID, s.run.ID))
		if err != nil {
			return "", err
		}
		if run == nil {
			return s.run.Status, tx.Finish(ctx)
		}
		if !run.Status.Finished() {
			return run.Status, nil
		}
		if err := cancelPending(ctx, tx, run); err != nil {
			return "", err
		}
		return run.Status, tx.Finish(ctx)
	})
	if err != nil {
		return fmt.Errorf("leave sync job run: %w", err)
	}
	s.run.Status = status
	return nil
}
