package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
)

// Bounds of what is shown of an action, in bytes.
const (
	maxShown      = 2 << 10 // of the result of a step
	maxShownError = 500
)

// errStep says that a step has failed, which the result tells.
var errStep = errors.New("a step has failed")

// steps runs the steps of an action up to the first that fails.
func (c *Connector) steps(ctx context.Context, loaded *loadedAccount, name string, t *ran) error {
	if len(loaded.config.Actions[name]) == 0 {
		t.result.Status = millrace.ActionCompleted // the integration has dropped it since
		return nil
	}
	steps, err := loaded.steps(name)
	if err != nil {
		return err
	}
	a, err := c.proxy.begin(loaded, &Call{EnvironmentID: loaded.row.EnvironmentID, AccountID: loaded.row.ID})
	if err != nil {
		return err
	}
	defer func() { a.lease.Release() }()
	a.collect = true
	var results []expr.Value
	for i := range steps {
		step := &steps[i]
		a.path, a.last = stepPath(name, i), nil
		a.note = func(o *fetch.Outcome) { t.passes, t.after = o.Kind != fetch.KindOK && o.Temporary(), o.RetryAfter }
		ran, failed := a.step(ctx, step)
		if ctx.Err() != nil || failed != nil && !isFinding(failed) {
			return failed
		}
		shown := millrace.ActionStepResult{Type: step.Type, Name: step.Name, Status: millrace.ActionCompleted}
		result := a.previous
		switch {
		case failed != nil:
			shown.Status, shown.Error, result = millrace.ActionFailed, failed.Error(), nil
		case !ran:
			shown.Status, result = millrace.ActionSkipped, nil
		case a.last != nil && a.last.Rejected != nil:
			shown.Status, shown.Error, result = millrace.ActionFailed, a.last.Rejected.Message, nil
		}
		if a.last != nil {
			shown.Response = a.last.Status
		}
		t.result.Steps, results = append(t.result.Steps, shown), append(results, result)
		if shown.Status == millrace.ActionFailed {
			t.result.Error = fmt.Sprintf("step %d of %s (%s): %s", i+1, name, step.Type, shown.Error)
			break
		}
	}
	a.show(t, results)
	if t.result.Error != "" {
		return errStep
	}
	t.result.Status, t.passes = millrace.ActionCompleted, false
	if a.written != nil {
		t.written, err = expr.EncodeJSON(a.written)
	}
	return err
}

// isFinding reports an error that tells of the config, the context or what the provider sent. Repeating the step changes nothing.
func isFinding(err error) bool {
	kind := millrace.KindOf(err)
	return kind == millrace.KindInvalid || kind == millrace.KindNotFound || kind == millrace.KindReadOnly
}

// show puts into the result what may be seen: without what is secret now that the action has written into the context.
func (a *action) show(t *ran, results []expr.Value) {
	hide := a.account.secrets
	t.result.Error = hide.Say(t.result.Error, maxShownError)
	for i := range t.result.Steps {
		shown := &t.result.Steps[i]
		shown.Error = hide.Say(shown.Error, maxShownError)
		if results[i] == nil {
			continue
		}
		raw, err := expr.EncodeJSON(withoutNamed(results[i], 8))
		if err != nil || len(raw) > maxShown {
			shown.Truncated = true
			continue
		}
		v, err := expr.ParseJSON(raw)
		if err == nil {
			raw, err = expr.EncodeJSON(hide.HideIn(v))
		}
		if err == nil && len(raw) <= maxShown {
			shown.Result = json.RawMessage(raw)
		}
		shown.Truncated = shown.Result == nil
	}
}

// withoutNamed hides members that by their name are secrets, and what lies deeper than a few levels.
func withoutNamed(v expr.Value, depth int) expr.Value {
	switch v := v.(type) {
	case *expr.Array:
		items := make([]expr.Value, 0, min(v.Len(), maxShown))
		for _, item := range v.Items() {
			if depth == 0 || len(items) == maxShown {
				break
			}
			items = append(items, withoutNamed(item, depth-1))
		}
		return jsonata.NewArray(items...)
	case *expr.Object:
		out := jsonata.NewObject(v.Len())
		for key, member := range v.All() {
			switch {
			case depth == 0:
			case secret.IsName(key):
				out.Set(key, secret.Redacted)
			default:
				out.Set(key, withoutNamed(member, depth-1))
			}
		}
		return out
	case *expr.File:
		return nil
	}
	return v
}
