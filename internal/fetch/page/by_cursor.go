package page

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/jsonata"
)

// cursorPager passes on a cursor that the API gives with each page.
type cursorPager struct {
	sizing
	path        string
	prevPath    string
	key         string
	inHeader    bool // the paths name headers of the response
	isLink      bool // the cursor is a URL
	includePath bool // of which the path counts too, not only the query
	urlEncoded  bool // the API hands cursors out escaped
	origin      string
}

func parseCursorPager(f field.Field) Pager {
	f.Known(sizingKeys("cursor_path", "prev_cursor_path", "cursor_key", "cursor_param", "is_link", "include_path",
		"cursor_path_object", "is_cursor_url_encoded")...)
	f.Get("cursor_path").Need()
	return &cursorPager{
		sizing:      parseSizing(f, ""),
		path:        f.Get("cursor_path").Text(),
		prevPath:    f.Get("prev_cursor_path").Text(),
		key:         cmp.Or(f.Get("cursor_key", "cursor_param").Text(), "cursor"),
		inHeader:    isHeaderObject(f.Get("cursor_path_object").Text()),
		isLink:      f.Get("is_link").Bool(),
		includePath: f.Get("include_path").Bool(),
		urlEncoded:  f.Get("is_cursor_url_encoded").Bool(),
		origin:      f.Path,
	}
}

func isHeaderObject(s string) bool { return s == "header" || s == "headers" }

func (p *cursorPager) Format() string { return FormatCursor }

func (p *cursorPager) Position(l *List) expr.Value {
	values := jsonata.NewObject(2)
	values.Set("limit", float64(p.limit(l)))
	if l.At != nil {
		if v, err := expr.ParseJSON(l.At.Value); err == nil {
			values.Set("cursor", v)
		}
	}
	return values
}

func (p *cursorPager) Prepare(_ context.Context, l *List, out *wire.Request) error {
	if err := p.prepare(l, out); err != nil || l.At == nil {
		return err
	}
	if p.isLink {
		return out.Follow(l.At.Link, p.includePath)
	}
	v, err := expr.ParseJSON(l.At.Value)
	if err != nil {
		return millrace.Invalid("next_cursor", "is not a cursor of this list")
	}
	p.put(out, p.key, v)
	return nil
}

func (p *cursorPager) Turn(_ context.Context, l *List, out *wire.Request, in *wire.Response) (*Cursor, *Cursor, error) {
	var next, prev *Cursor
	var err error
	if !p.ended(l, in, -1) {
		if next, err = p.cursor(l, out, p.read(l, in, p.path)); err != nil {
			return nil, nil, err
		}
	}
	if p.prevPath != "" {
		prev, err = p.cursor(l, out, p.read(l, in, p.prevPath))
	}
	return p.mark(l, in, next), p.mark(l, in, prev), err
}

func (p *cursorPager) read(l *List, in *wire.Response, path string) expr.Value {
	if p.inHeader {
		return in.Header.Get(path)
	}
	return in.Metadata(l.Metadata, path)
}

// Cursor makes a cursor of what the API gave.
func (p *cursorPager) cursor(l *List, out *wire.Request, v expr.Value) (*Cursor, error) {
	if isEmptyCursor(v) {
		return nil, nil
	}
	if p.isLink {
		return linkCursor(l, FormatCursor, out, expr.Text(v))
	}
	if s, ok := v.(string); ok && p.urlEncoded {
		if plain, err := url.QueryUnescape(s); err == nil {
			v = plain
		}
	}
	data, err := expr.EncodeJSON(v)
	if err != nil {
		return nil, wire.Unusablef("the cursor at %s cannot be read", p.path)
	}
	return &Cursor{Format: FormatCursor, Value: json.RawMessage(data)}, nil
}
