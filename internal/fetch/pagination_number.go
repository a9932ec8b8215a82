package fetch

import (
	"cmp"
	"context"

	"github.com/millrace/millrace/internal/expr"
)

// pagePager counts pages.
type pagePager struct {
	sizing
	key   string
	start int64
}

func parsePagePager(f field) pager {
	f.known(sizingKeys("page_key", "page_param", "start_page")...)
	return &pagePager{
		sizing: parseSizing(f, "").counting(),
		key:    cmp.Or(f.get("page_key", "page_param").text(), "page"),
		start:  int64(f.get("start_page").natural(1)),
	}
}

func (p *pagePager) format() string { return pagePage }

func (p *pagePager) page(c *call) int64 {
	if c.at == nil {
		return p.start
	}
	return c.at.Number
}

func (p *pagePager) prepare(_ context.Context, c *call, out *outgoing) error {
	p.put(out, p.key, float64(p.page(c)))
	return p.sizing.prepare(c, out)
}

func (p *pagePager) turn(_ context.Context, c *call, _ *outgoing, in *incoming) (*cursor, *cursor, error) {
	page := p.page(c)
	var next, prev *cursor
	seen := int64(-1)
	if n := int64(p.limit(c)); n > 0 {
		seen = (page-p.start)*n + int64(in.count)
	}
	if !p.ended(c, in, seen) && !p.short(c, in) {
		next = p.mark(c, in, &cursor{Format: pagePage, Number: page + 1})
	}
	if page > p.start {
		prev = p.mark(c, in, &cursor{Format: pagePage, Number: page - 1})
	}
	return next, prev, nil
}

// offsetPager counts records.
type offsetPager struct {
	sizing
	key string
}

func parseOffsetPager(f field) pager {
	f.known(sizingKeys("offset_key", "offset_param")...)
	return &offsetPager{sizing: parseSizing(f, "limit").counting(), key: cmp.Or(f.get("offset_key", "offset_param").text(), "offset")}
}

func (p *offsetPager) format() string { return pageOffset }

func (p *offsetPager) prepare(_ context.Context, c *call, out *outgoing) error {
	p.put(out, p.key, float64(offsetOf(c)))
	return p.sizing.prepare(c, out)
}

func (p *offsetPager) turn(_ context.Context, c *call, _ *outgoing, in *incoming) (*cursor, *cursor, error) {
	offset := offsetOf(c)
	seen := offset + int64(in.count)
	var next, prev *cursor
	// By what came, not by what was asked for: an API that gives fewer than asked must not have records skipped.
	if !p.ended(c, in, seen) && !p.short(c, in) {
		next = p.mark(c, in, &cursor{Format: pageOffset, Number: seen})
	}
	if n := int64(p.limit(c)); offset > 0 && n > 0 {
		prev = p.mark(c, in, &cursor{Format: pageOffset, Number: max(0, offset-n)})
	}
	return next, prev, nil
}

func offsetOf(c *call) int64 {
	if c.at == nil {
		return 0
	}
	return c.at.Number
}

// isEmptyCursor reports whether an answer's cursor says that there is no further page.
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
