package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// cursorPager passes on a cursor that the API gives with each page.
type cursorPager struct {
	sizing
	path        string
	prevPath    string
	key         string
	inHeader    bool // the paths name headers of the answer
	isLink      bool // the cursor is a URL
	includePath bool // of which the path counts too, not only the query
	urlEncoded  bool // the API hands cursors out escaped
	origin      string
}

func parseCursorPager(f field) pager {
	f.known(sizingKeys("cursor_path", "prev_cursor_path", "cursor_key", "cursor_param", "is_link", "include_path",
		"cursor_path_object", "is_cursor_url_encoded")...)
	f.get("cursor_path").need()
	return &cursorPager{
		sizing:      parseSizing(f, ""),
		path:        f.get("cursor_path").text(),
		prevPath:    f.get("prev_cursor_path").text(),
		key:         cmp.Or(f.get("cursor_key", "cursor_param").text(), "cursor"),
		inHeader:    isHeaderObject(f.get("cursor_path_object").text()),
		isLink:      f.get("is_link").boolean(),
		includePath: f.get("include_path").boolean(),
		urlEncoded:  f.get("is_cursor_url_encoded").boolean(),
		origin:      f.path,
	}
}

func isHeaderObject(s string) bool { return s == "header" || s == "headers" }

func (p *cursorPager) format() string { return pageCursor }

func (p *cursorPager) prepare(_ context.Context, c *call, out *outgoing) error {
	if err := p.sizing.prepare(c, out); err != nil || c.at == nil {
		return err
	}
	if p.isLink {
		return out.follow(c, c.at.Link, p.includePath)
	}
	v, err := expr.ParseJSON(c.at.Value)
	if err != nil {
		return millrace.Invalid("next_cursor", "is not a cursor of this list")
	}
	p.put(out, p.key, v)
	return nil
}

func (p *cursorPager) turn(_ context.Context, c *call, out *outgoing, in *incoming) (*cursor, *cursor, error) {
	var next, prev *cursor
	var err error
	if !p.ended(c, in, -1) {
		if next, err = p.cursor(c, out, p.read(c, in, p.path)); err != nil {
			return nil, nil, err
		}
	}
	if p.prevPath != "" {
		prev, err = p.cursor(c, out, p.read(c, in, p.prevPath))
	}
	return p.mark(c, in, next), p.mark(c, in, prev), err
}

func (p *cursorPager) read(c *call, in *incoming, path string) expr.Value {
	if p.inHeader {
		return in.header.Get(path)
	}
	return in.metadata(c.m, path)
}

// cursor makes a cursor of what the API gave.
func (p *cursorPager) cursor(c *call, out *outgoing, v expr.Value) (*cursor, error) {
	if isEmptyCursor(v) {
		return nil, nil
	}
	if p.isLink {
		return linkCursor(c, pageCursor, out, textOf(v))
	}
	if s, ok := v.(string); ok && p.urlEncoded {
		if plain, err := url.QueryUnescape(s); err == nil {
			v = plain
		}
	}
	data, err := expr.EncodeJSON(v)
	if err != nil {
		return nil, c.remote("the cursor at %s cannot be read", p.path)
	}
	return &cursor{Format: pageCursor, Value: json.RawMessage(data)}, nil
}
