package evaluate

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// Enter prepares the visit of one record of n, which is at its place in sc: what the add_context and get_state nodes below
// add, what is made of that right away, and which requests and changes of the state are to be made, in their order.
func (e *Evaluation) Enter(ctx context.Context, n *plan.Node, record jsonata.Value, sc plan.Scope) (*jsonata.Object, []checkpoint.Call, error) {
	if n.Kind == plan.TypeEvent {
		if ok, err := e.holds(ctx, n, sc); err != nil || !ok {
			return nil, nil, err
		}
	}
	added, active, err := e.contexts(ctx, n, sc)
	if err != nil {
		return nil, nil, err
	}
	sc = sc.WithContext(added)
	var single []jsonata.Value
	if !n.Bare() {
		single = []jsonata.Value{record}
	}
	for _, a := range active {
		if a == n && !n.Virtual() && !n.Acts() {
			continue // its batch was handled when the page came
		}
		for _, child := range a.Batch {
			if err := e.child(ctx, child, single, sc); err != nil {
				return nil, nil, err
			}
		}
	}
	calls, err := e.calls(ctx, active, sc)
	if err != nil {
		return nil, nil, err
	}
	again, err := e.recursion(ctx, n, sc)
	if err != nil || again == nil {
		return added, calls, err
	}
	return added, append(calls, *again), nil
}

// contexts evaluates the add_context and get_state nodes below n, those below others after them. It returns what they add
// together, and n with those of them whose run_if holds.
func (e *Evaluation) contexts(ctx context.Context, n *plan.Node, sc plan.Scope) (*jsonata.Object, []*plan.Node, error) {
	active := []*plan.Node{n}
	var added *jsonata.Object
	for i := 0; i < len(active); i++ {
		for _, child := range active[i].Record {
			if !child.AddsContext() {
				continue
			}
			inner := sc.WithContext(added)
			if ok, err := e.holds(ctx, child, inner); err != nil || !ok {
				if err != nil {
					return nil, nil, err
				}
				continue
			}
			more, ok, err := e.add(ctx, child, added, inner)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				added = more
				active = append(active, child)
			}
		}
	}
	return added, active, nil
}

// add evaluates an add_context or get_state node. It returns what is added with it, and whether it went well.
func (e *Evaluation) add(ctx context.Context, n *plan.Node, added *jsonata.Object, sc plan.Scope) (*jsonata.Object, bool, error) {
	if n.Kind == plan.TypeGetState {
		out, err := e.getState(ctx, n, sc)
		if err != nil {
			return nil, false, err
		}
		if added == nil {
			added = jsonata.NewObject(1)
		}
		return plan.SetPath(added, out, "resources", n.Name), true, nil
	}
	v, err := n.Program.Eval(ctx, sc.Root, expr.LimitsTransform())
	e.debug(n, sc, v, err)
	if err != nil {
		return nil, false, e.Failed(ctx, n, ".config.expression", err)
	}
	return mergeContext(added, v), true, nil
}

// mergeContext adds the members of an object, or of each object of an array.
func mergeContext(added *jsonata.Object, v jsonata.Value) *jsonata.Object {
	switch v := v.(type) {
	case *jsonata.Array:
		for _, item := range v.Items() {
			added = mergeContext(added, item)
		}
	case *jsonata.Object:
		if added == nil {
			added = jsonata.NewObject(v.Len())
		}
		for key, member := range v.All() {
			if !slices.Contains(plan.Reserved(), key) {
				added.Set(key, member)
			}
		}
	}
	return added
}

// calls returns the requests and changes of the state below the nodes whose run_if holds for the record in scope.
func (e *Evaluation) calls(ctx context.Context, parents []*plan.Node, sc plan.Scope) ([]checkpoint.Call, error) {
	var calls []checkpoint.Call
	for _, parent := range parents {
		for _, child := range parent.Record {
			if child.Kind != plan.TypeRequest && !child.Acts() {
				continue
			}
			ok, err := e.holds(ctx, child, sc)
			if err != nil {
				return nil, err
			}
			if ok {
				calls = append(calls, checkpoint.Call{Node: child.Name})
			}
		}
	}
	return calls, nil
}

// recursion returns the repetition of n's request for the record in scope, or nil.
func (e *Evaluation) recursion(ctx context.Context, n *plan.Node, sc plan.Scope) (*checkpoint.Call, error) {
	if n.Request == nil || n.Request.Recurse == nil {
		return nil, nil
	}
	r := n.Request.Recurse
	ok, err := r.Holds(sc)
	if err != nil {
		return nil, e.Failed(ctx, n, ".recurse.if", err)
	}
	if !ok {
		return nil, nil
	}
	config, err := r.Config.Eval(ctx, sc.Root, e.Point.Previous != "")
	if err != nil {
		return nil, e.Failed(ctx, n, ".recurse.config", err)
	}
	again := &checkpoint.Call{Node: n.Name}
	if config != nil {
		if again.Overlay, err = jsonata.ToJSON(config); err != nil {
			return nil, fmt.Errorf("encode recursion: %w", err)
		}
	}
	return again, nil
}
