package provider

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/jsonata"
)

// maxSteps bounds how many steps an action may have: a caller waits for all of them.
const maxSteps = 50

// scopeRoom is how many members a scope of an action gets beside those of the context.
const scopeRoom = 8

// actionPatience is how long a step waits for memory while the action holds what the step before brought.
const actionPatience = 5 * time.Second

// action is a run of an action. Its steps come one after the other and share a context.
type action struct {
	proxy    Proxy
	account  *loadedAccount
	call     *Call
	path     string       // of the step
	shared   *expr.Object // the account's public context, and what steps have set
	previous expr.Value   // what the step before gave
	last     *Response    // of the last request
	reached  bool
	lease    *memory.Lease // on what the last request brought

	private *expr.Object // the context with the credentials, for the placeholders of requests; nil: they do not see those

	collect bool         // what steps write into the account's context is collected, to be stored with the end of the action
	written *expr.Object // that; a member that is written twice replaces the first one, oauth too
	note    func(*fetch.Outcome)
}

// act runs an action and returns the result of its last step, or the first error of the provider.
func (p Proxy) act(ctx context.Context, loaded *loadedAccount, call *Call) (*Response, error) {
	if slices.Contains(config.ReservedActions(), call.Action) {
		return nil, millrace.Errorf(millrace.KindForbidden, "the action %s belongs to the connection of an account; it cannot be called", call.Action)
	}
	steps, err := loaded.steps(call.Action)
	if err != nil {
		return nil, err
	}
	a, err := p.begin(loaded, call)
	if err != nil {
		return nil, err
	}
	for i := range steps {
		a.path = stepPath(call.Action, i)
		if _, err := a.step(ctx, &steps[i]); err != nil {
			a.lease.Release()
			return &Response{Reached: a.reached}, err
		}
		if a.last != nil && a.last.Rejected != nil {
			return a.last, nil
		}
	}
	out := &Response{Status: http.StatusOK, Data: a.previous, Reached: a.reached, Lease: a.lease}
	if a.last != nil {
		out.Headers, out.Limits = a.last.Headers, a.last.Limits
	}
	if blob, ok := a.previous.(*expr.File); ok {
		out.Binary, out.Raw = true, blob.Data
	}
	return out, nil
}

// begin returns a run of an action before its first step.
func (p Proxy) begin(a *loadedAccount, call *Call) (*action, error) {
	public, err := expr.ParseJSON(a.row.ReadContext())
	if err != nil {
		return nil, fmt.Errorf("read context: %w", err)
	}
	shared, _ := public.(*expr.Object)
	return &action{proxy: p, account: a, call: call, shared: expr.CopyObject(expr.OrEmpty(shared), scopeRoom), note: func(*fetch.Outcome) {}}, nil
}

func stepPath(action string, i int) string {
	return fmt.Sprintf("%s.actions.%s.steps[%d]", config.RootPath, action, i)
}

// steps returns the steps of an action, none of which waits for a user.
func (a *loadedAccount) steps(name string) ([]config.ActionStep, error) {
	steps, ok := a.config.Actions[name]
	if !ok {
		names := make([]string, 0, len(a.config.Actions))
		for known := range a.config.Actions {
			names = append(names, known)
		}
		return nil, millrace.Unknown("action", "action", name, names)
	}
	for i, step := range steps {
		path := stepPath(name, i) + ".type"
		switch step.Type {
		case "request":
			if err := mayWrite(a, false, step.Method); err != nil {
				return nil, err
			}
		case "proxy":
			m, err := a.config.Method(step.Call.Resource, step.Call.Method)
			if err == nil {
				err = mayWrite(a, false, m)
			}
			if err != nil {
				return nil, err
			}
		case "transform", "update_context", "set_context", "get_context":
		case "form":
			return nil, millrace.Invalid(path, "a form waits for a user; an action with one cannot be called")
		default:
			return nil, millrace.Invalid(path, "%q is not a type of step", step.Type)
		}
	}
	if len(steps) > maxSteps {
		return nil, millrace.Invalid("config.actions."+name+".steps", "has more than %d steps", maxSteps)
	}
	return steps, nil
}

// step runs a step, and reports whether its run_if held.
func (a *action) step(ctx context.Context, step *config.ActionStep) (bool, error) {
	if step.RunIf != nil {
		v, err := a.eval(ctx, a.path+".run_if", step.RunIf)
		if err != nil || !expr.Truthy(v) {
			return false, err
		}
	}
	switch step.Type {
	case "request":
		return true, a.request(ctx, step.Method, fetch.Request{Custom: step.Method, Query: a.call.Query, Body: a.call.Body, RawBody: a.call.Sent})
	case "proxy":
		return true, a.callMethod(ctx, step.Call)
	case "get_context":
		a.previous = a.shared
		return true, nil
	case "transform":
		if step.Expression == nil {
			return true, millrace.Invalid(a.path+".config", "has no expression")
		}
		v, err := a.eval(ctx, a.path+".config", step.Expression)
		a.previous = v
		return true, err
	}
	o, err := a.members(ctx, step)
	if err != nil {
		return true, err
	}
	a.shared = expr.CopyObject(a.shared, scopeRoom)
	for key, member := range o.All() {
		a.shared.Set(key, member)
	}
	a.previous = o
	o = withoutHidden(o)
	switch {
	case a.collect:
		return true, a.write(o)
	case step.Type == "update_context":
		return true, a.save(ctx, o)
	}
	return true, nil
}

// members returns what a step puts into the context: what its expression gives, a fixed object, or what the step before gave.
func (a *action) members(ctx context.Context, step *config.ActionStep) (*expr.Object, error) {
	path, v, err := a.path+".config", a.previous, error(nil)
	switch {
	case step.Expression != nil:
		path += ".expression"
		v, err = a.eval(ctx, path, step.Expression)
	case step.Fixed != nil:
		v, err = step.Fixed.Render(a.scope())
	case step.Type == "set_context":
		return nil, millrace.Invalid(path, "has no expression")
	}
	if err != nil {
		return nil, err
	}
	if o, ok := v.(*expr.Object); ok {
		return o, nil
	}
	return nil, millrace.Invalid(path, "must return an object")
}

// callMethod calls a method of a resource.
func (a *action) callMethod(ctx context.Context, c *config.ResourceCall) error {
	m, err := a.account.config.Method(c.Resource, c.Method)
	if err != nil {
		return err
	}
	scope := a.scope()
	req := fetch.Request{Resource: c.Resource, Method: c.Method}
	if req.ID, err = c.ID.Text(scope); err != nil {
		return err
	}
	if req.Query, err = c.Query.Object(scope); err != nil {
		return err
	}
	if req.Body, err = c.Body.Render(scope); err != nil {
		return err
	}
	return a.request(ctx, m, req)
}

func (a *action) request(ctx context.Context, m *config.Method, req fetch.Request) error {
	scope := a.scope()
	if a.private != nil {
		for key, v := range a.private.All() {
			scope.Set(key, v)
		}
	}
	req.Scope = scope
	if a.lease.Size() > 0 {
		req.Patience = actionPatience
	}
	outcome, err := a.proxy.request(ctx, a.account, a.call, req)
	a.lease.Release() // of the step before, which only its successor sees
	a.lease = outcome.Lease
	first := !a.reached
	a.reached = a.reached || outcome.RequestLine != ""
	if err != nil {
		return err
	}
	a.last = responseOf(&outcome)
	a.last.forbid(a.account, m, &outcome)
	a.last.Safe = a.last.Safe && first
	a.previous = outcome.Data
	a.note(&outcome)
	return nil
}

// scope is what the placeholders of a step refer to.
func (a *action) scope() *expr.Object {
	scope := expr.CopyObject(a.shared, scopeRoom)
	if a.previous != nil {
		scope.Set("previous", a.previous)
	}
	return scope
}

// eval evaluates an expression over the shared context, without credentials.
func (a *action) eval(ctx context.Context, path string, p *expr.Program) (expr.Value, error) {
	scope := expr.CopyObject(a.shared, scopeRoom)
	scope.Set("context", a.shared)
	scope.Set("query", a.call.Query)
	bindings := map[string]expr.Value{}
	for name, v := range map[string]expr.Value{"body": a.call.Body, "previous": a.previous} {
		if v != nil {
			scope.Set(name, v)
			bindings[name] = v
		}
	}
	if a.previous != nil {
		scope.Set("response", a.previous)
	}
	v, err := p.EvalInput(ctx, expr.Input{Data: scope, Bindings: bindings, Limits: expr.LimitsTransform()})
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, millrace.InvalidAll([]millrace.Failure{expr.FailureOf(path, err)})
	}
	return v, nil
}

// withoutHidden leaves out members that are hidden: the provider has sent a secret that the account has already, which stays.
func withoutHidden(o *expr.Object) *expr.Object {
	out := jsonata.NewObject(o.Len())
	for key, member := range o.All() {
		if member != secret.Redacted {
			out.Set(key, member)
		}
	}
	return out
}

// save merges members into the account's own context, as a change of the account through the API does.
func (a *action) save(ctx context.Context, members *expr.Object) error {
	sent, err := expr.EncodeJSON(members)
	if err != nil {
		return err
	}
	row := a.account.row
	err = a.proxy.accounts.db.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Accounts().Get(ctx, row.EnvironmentID, row.ID)
		if err != nil {
			return err
		}
		if err := account.MergeContext(ctx, tx, v, sent); err != nil {
			return err
		}
		if err := account.Update(ctx, tx, v); err != nil {
			return err
		}
		updated, err := account.NewEvent(ctx, tx, millrace.EventAccountUpdated, v)
		if err != nil {
			return err
		}
		return event.Emit(ctx, tx, updated)
	})
	if err != nil {
		return err
	}
	a.account, err = a.proxy.accounts.account(ctx, row.EnvironmentID, row.ID)
	return err
}

// write collects members for the account's own context. Requests of later steps are made with them already.
func (a *action) write(members *expr.Object) error {
	if a.written == nil {
		a.written = jsonata.NewObject(members.Len())
	}
	for key, member := range members.All() {
		a.written.Set(key, member)
	}
	over, err := expr.EncodeJSON(a.written)
	if err != nil {
		return err
	}
	next, err := a.account.with(over)
	if err == nil {
		a.account = next
	}
	return err
}
