package syncjob

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// enter prepares the visit of one record of n, which is at its place in sc: what the add_context and get_state nodes below
// add, what is made of that right away, and which requests and changes of the state are to be made, in their order.
func (e *evaluation) enter(ctx context.Context, n *node, record jsonata.Value, sc scope) (*jsonata.Object, []call, error) {
	if n.kind == typeEvent {
		if ok, err := e.holds(ctx, n, sc); err != nil || !ok {
			return nil, nil, err
		}
	}
	added, active, err := e.contexts(ctx, n, sc)
	if err != nil {
		return nil, nil, err
	}
	sc = sc.withContext(added)
	var single []jsonata.Value
	if !n.bare() {
		single = []jsonata.Value{record}
	}
	for _, a := range active {
		if a == n && !n.virtual() && !n.acts() {
			continue // its batch was handled when the page came
		}
		for _, child := range a.batch {
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
func (e *evaluation) contexts(ctx context.Context, n *node, sc scope) (*jsonata.Object, []*node, error) {
	active := []*node{n}
	var added *jsonata.Object
	for i := 0; i < len(active); i++ {
		for _, child := range active[i].record {
			if rank(child) != 0 {
				continue
			}
			inner := sc.withContext(added)
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
func (e *evaluation) add(ctx context.Context, n *node, added *jsonata.Object, sc scope) (*jsonata.Object, bool, error) {
	if n.kind == typeGetState {
		out, err := e.getState(ctx, n, sc)
		if err != nil {
			return nil, false, err
		}
		if added == nil {
			added = jsonata.NewObject(1)
		}
		return setPath(added, out, "resources", n.name), true, nil
	}
	v, err := n.program.Eval(ctx, sc.root, expr.LimitsTransform())
	e.debug(n, sc, v, err)
	if err != nil {
		return nil, false, e.failed(ctx, n, ".config.expression", err)
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
			if !slices.Contains(reserved(), key) {
				added.Set(key, member)
			}
		}
	}
	return added
}

// calls returns the requests and changes of the state below the nodes whose run_if holds for the record in scope.
func (e *evaluation) calls(ctx context.Context, parents []*node, sc scope) ([]call, error) {
	var calls []call
	for _, parent := range parents {
		for _, child := range parent.record {
			if child.kind != typeRequest && !child.acts() {
				continue
			}
			ok, err := e.holds(ctx, child, sc)
			if err != nil {
				return nil, err
			}
			if ok {
				calls = append(calls, call{Node: child.name})
			}
		}
	}
	return calls, nil
}

// recursion returns the repetition of n's request for the record in scope, or nil.
func (e *evaluation) recursion(ctx context.Context, n *node, sc scope) (*call, error) {
	if n.request == nil || n.request.recurse == nil {
		return nil, nil
	}
	r := n.request.recurse
	v, err := r.condition.Render(sc.root)
	if err != nil {
		return nil, e.failed(ctx, n, ".recurse.if", err)
	}
	if !yes(v) {
		return nil, nil
	}
	config, err := r.config.eval(ctx, sc.root, e.point.Previous != "")
	if err != nil {
		return nil, e.failed(ctx, n, ".recurse.config", err)
	}
	again := &call{Node: n.name}
	if config != nil {
		if again.Overlay, err = jsonata.ToJSON(config); err != nil {
			return nil, fmt.Errorf("encode recursion: %w", err)
		}
	}
	return again, nil
}

// yes reports whether a rendered condition holds. A placeholder that found nothing stays as it is written, and text
// that says no is a no.
func yes(v jsonata.Value) bool {
	if text, ok := v.(string); ok {
		switch text {
		case "false", "0", "null", "undefined":
			return false
		}
		return text != "" && !wholePlaceholder.MatchString(text)
	}
	return expr.Truthy(v)
}
