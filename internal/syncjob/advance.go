package syncjob

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// evaluation returns an empty evaluation for what comes of a request's records.
func (s *slice) evaluation(owner *callFrame) *evaluation {
	return &evaluation{run: s.run, point: s.point, owner: owner, limit: s.r.cfg.MaxSpool, counts: stats{}, readState: s.readState}
}

// change returns what an evaluation has brought, for a freeze.
func (e *evaluation) change() change { return change{out: e.out, counts: e.counts, lines: e.lines} }

// advance walks the graph until there is something to send or a page was fetched, and freezes it.
func (s *slice) advance(ctx context.Context) error {
	e := s.evaluation(nil)
	for len(e.out) == 0 && len(s.changed) < maxStateChanges {
		if len(s.point.Stack) == 0 {
			return s.end(ctx, e)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.r.now() >= s.until {
			break // what was walked is kept
		}
		top := s.point.top()
		var err error
		switch {
		case top.Walk != nil:
			err = s.visit(ctx, e, top.Walk)
		case top.Call.Ended:
			top.Call.nextElement()
		case top.Call.done():
			err = s.leaveCall(ctx, e, top.Call)
		default:
			defer s.release()
			return s.settle(ctx, e, s.page(ctx, e, top.Call))
		}
		if err != nil {
			return s.settle(ctx, e, err)
		}
	}
	return s.freeze(ctx, e.change())
}

// release gives back the memory of the page that was worked on.
func (s *slice) release() {
	s.lease.Release()
	s.lease = nil
}

// settle freezes what an evaluation has brought, or ends the run when it must fail.
func (s *slice) settle(ctx context.Context, e *evaluation, err error) error {
	switch {
	case errors.Is(err, errStop):
		return s.fail(ctx, e, e.fatal.RunError)
	case err != nil:
		return err
	case e.limited:
		ch, err := s.rateLimited(e)
		if err != nil {
			return err
		}
		return s.freeze(ctx, ch)
	}
	return s.freeze(ctx, e.change())
}

// visit takes one step in a walk over records: entering a record, making one of its requests or changes of the state, or
// going to the next.
func (s *slice) visit(ctx context.Context, e *evaluation, w *walkFrame) error {
	if w.done() {
		s.point.pop()
		return nil
	}
	n := s.graph.byName[w.Parts[w.Part].Node]
	if n == nil {
		return fmt.Errorf("the checkpoint names %q, which is no node", w.Parts[w.Part].Node)
	}
	switch {
	case !w.Entered:
		return s.enter(ctx, e, n, w)
	case w.Call < len(w.Calls):
		next := w.Calls[w.Call]
		w.Call++
		return s.call(ctx, e, next, n)
	}
	w.next()
	return nil
}

func (s *slice) enter(ctx context.Context, e *evaluation, n *node, w *walkFrame) error {
	below := s.point.Stack[:len(s.point.Stack)-1]
	e.owner = ownerIn(below)
	record := w.Parts[w.Part].Records.items[w.Record]
	sc := s.scopeOf(below).withOutput(n, record)
	added, calls, err := e.enter(ctx, n, record, sc)
	if err != nil {
		return err
	}
	w.Entered, w.Calls, w.Call = true, calls, 0
	if err := w.setContext(added); err != nil {
		return err
	}
	s.pushParts(e)
	return nil
}

// pushParts starts the walk over what an evaluation kept.
func (s *slice) pushParts(e *evaluation) {
	if len(e.parts) > 0 {
		s.point.push(&frame{Walk: &walkFrame{Parts: e.parts}})
		e.parts = nil
	}
}

// call changes the state or starts a request for the record that is being visited, which is one of n. A request for its own records is a
// recursion; it stays at the loop element it came from.
func (s *slice) call(ctx context.Context, e *evaluation, c call, n *node) error {
	target := s.graph.byName[c.Node]
	if target != nil && target.acts() {
		w := s.point.top().Walk
		return s.setState(ctx, e, target, w.Parts[w.Part].Records.items[w.Record])
	}
	if target == nil || target.request == nil {
		return fmt.Errorf("the checkpoint names %q, which is no request", c.Node)
	}
	f := &callFrame{call: c}
	if target == n {
		f.Depth = nearestCall(s.point.Stack).Depth + 1
		if f.Depth > s.r.cfg.MaxRecursion {
			return e.report(limitAt(target, codeRecursion, "the request recurses more than %d times", s.r.cfg.MaxRecursion))
		}
	} else if loop := target.request.loop; loop != nil {
		elements, err := loop.elements(s.scopeOf(s.point.Stack).root)
		if err != nil {
			return e.failed(ctx, target, ".loop_on", err)
		}
		if len(elements) == 0 {
			return nil
		}
		f.Elements = newValues(elements)
	}
	s.point.push(&frame{Call: f})
	return nil
}

// leaveCall empties the spools of a request that has ended, one at a time, and then leaves it.
func (s *slice) leaveCall(ctx context.Context, e *evaluation, c *callFrame) error {
	n := s.graph.byName[c.Node]
	for _, spool := range n.spools {
		collected := c.Spools[spool.name]
		if collected == nil {
			continue
		}
		delete(c.Spools, spool.name)
		e.owner = c
		err := e.batch(ctx, spool, collected.items(), s.scopeOf(s.point.Stack[:len(s.point.Stack)-1]))
		if err != nil {
			return err
		}
		s.pushParts(e)
		return nil
	}
	s.point.pop()
	return nil
}

// nearestCall returns the request that the top of a stack belongs to, or nil.
func nearestCall(stack []*frame) *callFrame {
	for _, f := range slices.Backward(stack) {
		if f.Call != nil {
			return f.Call
		}
	}
	return nil
}

// ownerIn returns the request whose spools collect what comes of the top of a stack: the nearest one, or the one that
// it is a recursion of.
func ownerIn(stack []*frame) *callFrame {
	owner := nearestCall(stack)
	for _, f := range slices.Backward(stack) {
		if c := f.Call; c != nil && c.Node == owner.Node && c.Depth < owner.Depth {
			owner = c
		}
	}
	return owner
}

// scopeOf builds the scope of a stack: the elements of its loops, the records it visits, and their contexts.
func (s *slice) scopeOf(stack []*frame) scope {
	sc := s.base
	if s.point.Failing != nil {
		failure := jsonata.NewObject(2)
		failure.Set("code", s.point.Failing.Code)
		failure.Set("message", s.point.Failing.Message)
		sc = sc.with("error", failure)
	}
	for _, f := range stack {
		if c := f.Call; c != nil {
			if loop := s.graph.byName[c.Node].request.loop; loop != nil && c.Elements != nil && !c.done() {
				sc = sc.withElement(loop, c.Elements.items[c.Element])
			}
			continue
		}
		if w := f.Walk; !w.done() {
			p := w.Parts[w.Part]
			sc = sc.withOutput(s.graph.byName[p.Node], p.Records.items[w.Record]).withContext(w.context)
		}
	}
	return sc
}

// startWalk returns the walk over moments of the run.
func startWalk(nodes []*node) []*frame {
	if len(nodes) == 0 {
		return nil
	}
	w := &walkFrame{}
	for _, n := range nodes {
		w.Parts = append(w.Parts, part{Node: n.name, Records: newValues([]jsonata.Value{jsonata.Null{}})})
	}
	return []*frame{{Walk: w}}
}

// end completes a run that has nothing left to walk, or fails one whose error events are done.
func (s *slice) end(ctx context.Context, e *evaluation) error {
	if err := e.flushErrors(); err != nil {
		return err
	}
	if len(e.out) > 0 {
		return s.freeze(ctx, e.change())
	}
	if s.point.Failing != nil {
		return s.finish(ctx, e, millrace.RunFailed)
	}
	return s.finish(ctx, e, millrace.RunCompleted)
}
