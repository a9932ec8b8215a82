package page

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
)

// Pager is one way of paging.
type Pager interface {
	Format() string
	// Position returns what {{pagination.page}} and its like refer to; nil: nothing.
	Position(l *List) expr.Value
	// Prepare adds the page size and the position to a request.
	Prepare(ctx context.Context, l *List, out *wire.Request) error
	// Turn reads where the list goes on, and where it came from, out of a response. nil: nowhere.
	Turn(ctx context.Context, l *List, out *wire.Request, in *wire.Response) (next, prev *Cursor, err error)
}

// Parse reads a pagination; null means that there is none.
func Parse(f field.Field) Pager {
	if !f.Present() {
		return nil
	}
	f.Members()
	f.Known("format", "config")
	format := f.Get("format")
	if format.Need() == "" {
		return nil
	}
	config := f.Get("config")
	config.Members()
	switch format.OneOf("", FormatPage, FormatCursor, FormatOffset, FormatLink, FormatRange, FormatDynamic) {
	case FormatPage:
		return parsePagePager(config)
	case FormatCursor:
		return parseCursorPager(config)
	case FormatOffset:
		return parseOffsetPager(config)
	case FormatLink:
		return parseLinkPager(config)
	case FormatRange:
		return parseRangePager(config)
	case FormatDynamic:
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
	headers      *field.Template
}

func parseSizing(f field.Field, limitKey string) sizing {
	s := sizing{
		limitKey:    cmp.Or(f.Get("limit_key", "limit_param").Text(), limitKey),
		maxLimit:    f.Get("max_limit").Natural(0),
		limitAsText: f.Get("limit_data_type").OneOf("number", "number", "integer", "string") == "string",
		toBody:      f.Get("add_to_body").Bool(),
		hasNextPath: f.Get("has_next_path").Text(),
		totalPath:   f.Get("total_path", "total_records_path", "total_record_path").Text(),
		keepOnEmpty: f.Get("allow_empty_page_cursor").Bool(),
		useHash:     f.Get("use_content_hash").Bool(),
		hideLimit:   f.Get("ignore_limit_in_pagination").Bool(),
	}
	s.toQuery = !s.toBody || f.Get("add_to_query").Bool()
	headers := f.Get("headers")
	headers.Members()
	s.headers = headers.Template()
	return s
}

// counting adapts the sizing to formats that could count forever: only a flag in the response may carry them over an
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
func (s *sizing) limit(l *List) int {
	n := l.Limit
	if l.At != nil {
		n = l.At.Limit
	}
	if n <= 0 {
		return cmp.Or(s.maxLimit, s.defaultLimit)
	}
	if s.maxLimit > 0 {
		n = min(n, s.maxLimit)
	}
	return n
}

// Prepare adds the page size and the headers.
func (s *sizing) prepare(l *List, out *wire.Request) error {
	headers, err := s.headers.Object(l.Scope)
	if err != nil {
		return err
	}
	if err := out.SetHeaders(headers); err != nil {
		return err
	}
	n := s.limit(l)
	if s.limitKey == "" || n == 0 || (l.At != nil && s.hideLimit) {
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
func (s *sizing) put(out *wire.Request, key string, v expr.Value) {
	if s.toQuery {
		out.Query.Set(key, v)
	}
	if s.toBody {
		out.SetInBody(key, v)
	}
}

// ended reports whether a response says, in whichever way the config knows, that it was the last page. seen is how
// many records the list has given so far, with this page; negative when that is not known.
func (s *sizing) ended(l *List, in *wire.Response, seen int64) bool {
	if s.hasNextPath != "" && !truthyText(in.Metadata(l.Metadata, s.hasNextPath)) {
		return true
	}
	if in.Count == 0 && !s.keepOnEmpty {
		return true
	}
	if s.useHash && l.At != nil && l.At.Hash != "" && l.At.Hash == in.Hash() {
		return true
	}
	if s.totalPath != "" && seen >= 0 {
		if total, ok := expr.Number(in.Metadata(l.Metadata, s.totalPath)); ok {
			return float64(seen) >= total
		}
	}
	return false
}

// short reports whether a page has fewer records than were asked for, and the API is known to honour the page size: a
// config that names the largest page size knows what the API does with it. Otherwise a short page may only mean that
// the API gives fewer, and ending there would lose records.
func (s *sizing) short(l *List, in *wire.Response) bool {
	return s.hasNextPath == "" && s.totalPath == "" && s.maxLimit > 0 && s.limitKey != "" && in.Count < s.limit(l)
}

// mark completes a cursor.
func (s *sizing) mark(l *List, in *wire.Response, next *Cursor) *Cursor {
	if next == nil {
		return nil
	}
	next.Limit = l.Limit
	if l.At != nil {
		next.Limit = l.At.Limit
	}
	if s.useHash {
		next.Hash = in.Hash()
	}
	return next
}

// truthyText is how flags in responses count: JavaScript's idea of true, except that the text "false" is false.
func truthyText(v expr.Value) bool {
	if s, ok := v.(string); ok {
		return s != "" && !strings.EqualFold(s, "false") && s != "0"
	}
	if o, ok := v.(*expr.Object); ok {
		return o != nil
	}
	return expr.Truthy(v)
}
