package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Codes of problems that are not those of an expression or of a third party.
const (
	codeExpression  = "expression_error"
	codeAccount     = "invalid_account_id"
	codeWebhook     = "invalid_webhook_id"
	codeWebhookGone = "webhook_gone"
	codeCursorLoop  = "cursor_loop"
	codePageLimit   = "page_limit"
	codeRecursion   = "recursion_limit"
	codeSpoolLimit  = "spool_limit"
	codeRefused     = "refused_by_webhook"
	codeRunTime     = "run_time_limit"
	codeDelivery    = "delivery_limit"
	codePlan        = "invalid_resources"
	codeStateKey    = "invalid_state_key"
	codeStateLimit  = "state_limit"
)

// problem is something that went wrong in a run because of its plan, its data or a third party. It is handled as the
// run's error_handling says and is never an error of ours.
type problem struct {
	millrace.RunError
	method string
	status int
	body   json.RawMessage
	limit  bool // of ours: the run fails, whatever its error_handling says
}

// problemAt returns a problem of a node.
func problemAt(n *node, code, format string, args ...any) *problem {
	return &problem{
		RunError: millrace.RunError{Code: code, Message: fmt.Sprintf(format, args...), Node: n.name, Resource: n.resource()},
		method:   n.method(),
	}
}

// limitAt returns the problem that a node has run into a limit of ours. Going on would leave out what is behind the
// limit, and the next run, which reads only what has changed since, would never make up for it.
func limitAt(n *node, code, format string, args ...any) *problem {
	p := problemAt(n, code, format, args...)
	p.limit = true
	return p
}

// expressionProblem returns the problem behind an error of an expression or template at path.
func expressionProblem(n *node, path string, err error) *problem {
	failure := expr.FailureOf(path, err)
	code := failure.Code
	if code == "" {
		code = codeExpression
	}
	p := problemAt(n, code, "%s", failure.Message)
	p.Position = &failure
	return p
}

// fetchProblem returns the problem that a third party's answer is.
func fetchProblem(n *node, res FetchResult) *problem {
	p := problemAt(n, res.Code, "%s", res.Message)
	if p.Code == "" {
		p.Code = "request_failed"
	}
	p.Request, p.status, p.body = res.Request, res.Status, res.Body
	return p
}

// cancelled reports whether an evaluation ended because its context did, which says nothing about the expression.
func cancelled(ctx context.Context, err error) bool {
	var e *jsonata.Error
	return ctx.Err() != nil && (!errors.As(err, &e) || e.IsLimit())
}

// wire is the problem as record_error carries it.
func (p *problem) wire() millrace.RecordError {
	return millrace.RecordError{RunError: p.RunError, Method: p.method, Status: p.status, Body: p.body}
}

func newErrorPayload(run *millrace.SyncJobRun) millrace.RecordErrorPayload {
	args := run.Args
	if len(args) == 0 {
		args = json.RawMessage("null")
	}
	return millrace.RecordErrorPayload{
		SyncJobRunID: run.ID, SyncJobID: run.SyncJobID, IntegratedAccountID: run.IntegratedAccountID, Args: args,
	}
}
