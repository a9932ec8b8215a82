package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/page"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/jsonata"
)

// call is one request with everything it is made of.
type call struct {
	fetcher *Fetcher
	cfg     *config.Config
	m       *config.Method
	req     Request
	stream  bool         // the response is taken as a file
	context expr.Value   // the account's, with credentials
	scope   *expr.Object // of placeholders
	list    page.List
	secrets *secrets

	transport http.RoundTripper
	certified bool // the transport shows a client certificate
	signed    bool // the request proves itself as a whole, so that no other can be made of it
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
	c.list = page.List{
		Limit: c.req.Limit, Metadata: c.m.MetadataPath, Reads: c.m.Pagination != nil && c.m.Reads("pagination"), Eval: c.eval,
		Sealer: f.cursors, Owner: req.Owner,
		Hides: func(text string) bool { return c.secrets.hides(text) }, // they are found once the scope is there
	}
	if err := c.readCursor(); err != nil {
		return nil, err
	}
	if err := c.buildScope(); err != nil {
		return nil, err
	}
	c.findSecrets()
	return c, nil
}

// takeControls takes parameters out of the query that are meant for Millrace: the provider does not know them. A
// limit counts as the page size if the method pages and no other size is given.
func (c *call) takeControls() {
	query := wire.NewQuery()
	for key, v := range expr.OrEmpty(c.req.Query).All() {
		switch {
		case key == "integrated_account_id" || strings.HasPrefix(key, "truto_"):
			c.stream = c.stream || key == "truto_response_format" && expr.Text(v) == "stream"
			continue
		case key == "next_cursor" && c.m.Pagination != nil:
			if c.req.Cursor == "" {
				c.req.Cursor = expr.Text(v)
			}
			continue
		case key == "limit" && c.m.Pagination != nil:
			if n, ok := expr.Number(v); ok && c.req.Limit == 0 {
				c.req.Limit = int(toInt(min(n, 1<<30)))
			}
			continue
		}
		query.Set(key, v)
	}
	c.req.Query = query
	if c.stream {
		whole := *c.m
		whole.Pagination, whole.ResponsePath = nil, ""
		c.m = &whole
	}
}

func (c *call) readCursor() error {
	if c.m.Pagination == nil {
		if c.req.Cursor != "" {
			return millrace.Invalid("next_cursor", "%s has no pagination", c.m.Origin)
		}
		return nil
	}
	var err error
	c.list.At, err = c.list.Decode(c.req.Cursor, c.m.Pagination.Format())
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
	for key, v := range expr.OrEmpty(c.req.Scope).All() {
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
	c.list.Scope = c.scope
	if c.m.Pagination != nil {
		if values := c.m.Pagination.Position(&c.list); values != nil {
			c.scope.Set("pagination", values)
		}
	}
	return nil
}

// environment merges the variables of the context, of the config and of the request, secret ones last.
func (c *call) environment(context *expr.Object) (*expr.Object, error) {
	given, err := jsonata.FromGo(c.req.EnvironmentVariables)
	if err != nil {
		return nil, fmt.Errorf("convert environment variables: %w", err)
	}
	return c.cfg.Environment(context, given), nil
}

// eval evaluates an expression of the config that sees the request, and with it credentials: its errors quote no value.
func (c *call) eval(ctx context.Context, path string, p *expr.Program, scope expr.Value) (expr.Value, error) {
	v, err := c.evalInput(ctx, p, expr.Input{Data: scope})
	if err == nil || ctx.Err() != nil {
		return v, err
	}
	return nil, millrace.InvalidAll([]millrace.Failure{expr.DiscreetFailureOf(path, err)})
}

// evalResponse evaluates an expression of the config that sees the response only. What it quotes of that may be the echo of a
// secret, or the part of one.
func (c *call) evalResponse(ctx context.Context, path string, p *expr.Program, in expr.Input, response *wire.Response) (expr.Value, error) {
	v, err := c.evalInput(ctx, p, in)
	switch {
	case err == nil || ctx.Err() != nil:
		return v, err
	case c.echoes(response):
		return nil, millrace.InvalidAll([]millrace.Failure{expr.DiscreetFailureOf(path, err)})
	}
	return nil, millrace.InvalidAll([]millrace.Failure{expr.FailureOf(path, err)})
}

// echoes reports whether a response has a secret in it.
func (c *call) echoes(in *wire.Response) bool {
	if c.secrets.hides(string(in.Raw)) {
		return true
	}
	for _, values := range in.Header {
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
