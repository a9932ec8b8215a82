package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// call is one request with everything it is made of.
type call struct {
	fetcher    *Fetcher
	cfg        *Config
	m          *Method
	req        Request
	stream     bool         // the answer is taken as a file
	at         *cursor      // nil: first page
	context    expr.Value   // the account's, with credentials
	scope      *expr.Object // of placeholders
	pagination *expr.Object // values of a dynamic pagination
	secrets    *secrets
}

func (f *Fetcher) newCall(req Request) (*call, error) {
	if req.Integration == nil {
		return nil, errors.New("fetch: a request without integration")
	}
	m := req.Custom
	if m == nil {
		var err error
		if m, err = req.Integration.Method(req.Resource, req.Method); err != nil {
			return nil, err
		}
	}
	c := &call{fetcher: f, cfg: req.Integration, m: m, req: req}
	c.takeControls()
	if err := c.readCursor(); err != nil {
		return nil, err
	}
	if err := c.buildScope(); err != nil {
		return nil, err
	}
	c.findSecrets()
	return c, nil
}

// takeControls takes parameters out of the query that are meant for Millrace: the third party does not know them. A
// limit counts as the page size if the method pages and nobody said otherwise.
func (c *call) takeControls() {
	query := newQuery()
	for key, v := range orEmpty(c.req.Query).All() {
		switch {
		case key == "integrated_account_id" || strings.HasPrefix(key, "truto_"):
			c.stream = c.stream || key == "truto_response_format" && textOf(v) == "stream"
			continue
		case key == "next_cursor" && c.m.pagination != nil:
			if c.req.Cursor == "" {
				c.req.Cursor = textOf(v)
			}
			continue
		case key == "limit" && c.m.pagination != nil:
			if n, ok := number(v); ok && c.req.Limit == 0 {
				c.req.Limit = int(toInt(min(n, 1<<30)))
			}
			continue
		}
		query.Set(key, v)
	}
	c.req.Query = query
	if c.stream {
		whole := *c.m
		whole.pagination, whole.responsePath = nil, ""
		c.m = &whole
	}
}

func (c *call) readCursor() error {
	if c.m.pagination == nil {
		if c.req.Cursor != "" {
			return millrace.Invalid("next_cursor", "%s has no pagination", c.m.origin)
		}
		return nil
	}
	var err error
	c.at, err = c.decode(c.req.Cursor, c.m.pagination.format())
	return err
}

// buildScope makes the scope of placeholders: the members of the account's context under their own names, and over
// them what belongs to this request.
func (c *call) buildScope() error {
	context, err := jsonata.FromGo(c.req.Context)
	if err != nil {
		return fmt.Errorf("convert context: %w", err)
	}
	o, ok := context.(*expr.Object)
	if !ok {
		o = jsonata.NewObject(0)
	}
	c.context = o
	c.scope = jsonata.NewObject(o.Len() + 8)
	for key, v := range o.All() {
		c.scope.Set(key, v)
	}
	for key, v := range orEmpty(c.req.Scope).All() {
		c.scope.Set(key, v)
	}
	variables, err := c.environment(o)
	if err != nil {
		return err
	}
	c.scope.Set("context", o)
	c.scope.Set("credentials", o)
	c.scope.Set("environment_variables", variables)
	c.scope.Set("query", c.req.Query)
	if c.req.ID != "" {
		c.scope.Set("id", c.req.ID)
	}
	if c.req.Body != nil {
		c.scope.Set("body", c.req.Body)
	}
	if values := c.positionValues(); values != nil {
		c.scope.Set("pagination", values)
	}
	return nil
}

// environment merges the variables of the context, of the config and of the request, secret ones last.
func (c *call) environment(context *expr.Object) (*expr.Object, error) {
	given, err := jsonata.FromGo(c.req.EnvironmentVariables)
	if err != nil {
		return nil, fmt.Errorf("convert environment variables: %w", err)
	}
	return c.cfg.environment(context, given), nil
}

func (c *Config) environment(context *expr.Object, given expr.Value) *expr.Object {
	merged := jsonata.NewObject(4)
	for _, v := range []expr.Value{
		memberOf(context, "environment_variables"), c.variables, c.secretVariables,
		memberOf(context, "secret_environment_variables"), given,
	} {
		if o, ok := v.(*expr.Object); ok {
			for key, member := range orEmpty(o).All() {
				merged.Set(key, member)
			}
		}
	}
	return merged
}

// positionValues are what {{pagination.page}} and its like refer to.
func (c *call) positionValues() expr.Value {
	values := jsonata.NewObject(4)
	switch p := c.m.pagination.(type) {
	case nil:
		return nil
	case *pagePager:
		values.Set("page", float64(p.page(c)))
		values.Set("limit", float64(p.limit(c)))
	case *offsetPager:
		values.Set("offset", float64(offsetOf(c)))
		values.Set("limit", float64(p.limit(c)))
	case *cursorPager:
		values.Set("limit", float64(p.limit(c)))
		if c.at != nil {
			if v, err := expr.ParseJSON(c.at.Value); err == nil {
				values.Set("cursor", v)
			}
		}
	case *dynamicPager:
		if c.m.reads("pagination") {
			return blankValues{}
		}
		return nil
	}
	return values
}

// blankValues stand for the values of a dynamic pagination before they are computed: every member is empty.
type blankValues struct{}

// Member returns an empty text.
func (blankValues) Member(string) (expr.Value, bool) { return "", true }

// JSON returns null.
func (blankValues) JSON() expr.Value { return expr.Null{} }

// eval evaluates an expression of the config that sees the request, and with it credentials: its errors quote no value.
func (c *call) eval(ctx context.Context, path string, p *expr.Program, scope expr.Value) (expr.Value, error) {
	v, err := c.evalInput(ctx, p, expr.Input{Data: scope})
	if err == nil || ctx.Err() != nil {
		return v, err
	}
	return nil, millrace.InvalidAll([]millrace.Failure{expr.DiscreetFailureOf(path, err)})
}

// evalAnswer evaluates an expression of the config that sees the answer only. What it quotes of that may be the echo of a
// secret, or the part of one.
func (c *call) evalAnswer(ctx context.Context, path string, p *expr.Program, in expr.Input, answer *incoming) (expr.Value, error) {
	v, err := c.evalInput(ctx, p, in)
	switch {
	case err == nil || ctx.Err() != nil:
		return v, err
	case c.echoes(answer):
		return nil, millrace.InvalidAll([]millrace.Failure{expr.DiscreetFailureOf(path, err)})
	}
	return nil, millrace.InvalidAll([]millrace.Failure{expr.FailureOf(path, err)})
}

// echoes reports whether an answer has a secret in it.
func (c *call) echoes(in *incoming) bool {
	if c.secrets.hides(string(in.raw)) {
		return true
	}
	for _, values := range in.header {
		if slices.ContainsFunc(values, c.secrets.hides) {
			return true
		}
	}
	return false
}

func (c *call) evalInput(ctx context.Context, p *expr.Program, in expr.Input) (expr.Value, error) {
	in.Limits = expr.LimitsTransform()
	in.Limits.Timeout = time.Second
	in.Now = c.fetcher.clock
	v, err := p.EvalInput(ctx, in)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return v, err
}
