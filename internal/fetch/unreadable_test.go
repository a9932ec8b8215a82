package fetch

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/fetch/page"
)

// A response without the requested page must not pass for the end of a list: the rest of it would be lost.
func TestResponsesThatAreNoPages(t *testing.T) {
	t.Parallel()
	const pages = `,"pagination":{"format":"cursor","config":{"cursor_path":"next"}}`
	const paged = `"response_path":"data"` + pages
	for _, tc := range []struct {
		name, method, contentType, body string
		later                           bool // not the first page
		want                            Kind
	}{
		{"page for people", paged, "text/html", "<title>Back soon</title>", false, KindRemoteError},
		{"page for people without response_path", `"response_path":""` + pages, "text/html", "<title>Back soon</title>", false, KindRemoteError},
		{"page for people without pagination", `"response_path":"data"`, "text/html", "<title>Back soon</title>", false, KindRemoteError},
		{"text that is asked for", `"response_path":""`, "text/html", "<title>Hello</title>", false, KindOK},
		{"text by config", `"api_response_format":"text"` + pages, "text/html", "a", false, KindOK},
		{"json that breaks off", paged, "application/json", `{"data":[{"id":1},`, false, KindRemoteError},
		{"tolerated json that breaks off", paged + `,"throw_error_on_parse_error":false`, "application/json", `{"data":[{"id":1},`, false, KindOK},
		{"json that breaks off, called text", paged, "text/plain", `{"data":[{"id":1},`, false, KindRemoteError},
		{"bytes", paged, "application/octet-stream", "\x00\x01", false, KindRemoteError},
		{"nothing, first", paged, "application/json", "", false, KindOK},
		{"nothing, later", paged, "application/json", "", true, KindRemoteError},
		{"blank, later", paged, "application/json", " \n", true, KindRemoteError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				_, _ = io.WriteString(w, tc.body)
			})
			req := Request{Integration: oneMethod(t, u.URL, "", `{"path":"/x",`+tc.method+`}`)}
			if tc.later {
				var err error
				if req.Cursor, err = (&page.Cursor{Format: page.FormatCursor, Value: []byte(`"x"`)}).Encode(); err != nil {
					t.Fatal(err)
				}
			}
			o := fetchAny(t, newFetcher(t), req)
			if o.Kind != tc.want {
				t.Fatalf("got %s with %d records (%s), want %s", o.Kind, o.Records.Len(), o.Message, tc.want)
			}
			if o.Kind == KindRemoteError && (o.ErrorClass != classUnreadable || !o.Temporary()) {
				t.Errorf("got class %q, temporary %t, want an unreadable response that is asked for again", o.ErrorClass, o.Temporary())
			}
		})
	}
}

func TestNoContentIsAnEmptyPage(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	cfg := oneMethod(t, u.URL, "", `{"path":"/x","response_path":"data","pagination":{"format":"page"}}`)
	at, err := (&page.Cursor{Format: page.FormatPage, Number: 2}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if o := fetchOK(t, newFetcher(t), Request{Integration: cfg, Cursor: at}); o.Records.Len() != 0 || o.NextCursor != "" {
		t.Errorf("got %d records and the cursor %q, want an empty page that ends the list", o.Records.Len(), o.NextCursor)
	}
}

func TestRateLimitsThatOnlyTheBodyTells(t *testing.T) {
	t.Parallel()
	const config = `"rate_limit":{"is_rate_limited":"status = 403 and $contains(body.message, \"rate limit\")",
		"retry_after_header_expression":"response.body.retry_in"}`
	for body, want := range map[string]Kind{
		`{"message":"secondary rate limit","retry_in":7}`: KindRateLimited,
		`{"message":"not yours"}`:                         KindRemoteError,
	} {
		u := newUpstream(t, respondJSON(http.StatusForbidden, body))
		o := fetchAny(t, newFetcher(t), Request{Integration: oneMethod(t, u.URL, config, `{"path":"/x"}`)})
		if o.Kind != want {
			t.Errorf("%s: got %s, want %s", body, o.Kind, want)
		}
		if want == KindRateLimited && o.RetryAfter != 7*time.Second {
			t.Errorf("got to wait %s, want 7 s", o.RetryAfter)
		}
	}
}
