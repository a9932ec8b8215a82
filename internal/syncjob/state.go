package syncjob

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/jsonata"
)

// maxStateChanges bounds how many entries of the state may be changed before they are written down.
const maxStateChanges = 100

// statePlan is what a get_state, update_state or delete_state node works on.
type statePlan struct {
	key   *argument
	value *argument // of get_state the default; nil: none
}

// stateChange is an entry that a node changed and that the next freeze stores with the checkpoint behind the node.
type stateChange struct {
	value jsonata.Value   // nil: deleted
	raw   json.RawMessage // value as JSON
}

// compileState compiles the config of a node about the state of runs.
func (s *spec) compileState(found *findings) *statePlan {
	plan := &statePlan{}
	v, path := s.inConfig("key")
	if text, _ := v.(string); text == "" {
		found.at(path, "is required: the key of the entry")
	} else {
		plan.key = templateArgument(v, path, found)
	}
	switch s.kind {
	case typeGetState:
		v, _ := s.config.Get("default")
		plan.value = anyArgument(v, s.at+".config.default", found)
	case typeUpdateState:
		plan.value = s.compileStateValue(found)
	case typeRequest, typeTransform, typeSpool, typeAddContext, typeDestination, typeEvent, typeDeleteState, typeRoot:
	}
	return plan
}

func (s *spec) compileStateValue(found *findings) *argument {
	if v, path := s.inConfig("value_expression"); v != nil {
		return &argument{path: path, program: compileText(v, path, found)}
	}
	v, given := s.config.Get("value")
	if !given {
		found.at(s.at+".config.value", "is required, or value_expression is")
	}
	return anyArgument(v, s.at+".config.value", found)
}

// stateKey computes the key of the entry that a node works on. A problem was reported when it is empty.
func (e *evaluation) stateKey(ctx context.Context, n *node, sc scope) (string, error) {
	key, err := n.state.key.text(ctx, sc.root)
	switch {
	case err != nil:
		return "", e.failed(ctx, n, ".config.key", err)
	case key == "" || len(key) > millrace.MaxStateKey:
		return "", e.report(problemAt(n, codeStateKey, "the key of the entry has %d bytes; it must have 1 to %d", len(key), millrace.MaxStateKey))
	}
	return key, nil
}

// getState returns what a get_state node puts out: the value of its entry, or its default. Without either there is none.
func (e *evaluation) getState(ctx context.Context, n *node, sc scope) (*jsonata.Object, error) {
	out := jsonata.NewObject(1)
	key, err := e.stateKey(ctx, n, sc)
	if err != nil || key == "" {
		return out, err
	}
	v, err := e.readState(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if v == nil {
		if v, err = n.state.value.eval(ctx, sc.root, e.point.Previous != ""); err != nil {
			return out, e.failed(ctx, n, ".config.default", err)
		}
	}
	if v != nil {
		out.Set("value", v)
	}
	return out, nil
}

// readState returns the value of an entry as the run sees it, its own changes included; nil when there is none.
func (s *slice) readState(ctx context.Context, key string) (jsonata.Value, error) {
	if change, ok := s.changed[key]; ok {
		return change.value, nil
	}
	var entry *millrace.StateEntry
	err := s.r.db.View(ctx, func(tx *store.Tx) error {
		var err error
		entry, err = tx.State(ctx, s.run.EnvironmentID, s.run.StateKey, key)
		return err
	})
	if err != nil || entry == nil {
		return nil, err
	}
	return jsonata.FromJSON(entry.Value)
}

// setState changes the state as an update_state or delete_state node says, and then visits what is below the node.
func (s *slice) setState(ctx context.Context, e *evaluation, n *node, record jsonata.Value) error {
	sc := s.scopeOf(s.point.Stack)
	key, err := e.stateKey(ctx, n, sc)
	if err != nil {
		return err
	}
	if key != "" {
		if err := s.changeState(ctx, e, n, key, sc); err != nil {
			return err
		}
	}
	if len(n.batch)+len(n.record) > 0 {
		s.point.push(&frame{Walk: &walkFrame{Parts: []part{{Node: n.name, Records: newValues([]jsonata.Value{record})}}}})
	}
	return nil
}

func (s *slice) changeState(ctx context.Context, e *evaluation, n *node, key string, sc scope) error {
	var change stateChange
	if n.kind == typeUpdateState {
		v, err := n.state.value.eval(ctx, sc.root, e.point.Previous != "")
		if err == nil && v != nil {
			change.raw, err = jsonata.ToJSON(v)
		}
		switch {
		case err != nil:
			return e.failedAt(ctx, n, n.state.value.path, err)
		case v == nil:
			return nil
		case len(change.raw) > millrace.MaxStateValue:
			return e.report(problemAt(n, codeStateLimit, "the value of the entry %q is larger than %d bytes", key, millrace.MaxStateValue))
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
func (s *slice) saveState(ctx context.Context, tx *store.Tx) error {
	for _, key := range slices.Sorted(maps.Keys(s.changed)) {
		var err error
		if change := s.changed[key]; change.value == nil {
			_, err = tx.DeleteState(ctx, s.run.EnvironmentID, s.run.StateKey, key)
		} else {
			err = tx.SaveState(ctx, &millrace.StateEntry{
				EnvironmentID: s.run.EnvironmentID, StateKey: s.run.StateKey, Key: key, Value: change.raw, SyncJobRunID: s.run.ID,
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
