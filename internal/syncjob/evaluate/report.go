package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/syncjob/plan"
)

// maxBatchedErrors is how many errors error_handling batch collects before it sends them.
const maxBatchedErrors = 50

// ErrStop ends an evaluation whose run must fail; evaluation.fatal says why.
var ErrStop = errors.New("syncjob: the run must fail")

// Failed handles an error of an expression or template of a node.
func (e *Evaluation) Failed(ctx context.Context, n *plan.Node, member string, err error) error {
	return e.FailedAt(ctx, n, n.At+member, err)
}

// FailedAt is failed for an expression at a path.
func (e *Evaluation) FailedAt(ctx context.Context, n *plan.Node, path string, err error) error {
	if expr.Cancelled(ctx, err) {
		return context.Cause(ctx)
	}
	return e.Report(ExpressionProblem(n, path, err))
}

// Report handles a problem as the run's error_handling says. It returns errStop when the run must fail.
func (e *Evaluation) Report(p *Problem) error {
	e.Counts.Of(p.Resource, p.method).Failed++
	e.Point.Fail(p.first(e.Now))
	handling := e.Run.ErrorHandling
	switch {
	case e.Point.Failing != nil:
		handling = millrace.ErrorIgnore // it fails already
	case p.limit:
		handling = millrace.ErrorFailFast
	}
	switch handling {
	case millrace.ErrorFailFast:
		e.Fatal = p
		return ErrStop
	case millrace.ErrorBatch:
		if line := e.errorLine(p); line != nil {
			e.Lines = append(e.Lines, line)
		}
		return e.batchError(p)
	case millrace.ErrorIgnore:
	}
	wire := p.wire()
	payload := newErrorPayload(e.Run)
	payload.Resource, payload.Method, payload.Error = p.Resource, p.method, &wire
	return e.errorOutput(payload, p.Resource, p.method, e.errorLine(p))
}

func (e *Evaluation) batchError(p *Problem) error {
	raw, err := json.Marshal(p.wire())
	if err != nil {
		return fmt.Errorf("encode record error: %w", err)
	}
	e.Point.Errors = append(e.Point.Errors, raw)
	if len(e.Point.Errors) < maxBatchedErrors {
		return nil
	}
	return e.FlushErrors()
}

// FlushErrors sends the errors that error_handling batch has collected.
func (e *Evaluation) FlushErrors() error {
	if len(e.Point.Errors) == 0 {
		return nil
	}
	payload := newErrorPayload(e.Run)
	payload.Errors, e.Point.Errors = e.Point.Errors, nil
	return e.errorOutput(payload, "", "", nil)
}

func (e *Evaluation) errorOutput(payload millrace.RecordErrorPayload, resource, method string, line *millrace.RunLog) error {
	raw, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode record error: %w", err)
	}
	e.Outputs = append(e.Outputs, Output{
		Event: millrace.EventRunRecordError, Webhook: e.Run.WebhookID, Payload: raw, Resource: resource, Method: method,
		Line: line,
	})
	return nil
}
