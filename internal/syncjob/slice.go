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
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/internal/trace"
)

// errOver says that the row of the run is final and that its task was finished with it.
var errOver = errors.New("syncjob: the run is over")

// slice is some seconds of one run. It does three things in turn, see [slice.work]: it sends what is frozen until all of it is
// delivered; it walks the graph until there is something to send or a page has come; and it freezes what that has brought.
//
// Between two freezes it is ahead of the database, in memory only. What it is ahead by has one owner each: the ledger has
// the run's row and its checkpoint, the walk what it changed of the state, pending what is still to be sent. A freeze
// writes all of them in one transaction, and only what that has committed is adopted. After a commit that failed the ledger
// writes nothing more, and the next slice begins with what is stored.
type slice struct {
	walk
	audience
	shift

	r       *Runner
	stats   evaluate.Stats
	pending []*pending // frozen and not delivered, in order
	account *millrace.IntegratedAccount
	turn    *turn
	lease   *memory.Lease // on the page that is worked on
}

// shift is the time that a slice has.
type shift struct {
	began  millrace.Time
	since  time.Time // began, on the clock of the machine as well
	until  millrace.Time
	worked time.Duration // on the run, before this slice
}

// workedFor returns for how long slices have worked on the run. The time in which it waits for a provider's limit, for a
// webhook that does not respond, or for a worker, does not count.
func (s *shift) workedFor(now millrace.Time) time.Duration { return s.worked + until(now, s.began) }

// pending is a frozen delivery, with the event that it is to workflows.
type pending struct {
	millrace.FrozenDelivery
	event *millrace.Event // of records, for workflows that listen to them; nil: none does
}

// Slice works on the run named by the task's key until its time is over, the run must wait, or it has ended. It
// returns nil when there is nothing left to do, and a [millrace.RetryError] when the task shall come again.
func (r *Runner) Slice(ctx context.Context, task millrace.Task) error {
	since := r.cfg.Clock()
	began := millrace.TimeOf(since)
	env, id := millrace.ParseTaskKey[millrace.SyncJobRunID](task.Key)
	s, err := r.claim(ctx, env, id)
	if s == nil || err != nil {
		return err
	}
	ctx = trace.With(ctx, s.run.Traceparent)
	if wait := until(s.run.RetryAt, began); wait > 0 {
		return millrace.RetryAfter(wait, nil)
	}
	s.since, s.began, s.until = since, began, began.Add(r.cfg.Slice)
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
			return nil, tx.Tasks().Rescope(ctx, millrace.TaskSlice, string(id))
		}
		run, err := tx.SyncJobRuns().Claim(ctx, env, id)
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
		return r.slice(run), nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim sync job run: %w", err)
	}
	return s, nil
}

// slice returns a slice of a run that was claimed.
func (r *Runner) slice(run *millrace.SyncJobRun) *slice {
	rows := &ledger{db: r.db, inline: r.inline, run: run, stored: run.Status}
	s := &slice{r: r, walk: walk{ledger: rows, maxDepth: r.cfg.MaxRecursion, maxSpool: r.cfg.MaxSpool, now: r.now}}
	rows.moved = s.updated
	return s
}

// cancelPending cancels what a run that is over has not delivered, and drops what its checkpoint has left.
func cancelPending(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) error {
	if err := tx.Checkpoints().Delete(ctx, run.EnvironmentID, run.ID); err != nil {
		return err
	}
	frozen, err := tx.Deliveries().Frozen(ctx, run.EnvironmentID, run.ID)
	if err != nil {
		return err
	}
	for i := range frozen {
		frozen[i].Status = millrace.DeliveryCancelled
		if err := tx.Deliveries().Save(ctx, millrace.TriedDelivery{Delivery: frozen[i].Delivery}); err != nil {
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
		return s.fail(ctx, s.evaluation(), s.planError())
	}
	if reason := s.undeliverable(); reason != nil {
		return s.fail(ctx, s.evaluation(), *reason)
	}
	if reason := s.overdue(); reason != nil {
		return s.fail(ctx, s.evaluation(), *reason)
	}
	return s.advance(ctx)
}

// planError says why the plan of the run cannot be followed, and at which node.
func (s *walk) planError() millrace.RunError {
	failure := s.plan[0]
	reason := millrace.RunError{Code: evaluate.CodePlan, Message: millrace.InvalidAll(s.plan).Error(), Position: &failure}
	for name, n := range s.graph.ByName {
		if n.At != "" && strings.HasPrefix(failure.Path+".", n.At+".") {
			reason.Node = name
			if n.Request != nil {
				reason.Resource = n.Request.Resource
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
		outcome := string(s.run.Status)
		if s.run.IsPartial {
			outcome = "partial"
		}
		s.r.cfg.Observe.Tell(ctx, observe.Fact{Kind: observe.RunEnd, Outcome: outcome})
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
		run, err := optional(tx.SyncJobRuns().Get(ctx, s.run.EnvironmentID, s.run.ID))
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
