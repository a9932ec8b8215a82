package page

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
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

func parseDynamicPager(f field.Field) Pager {
	f.Known(sizingKeys("get_initial_pagination_values_expression", "get_pagination_values_expression",
		"get_cursor_from_response_expression")...)
	p := &dynamicPager{
		sizing:  parseSizing(f, ""),
		path:    f.Path,
		initial: f.Get("get_initial_pagination_values_expression").Program(),
		next:    f.Get("get_pagination_values_expression").Program(),
		cursor:  f.Get("get_cursor_from_response_expression").Program(),
	}
	if p.next == nil && p.cursor == nil && f.Present() {
		f.Get("get_pagination_values_expression").Need()
	}
	return p
}

func (p *dynamicPager) Format() string { return FormatDynamic }

func (p *dynamicPager) Position(l *List) expr.Value {
	if l.Reads {
		return blankValues{}
	}
	return nil
}

// blankValues stand for the values of a dynamic pagination before they are computed: every member is empty.
type blankValues struct{}

// Member returns an empty text.
func (blankValues) Member(string) (expr.Value, bool) { return "", true }

// JSON returns null.
func (blankValues) JSON() expr.Value { return expr.Null{} }

// Fill computes the values that the method has placeholders for, from the request without them, and reports whether
// it did: nothing but a dynamic pagination has such values.
func Fill(ctx context.Context, p Pager, l *List, out *wire.Request) (bool, error) {
	dynamic, ok := p.(*dynamicPager)
	if !ok || !l.Reads {
		return false, nil
	}
	v, err := dynamic.values(ctx, l, out)
	if err != nil {
		return false, err
	}
	values, ok := v.(*expr.Object)
	if !ok {
		values = jsonata.NewObject(0)
	}
	l.Values = values
	l.Scope.Set("pagination", values)
	return true, nil
}

func (p *dynamicPager) Prepare(ctx context.Context, l *List, out *wire.Request) error {
	if err := p.prepare(l, out); err != nil {
		return err
	}
	o := l.Values
	if o == nil {
		values, err := p.values(ctx, l, out)
		if err != nil {
			return err
		}
		var ok bool
		if o, ok = values.(*expr.Object); !ok {
			return nil
		}
		l.Values = o
	}
	structured := false
	for _, key := range []string{"query", "body", "headers", "url"} {
		_, has := o.Get(key)
		structured = structured || has
	}
	switch {
	case structured:
		return p.applyParts(out, o)
	case !l.Reads:
		for key, v := range field.DropMissing(o).All() {
			out.Query.Set(key, v)
		}
	}
	return nil
}

// values are those in the cursor, or the initial ones. A cursor without values holds the API's own cursor, which the
// initial expression reads as cursor and as query.next_cursor.
func (p *dynamicPager) values(ctx context.Context, l *List, out *wire.Request) (expr.Value, error) {
	bad := millrace.Invalid("next_cursor", "is not a cursor of this list")
	scope := out.Scope()
	if l.At != nil {
		v, err := expr.ParseJSON(l.At.Value)
		if err != nil {
			return nil, bad
		}
		if p.next != nil {
			return v, nil
		}
		query := jsonata.NewObject(out.Query.Len() + 1)
		for key, param := range out.Query.All() {
			query.Set(key, param)
		}
		query.Set("next_cursor", v)
		scope.Set("query", query)
		scope.Set("cursor", v)
	}
	if p.initial == nil {
		return nil, nil
	}
	return l.Eval(ctx, p.path+".get_initial_pagination_values_expression", p.initial, scope)
}

func (p *dynamicPager) applyParts(out *wire.Request, values *expr.Object) error {
	if query, ok := expr.Get(values, "query").(*expr.Object); ok {
		for key, v := range field.DropMissing(query).All() {
			out.Query.Set(key, v)
		}
	}
	if body, ok := expr.Get(values, "body").(*expr.Object); ok {
		for key, v := range body.All() {
			out.SetInBody(key, v)
		}
	}
	if headers, ok := expr.Get(values, "headers").(*expr.Object); ok {
		if err := out.SetHeaders(headers); err != nil {
			return err
		}
	}
	link, ok := expr.Get(values, "url").(string)
	if !ok || link == "" {
		return nil
	}
	u, err := url.Parse(link)
	if err != nil {
		return millrace.Invalid(p.path, "the pagination's url is not a URL")
	}
	if u = out.URL.ResolveReference(u); !wire.SameHost(u, out.URL) {
		return millrace.Invalid(p.path, "the pagination's url leads to another host")
	}
	return out.Follow(u.RequestURI(), true)
}

func (p *dynamicPager) Turn(ctx context.Context, l *List, out *wire.Request, in *wire.Response) (*Cursor, *Cursor, error) {
	scope := out.Scope()
	scope.Set("response", in.Body)
	scope.Set("headers", wire.HeadersObject(in.Header))
	scope.Set("body", in.Body)
	if l.Values != nil {
		scope.Set("paginationValues", l.Values)
	}
	if p.cursor != nil {
		v, err := l.Eval(ctx, p.path+".get_cursor_from_response_expression", p.cursor, scope)
		if err != nil || isEmptyCursor(v) {
			return nil, nil, err
		}
		scope.Set("cursor", v)
		if p.next == nil {
			next, err := valueCursor(v)
			return p.mark(l, in, next), nil, err
		}
	}
	v, err := l.Eval(ctx, p.path+".get_pagination_values_expression", p.next, scope)
	if err != nil || isEmptyCursor(v) {
		return nil, nil, err
	}
	next, err := valueCursor(v)
	return p.mark(l, in, next), nil, err
}

func valueCursor(v expr.Value) (*Cursor, error) {
	data, err := expr.EncodeJSON(v)
	if err != nil {
		return nil, err
	}
	return &Cursor{Format: FormatDynamic, Value: json.RawMessage(data)}, nil
}
