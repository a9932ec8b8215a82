package fetch

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// pager is one way of paging.
type pager interface {
	format() string
	// prepare adds the page size and the position to a request.
	prepare(ctx context.Context, c *call, out *outgoing) error
	// turn reads where the list goes on, and where it came from, out of an answer. nil: nowhere.
	turn(ctx context.Context, c *call, out *outgoing, in *incoming) (next, prev *cursor, err error)
}

// parsePagination reads a pagination; null means that there is none.
func parsePagination(f field) pager {
	if !f.present() {
		return nil
	}
	f.object()
	f.known("format", "config")
	format := f.get("format")
	if format.need() == "" {
		return nil
	}
	config := f.get("config")
	config.object()
	switch format.oneOf("", pagePage, pageCursor, pageOffset, pageLink, pageRange, pageDynamic) {
	case pagePage:
		return parsePagePager(config)
	case pageCursor:
		return parseCursorPager(config)
	case pageOffset:
		return parseOffsetPager(config)
	case pageLink:
		return parseLinkPager(config)
	case pageRange:
		return parseRangePager(config)
	case pageDynamic:
		return parseDynamicPager(config)
	}
	return nil
}

// sizing is what the formats have in common: the page size, where parameters go, and when a list ends.
type sizing struct { //nolint:recvcheck // counting returns a changed copy
	limitKey     string
	maxLimit     int
	limitAsText  bool
	toBody       bool
	toQuery      bool
	hasNextPath  string
	totalPath    string
	keepOnEmpty  bool // an empty page does not end the list
	useHash      bool // a page that comes twice in a row ends it
	hideLimit    bool // the page size is sent with the first page only
	defaultLimit int  // where the format cannot do without
	headers      *template
}

func parseSizing(f field, limitKey string) sizing {
	s := sizing{
		limitKey:    cmp.Or(f.get("limit_key", "limit_param").text(), limitKey),
		maxLimit:    f.get("max_limit").natural(0),
		limitAsText: f.get("limit_data_type").oneOf("number", "number", "integer", "string") == "string",
		toBody:      f.get("add_to_body").boolean(),
		hasNextPath: f.get("has_next_path").text(),
		totalPath:   f.get("total_path", "total_records_path", "total_record_path").text(),
		keepOnEmpty: f.get("allow_empty_page_cursor").boolean(),
		useHash:     f.get("use_content_hash").boolean(),
		hideLimit:   f.get("ignore_limit_in_pagination").boolean(),
	}
	s.toQuery = !s.toBody || f.get("add_to_query").boolean()
	headers := f.get("headers")
	headers.object()
	s.headers = headers.template()
	return s
}

// counting adapts the sizing to formats that could count for ever: only a flag in the answer may carry them over an
// empty page.
func (s sizing) counting() sizing {
	s.keepOnEmpty = s.keepOnEmpty && s.hasNextPath != ""
	return s
}

// sizingKeys are the keys that parseSizing reads.
func sizingKeys(more ...string) []string {
	return append(more, "limit_key", "limit_param", "max_limit", "limit_data_type", "add_to_body", "add_to_query",
		"has_next_path", "total_path", "total_records_path", "total_record_path", "allow_empty_page_cursor",
		"use_content_hash", "ignore_limit_in_pagination", "headers")
}

// limit is the page size to ask for: the one the list was started with, or the largest that the API allows. 0: the
// API's own.
func (s *sizing) limit(c *call) int {
	n := c.req.Limit
	if c.at != nil {
		n = c.at.Limit
	}
	if n <= 0 {
		return cmp.Or(s.maxLimit, s.defaultLimit)
	}
	if s.maxLimit > 0 {
		n = min(n, s.maxLimit)
	}
	return n
}

// prepare adds the page size and the headers.
func (s *sizing) prepare(c *call, out *outgoing) error {
	headers, err := s.headers.object(c.scope)
	if err != nil {
		return err
	}
	if err := out.setHeaders(c, headers); err != nil {
		return err
	}
	n := s.limit(c)
	if s.limitKey == "" || n == 0 || (c.at != nil && s.hideLimit) {
		return nil
	}
	var v expr.Value = float64(n)
	if s.limitAsText {
		v = strconv.Itoa(n)
	}
	s.put(out, s.limitKey, v)
	return nil
}

// put adds a parameter where the config wants parameters of the pagination.
func (s *sizing) put(out *outgoing, key string, v expr.Value) {
	if s.toQuery {
		out.query.Set(key, v)
	}
	if s.toBody {
		out.setInBody(key, v)
	}
}

// ended reports whether an answer says, in whichever way the config knows, that it was the last page. seen is how
// many records the list has given so far, with this page; negative when that is not known.
func (s *sizing) ended(c *call, in *incoming, seen int64) bool {
	if s.hasNextPath != "" && !truthyText(in.metadata(c.m, s.hasNextPath)) {
		return true
	}
	if in.count == 0 && !s.keepOnEmpty {
		return true
	}
	if s.useHash && c.at != nil && c.at.Hash != "" && c.at.Hash == in.hash() {
		return true
	}
	if s.totalPath != "" && seen >= 0 {
		if total, ok := number(in.metadata(c.m, s.totalPath)); ok {
			return float64(seen) >= total
		}
	}
	return false
}

// short reports whether a page has fewer records than were asked for, and the API is known to honour the page size: a
// config that names the largest page size knows what the API does with it. Otherwise a short page may only mean that
// the API gives fewer, and ending there would lose records.
func (s *sizing) short(c *call, in *incoming) bool {
	return s.hasNextPath == "" && s.totalPath == "" && s.maxLimit > 0 && s.limitKey != "" && in.count < s.limit(c)
}

// mark completes a cursor.
func (s *sizing) mark(c *call, in *incoming, next *cursor) *cursor {
	if next == nil {
		return nil
	}
	next.Limit = c.req.Limit
	if c.at != nil {
		next.Limit = c.at.Limit
	}
	if s.useHash {
		next.Hash = in.hash()
	}
	return next
}

// truthyText is how flags in answers count: JavaScript's idea of true, except that the text "false" is false.
func truthyText(v expr.Value) bool {
	if s, ok := v.(string); ok {
		return s != "" && !strings.EqualFold(s, "false") && s != "0"
	}
	if o, ok := v.(*expr.Object); ok {
		return o != nil
	}
	return expr.Truthy(v)
}

// number reads a number, or a text that is one.
func number(v expr.Value) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}

// lookup follows a dotted path through objects and arrays: data.items.0.id, data.items[-1].id. Negative indexes
// count from the end. An empty path is the value itself.
func lookup(v expr.Value, path string) expr.Value {
	if path == "" || path == "$" {
		return v
	}
	if o, ok := v.(*expr.Object); ok { // a member whose name has dots in it
		if member, ok := o.Get(path); ok {
			return member
		}
	}
	path = strings.NewReplacer("[", ".", "]", "").Replace(strings.TrimPrefix(path, "$."))
	for key := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		switch parent := v.(type) {
		case *expr.Object:
			v, _ = parent.Get(strings.Trim(key, "\"'`"))
		case *jsonata.Array:
			i, err := strconv.Atoi(key)
			if err != nil {
				return nil
			}
			if i < 0 {
				i += parent.Len()
			}
			v = parent.At(i)
		default:
			return nil
		}
	}
	return v
}
