package trigger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// control adds what the workflow's flow control needs to a decision that matches so far. When a key cannot be known, the
// decision says why instead.
func (d *decided) control(ctx context.Context, w *millrace.Workflow, scope expr.Value) *millrace.Failure {
	k := &keyMaker{workflow: w.ID, scope: scope}
	d.controls, d.keys = &w.Config, k.keys(ctx, &w.Config)
	if k.err == nil {
		return nil
	}
	d.Outcome, d.keys = millrace.OutcomeError, millrace.FlowKeys{}
	if expr.IsLimit(k.err) {
		d.Outcome = millrace.OutcomeLimit
	}
	failure := expr.FailureOf(k.path, k.err)
	return &failure
}

// keyMaker makes keys until one fails.
type keyMaker struct {
	workflow millrace.WorkflowID
	scope    expr.Value
	path     string // of the one that failed
	err      error
}

// keys evaluates the keys of a workflow's controls. Without a key, or when it yields nothing, a control counts the whole
// workflow; an idempotency_key that yields nothing says nothing about the event, which is then like no other.
func (k *keyMaker) keys(ctx context.Context, c *millrace.WorkflowConfig) millrace.FlowKeys {
	var keys millrace.FlowKeys
	if text := k.eval(ctx, "config.idempotency_key", c.IdempotencyKey); text != "" {
		keys.Idempotency = k.hash("idempotency", text)
	}
	if c.Debounce != nil {
		keys.Debounce = k.hash("debounce", k.eval(ctx, "config.debounce.key", c.Debounce.Key))
	}
	if c.RateLimit != nil {
		keys.RateLimit = k.hash("rate_limit", k.eval(ctx, "config.rate_limit.key", c.RateLimit.Key))
	}
	if c.Concurrency != nil {
		keys.Concurrency = k.hash("concurrency", k.eval(ctx, "config.concurrency.key", c.Concurrency.Key))
	}
	return keys
}

// eval returns a key's value as text, empty when there is none.
func (k *keyMaker) eval(ctx context.Context, path, source string) string {
	if source == "" || k.err != nil {
		return ""
	}
	text, err := keyText(ctx, source, k.scope)
	if err != nil {
		k.path, k.err = path, err
	}
	return text
}

func keyText(ctx context.Context, source string, scope expr.Value) (string, error) {
	program, err := expr.Compile(source)
	if err != nil {
		return "", err
	}
	v, err := program.Eval(ctx, scope, expr.LimitsCondition())
	if err != nil || v == nil {
		return "", err
	}
	text, err := expr.EncodeJSON(v)
	if err != nil {
		return "", fmt.Errorf("must yield a value that can be written as JSON: %w", err)
	}
	switch string(text) {
	case "null", `""`:
		return "", nil
	}
	return string(text), nil
}

// hash keeps keys short, and what they are made from out of the database.
func (k *keyMaker) hash(control, text string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{control, string(k.workflow), text}, "\x00")))
	return hex.EncodeToString(sum[:16])
}
