package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
)

// maxBatchedErrors is how many errors error_handling batch collects before it sends them.
const maxBatchedErrors = 50

// errStop ends an evaluation whose run must fail; evaluation.fatal says why.
var errStop = errors.New("syncjob: the run must fail")

// failed handles an error of an expression or template of a node.
func (e *evaluation) failed(ctx context.Context, n *node, member string, err error) error {
	return e.failedAt(ctx, n, n.at+member, err)
}

// failedAt is failed for an expression at a path.
func (e *evaluation) failedAt(ctx context.Context, n *node, path string, err error) error {
	if cancelled(ctx, err) {
		return context.Cause(ctx)
	}
	return e.report(expressionProblem(n, path, err))
}

// report handles a problem as the run's error_handling says. It returns errStop when the run must fail.
func (e *evaluation) report(p *problem) error {
	e.counts.of(p.Resource, p.method).Failed++
	handling := e.run.ErrorHandling
	switch {
	case e.point.Failing != nil:
		handling = millrace.ErrorIgnore // it fails already
	case p.limit:
		handling = millrace.ErrorFailFast
	}
	switch handling {
	case millrace.ErrorFailFast:
		e.fatal = p
		return errStop
	case millrace.ErrorBatch:
		if line := e.errorLine(p); line != nil {
			e.lines = append(e.lines, line)
		}
		return e.batchError(p)
	case millrace.ErrorIgnore:
	}
	wire := p.wire()
	payload := newErrorPayload(e.run)
	payload.Resource, payload.Method, payload.Error = p.Resource, p.method, &wire
	return e.errorOutput(payload, p.Resource, p.method, e.errorLine(p))
}

func (e *evaluation) batchError(p *problem) error {
	raw, err := json.Marshal(p.wire())
	if err != nil {
		return fmt.Errorf("encode record error: %w", err)
	}
	e.point.Errors = append(e.point.Errors, raw)
	if len(e.point.Errors) < maxBatchedErrors {
		return nil
	}
	return e.flushErrors()
}

// flushErrors sends the errors that error_handling batch has collected.
func (e *evaluation) flushErrors() error {
	if len(e.point.Errors) == 0 {
		return nil
	}
	payload := newErrorPayload(e.run)
	payload.Errors, e.point.Errors = e.point.Errors, nil
	return e.errorOutput(payload, "", "", nil)
}

func (e *evaluation) errorOutput(payload millrace.RecordErrorPayload, resource, method string, line *millrace.RunLog) error {
	raw, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode record error: %w", err)
	}
	e.out = append(e.out, output{
		event: millrace.EventRunRecordError, webhook: e.run.WebhookID, payload: raw, resource: resource, method: method,
		line: line,
	})
	return nil
}
