package syncjob

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// maxStateChanges bounds how many entries of the state may be changed before they are written down.
const maxStateChanges = 100

// stateChange is an entry that a node changed and that the next freeze stores with the checkpoint behind the node.
type stateChange struct {
	value jsonata.Value   // nil: deleted
	raw   json.RawMessage // value as JSON
}

// readState returns the value of an entry as the run sees it, its own changes included; nil when there is none.
func (s *walk) readState(ctx context.Context, key string) (jsonata.Value, error) {
	if change, ok := s.changed[key]; ok {
		return change.value, nil
	}
	var entry *millrace.StateEntry
	err := s.db.View(ctx, func(tx *store.Tx) error {
		var err error
		entry, err = tx.States().Get(ctx, s.run.EnvironmentID, s.run.StateKey, key)
		return err
	})
	if err != nil || entry == nil || s.run.IgnorePreviousRun && entry.SyncJobRunID != s.run.ID {
		return nil, err // ignore_previous_run ignores what other runs have written, too
	}
	return jsonata.FromJSON(entry.Value)
}

// setState changes the state as an update_state or delete_state node says, and then visits what is below the node.
func (s *walk) setState(ctx context.Context, e *evaluate.Evaluation, n *plan.Node, record jsonata.Value) error {
	sc := s.scopeOf(s.point.Stack)
	key, err := e.StateKey(ctx, n, sc)
	if err != nil {
		return err
	}
	keyIn := func(sc plan.Scope) string {
		outer, err := n.State.Key.Text(ctx, sc.Root)
		if err != nil {
			return "" // it needs what only an element has
		}
		return outer
	}
	switch why := s.held(n, key, keyIn); {
	case key == "":
	case why != "":
		e.Held(n, key, why)
	default:
		if err := s.changeState(ctx, e, n, key, sc); err != nil {
			return err
		}
	}
	if len(n.Batch)+len(n.Record) > 0 {
		s.point.Push(&checkpoint.Frame{Walk: &checkpoint.WalkFrame{Parts: []checkpoint.Part{{Node: n.Name, Records: checkpoint.NewValues([]jsonata.Value{record})}}}})
	}
	return nil
}

func (s *walk) changeState(ctx context.Context, e *evaluate.Evaluation, n *plan.Node, key string, sc plan.Scope) error {
	var change stateChange
	if n.Kind == plan.TypeUpdateState {
		v, err := n.State.Value.Eval(ctx, sc.Root, e.Point.Previous != "")
		if err == nil && v != nil {
			change.raw, err = jsonata.ToJSON(v)
		}
		switch {
		case err != nil:
			return e.FailedAt(ctx, n, n.State.Value.Path, err)
		case v == nil:
			return nil
		case len(change.raw) > millrace.MaxStateValue:
			return e.Report(evaluate.ProblemAt(n, evaluate.CodeStateLimit, "the value of the entry %q is larger than %d bytes", key, millrace.MaxStateValue))
		}
		if change.value, err = jsonata.FromJSON(change.raw); err != nil {
			return fmt.Errorf("decode state: %w", err)
		}
	}
	if s.changed == nil {
		s.changed = map[string]stateChange{}
	}
	s.changed[key] = change
	return nil
}

// saveState writes the changes of the state, in an order that is the same for all runs, so that none waits for another
// that waits for it.
func (s *walk) saveState(ctx context.Context, tx *store.Tx) error {
	for _, key := range slices.Sorted(maps.Keys(s.changed)) {
		var err error
		if change := s.changed[key]; change.value == nil {
			_, err = tx.States().Delete(ctx, s.run.EnvironmentID, s.run.StateKey, key)
		} else {
			err = tx.States().Save(ctx, &millrace.StateEntry{
				EnvironmentID: s.run.EnvironmentID, StateKey: s.run.StateKey, Key: key, Value: change.raw, SyncJobRunID: s.run.ID,
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
