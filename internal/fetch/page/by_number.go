package page

import (
	"cmp"
	"context"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/jsonata"
)

// pagePager counts pages.
type pagePager struct {
	sizing
	key   string
	start int64
}

func parsePagePager(f field.Field) Pager {
	f.Known(sizingKeys("page_key", "page_param", "start_page")...)
	return &pagePager{
		sizing: parseSizing(f, "").counting(),
		key:    cmp.Or(f.Get("page_key", "page_param").Text(), "page"),
		start:  int64(f.Get("start_page").Natural(1)),
	}
}

func (p *pagePager) Format() string { return FormatPage }

func (p *pagePager) page(l *List) int64 {
	if l.At == nil {
		return p.start
	}
	return l.At.Number
}

func (p *pagePager) Position(l *List) expr.Value {
	return positionOf("page", p.page(l), p.limit(l))
}

func (p *pagePager) Prepare(_ context.Context, l *List, out *wire.Request) error {
	p.put(out, p.key, float64(p.page(l)))
	return p.prepare(l, out)
}

func (p *pagePager) Turn(_ context.Context, l *List, _ *wire.Request, in *wire.Response) (*Cursor, *Cursor, error) {
	page := p.page(l)
	var next, prev *Cursor
	seen := int64(-1)
	if n := int64(p.limit(l)); n > 0 {
		seen = (page-p.start)*n + int64(in.Count)
	}
	if !p.ended(l, in, seen) && !p.short(l, in) {
		next = p.mark(l, in, &Cursor{Format: FormatPage, Number: page + 1})
	}
	if page > p.start {
		prev = p.mark(l, in, &Cursor{Format: FormatPage, Number: page - 1})
	}
	return next, prev, nil
}

// offsetPager counts records.
type offsetPager struct {
	sizing
	key string
}

func parseOffsetPager(f field.Field) Pager {
	f.Known(sizingKeys("offset_key", "offset_param")...)
	return &offsetPager{sizing: parseSizing(f, "limit").counting(), key: cmp.Or(f.Get("offset_key", "offset_param").Text(), "offset")}
}

func (p *offsetPager) Format() string { return FormatOffset }

func (p *offsetPager) Position(l *List) expr.Value {
	return positionOf("offset", offsetOf(l), p.limit(l))
}

func (p *offsetPager) Prepare(_ context.Context, l *List, out *wire.Request) error {
	p.put(out, p.key, float64(offsetOf(l)))
	return p.prepare(l, out)
}

func (p *offsetPager) Turn(_ context.Context, l *List, _ *wire.Request, in *wire.Response) (*Cursor, *Cursor, error) {
	offset := offsetOf(l)
	seen := offset + int64(in.Count)
	var next, prev *Cursor
	// By what came, not by what was asked for: an API that gives fewer than asked must not have records skipped.
	if !p.ended(l, in, seen) && !p.short(l, in) {
		next = p.mark(l, in, &Cursor{Format: FormatOffset, Number: seen})
	}
	if n := int64(p.limit(l)); offset > 0 && n > 0 {
		prev = p.mark(l, in, &Cursor{Format: FormatOffset, Number: max(0, offset-n)})
	}
	return next, prev, nil
}

// positionOf returns the position of a list that is counted.
func positionOf(name string, at int64, limit int) expr.Value {
	values := jsonata.NewObject(2)
	values.Set(name, float64(at))
	values.Set("limit", float64(limit))
	return values
}

func offsetOf(l *List) int64 {
	if l.At == nil {
		return 0
	}
	return l.At.Number
}

// isEmptyCursor reports whether a response's cursor says that there is no further page.
func isEmptyCursor(v expr.Value) bool {
	switch v := v.(type) {
	case nil, expr.Null:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	}
	return false
}
