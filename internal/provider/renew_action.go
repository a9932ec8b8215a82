package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/jsonata"
)

// ActionToken is what the action refresh_token of an integration came to: a token, or a status of the provider that rejects it, or
// neither, which says nothing about the account.
type ActionToken struct {
	Status     int             // 200: there is a token; 400: the provider has rejected the request
	Body       json.RawMessage // access_token, refresh_token and expires_in, where the result has them; or an error as token endpoints have it. Secret
	Unknown    string          // why it is not known whether there is a token, without secrets; empty: it is known
	RetryAfter time.Duration   // that the provider asks for; 0: nothing
	Reached    bool            // the provider has got a request
}

// RefreshByAction runs the action refresh_token of an account: its result, or the oauth.token that its steps have put into the context,
// is the next token. It stores nothing.
func (f *Fetcher) RefreshByAction(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (ActionToken, error) {
	loaded, err := f.load(ctx, env, id)
	if err != nil {
		return ActionToken{}, err
	}
	steps, err := loaded.steps(config.ActionRefresh)
	if err != nil {
		return ActionToken{}, err
	}
	// Its requests are made with the token that there is, whatever becomes of it.
	loaded.grant, loaded.detached = nil, true
	a, err := NewProxy(f).begin(loaded, &Call{EnvironmentID: env, AccountID: id})
	if err != nil {
		return ActionToken{}, err
	}
	defer func() { a.lease.Release() }()
	a.collect = true
	full, err := jsonata.FromGo(loaded.full)
	if err != nil {
		return ActionToken{}, err
	}
	a.private, _ = full.(*expr.Object) // the refresh token is what its requests are about
	var last *fetch.Outcome
	a.note = func(o *fetch.Outcome) { last = o }
	for i := range steps {
		a.path, a.last = stepPath(config.ActionRefresh, i), nil
		if _, err := a.step(ctx, &steps[i]); err != nil {
			if !isFinding(err) {
				return ActionToken{Reached: a.reached}, err
			}
			out := ActionToken{Reached: a.reached, Unknown: fmt.Sprintf("step %d (%s): ", i+1, steps[i].Type)}
			if a.reached {
				out.Unknown += "it cannot be evaluated" // the error may quote the token that the step before has brought
			} else {
				out.Unknown += loaded.secrets.Say(err.Error(), maxShownError)
			}
			return out, nil
		}
		if a.last != nil && a.last.Rejected != nil {
			return rejection(last, a.reached), nil
		}
	}
	return a.token()
}

// token returns the token that an action has got.
func (a *action) token() (ActionToken, error) {
	out := ActionToken{Status: http.StatusOK, Reached: a.reached, Unknown: "its result has no access_token"}
	candidates := []expr.Value{a.previous}
	if a.written != nil {
		if o, ok := member(a.written, "oauth").(*expr.Object); ok {
			candidates = append(candidates, member(o, "token"))
		}
	}
	for _, v := range candidates {
		o, ok := v.(*expr.Object)
		if !ok {
			continue
		}
		if access, _ := member(o, "access_token").(string); access == "" {
			continue
		}
		raw, err := expr.EncodeJSON(o)
		out.Body, out.Unknown = raw, ""
		return out, err
	}
	return out, nil
}

func member(o *expr.Object, name string) expr.Value {
	v, _ := o.Get(name)
	return v
}

// rejection tells a rejection of the provider from a temporary failure.
func rejection(o *fetch.Outcome, reached bool) ActionToken {
	rejected := o.Kind == fetch.KindUnauthorized || o.Kind == fetch.KindRemoteError && (o.Status == http.StatusBadRequest || o.Status == http.StatusForbidden)
	if !rejected {
		return ActionToken{Unknown: o.Message, RetryAfter: o.RetryAfter, Reached: reached}
	}
	body, _ := json.Marshal(map[string]string{"error": "invalid_grant", "error_description": o.Message}) // texts only
	return ActionToken{Status: http.StatusBadRequest, Body: body, Reached: reached}
}
