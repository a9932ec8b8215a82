package provider

import (
	"fmt"
	"net/http"
	"strings"
)

// Resource is one kind of lists of a provider.
type Resource struct {
	Parent     string           `json:"parent"`
	Pagination string           `json:"pagination"` // see the constants; empty: one page
	PageSize   int              `json:"page_size"`
	Count      int              `json:"count"` // so many records are made up: {"id": "<resource>-<n>", "n": <n>, "parent": "<id>"}
	Records    []map[string]any `json:"records"`
	Faults     []*Fault         `json:"faults"`

	// Lists says what every page is, instead of Count and Records: pages may be empty, or repeat records as they do when
	// records are added while a client pages. Lists are distinguished by their parent and by the parameters el and c.
	Lists map[string][]Page `json:"lists"`
	// LoopTo makes the last page of a list lead back to a page.
	LoopTo map[string]int `json:"loop_to"`
	// Plain labels the responses as text.
	Plain bool `json:"plain"`
}

// Page is one page of records.
type Page []map[string]any

// The ways of paging. Offsets count records, everything else counts pages.
const (
	PageNumber   = "page"          // ?page=2&per_page=n; a short page is the last
	PageMore     = "page_more"     // ?page=2; has_more says whether there is another
	PageOffset   = "offset"        // ?offset=n&limit=n; a short page is the last
	PageTotal    = "offset_total"  // ?offset=n&limit=n; total says how many records there are
	PageCursor   = "cursor"        // ?cursor=x; next_cursor in the body
	PageHeader   = "cursor_header" // ?cursor=x; the header X-Next-Cursor
	PageLink     = "cursor_link"   // a URL in the body
	PageBody     = "cursor_body"   // POST; the cursor is in both bodies
	PageLinks    = "link_header"   // the header Link
	PageRange    = "range"         // the headers Range and Content-Range
	PageComputed = "dynamic"       // ?cursor=x, by expressions
)

// paged is one list of a resource.
type paged struct {
	key   string // in Lists; empty when the resource has none
	pages []Page
	back  int // where the last page leads; -1: nowhere
}

// ListKey names a list by what tells it apart.
func ListKey(of, el, c string) string { return of + "|" + el + "|" + c }

// list returns the list that a request asks for. A parent is in the path, or the parameter of.
func (res *Resource) list(r *http.Request, name, parent, apiKey string) *paged {
	if res.Lists == nil {
		return &paged{pages: res.chunks(res.all(name, parent, apiKey)), back: -1}
	}
	q := r.URL.Query()
	if parent == "" {
		parent = q.Get("of")
	}
	l := &paged{key: ListKey(parent, q.Get("el"), q.Get("c")), back: -1}
	l.pages = res.Lists[l.key]
	if at, ok := res.LoopTo[l.key]; ok {
		l.back = at
	}
	return l
}

// chunks cuts records into pages.
func (res *Resource) chunks(all []map[string]any) []Page {
	size := max(res.PageSize, 1)
	if res.Pagination == "" {
		size = max(len(all), 1)
	}
	var pages []Page
	for from := 0; from < len(all); from += size {
		pages = append(pages, all[from:min(from+size, len(all))])
	}
	return pages
}

// all returns the records of a list. Generated ones are distinguished by the caller's key, so that records of two
// accounts are never the same.
func (res *Resource) all(name, parent, key string) []map[string]any {
	if res.Records != nil {
		if res.Parent == "" {
			return res.Records
		}
		var own []map[string]any
		for _, r := range res.Records {
			if fmt.Sprint(r["parent"]) == parent {
				own = append(own, r)
			}
		}
		return own
	}
	out := make([]map[string]any, res.Count)
	for i := range out {
		out[i] = map[string]any{"id": fmt.Sprintf("%s-%d", name, i), "n": i, "key": key}
		if parent != "" {
			out[i]["id"], out[i]["parent"] = fmt.Sprintf("%s-%s-%d", parent, name, i), parent
		}
	}
	return out
}

// page returns a page; behind the last one, pages are empty.
func (l *paged) page(n int) Page {
	if n >= len(l.pages) {
		return Page{}
	}
	return l.pages[n]
}

// total returns how many records the pages before page n have together.
func (l *paged) total(n int) int {
	sum := 0
	for _, p := range l.pages[:min(n, len(l.pages))] {
		sum += len(p)
	}
	return sum
}

// next returns the page behind page n, or -1.
func (l *paged) next(n int) int {
	if n+1 < len(l.pages) {
		return n + 1
	}
	return l.back
}

// isMade reports whether a cursor is one of ours, and of which page.
func (l *paged) isMade(cursor string) (int, bool) {
	for n := range max(len(l.pages), 1) {
		if cursor == cursorOf(n) {
			return n, true
		}
	}
	return 0, false
}

// cursorOf makes cursors that are not numbers.
func cursorOf(page int) string { return fmt.Sprintf("c/%x", page*7919+13) }

// IsCursor reports whether a kind of pagination leads from page to page only.
func IsCursor(pagination string) bool {
	return strings.HasPrefix(pagination, PageCursor) || pagination == PageLinks || pagination == PageComputed
}

// Fit makes pages possible in the resource's pagination.
func (res *Resource) Fit(pages []Page) []Page {
	switch res.Pagination {
	case PageNumber, PageOffset, PageRange:
		all := flat(pages)
		pages = res.chunks(all)
		if full := len(all)%res.PageSize == 0; full && res.Pagination != PageRange {
			pages = append(pages, Page{}) // only an empty page says that the full one was the last
		}
	case PageTotal, PageMore:
		var some []Page
		for _, p := range pages {
			if p = p[:min(len(p), res.PageSize)]; len(p) > 0 {
				some = append(some, p)
			}
		}
		pages = some
	case "":
		pages = []Page{flat(pages)}
	}
	if len(pages) == 0 {
		pages = []Page{{}}
	}
	return pages
}

func flat(pages []Page) Page {
	var all Page
	for _, p := range pages {
		all = append(all, p...)
	}
	return all
}

// HasGaps reports whether a list has an empty page with another behind it.
func (res *Resource) HasGaps() bool {
	for key, pages := range res.Lists {
		for i, p := range pages {
			_, circles := res.LoopTo[key]
			if len(p) == 0 && (i+1 < len(pages) || circles) {
				return true
			}
		}
	}
	return false
}
