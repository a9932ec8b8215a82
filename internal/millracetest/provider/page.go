package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// position returns the number of the page that a request asks for, from 0.
func (res *Resource) position(r *http.Request, body []byte, l *paged) (int, error) {
	q := r.URL.Query()
	switch {
	case res.Pagination == PageNumber || res.Pagination == PageMore:
		n, err := numberIn(q, "page", 1)
		return max(n-1, 0), err
	case res.Pagination == PageOffset || res.Pagination == PageTotal:
		offset, err := numberIn(q, "offset", 0)
		if err != nil {
			return 0, err
		}
		return l.at(offset)
	case res.Pagination == PageRange:
		first, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "items="), "-")
		offset, err := strconv.Atoi(first)
		if err != nil {
			return 0, errors.New("the range is wrong")
		}
		return l.at(offset)
	case IsCursor(res.Pagination):
		return res.cursorPosition(q, body, l)
	}
	return 0, nil
}

func (res *Resource) cursorPosition(q url.Values, body []byte, l *paged) (int, error) {
	cursor := q.Get("cursor")
	if res.Pagination == PageBody {
		var sent struct {
			Cursor string `json:"cursor"`
			Filter string `json:"filter"`
		}
		if err := json.Unmarshal(body, &sent); err != nil || sent.Filter == "" {
			return 0, errors.New("the body has no filter")
		}
		cursor = sent.Cursor
	}
	if cursor == "" {
		return 0, nil
	}
	if n, ok := l.isMade(cursor); ok {
		return n, nil
	}
	return 0, errors.New("the cursor is wrong")
}

// at returns the page that begins behind so many records.
func (l *paged) at(offset int) (int, error) {
	for n := range len(l.pages) + 1 {
		if l.total(n) == offset {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no page begins at %d", offset)
}

func numberIn(q url.Values, name string, absent int) (int, error) {
	if q.Get(name) == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is not a number", name)
	}
	return n, nil
}

// write returns the body of a page and sets its headers.
func (res *Resource) write(h http.Header, r *http.Request, l *paged, page int) map[string]any {
	records, next := l.page(page), l.next(page)
	body := map[string]any{"data": records}
	h.Set("Content-Type", "application/json")
	if res.Plain {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	switch {
	case res.Pagination == PageMore:
		body["has_more"] = next >= 0
	case res.Pagination == PageTotal:
		body["total"] = l.total(len(l.pages))
	case res.Pagination == PageRange:
		h.Set("Content-Range", contentRange(l, page, len(records)))
	case IsCursor(res.Pagination):
		body["next_cursor"] = nil
		if next >= 0 {
			res.writeCursor(h, body, r, next)
		}
	}
	return body
}

func contentRange(l *paged, page, records int) string {
	first, total := l.total(page), l.total(len(l.pages))
	if records == 0 {
		return fmt.Sprintf("items */%d", total)
	}
	return fmt.Sprintf("items %d-%d/%d", first, first+records-1, total)
}

func (res *Resource) writeCursor(h http.Header, body map[string]any, r *http.Request, next int) {
	q := r.URL.Query()
	q.Set("cursor", cursorOf(next))
	link := "http://" + r.Host + r.URL.Path + "?" + q.Encode()
	switch res.Pagination {
	case PageHeader:
		h.Set("X-Next-Cursor", cursorOf(next))
	case PageLink:
		body["next_link"] = link
	case PageLinks:
		h.Set("Link", fmt.Sprintf(`<%s>; rel="self", <%s>; rel="next"`, r.URL.Path, link))
	default:
		body["next_cursor"] = cursorOf(next)
	}
}

// status is that of a page whose headers are set.
func (res *Resource) status(h http.Header) int {
	switch {
	case res.Pagination != PageRange:
		return http.StatusOK
	case strings.HasPrefix(h.Get("Content-Range"), "items *"):
		return http.StatusRequestedRangeNotSatisfiable
	}
	return http.StatusPartialContent
}

// Method returns the method object of an integration that reads lists as the resource has them. empty says that pages
// may be empty in the middle.
func (res *Resource) Method(name string, empty bool) map[string]any {
	path := "/" + name
	if res.Parent != "" {
		path = "/" + res.Parent + "/{{id}}/" + name
	}
	m := map[string]any{"path": path, "response_path": "data", "pagination": nil}
	if res.Pagination == PageBody {
		m["method"], m["body"] = "post", map[string]any{"filter": "all"}
	}
	if format, config := res.paginationConfig(); format != "" {
		if empty {
			config["allow_empty_page_cursor"] = true
		}
		m["pagination"] = map[string]any{"format": format, "config": config}
	}
	return m
}

func (res *Resource) paginationConfig() (string, map[string]any) {
	switch res.Pagination {
	case PageNumber:
		return "page", map[string]any{"page_key": "page", "limit_key": "per_page", "max_limit": res.PageSize}
	case PageMore:
		return "page", map[string]any{"has_next_path": "has_more"}
	case PageOffset:
		return "offset", map[string]any{"max_limit": res.PageSize}
	case PageTotal:
		return "offset", map[string]any{"max_limit": res.PageSize, "total_path": "total"}
	case PageCursor:
		return "cursor", map[string]any{"cursor_path": "next_cursor"}
	case PageHeader:
		return "cursor", map[string]any{"cursor_path": "X-Next-Cursor", "cursor_path_object": "header"}
	case PageLink:
		return "cursor", map[string]any{"cursor_path": "next_link", "is_link": true}
	case PageBody:
		return "cursor", map[string]any{"cursor_path": "next_cursor", "add_to_body": true}
	case PageLinks:
		return "link_header", map[string]any{}
	case PageRange:
		return "range", map[string]any{"max_limit": res.PageSize}
	case PageComputed:
		return "dynamic", map[string]any{"get_pagination_values_expression": `response.next_cursor ? {"query": {"cursor": response.next_cursor}} : null`}
	}
	return "", nil
}
