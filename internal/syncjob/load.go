package syncjob

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/jsonata"
)

// load reads everything the slice needs and compiles the plan.
func (s *slice) load(ctx context.Context) error {
	var err error
	if s.point, err = readCheckpoint(s.run.Checkpoint); err != nil {
		return err
	}
	if s.stats, err = readStats(s.run.ResourceStats); err != nil {
		return err
	}
	s.worked = s.point.Worked
	s.readEvents()
	if err := s.r.db.View(ctx, func(tx *store.Tx) error { return s.read(ctx, tx) }); err != nil {
		return fmt.Errorf("load sync job run: %w", err)
	}
	s.graph, s.plan = buildGraph(s.run.Resources, s.run.Version)
	if s.point.Started {
		s.setBase()
	}
	return nil
}

func (s *slice) readEvents() {
	var names []string
	if len(s.run.EventsToSend) > 0 && json.Unmarshal(s.run.EventsToSend, &names) == nil && len(names) > 0 {
		s.events = make(map[string]bool, len(names))
		for _, name := range names {
			s.events[name] = true
		}
	}
}

// read fetches the rows around the run's own.
func (s *slice) read(ctx context.Context, tx *store.Tx) error {
	env := s.run.EnvironmentID
	var err error
	if s.run.IntegratedAccountID != "" {
		if s.account, err = optional(tx.IntegratedAccount(ctx, env, s.run.IntegratedAccountID)); err != nil {
			return err
		}
	}
	if err := s.readHeard(ctx, tx); err != nil {
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
func (s *slice) readParts(ctx context.Context, tx *store.Tx) error {
	if s.point.Parts == 0 {
		return nil
	}
	parts, err := tx.CheckpointParts(ctx, s.run.EnvironmentID, s.run.ID)
	if err != nil {
		return err
	}
	s.parts = make(map[int64]bool, len(parts))
	for number := range parts {
		s.parts[number] = true
	}
	return s.point.fill(parts)
}

// readHeard finds out whether workflows listen to records. They are stored as events only then: most runs would store
// every record twice for nothing.
func (s *slice) readHeard(ctx context.Context, tx *store.Tx) error {
	s.heard = map[string]bool{}
	for _, event := range []string{millrace.EventRunRecord, millrace.EventRunRecordError} {
		var err error
		if s.heard[event], err = tx.HasWorkflow(ctx, s.run.EnvironmentID, event); err != nil {
			return err
		}
	}
	return nil
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
	frozen, err := tx.FrozenDeliveries(ctx, s.run.EnvironmentID, s.run.ID)
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
func (s *slice) readPrevious(ctx context.Context, tx *store.Tx) error {
	s.point.Previous = ""
	if s.run.IgnorePreviousRun {
		return nil
	}
	last, err := tx.LastCompletedRun(ctx, s.run.EnvironmentID, s.run.SyncJobID, s.run.IntegratedAccountID)
	if err != nil {
		return err
	}
	if last != nil && last.ID != s.run.ID {
		s.point.Previous = last.StartedAt.String()
	}
	return nil
}

// setBase builds the scope of the run. Args that are no object make the plan useless.
func (s *slice) setBase() {
	var err error
	if s.base, err = baseScope(s.run, s.account, s.point.Previous); err != nil {
		s.base = scope{root: jsonata.NewObject(0)}
		s.plan = append(s.plan, millrace.Failure{Message: err.Error()})
	}
}
