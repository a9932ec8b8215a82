package fetch

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

const (
	authNone   = "none"
	authBearer = "bearer"
	authBasic  = "basic"
	authHeader = "header"
)

// authorization says how requests prove who they are.
type authorization struct {
	path       string
	format     string
	token      *template // bearer; nil: the account's access token or API key
	username   *template // basic
	password   *template
	headers    []authHeaderField
	expression *expr.Program // gives an object of headers
}

type authHeaderField struct{ name, value *template }

// parseAuthorization reads an authorization; null means none.
func parseAuthorization(f field) *authorization {
	if f.isNull() {
		return &authorization{format: authNone}
	}
	f.object()
	f.known("format", "config")
	a := &authorization{path: f.path}
	format := f.get("format")
	if format.need() == "" {
		return a
	}
	a.format = format.oneOf("", authBearer, authBasic, authHeader)
	config := f.get("config")
	config.object()
	switch a.format {
	case authBearer:
		config.known("token", "value")
		a.token = config.get("token", "value").template()
	case authBasic:
		config.known("username", "password")
		config.get("username").need()
		a.username, a.password = config.get("username").template(), config.get("password").template()
	case authHeader:
		a.parseHeaders(config)
	}
	return a
}

func (a *authorization) parseHeaders(config field) {
	config.known("header_name", "header_value", "expression", "headers")
	a.expression = config.get("expression").program()
	for _, member := range config.get("headers").object() {
		name := &template{path: member.path, constant: member.name(config.get("headers"))}
		a.headers = append(a.headers, authHeaderField{name, member.template()})
	}
	if config.get("header_name").present() || (a.expression == nil && len(a.headers) == 0) {
		config.get("header_name").need()
		config.get("header_value").need()
		a.headers = append(a.headers, authHeaderField{config.get("header_name").template(), config.get("header_value").template()})
	}
}

// apply adds the credentials to a request. Every value it adds becomes a secret.
func (a *authorization) apply(ctx context.Context, c *call, out *outgoing) error {
	switch {
	case a == nil:
		token, _ := accountToken(c.context)
		return c.setBearer(out, token)
	case a.format == authNone:
		return nil
	case a.format == authBearer:
		return a.applyBearer(c, out)
	case a.format == authBasic:
		return a.applyBasic(c, out)
	}
	for _, h := range a.headers {
		name, err := h.name.text(c.scope)
		if err != nil {
			return err
		}
		value, err := h.value.text(c.scope)
		if err != nil {
			return err
		}
		if err := c.setCredential(a.path, out, name, value); err != nil {
			return err
		}
	}
	return a.applyExpression(ctx, c, out)
}

func (a *authorization) applyBearer(c *call, out *outgoing) error {
	if a.token == nil {
		token, ok := accountToken(c.context)
		if !ok {
			return millrace.Invalid(a.path, "the account has no access token and no api_key in its context")
		}
		return c.setBearer(out, token)
	}
	token, err := a.token.text(c.scope)
	if err != nil {
		return err
	}
	return c.setBearer(out, token)
}

func (a *authorization) applyBasic(c *call, out *outgoing) error {
	username, err := a.username.text(c.scope)
	if err != nil {
		return err
	}
	password, err := a.password.text(c.scope)
	if err != nil {
		return err
	}
	c.secrets.add(password)
	pair := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return c.setCredential(a.path, out, "Authorization", "Basic "+pair)
}

func (a *authorization) applyExpression(ctx context.Context, c *call, out *outgoing) error {
	if a.expression == nil {
		return nil
	}
	scope := out.scope()
	scope.Set("context", c.context)
	scope.Set("environment_variables", memberOf(c.scope, "environment_variables"))
	v, err := c.eval(ctx, a.path+".config.expression", a.expression, scope)
	if err != nil {
		return err
	}
	headers, ok := v.(*expr.Object)
	if !ok {
		return millrace.Invalid(a.path+".config.expression", "must return an object of headers")
	}
	for name, value := range headers.All() {
		if value == nil || value == (expr.Null{}) {
			continue
		}
		if err := c.setCredential(a.path, out, name, textOf(value)); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) setBearer(out *outgoing, token string) error {
	if token == "" {
		return nil
	}
	return c.setCredential("authorization", out, "Authorization", "Bearer "+strings.TrimPrefix(token, "Bearer "))
}

// setCredential sets a header that must not be seen by anyone but the host it is for.
func (c *call) setCredential(path string, out *outgoing, name, value string) error {
	name = http.CanonicalHeaderKey(name)
	if !validHeader(name, value) {
		return millrace.Invalid(path, "the header %q or its value contains characters that headers cannot carry", name)
	}
	if _, credential, ok := strings.Cut(value, " "); ok {
		c.secrets.add(credential)
	} else {
		c.secrets.add(value)
	}
	out.headers.Set(name, value)
	out.credentials = append(out.credentials, name)
	return nil
}

// accountToken finds the credential of an account whose integration does not say how to authorise: the OAuth
// access token, or else the API key.
func accountToken(context expr.Value) (string, bool) {
	token := memberOf(memberOf(memberOf(context, "oauth"), "token"), "access_token")
	for _, v := range []expr.Value{token, memberOf(context, "access_token"), memberOf(context, "api_key")} {
		if s := textOf(v); s != "" {
			return s, true
		}
	}
	return "", false
}

// memberOf returns a member of an object, undefined for everything else.
func memberOf(v expr.Value, key string) expr.Value {
	if o, ok := v.(*expr.Object); ok {
		member, _ := o.Get(key)
		return member
	}
	return nil
}

// validHeader refuses what would end a header line.
func validHeader(name, value string) bool {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	}) {
		return false
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// headersObject is how expressions see headers: lower-case names, several values joined by a comma.
func headersObject(h http.Header) *expr.Object {
	o := jsonata.NewObject(len(h))
	for _, name := range sortedKeys(h) {
		o.Set(strings.ToLower(name), strings.Join(h[name], ", "))
	}
	return o
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
