package syncjob

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// load reads everything the slice needs and compiles the plan.
func (s *slice) load(ctx context.Context) error {
	var err error
	if s.point, err = checkpoint.Read(s.run.Checkpoint); err != nil {
		return err
	}
	if s.stats, err = evaluate.ReadStats(s.run.ResourceStats); err != nil {
		return err
	}
	if s.point.AuthSince != 0 {
		s.point.NotBefore = s.run.RetryAt // which is earlier when the account was connected again
	}
	s.worked = s.point.Worked
	s.audience = audienceOf(s.run)
	if err := s.r.db.View(ctx, func(tx *store.Tx) error { return s.read(ctx, tx) }); err != nil {
		return fmt.Errorf("load sync job run: %w", err)
	}
	s.graph, s.plan = plan.Build(s.run.Resources, s.run.Version)
	if s.point.Started {
		s.setBase(s.account)
	}
	return nil
}

// read fetches the rows around the run's own.
func (s *slice) read(ctx context.Context, tx *store.Tx) error {
	env := s.run.EnvironmentID
	var err error
	if s.run.IntegratedAccountID != "" {
		if s.account, err = optional(tx.Accounts().Get(ctx, env, s.run.IntegratedAccountID)); err != nil {
			return err
		}
	}
	if err := s.readListened(ctx, tx, s.run.EnvironmentID); err != nil {
		return err
	}
	if err := s.readParts(ctx, tx); err != nil {
		return err
	}
	if err := s.readPending(ctx, tx); err != nil || s.point.Started {
		return err
	}
	return s.readPrevious(ctx, tx)
}

// readParts completes the checkpoint with what is kept beside it.
func (l *ledger) readParts(ctx context.Context, tx *store.Tx) error {
	if l.point.Parts == 0 {
		return nil
	}
	parts, err := tx.Checkpoints().Get(ctx, l.run.EnvironmentID, l.run.ID)
	if err != nil {
		return err
	}
	l.parts = make(map[int64]bool, len(parts))
	for number := range parts {
		l.parts[number] = true
	}
	return l.point.Fill(parts)
}

// optional turns a missing row into nil: a run goes on without what was deleted meanwhile, as far as it gets.
func optional[T any](v *T, err error) (*T, error) {
	if err != nil && millrace.KindOf(err) == millrace.KindNotFound {
		return nil, nil
	}
	return v, err
}

func (s *slice) readPending(ctx context.Context, tx *store.Tx) error {
	s.pending = nil
	frozen, err := tx.Deliveries().Frozen(ctx, s.run.EnvironmentID, s.run.ID)
	if err != nil {
		return err
	}
	for _, f := range frozen {
		s.pending = append(s.pending, &pending{FrozenDelivery: f})
	}
	return nil
}

// readPrevious finds the date of the previous run. It is kept in the checkpoint, because another run may complete
// while this one is under way.
func (l *ledger) readPrevious(ctx context.Context, tx *store.Tx) error {
	l.point.Previous = ""
	if l.run.IgnorePreviousRun {
		return nil
	}
	last, err := tx.SyncJobRuns().LastClean(ctx, l.run.EnvironmentID, l.run.SyncJobID, l.run.IntegratedAccountID)
	if err != nil {
		return err
	}
	if last != nil && last.ID != l.run.ID {
		l.point.Previous = last.StartedAt.String()
	}
	return nil
}

// setBase builds the scope of the run. Args that are no object make the plan useless.
func (w *walk) setBase(account *millrace.IntegratedAccount) {
	var err error
	if w.base, err = plan.NewScope(w.run, account, w.point.Previous); err != nil {
		w.base = plan.Scope{Root: jsonata.NewObject(0)}
		w.plan = append(w.plan, millrace.Failure{Message: err.Error()})
	}
}
