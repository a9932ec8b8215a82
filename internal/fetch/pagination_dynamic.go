package fetch

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// dynamicPager computes the values of the pagination by expressions. Values are an object. Its members query, body,
// headers (objects) and url (text) change those parts of the request; when it has none of them, its members are query
// parameters, unless a template of the method reads them as {{pagination.name}}.
type dynamicPager struct {
	sizing
	path    string
	initial *expr.Program
	next    *expr.Program // null ends the list
	cursor  *expr.Program // undefined: there is no cursor
}

func parseDynamicPager(f field) pager {
	f.known(sizingKeys("get_initial_pagination_values_expression", "get_pagination_values_expression",
		"get_cursor_from_response_expression")...)
	p := &dynamicPager{
		sizing:  parseSizing(f, ""),
		path:    f.path,
		initial: f.get("get_initial_pagination_values_expression").program(),
		next:    f.get("get_pagination_values_expression").program(),
		cursor:  f.get("get_cursor_from_response_expression").program(),
	}
	if p.next == nil && p.cursor == nil && f.present() {
		f.get("get_pagination_values_expression").need()
	}
	return p
}

func (p *dynamicPager) format() string { return pageDynamic }

func (p *dynamicPager) prepare(ctx context.Context, c *call, out *outgoing) error {
	if err := p.sizing.prepare(c, out); err != nil {
		return err
	}
	o := c.pagination
	if o == nil {
		values, err := p.values(ctx, c, out)
		if err != nil {
			return err
		}
		var ok bool
		if o, ok = values.(*expr.Object); !ok {
			return nil
		}
		c.pagination = o
	}
	structured := false
	for _, key := range []string{"query", "body", "headers", "url"} {
		_, has := o.Get(key)
		structured = structured || has
	}
	switch {
	case structured:
		return p.applyParts(c, out, o)
	case !c.m.reads("pagination"):
		for key, v := range dropMissing(o).All() {
			out.query.Set(key, v)
		}
	}
	return nil
}

// values are those in the cursor, or the initial ones. A cursor without values holds the API's own cursor, which the
// initial expression reads as cursor and as query.next_cursor.
func (p *dynamicPager) values(ctx context.Context, c *call, out *outgoing) (expr.Value, error) {
	bad := millrace.Invalid("next_cursor", "is not a cursor of this list")
	scope := out.scope()
	if c.at != nil {
		v, err := expr.ParseJSON(c.at.Value)
		if err != nil {
			return nil, bad
		}
		if p.next != nil {
			return v, nil
		}
		query := jsonata.NewObject(out.query.Len() + 1)
		for key, param := range out.query.All() {
			query.Set(key, param)
		}
		query.Set("next_cursor", v)
		scope.Set("query", query)
		scope.Set("cursor", v)
	}
	if p.initial == nil {
		return nil, nil
	}
	return c.eval(ctx, p.path+".get_initial_pagination_values_expression", p.initial, scope)
}

func (p *dynamicPager) applyParts(c *call, out *outgoing, values *expr.Object) error {
	if query, ok := memberOf(values, "query").(*expr.Object); ok {
		for key, v := range dropMissing(query).All() {
			out.query.Set(key, v)
		}
	}
	if body, ok := memberOf(values, "body").(*expr.Object); ok {
		for key, v := range body.All() {
			out.setInBody(key, v)
		}
	}
	if headers, ok := memberOf(values, "headers").(*expr.Object); ok {
		if err := out.setHeaders(c, headers); err != nil {
			return err
		}
	}
	link, ok := memberOf(values, "url").(string)
	if !ok || link == "" {
		return nil
	}
	u, err := url.Parse(link)
	if err != nil {
		return millrace.Invalid(p.path, "the pagination's url is not a URL")
	}
	if u = out.url.ResolveReference(u); !sameHost(u, out.url) {
		return millrace.Invalid(p.path, "the pagination's url leads to another host")
	}
	return out.follow(c, u.RequestURI(), true)
}

func (p *dynamicPager) turn(ctx context.Context, c *call, out *outgoing, in *incoming) (*cursor, *cursor, error) {
	scope := out.scope()
	scope.Set("response", in.body)
	scope.Set("headers", headersObject(in.header))
	scope.Set("body", in.body)
	if c.pagination != nil {
		scope.Set("paginationValues", c.pagination)
	}
	if p.cursor != nil {
		v, err := c.eval(ctx, p.path+".get_cursor_from_response_expression", p.cursor, scope)
		if err != nil || isEmptyCursor(v) {
			return nil, nil, err
		}
		scope.Set("cursor", v)
		if p.next == nil {
			next, err := valueCursor(v)
			return p.mark(c, in, next), nil, err
		}
	}
	v, err := c.eval(ctx, p.path+".get_pagination_values_expression", p.next, scope)
	if err != nil || isEmptyCursor(v) {
		return nil, nil, err
	}
	next, err := valueCursor(v)
	return p.mark(c, in, next), nil, err
}

func valueCursor(v expr.Value) (*cursor, error) {
	data, err := expr.EncodeJSON(v)
	if err != nil {
		return nil, err
	}
	return &cursor{Format: pageDynamic, Value: json.RawMessage(data)}, nil
}
