package syncjob

import (
	"context"
	"errors"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// advance walks the graph until there is something to send or a page was fetched, and freezes it.
func (s *slice) advance(ctx context.Context) error {
	e := s.evaluation()
	for len(e.Outputs) == 0 && len(s.changed) < maxStateChanges {
		if len(s.point.Stack) == 0 {
			return s.end(ctx, e)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.r.now() >= s.until {
			break // what was walked is kept
		}
		top := s.point.Top()
		var err error
		switch {
		case top.Walk != nil:
			err = s.visit(ctx, e, top.Walk)
		case top.Call.Ended:
			top.Call.NextElement()
		case top.Call.Done():
			err = s.leaveCall(ctx, e, top.Call)
		default:
			defer s.release()
			return s.settle(ctx, e, s.page(ctx, e, top.Call))
		}
		if err != nil {
			return s.settle(ctx, e, err)
		}
	}
	return s.freeze(ctx, changeOf(e))
}

// release gives back the memory of the page that was worked on.
func (s *slice) release() {
	s.lease.Release()
	s.lease = nil
}

// settle freezes what an evaluation has brought, or ends the run when it must fail.
func (s *slice) settle(ctx context.Context, e *evaluate.Evaluation, err error) error {
	switch {
	case errors.Is(err, evaluate.ErrStop):
		return s.fail(ctx, e, e.Fatal.RunError)
	case err != nil:
		return err
	case e.Limited:
		ch, err := s.rateLimited(e)
		if err != nil {
			return err
		}
		return s.freeze(ctx, ch)
	}
	return s.freeze(ctx, changeOf(e))
}

// end completes a run that has nothing left to walk, or fails one whose error events are done.
func (s *slice) end(ctx context.Context, e *evaluate.Evaluation) error {
	if s.fruitless() {
		return s.fail(ctx, e, s.point.First.RunError)
	}
	if err := e.FlushErrors(); err != nil {
		return err
	}
	if len(e.Outputs) > 0 {
		return s.freeze(ctx, changeOf(e))
	}
	if s.point.Failing != nil {
		return s.finish(ctx, e, millrace.RunFailed)
	}
	return s.finish(ctx, e, millrace.RunCompleted)
}
