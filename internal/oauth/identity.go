package oauth

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/jsonata"
)

// maxIdentity bounds the name of an account at its provider, in bytes.
const maxIdentity = 512

// Identity returns what the config's expression says the account is called at the provider, empty when the config has none or it finds
// nothing. The expression sees token and context without their secrets, redirect, which is what [ReadRedirect] kept, and claims, which
// is what the id_token says: it comes from the provider itself, so its signature is not checked. context has to be without
// secrets already. An error is of KindInvalid, or that of ctx.
func Identity(ctx context.Context, credential *config.Credential, r Result, redirect, accountContext map[string]any, now func() time.Time) (string, error) {
	if credential == nil || credential.OAuth == nil || credential.OAuth.Identity == nil {
		return "", nil
	}
	data, err := jsonata.FromGo(map[string]any{
		"token": public(r.Token), "claims": claims(text(r.Token["id_token"])), "redirect": redirect, "context": accountContext,
	})
	if err != nil {
		return "", err
	}
	in := expr.Input{Data: data, Limits: expr.LimitsTransform(), Now: now}
	in.Limits.Timeout = time.Second
	at := credential.Path + ".config.identity"
	v, err := credential.OAuth.Identity.EvalInput(ctx, in)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", millrace.InvalidAll([]millrace.Failure{expr.DiscreetFailureOf(at, err)})
	}
	name := expr.Text(v)
	if len(name) > maxIdentity {
		return "", millrace.Invalid(at, "the result is longer than %d bytes", maxIdentity)
	}
	return name, nil
}

// public returns a copy of a token without its secrets.
func public(token map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range token {
		below, nested := v.(map[string]any)
		switch {
		case nested:
			out[name] = public(below)
		case !isSecret(name, v):
			out[name] = v
		}
	}
	return out
}
