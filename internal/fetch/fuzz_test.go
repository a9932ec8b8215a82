package fetch

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/fetch/config"
)

// FuzzParseConfig checks that no config crashes the parser, and that one which is accepted can be merged over itself
// and is accepted again.
func FuzzParseConfig(f *testing.F) {
	for _, name := range []string{"calcom.json", "zendesk.json"} {
		raw, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"resources":{"a":{"b":null}}}`, `{"resources":{"a":7}}`, `{"headers":{"":""}}`,
		`{"base_url":"https://a","resources":{"a":{"list":{"path":"","pagination":{"format":"range","config":{"range_unit":"x"}}}}}}`,
		`{"credentials":{"format":"oauth2"}}`, `{"actions":{"a":{"type":"request"}}}`, `{"pagination":{"format":"page","config":[]}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if _, err := config.Parse(json.RawMessage(src)); err != nil {
			return
		}
		merged := config.Merge(json.RawMessage(src), json.RawMessage(`{"label":"x"}`))
		if _, err := config.Parse(merged); err != nil {
			t.Errorf("got %v for the merged config %s of %s", err, merged, src)
		}
	})
}

// canned is a provider without a network.
type canned struct {
	header http.Header
	body   string
	asked  []*http.Request
}

func (a *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, r)
	return &http.Response{
		StatusCode: http.StatusOK, Header: a.header.Clone(), Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: -1, Request: r,
	}, nil
}

func paginations() []string {
	return []string{
		`"page"`, `"offset","config":{"total_path":"t"}`, `"cursor","config":{"cursor_path":"next"}`,
		`"cursor","config":{"cursor_path":"next","is_link":true,"include_path":true}`, `"link_header"`, `"range"`,
		`"dynamic","config":{"get_pagination_values_expression":"response"}`,
	}
}

// FuzzCursor checks that neither a made-up cursor nor a hostile response crashes a pagination, leads to another host, or
// gives a cursor that is not accepted again.
func FuzzCursor(f *testing.F) {
	f.Add(0, "", `{"next":"a"}`, "")
	f.Add(1, "eyJmIjoib2Zmc2V0IiwibiI6OX0", `{"t":1e400,"next":null}`, "")
	f.Add(2, "eyJmIjoiY3Vyc29yIiwiYyI6IngifQ", `{"next":{"a":[1]}}`, "")
	f.Add(3, "eyJmIjoiY3Vyc29yIiwidSI6Ii94In0", `{"next":"https://evil.test/"}`, "")
	f.Add(4, "", `[1]`, `<https://a.test/x?y=1>; rel="next", <//evil>; rel=prev`)
	f.Add(5, "", `[1]`, "")
	f.Add(6, "", `{"url":"/x","headers":{"A b":"c"},"query":{"a":[{}]}}`, "")
	f.Fuzz(func(t *testing.T, which int, sent, body, link string) {
		formats := paginations()
		format := formats[uint(which)%uint(len(formats))]
		cfg, err := config.Parse(json.RawMessage(`{"base_url":"https://a.test/v1","resources":{"things":{"list":{"path":"/x","pagination":{"format":` + format + `}}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		rt := &canned{header: http.Header{"Content-Type": {"application/json"}, "Link": {link}, "Content-Range": {link}, "Next-Range": {link}}, body: body}
		fetcher, err := New(FetcherConfig{Client: &http.Client{Transport: rt}, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		req := Request{Integration: cfg, Resource: "things", Method: "list", Cursor: sent, Context: map[string]any{"api_key": "secret"}}
		for range 3 {
			o, err := fetcher.Fetch(context.Background(), req)
			if err != nil && req.Cursor != sent && !strings.Contains(format, "dynamic") && !strings.Contains(format, "range") {
				t.Fatalf("got %v for the cursor %s, which a response gave", err, req.Cursor)
			}
			if err != nil || o.NextCursor == "" {
				break
			}
			req.Cursor = o.NextCursor
		}
		for _, r := range rt.asked {
			if r.URL.Host != "a.test" || r.URL.Scheme != "https" {
				t.Errorf("the request went to %s", r.URL)
			}
		}
	})
}

// FuzzPath checks that no value in a path leads to another host or out of its segment.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"1", "a/b", "..", "%2e%2e", "//evil.test", "?x=1", "#", "a b", "\x00", "@evil.test", "http://evil.test/", "{{id}}"} {
		f.Add(seed)
	}
	cfg, err := config.Parse(json.RawMessage(`{"base_url":"https://api.test/v1","resources":{"things":{"get":{"path":"/users/{{id}}/x","no_auth":true}}}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id string) {
		rt := &canned{header: http.Header{}, body: ""}
		fetcher, err := New(FetcherConfig{Client: &http.Client{Transport: rt}, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fetcher.Fetch(context.Background(), Request{Integration: cfg, Resource: "things", Method: "get", ID: id}); err != nil {
			return
		}
		u, err := url.Parse(rt.asked[0].URL.String())
		if err != nil {
			t.Fatalf("got a URL that cannot be read: %v", err)
		}
		if u.Host != "api.test" || u.RawQuery != "" || strings.Count(u.EscapedPath(), "/") != 4 || u.Path != "/v1/users/"+id+"/x" {
			t.Errorf("got %s for the id %q", u, id)
		}
	})
}
