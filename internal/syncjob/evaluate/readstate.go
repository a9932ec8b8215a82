package evaluate

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// StateKey computes the key of the entry that a node works on. A problem was reported when it is empty.
func (e *Evaluation) StateKey(ctx context.Context, n *plan.Node, sc plan.Scope) (string, error) {
	key, err := n.State.Key.Text(ctx, sc.Root)
	switch {
	case err != nil:
		return "", e.Failed(ctx, n, ".config.key", err)
	case key == "" || len(key) > millrace.MaxStateKey:
		return "", e.Report(ProblemAt(n, CodeStateKey, "the key of the entry has %d bytes; it must have 1 to %d", len(key), millrace.MaxStateKey))
	}
	return key, nil
}

// getState returns what a get_state node puts out: the value of its entry, or its default. Without either there is none.
func (e *Evaluation) getState(ctx context.Context, n *plan.Node, sc plan.Scope) (*jsonata.Object, error) {
	out := jsonata.NewObject(1)
	key, err := e.StateKey(ctx, n, sc)
	if err != nil || key == "" {
		return out, err
	}
	v, err := e.ReadState(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if v == nil {
		if v, err = n.State.Value.Eval(ctx, sc.Root, e.Point.Previous != ""); err != nil {
			return out, e.Failed(ctx, n, ".config.default", err)
		}
	}
	if v != nil {
		out.Set("value", v)
	}
	return out, nil
}
