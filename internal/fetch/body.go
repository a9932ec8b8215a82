package fetch

import (
	"context"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// renderBody makes the value of the body: the config's, or else the caller's.
func (c *call) renderBody(ctx context.Context) (expr.Value, error) {
	b := c.m.Body
	callers := c.req.Body
	if c.m.IgnoreBody {
		callers = nil
	}
	switch {
	case c.m.NullBody || c.list.At != nil && c.m.IgnoreBodyInPagination:
		return nil, nil
	case b.Program != nil:
		return c.eval(ctx, b.Path, b.Program, c.scope)
	case b.Template != nil:
		return b.Template.Render(c.scope)
	case c.m.HasBodyByDefault():
		return callers, nil
	}
	return nil, nil
}

// mergeQuery copies the caller's query into a body; what the body has already stays.
func mergeQuery(body expr.Value, query *expr.Object) expr.Value {
	o, ok := body.(*expr.Object)
	if !ok && body != nil {
		return body
	}
	merged := jsonata.NewObject(query.Len())
	for key, v := range query.All() {
		merged.Set(key, v)
	}
	for key, v := range expr.OrEmpty(o).All() {
		merged.Set(key, v)
	}
	return merged
}
