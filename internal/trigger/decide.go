package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// decided is a decision. When run_if holds and the workflow has flow control, that has the last word, in the transaction.
type decided struct {
	millrace.Decision
	controls *millrace.WorkflowConfig // nil: there are none
	keys     millrace.FlowKeys
	root     millrace.EventID // of the event
	trace    string           // of the event, its traceparent
	at       position
}

func (d *decided) matched() bool { return d.Outcome == millrace.OutcomeMatched }

// chunk is decisions that are stored together.
type chunk struct {
	decisions []decided
	last      bool          // nothing of the batch is left behind them
	wait      time.Duration // how long the environment has to wait for its next evaluation
}

const (
	// maxRoom bounds the weight of a chunk: its transaction keeps all others on SQLite waiting.
	maxRoom = 400
	minRoom = 20
	// evaluateTime is for how long expressions are evaluated before what they have decided is stored.
	evaluateTime = 50 * time.Millisecond
)

// weight is how much a decision adds to a transaction: rows of a run, its task, and the queries of flow control.
func (d *decided) weight() int {
	switch {
	case !d.matched():
		return 1
	case d.controls == nil:
		return 4
	}
	return 10
}

// decide makes the next decisions, as many as one transaction may store.
func (w *matching) decide(ctx context.Context) (*chunk, error) {
	c := &chunk{}
	began, weight := w.cfg.Clock(), 0
	for p, err := range w.pending(ctx) {
		if err != nil {
			return nil, err
		}
		evaluates := !w.stopped(p.event) && !p.workflow.IsPaused && p.workflow.Config.Evaluates()
		if evaluates {
			if c.wait = w.cfg.Budget.Wait(p.event.EnvironmentID); c.wait > 0 {
				return c, nil
			}
		}
		d, err := w.decideOne(ctx, &p)
		if err != nil {
			return nil, err
		}
		c.decisions = append(c.decisions, *d)
		if weight += d.weight(); weight >= w.room || evaluates && w.cfg.Clock().Sub(began) > evaluateTime {
			return c, nil
		}
	}
	c.last = true
	return c, nil
}

// decideOne makes one decision.
func (w *matching) decideOne(ctx context.Context, p *pair) (*decided, error) {
	e := p.event
	d := &decided{root: e.Root(), trace: e.Traceparent, at: p.position(w.at.Until)}
	d.Decision = millrace.Decision{
		EventID: e.ID, EnvironmentID: e.EnvironmentID, WorkflowID: p.workflow.ID, WorkflowVersion: p.workflow.Version, Outcome: millrace.OutcomeMatched,
	}
	if w.stopped(e) {
		var err error
		d.Outcome = millrace.OutcomeLimit
		d.Error, err = w.limit(ctx, e)
		return d, err
	}
	if p.workflow.IsPaused {
		d.Outcome = millrace.OutcomePaused
		return d, nil
	}
	if p.workflow.Config.Evaluates() {
		scope, err := w.scopes.get(ctx, e)
		if err != nil {
			return nil, err
		}
		var failure *millrace.Failure
		w.cfg.Budget.Use(e.EnvironmentID, func() { failure = d.evaluate(ctx, p.workflow, scope) })
		if err := context.Cause(ctx); err != nil {
			return nil, err // we were stopped; that says nothing about the expression
		}
		if failure != nil {
			if d.Error, err = json.Marshal(failure); err != nil {
				return nil, fmt.Errorf("encode decision: %w", err)
			}
		}
	} else if p.workflow.Config.Controlled() {
		d.control(ctx, p.workflow, nil) // without keys nothing can fail
	}
	if d.matched() {
		d.WorkflowRunID = millrace.DeriveID[millrace.WorkflowRunID](string(e.ID), string(p.workflow.ID), string(e.EnvironmentID))
	}
	return d, nil
}

// evaluate decides by the expressions of a workflow.
func (d *decided) evaluate(ctx context.Context, w *millrace.Workflow, scope expr.Value) *millrace.Failure {
	var failure *millrace.Failure
	if d.Outcome, failure = outcome(ctx, w.Config.RunIf, scope); d.matched() && w.Config.Controlled() {
		failure = d.control(ctx, w, scope)
	}
	return failure
}

func outcome(ctx context.Context, runIf string, scope expr.Value) (millrace.Outcome, *millrace.Failure) {
	if runIf == "" {
		return millrace.OutcomeMatched, nil
	}
	program, err := expr.Compile(runIf)
	if err == nil {
		var holds bool
		if holds, err = program.Test(ctx, scope); err == nil {
			if holds {
				return millrace.OutcomeMatched, nil
			}
			return millrace.OutcomeNotMatched, nil
		}
	}
	failure := expr.FailureOf("config.run_if", err)
	if expr.IsLimit(err) {
		return millrace.OutcomeLimit, &failure
	}
	return millrace.OutcomeError, &failure
}
