package fetch

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/wire"
)

// authorize adds the credentials to a request. Every value it adds becomes a secret.
func (c *call) authorize(ctx context.Context, out *wire.Request) error {
	a := c.m.Auth
	switch {
	case a == nil:
		return c.authorizeAccount(out)
	case a.Format == config.AuthNone:
		return nil
	case a.Format == config.AuthBearer:
		return c.applyBearer(a, out)
	case a.Format == config.AuthBasic:
		return c.applyBasic(a, out)
	}
	for _, h := range a.Headers {
		name, err := h.Name.Text(c.scope)
		if err != nil {
			return err
		}
		value, err := h.Value.Text(c.scope)
		if err != nil {
			return err
		}
		if err := c.setCredential(a.Path, out, name, value); err != nil {
			return err
		}
	}
	return c.applyExpression(ctx, a, out)
}

func (c *call) applyBearer(a *config.Authorization, out *wire.Request) error {
	if a.Token == nil {
		token, ok := accountToken(c.context)
		if !ok {
			return millrace.Invalid(a.Path, "the account has no access token and no api_key in its context")
		}
		return c.setBearer(out, token)
	}
	token, err := a.Token.Text(c.scope)
	if err != nil {
		return err
	}
	return c.setBearer(out, token)
}

func (c *call) applyBasic(a *config.Authorization, out *wire.Request) error {
	username, err := a.Username.Text(c.scope)
	if err != nil {
		return err
	}
	password, err := a.Password.Text(c.scope)
	if err != nil {
		return err
	}
	c.secrets.add(password)
	pair := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return c.setCredential(a.Path, out, "Authorization", "Basic "+pair)
}

func (c *call) applyExpression(ctx context.Context, a *config.Authorization, out *wire.Request) error {
	if a.Expression == nil {
		return nil
	}
	scope := out.Scope()
	scope.Set("context", c.context)
	scope.Set("environment_variables", expr.Get(c.scope, "environment_variables"))
	v, err := c.eval(ctx, a.Path+".config.expression", a.Expression, scope)
	if err != nil {
		return err
	}
	headers, ok := v.(*expr.Object)
	if !ok {
		return millrace.Invalid(a.Path+".config.expression", "must return an object of headers")
	}
	for name, value := range headers.All() {
		if value == nil || value == (expr.Null{}) {
			continue
		}
		if err := c.setCredential(a.Path, out, name, expr.Text(value)); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) setBearer(out *wire.Request, token string) error {
	if token == "" {
		return nil
	}
	return c.setCredential("authorization", out, "Authorization", "Bearer "+strings.TrimPrefix(token, "Bearer "))
}

// setCredential sets a header that must not be seen by anyone but the host it is for.
func (c *call) setCredential(path string, out *wire.Request, name, value string) error {
	name = http.CanonicalHeaderKey(name)
	if !wire.ValidHeader(name, value) {
		return millrace.Invalid(path, "the header %q or its value contains characters that headers cannot carry", name)
	}
	if _, credential, ok := strings.Cut(value, " "); ok {
		c.secrets.add(credential)
	} else {
		c.secrets.add(value)
	}
	out.Headers.Set(name, value)
	out.Credentials = append(out.Credentials, name)
	return nil
}

// accountToken finds the credential of an account whose integration does not say how to authorise: the OAuth
// access token, or else the API key.
func accountToken(context expr.Value) (string, bool) {
	token := expr.Get(expr.Get(expr.Get(context, "oauth"), "token"), "access_token")
	for _, v := range []expr.Value{token, expr.Get(context, "access_token"), expr.Get(context, "api_key")} {
		if s := expr.Text(v); s != "" {
			return s, true
		}
	}
	return "", false
}
