package evaluate

import (
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/syncjob/plan"
)

// Codes of problems that are not those of an expression or of a provider.
const (
	CodeExpression       = "expression_error"
	CodeAccount          = "invalid_account_id"
	codeWebhook          = "invalid_webhook_id"
	CodeWebhookGone      = "webhook_gone"
	CodeCursorLoop       = "cursor_loop"
	CodePageLimit        = "page_limit"
	CodeRecursion        = "recursion_limit"
	CodeSpoolLimit       = "spool_limit"
	CodeRefusedByWebhook = "refused_by_webhook"
	CodeRunTime          = "run_time_limit"
	CodeDelivery         = "delivery_limit"
	CodePlan             = "invalid_resources"
	CodeStateKey         = "invalid_state_key"
	CodeStateLimit       = "state_limit"
	CodeNoWebhook        = "no_webhook"
)

// Problem is something that went wrong in a run because of its plan, its data or a provider. It is handled as the
// Run's error_handling says and is never an error of ours.
type Problem struct {
	millrace.RunError
	method string
	Status int
	Body   json.RawMessage
	limit  bool // of ours: the run fails, whatever its error_handling says
}

// ProblemAt returns a problem of a node.
func ProblemAt(n *plan.Node, code, format string, args ...any) *Problem {
	return &Problem{
		RunError: millrace.RunError{Code: code, Message: fmt.Sprintf(format, args...), Node: n.Name, Resource: n.Resource()},
		method:   n.Method(),
	}
}

// LimitAt returns the problem that a node has run into a limit of ours. Going on would leave out what is behind the
// SpoolLimit, and the next run, which reads only what has changed since, would never make up for it.
func LimitAt(n *plan.Node, code, format string, args ...any) *Problem {
	p := ProblemAt(n, code, format, args...)
	p.limit = true
	return p
}

// ExpressionProblem returns the problem behind an error of an expression or template at path.
func ExpressionProblem(n *plan.Node, path string, err error) *Problem {
	failure := expr.FailureOf(path, err)
	code := failure.Code
	if code == "" {
		code = CodeExpression
	}
	p := ProblemAt(n, code, "%s", failure.Message)
	p.Position = &failure
	return p
}

// wire is the problem as record_error carries it.
func (p *Problem) wire() millrace.RecordError {
	return millrace.RecordError{RunError: p.RunError, Method: p.method, Status: p.Status, Body: p.Body}
}

// first is the problem as the first_error of a run.
func (p *Problem) first(at millrace.Time) millrace.FirstError {
	f := millrace.FirstError{RunError: p.RunError, Status: p.Status, At: at}
	if p.Position != nil {
		f.Path = p.Position.Path
	}
	return f
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
