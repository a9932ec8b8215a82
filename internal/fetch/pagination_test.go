package fetch

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/page"
)

// walk follows a list to its end and returns the ids of the records, page by page.
func walk(t *testing.T, f *Fetcher, req Request) string {
	t.Helper()
	var pages []string
	for range 20 {
		o := fetchOK(t, f, req)
		var ids []string
		for _, record := range o.Records.Items() {
			ids = append(ids, expr.Text(expr.Get(record, "id")))
		}
		pages = append(pages, strings.Join(ids, ","))
		if o.NextCursor == "" {
			return strings.Join(pages, "|")
		}
		if o.NextCursor == req.Cursor {
			t.Fatalf("got the cursor that was sent, after %v", pages)
		}
		req.Cursor = o.NextCursor
	}
	t.Fatalf("no end after %v", pages)
	return ""
}

// records responds with the records from..to-1 under the member data, and extra members.
func records(from, to int, extra string) string {
	var items []string
	for i := from; i < to; i++ {
		items = append(items, fmt.Sprintf(`{"id":%d}`, i))
	}
	return `{"data":[` + strings.Join(items, ",") + `]` + extra + `}`
}

func intParam(r *http.Request, key string, fallback int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(key))
	if err != nil {
		return fallback
	}
	return n
}

// Five records, 0 to 4, in pages of two unless the request says otherwise.
const total = 5

func byPage(first int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		size := intParam(r, "per_page", 2)
		from := min(total, (intParam(r, "page", first)-first)*size)
		to := min(total, from+size)
		respondJSON(200, records(from, to, fmt.Sprintf(`,"total":%d,"more":%t`, total, to < total)))(w, r)
	}
}

func byOffset(w http.ResponseWriter, r *http.Request) {
	from := min(total, intParam(r, "offset", 0))
	to := min(total, from+min(2, intParam(r, "limit", 2)))
	respondJSON(200, records(from, to, fmt.Sprintf(`,"total":"%d"`, total)))(w, r)
}

// byCursor reads the cursor from the query or from a JSON body and says in several ways how to go on.
func byCursor(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	from, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("cursor"), "c/"))
	if v, err := expr.ParseJSON(body); err == nil {
		if n, ok := expr.Number(expr.Lookup(v, "page.after")); ok {
			from = int(n)
		}
	}
	to := min(total, from+2)
	extra := `,"next":null,"more":false`
	if to < total {
		extra = fmt.Sprintf(`,"next":"c/%d","escaped":"c%%2F%d","number":%d,"more":"true","meta":{"cursors":[{"after":"c/%d"}]}`, to, to, to, to)
		extra += fmt.Sprintf(`,"link":"http://%s/other?cursor=c/%d&x=1","relative":"?cursor=c/%d"`, r.Host, to, to)
		w.Header().Set("X-Next", fmt.Sprintf("c/%d", to))
		w.Header().Set("Link", fmt.Sprintf(`</things?page=0>; rel="first", </things?cursor=c/%d&q=a,b>; rel="next"; title="a, b"`, to))
	}
	respondJSON(200, records(from, to, extra))(w, r)
}

func byRange(w http.ResponseWriter, r *http.Request) {
	var from, to int
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "items=%d-%d", &from, &to); err != nil || from >= total {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	to = min(to+1, total, from+2)
	size := r.URL.Query().Get("size")
	if size == "" {
		size = strconv.Itoa(total)
	}
	w.Header().Set("Content-Range", fmt.Sprintf("items %d-%d/%s", from, to-1, size))
	respondJSON(206, records(from, to, ""))(w, r)
}

func byNextRange(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(strings.TrimPrefix(r.Header.Get("Range"), "id ]"))
	to := min(total, from+2)
	if to < total {
		w.Header().Set("Next-Range", fmt.Sprintf("id ]%d", to))
	}
	respondJSON(206, records(from, to, ""))(w, r)
}

func TestPagination(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		serve      http.HandlerFunc
		pagination string
		method     string // more of the method
		limit      int
		pages      string
		lines      string // the request URIs without /things, space between
	}{
		{
			name: "page until an empty page", serve: byPage(1), pagination: `"page"`, pages: "0,1|2,3|4|",
			lines: "?page=1 ?page=2 ?page=3 ?page=4",
		},
		{
			name: "page with known largest size ends at a short page", serve: byPage(1),
			pagination: `"page","config":{"page_key":"page","limit_key":"per_page","max_limit":3}`,
			pages:      "0,1,2|3,4", lines: "?page=1&per_page=3 ?page=2&per_page=3",
		},
		{
			name: "page size of the caller, capped", serve: byPage(1), limit: 50,
			pagination: `"page","config":{"page_param":"page","limit_param":"per_page","max_limit":4}`,
			pages:      "0,1,2,3|4", lines: "?page=1&per_page=4 ?page=2&per_page=4",
		},
		{
			name: "page with total", serve: byPage(1), limit: 5,
			pagination: `"page","config":{"limit_key":"per_page","total_path":"total"}`, pages: "0,1,2,3,4", lines: "?page=1&per_page=5",
		},
		{
			name: "page from zero with a flag", serve: byPage(0),
			pagination: `"page","config":{"start_page":0,"has_next_path":"more"}`, pages: "0,1|2,3|4", lines: "?page=0 ?page=1 ?page=2",
		},
		{
			name: "page size as text in the body", serve: byPage(1), limit: 5, method: `,"method":"post","body":{"q":1}`,
			pagination: `"page","config":{"limit_key":"size","limit_data_type":"string","add_to_body":true,"has_next_path":"never"}`,
			pages:      "0,1", lines: "",
		},
		{
			name: "offset goes by what came", serve: byOffset, limit: 3, pagination: `"offset"`, pages: "0,1|2,3|4|",
			lines: "?offset=0&limit=3 ?offset=2&limit=3 ?offset=4&limit=3 ?offset=5&limit=3",
		},
		{
			name: "offset with total", serve: byOffset, pagination: `"offset","config":{"offset_param":"offset","total_path":"total"}`,
			pages: "0,1|2,3|4", lines: "?offset=0 ?offset=2 ?offset=4",
		},
		{
			name: "cursor", serve: byCursor, pagination: `"cursor","config":{"cursor_path":"next"}`,
			pages: "0,1|2,3|4", lines: " ?cursor=c%2F2 ?cursor=c%2F4",
		},
		{
			name: "cursor with flag, limit not repeated", serve: byCursor, limit: 7,
			pagination: `"cursor","config":{"cursor_path":"meta.cursors[-1].after","has_next_path":"more","limit_key":"n","ignore_limit_in_pagination":true}`,
			pages:      "0,1|2,3|4", lines: "?n=7 ?cursor=c%2F2 ?cursor=c%2F4",
		},
		{
			name: "escaped cursor", serve: byCursor,
			pagination: `"cursor","config":{"cursor_path":"escaped","is_cursor_url_encoded":true}`,
			pages:      "0,1|2,3|4", lines: " ?cursor=c%2F2 ?cursor=c%2F4",
		},
		{
			name: "cursor in a header", serve: byCursor,
			pagination: `"cursor","config":{"cursor_path":"x-next","cursor_path_object":"header"}`,
			pages:      "0,1|2,3|4", lines: " ?cursor=c%2F2 ?cursor=c%2F4",
		},
		{
			name: "cursor below pagination_path", serve: byCursor, method: `,"pagination_path":"meta.cursors.0"`,
			pagination: `"cursor","config":{"cursor_path":"after"}`, pages: "0,1|2,3|4", lines: " ?cursor=c%2F2 ?cursor=c%2F4",
		},
		{
			name: "cursor in the body and later pages elsewhere", serve: byCursor, limit: 2,
			method:     `,"method":"post","body":{"page":{"sort":"a"}},"pagination_path":"/things/more"`,
			pagination: `"cursor","config":{"cursor_path":"number","cursor_key":"page.after","limit_key":"page.size","add_to_body":true}`,
			pages:      "0,1|2,3|4", lines: " /more /more",
		},
		{
			name: "cursor is a link of which the query counts", serve: byCursor,
			pagination: `"cursor","config":{"cursor_path":"link","is_link":true}`, pages: "0,1|2,3|4", lines: " ?cursor=c/2&x=1 ?cursor=c/4&x=1",
		},
		{
			name: "cursor is a link with its path", serve: byCursor,
			pagination: `"cursor","config":{"cursor_path":"link","is_link":true,"include_path":true}`,
			pages:      "0,1|2,3|4", lines: " /other?cursor=c/2&x=1 /other?cursor=c/4&x=1",
		},
		{
			name: "cursor is a relative link", serve: byCursor,
			pagination: `"cursor","config":{"cursor_path":"relative","is_link":true}`, pages: "0,1|2,3|4", lines: " ?cursor=c/2 ?cursor=c/4",
		},
		{
			name: "link header", serve: byCursor, limit: 2, pagination: `"link_header","config":{"limit_key":"n"}`,
			pages: "0,1|2,3|4", lines: "?n=2 ?cursor=c/2&q=a,b ?cursor=c/4&q=a,b",
		},
		{name: "range", serve: byRange, limit: 2, pagination: `"range"`, pages: "0,1|2,3|4", lines: "  "},
		{
			name: "range of unknown size", serve: byRange, limit: 2, pagination: `"range","config":{"range_unit":"items"}`,
			method: `,"query":{"size":"*"}`, pages: "0,1|2,3|4|", lines: "?size=%2A ?size=%2A ?size=%2A ?size=%2A",
		},
		{name: "range that the API continues itself", serve: byNextRange, pagination: `"range","config":{"range_unit":"id"}`, pages: "0,1|2,3|4", lines: "  "},
		{
			name: "dynamic query values", serve: byOffset,
			pagination: `"dynamic","config":{"get_initial_pagination_values_expression":"{\"offset\": 0}",
				"get_pagination_values_expression":"$count(response.data) = 0 ? null : {\"offset\": paginationValues.offset + $count(body.data)}"}`,
			pages: "0,1|2,3|4|", lines: "?offset=0 ?offset=2 ?offset=4 ?offset=5",
		},
		{
			name: "dynamic values read by templates", serve: byOffset, method: `,"query":{"offset":"{{pagination.at}}","limit":1}`,
			pagination: `"dynamic","config":{"get_initial_pagination_values_expression":"{\"at\": $number(query.limit) - 1}",
				"get_pagination_values_expression":"paginationValues.at >= 2 ? null : {\"at\": paginationValues.at + 1}"}`,
			pages: "0|1|2", lines: "?offset=0&limit=1 ?offset=1&limit=1 ?offset=2&limit=1",
		},
		{
			name: "dynamic parts", serve: byCursor,
			pagination: `"dynamic","config":{
				"get_pagination_values_expression":"response.next ? {\"query\": {\"cursor\": response.next}, \"headers\": {\"X-Page\": \"more\"}} : null"}`,
			pages: "0,1|2,3|4", lines: " ?cursor=c%2F2 ?cursor=c%2F4",
		},
		{
			name: "dynamic url", serve: byCursor,
			pagination: `"dynamic","config":{"get_pagination_values_expression":"response.link ? {\"url\": response.link} : null"}`,
			pages:      "0,1|2,3|4", lines: " /other?cursor=c/2&x=1 /other?cursor=c/4&x=1",
		},
		{
			name: "dynamic cursor only", serve: byCursor,
			pagination: `"dynamic","config":{"get_initial_pagination_values_expression":"{\"cursor\": query.next_cursor}",
				"get_cursor_from_response_expression":"response.next"}`,
			pages: "0,1|2,3|4", lines: " ?cursor=c%2F2 ?cursor=c%2F4",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, tc.serve)
			method := `{"path":"/things","response_path":"data"` + tc.method + `}`
			cfg := oneMethod(t, u.URL, `"pagination":{"format":`+tc.pagination+`}`, method)
			pages := walk(t, newFetcher(t), Request{Integration: cfg, Limit: tc.limit})
			if pages != tc.pages {
				t.Errorf("got pages %q, want %q", pages, tc.pages)
			}
			var lines []string
			for _, line := range u.lines() {
				_, uri, _ := strings.Cut(line, " ")
				lines = append(lines, strings.TrimPrefix(uri, "/things"))
			}
			if got := strings.Join(lines, " "); got != tc.lines {
				t.Errorf("got requests %q, want %q", got, tc.lines)
			}
		})
	}
}

func TestCursorGoesIntoTheBody(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, byCursor)
	cfg := oneMethod(t, u.URL, "", `{"path":"/things","method":"post","response_path":"data","body":{"filter":["a"],"page":{"sort":"x"}},
		"pagination":{"format":"cursor","config":{"cursor_path":"number","cursor_key":"page.after","limit_key":"page.size","limit_data_type":"string",
		"add_to_body":true,"headers":{"X-Extra":"{{region}}"}}}}`)
	walk(t, newFetcher(t), Request{Integration: cfg, Limit: 2, Context: map[string]any{"region": "eu"}})
	want := []string{
		`{"filter":["a"],"page":{"sort":"x","size":"2"}}`,
		`{"filter":["a"],"page":{"sort":"x","size":"2","after":2}}`,
		`{"filter":["a"],"page":{"sort":"x","size":"2","after":4}}`,
	}
	if diff := cmp.Diff(want, u.bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	if r, _ := u.last(t); r.Header.Get("X-Extra") != "eu" {
		t.Errorf("got extra header %q", r.Header.Get("X-Extra"))
	}
}

func TestBodyIsLeftOutOnLaterPages(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, byCursor)
	cfg := oneMethod(t, u.URL, "", `{"path":"/things","method":"post","response_path":"data","body":{"q":1},"ignore_body_in_pagination":true,
		"pagination":{"format":"cursor","config":{"cursor_path":"next"}}}`)
	walk(t, newFetcher(t), Request{Integration: cfg})
	if diff := cmp.Diff([]string{`{"q":1}`, "", ""}, u.bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func TestRepeatedCursorIsVisible(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{"data":[{"id":1}],"next":"same"}`))
	cfg := oneMethod(t, u.URL, "", `{"path":"/things","response_path":"data","pagination":{"format":"cursor","config":{"cursor_path":"next"}}}`)
	f := newFetcher(t)
	first := fetchOK(t, f, Request{Integration: cfg})
	second := fetchOK(t, f, Request{Integration: cfg, Cursor: first.NextCursor})
	if first.NextCursor == "" || second.NextCursor != first.NextCursor {
		t.Errorf("got %q after %q, want the same", second.NextCursor, first.NextCursor)
	}
}

func TestContentHashEndsARepeatingList(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{"data":[{"id":1}],"next":"same"}`))
	cfg := oneMethod(t, u.URL, "", `{"path":"/things","response_path":"data",
		"pagination":{"format":"cursor","config":{"cursor_path":"next","use_content_hash":true}}}`)
	if pages := walk(t, newFetcher(t), Request{Integration: cfg}); pages != "1|1" {
		t.Errorf("got pages %q, want the list to end when a page comes again", pages)
	}
}

func TestEmptyPage(t *testing.T) {
	t.Parallel()
	for allow, want := range map[string]bool{"true": true, "false": false} {
		u := newUpstream(t, respondJSON(200, `{"data":[],"next":"x"}`))
		cfg := oneMethod(t, u.URL, "", `{"path":"/things","response_path":"data",
			"pagination":{"format":"cursor","config":{"cursor_path":"next","allow_empty_page_cursor":`+allow+`}}}`)
		o := fetchOK(t, newFetcher(t), Request{Integration: cfg})
		if got := o.NextCursor != ""; got != want {
			t.Errorf("allow_empty_page_cursor %s: got a cursor %t, want %t", allow, got, want)
		}
	}
}

func TestPreviousPages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, pagination string
		serve            http.HandlerFunc
	}{
		{"page", `"page","config":{"limit_key":"per_page"}`, byPage(1)},
		{"offset", `"offset"`, byOffset},
		{"range", `"range"`, byRange},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, tc.serve)
			cfg := oneMethod(t, u.URL, "", `{"path":"/things","response_path":"data","pagination":{"format":`+tc.pagination+`}}`)
			f := newFetcher(t)
			first := fetchOK(t, f, Request{Integration: cfg, Limit: 2})
			second := fetchOK(t, f, Request{Integration: cfg, Limit: 2, Cursor: first.NextCursor})
			back := fetchOK(t, f, Request{Integration: cfg, Cursor: second.PrevCursor})
			if first.PrevCursor != "" {
				t.Errorf("got a cursor before the first page")
			}
			if diff := cmp.Diff(encode(t, first.Records), encode(t, back.Records)); diff != "" {
				t.Errorf("the page before the second is not the first (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLinkMustStayOnTheHost(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"http://evil.test/things?page=2", "//evil.test/x", "https://user@evil.test/"} {
		u := newUpstream(t, respondJSON(200, `{"data":[{"id":1}],"next":"`+link+`"}`))
		cfg := oneMethod(t, u.URL, "", `{"path":"/things","response_path":"data","pagination":{"format":"cursor","config":{"cursor_path":"next","is_link":true}}}`)
		o := fetchAny(t, newFetcher(t), Request{Integration: cfg})
		if o.Kind != KindRemoteError || !strings.Contains(o.Message, "evil.test") {
			t.Errorf("%s: got %s %q, want a remote error that names the host", link, o.Kind, o.Message)
		}
	}
}

func TestMadeUpCursorsAreRejected(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	link := oneMethod(t, u.URL, "", `{"path":"/things","pagination":{"format":"link_header"}}`)
	numbered := oneMethod(t, u.URL, "", `{"path":"/things","pagination":{"format":"page"}}`)
	ranged := oneMethod(t, u.URL, "", `{"path":"/things","pagination":{"format":"range"}}`)
	dynamic := oneMethod(t, u.URL, "", `{"path":"/things","pagination":{"format":"dynamic","config":{"get_pagination_values_expression":"null"}}}`)
	none := oneMethod(t, u.URL, "", `{"path":"/things"}`)
	made := func(c page.Cursor) string {
		s, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, req := range map[string]Request{
		"not base64":        {Integration: numbered, Cursor: "%%%"},
		"not ours":          {Integration: numbered, Cursor: "eyJ4IjoxfQ"},
		"of another format": {Integration: numbered, Cursor: made(page.Cursor{Format: page.FormatOffset, Number: 3})},
		"negative":          {Integration: numbered, Cursor: made(page.Cursor{Format: page.FormatPage, Number: -3})},
		"huge":              {Integration: numbered, Cursor: strings.Repeat("A", page.MaxCursor+1)},
		"other host":        {Integration: link, Cursor: made(page.Cursor{Format: page.FormatLink, Link: "https://evil.test/"})},
		"host only":         {Integration: link, Cursor: made(page.Cursor{Format: page.FormatLink, Link: "//evil.test/x"})},
		"no path":           {Integration: link, Cursor: made(page.Cursor{Format: page.FormatLink, Link: "evil"})},
		"line break":        {Integration: ranged, Cursor: made(page.Cursor{Format: page.FormatRange, Value: []byte(`"items=0-1\r\nX: y"`)})},
		"url elsewhere":     {Integration: dynamic, Cursor: made(page.Cursor{Format: page.FormatDynamic, Value: []byte(`{"url":"https://evil.test/"}`)})},
		"no pagination":     {Integration: none, Cursor: made(page.Cursor{Format: page.FormatPage, Number: 2})},
	} {
		req.Resource, req.Method = "things", "list"
		if _, err := newFetcher(t).Fetch(t.Context(), req); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if lines := u.lines(); len(lines) > 0 {
		t.Errorf("the provider was called: %v", lines)
	}
}

func TestLinkKeepsCredentialsOfTheQuery(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("after") {
			w.Header().Set("Link", `</things?after=1>; rel=next`)
		}
		respondJSON(200, `[{"id":1}]`)(w, r)
	})
	cfg := oneMethod(t, u.URL, "", `{"path":"/things","query":{"key":"{{api_key}}","sort":"a"},"no_auth":true,"pagination":{"format":"link_header"}}`)
	req := Request{Integration: cfg, Context: map[string]any{"api_key": "sekret-value"}}
	walk(t, newFetcher(t), req)
	want := []string{"GET /things?key=sekret-value&sort=a", "GET /things?key=sekret-value&after=1"}
	if diff := cmp.Diff(want, u.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestOnlyListsInheritPagination(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{"id":1}`))
	cfg := parse(t, `{"base_url":"`+u.URL+`","pagination":{"format":"page"},"resources":{"things":{"get":{"path":"/things/{{id}}"},"search":{"path":"/s"}}}}`)
	for _, method := range []string{"get", "search"} {
		if o := fetchOK(t, newFetcher(t), Request{Integration: cfg, Resource: "things", Method: method, ID: "1"}); o.NextCursor != "" {
			t.Errorf("%s: got a cursor", method)
		}
	}
	if diff := cmp.Diff([]string{"GET /things/1", "GET /s"}, u.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestControlsInTheQuery(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, byPage(1))
	cfg := oneMethod(t, u.URL, "", `{"path":"/things","response_path":"data","pagination":{"format":"page","config":{"limit_key":"per_page"}}}`)
	f := newFetcher(t)
	query := `{"limit":"2","integrated_account_id":"x","truto_response_format":"raw","q":1,"next_cursor":%q}`
	first := fetchOK(t, f, Request{Integration: cfg, Query: object(t, fmt.Sprintf(query, ""))})
	fetchOK(t, f, Request{Integration: cfg, Query: object(t, fmt.Sprintf(query, first.NextCursor))})
	if diff := cmp.Diff([]string{"GET /things?q=1&page=1&per_page=2", "GET /things?q=1&page=2&per_page=2"}, u.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
