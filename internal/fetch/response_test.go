package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
)

func asError(err error, target **millrace.Error) bool { return errors.As(err, target) }

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, top, method string
		status            int
		header            map[string]string
		body              string
		want              Kind
		message           string
		retryAfter        time.Duration
		says              int // the status that the config makes of it
	}{
		{name: "ok", status: 200, body: `[]`, want: KindOK},
		{name: "created", status: 201, body: `[]`, want: KindOK},
		{name: "no content", status: 204, want: KindOK},
		{name: "unauthorized", status: 401, body: `{"error":{"message":"bad token"}}`, want: KindUnauthorized, message: "bad token"},
		{name: "forbidden", status: 403, body: `{"errors":[{"detail":"no scope"}]}`, want: KindRemoteError, message: "no scope"},
		{name: "server error", status: 500, body: `<html>oops</html>`, want: KindRemoteError, message: "<html>oops</html>"},
		{name: "empty error", status: 502, want: KindRemoteError, message: "the provider responded with 502 Bad Gateway"},
		{name: "not modified", status: 304, want: KindRemoteError, message: "the provider responded with 304 Not Modified"},
		{name: "429 without a word", status: 429, want: KindRateLimited, message: "the provider responded with 429 and limits its callers"},
		{name: "429 with seconds", status: 429, header: map[string]string{"Retry-After": "7"}, body: `{"message":"slow"}`, want: KindRateLimited, message: "slow", retryAfter: 7 * time.Second},
		{name: "429 with a date", status: 429, header: map[string]string{"Retry-After": now.Add(90 * time.Second).Format(http.TimeFormat)}, want: KindRateLimited, message: "*", retryAfter: 90 * time.Second},
		{name: "429 with a date in the past", status: 429, header: map[string]string{"Retry-After": now.Add(-time.Hour).Format(http.TimeFormat)}, want: KindRateLimited, message: "*"},
		{name: "429 with a fraction", status: 429, header: map[string]string{"Retry-After": "0.2"}, want: KindRateLimited, message: "*", retryAfter: minWait},
		{name: "429 with a negative wait", status: 429, header: map[string]string{"Retry-After": "-5"}, want: KindRateLimited, message: "*"},
		{name: "429 with no number", status: 429, header: map[string]string{"Retry-After": "1e309"}, want: KindRateLimited, message: "*"},
		{name: "429 with a reset alone", status: 429, header: map[string]string{"X-RateLimit-Reset": "1767323085"}, want: KindRateLimited, message: "*", retryAfter: 40 * time.Second},
		{name: "403 with seconds", status: 403, header: map[string]string{"Retry-After": "3"}, want: KindRateLimited, message: "*", retryAfter: 3 * time.Second},
		{name: "403 with nothing left", status: 403, header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767323085"}, want: KindRateLimited, message: "*", retryAfter: 40 * time.Second},
		{name: "403 with something left", status: 403, header: map[string]string{"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1767323085"}, want: KindRemoteError, message: "*"},
		{name: "429 forever", status: 429, header: map[string]string{"Retry-After": "1e300"}, want: KindRateLimited, message: "*", retryAfter: maxWait},
		{name: "429 with nonsense", status: 429, header: map[string]string{"Retry-After": "soon"}, want: KindRateLimited, message: "*"},
		{name: "429 with a reset", status: 429, header: map[string]string{"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767323085"}, want: KindRateLimited, message: "*", retryAfter: 40 * time.Second},
		{name: "503 with seconds", status: 503, header: map[string]string{"Retry-After": "3"}, want: KindRateLimited, message: "*", retryAfter: 3 * time.Second},
		{name: "503 alone", status: 503, want: KindRemoteError, message: "*"},
		{
			name: "rate limit by expression, the longer wait wins", status: 403, header: map[string]string{"X-Wait": "5", "X-Reset": "1767323065"},
			top:  `"rate_limit":{"is_rate_limited":"status = 403 and $exists(headers.\"x-wait\")","retry_after_header_expression":"headers.\"x-wait\"","rate_limit_header_expression":"$number(headers.\"x-reset\")"}`,
			want: KindRateLimited, message: "*", retryAfter: 20 * time.Second,
		},
		{
			name: "rate limit with variables and a triple", status: 420, header: map[string]string{"Retry-After": "2"},
			top:  `"rate_limit":{"is_rate_limited":"$response.status = 420","retry_after_header_expression":"$number($header.\"retry-after\") * 2","rate_limit_header_expression":"{\"limit\":1,\"remaining\":0,\"reset\":3}"}`,
			want: KindRateLimited, message: "*", retryAfter: 4 * time.Second,
		},
		{
			name: "rate limit sample with plain values", status: 429, header: map[string]string{"Retry-After": "9"},
			top: `"rate_limit":{"is_rate_limited":true,"retry_after_header_expression":"Retry-After"}`, want: KindRateLimited, message: "*", retryAfter: 9 * time.Second,
		},
		{
			name: "expression says no", status: 503, header: map[string]string{"Retry-After": "9"},
			top: `"rate_limit":{"is_rate_limited":"status = 999"}`, want: KindRemoteError, message: "*",
		},
		{name: "error expression with text", status: 200, top: `"error_expression":"response.ok = false ? response.error"`, body: `{"ok":false,"error":"nope"}`, want: KindRemoteError, message: "nope"},
		{name: "error expression true", status: 200, top: `"error_expression":"$exists(data.fault)"`, body: `{"fault":1,"message":"found"}`, want: KindRemoteError, message: "found"},
		{name: "error expression sees all of a response", status: 200, top: `"error_expression":"status >= 400 or $exists(data.error)"`, method: `,"response_path":"items"`, body: `{"error":"nope","items":[]}`, want: KindRemoteError, message: "nope"},
		{name: "error expression quiet", status: 200, top: `"error_expression":"status > 300"`, body: `[]`, want: KindOK},
		{name: "error expression with status 401", status: 200, top: `"error_expression":"{\"status\":401,\"message\":\"expired\"}"`, want: KindUnauthorized, says: 401, message: "expired"},
		{name: "error expression with status 429", status: 200, header: map[string]string{"Retry-After": "4"}, top: `"error_expression":"{\"status_code\":429}"`, want: KindRateLimited, message: "*", retryAfter: 4 * time.Second},
		{name: "error expression of the method", status: 200, top: `"error_expression":"true"`, method: `,"error_expression":"false"`, want: KindOK},
		{name: "broken json", status: 200, body: `{"a":`, want: KindRemoteError, message: "the response is not valid JSON*"},
		{name: "broken json allowed", status: 200, method: `,"throw_error_on_parse_error":false`, body: `{"a":`, want: KindOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				for name, v := range tc.header {
					w.Header().Set(name, v)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			o := fetchAny(t, newFetcher(t), Request{Integration: oneMethod(t, u.URL, tc.top, `{"path":"/x"`+tc.method+`}`)})
			if o.Kind != tc.want || o.Status != max(tc.says, tc.status) || o.RetryAfter != tc.retryAfter {
				t.Errorf("got %s %d, wait %s; want %s %d, wait %s", o.Kind, o.Status, o.RetryAfter, tc.want, tc.status, tc.retryAfter)
			}
			prefix, open := strings.CutSuffix(tc.message, "*")
			if o.Message != tc.message && (!open || !strings.HasPrefix(o.Message, prefix) || o.Message == "") {
				t.Errorf("got message %q, want %q", o.Message, tc.message)
			}
			if o.Kind != KindOK && string(o.Raw) != tc.body {
				t.Errorf("got raw %q, want %q", o.Raw, tc.body)
			}
		})
	}
}

func TestResponseFormats(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, contentType, method, body string
		data, records                   string
	}{
		{"json", "application/json", "", `{"a":1}`, `{"a":1}`, `[{"a":1}]`},
		{"json with charset", "application/vnd.api+json; charset=utf-8", "", `[1]`, `[1]`, `[1]`},
		{"json with byte order mark", "application/json", "", "\ufeff[1]", `[1]`, `[1]`},
		{"json called text", "text/plain", "", ` [1] `, `[1]`, `[1]`},
		{"json without a type", "", "", `{"a":1}`, `{"a":1}`, `[{"a":1}]`},
		{"text", "text/csv", "", "a,b\n1,2", `"a,b\n1,2"`, `["a,b\n1,2"]`},
		{"text by config", "application/json", `,"api_response_format":"text"`, `[1]`, `"[1]"`, `["[1]"]`},
		{"path", "application/json", `,"response_path":"a.b"`, `{"a":{"b":[1,2]}}`, `[1,2]`, `[1,2]`},
		{"path with index", "application/json", `,"response_path":"a[0].b"`, `{"a":[{"b":{"c":1}}]}`, `{"c":1}`, `[{"c":1}]`},
		{"path to null", "application/json", `,"response_path":"a"`, `{"a":null}`, `null`, `[]`},
		{"empty", "application/json", "", "", "", `[]`},
		{
			"xml", "application/xml", `,"response_path":"rows.row"`,
			`<?xml version="1.0" encoding="ISO-8859-1"?><n:rows xmlns:n="u" x="1"><n:row id="1">a</n:row><row><name>b ` + "\xe9" + `</name></row></n:rows>`,
			`[{"@id":"1","#text":"a"},{"name":"b é"}]`, `[{"@id":"1","#text":"a"},{"name":"b é"}]`,
		},
		{"xml by config", "text/html", `,"api_response_format":"xml"`, `<a/>`, `{"a":""}`, `[{"a":""}]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if tc.contentType != "" {
					w.Header().Set("Content-Type", tc.contentType)
				}
				_, _ = io.WriteString(w, tc.body)
			})
			o := fetchOK(t, newFetcher(t), Request{Integration: oneMethod(t, u.URL, "", `{"path":"/x"`+tc.method+`}`)})
			wantJSON(t, "data", o.Data, tc.data)
			wantJSON(t, "records", o.Records, tc.records)
		})
	}
}

func TestBrokenXMLIsARemoteError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"<a>", "plain", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", strings.Repeat("<a>", 300), `<?xml version="1.0" encoding="utf-16"?><a/>`} {
		u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			_, _ = io.WriteString(w, body)
		})
		if o := fetchAny(t, newFetcher(t), Request{Integration: oneMethod(t, u.URL, "", `{"path":"/x"}`)}); o.Kind != KindRemoteError {
			t.Errorf("got %s for %.40s", o.Kind, body)
		}
	}
}

func TestResponsePathThatLeadsNowhereIsNoted(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{"items":[],"meta":1}`))
	o := fetchOK(t, newFetcher(t), Request{Integration: oneMethod(t, u.URL, "", `{"path":"/x","response_path":"data"}`)})
	if want := "response_path data leads nowhere in the response, which has items, meta"; o.Note != want || o.Records.Len() != 0 {
		t.Errorf("got note %q and %d records, want %q and none", o.Note, o.Records.Len(), want)
	}
}

func TestLargeResponses(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 4<<20))
	_ = z.Close()
	for name, serve := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 4<<20)) },
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		},
	} {
		u := newUpstream(t, serve)
		f := newFetcher(t, func(c *FetcherConfig) { c.MaxResponse = 1 << 20 })
		o := fetchAny(t, f, Request{Integration: oneMethod(t, u.URL, `"headers":{"Accept-Encoding":"gzip"}`, `{"path":"/x"}`)})
		if o.Kind != KindRemoteError || o.ErrorClass != "too_large" || len(o.Raw) > maxRaw {
			t.Errorf("%s: got %s %s with %d raw bytes", name, o.Kind, o.ErrorClass, len(o.Raw))
		}
	}
}

func TestGzipIsUnpacked(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `[1]`)
		_ = z.Close()
	})
	wantJSON(t, "data", fetchOK(t, newFetcher(t), Request{Integration: oneMethod(t, u.URL, "", `{"path":"/x"}`)}).Data, `[1]`)
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = nil
	t.Cleanup(tlsServer.Close)
	broken := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "short")
	})
	silent := newUpstream(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	loop := newUpstream(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	scheme := newUpstream(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "ftp://a.test/", http.StatusFound) })
	dialing := func(err error) *http.Client {
		return &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}}
	}
	for _, tc := range []struct {
		name, url string
		client    *http.Client
		class     string
		temporary bool
	}{
		{"closed port", closed.URL, &http.Client{}, "refused", true},
		{"certificate", tlsServer.URL, &http.Client{}, "tls", true},
		{"body cut off", broken.URL, &http.Client{}, "reset", true},
		{"no response", silent.URL, &http.Client{}, "reset", true},
		{"redirects forever", loop.URL, &http.Client{}, "redirect", false},
		{"redirect to another scheme", scheme.URL, &http.Client{}, "redirect", false},
		{"blocked", "https://a.test", dialing(&egress.BlockedError{Host: "10.0.0.1", Reason: "it is private"}), "blocked", false},
		{"dns", "https://a.test", dialing(&net.DNSError{Err: "no such host", Name: "a.test"}), "dns", true},
	} {
		f := newFetcher(t, func(c *FetcherConfig) { c.Client = tc.client })
		o := fetchAny(t, f, Request{Integration: oneMethod(t, tc.url, "", `{"path":"/x?a=b"}`)})
		if o.Kind != KindNetworkError || o.ErrorClass != tc.class || o.Temporary() != tc.temporary {
			t.Errorf("%s: got %s %s temporary=%t (%s), want %s temporary=%t", tc.name, o.Kind, o.ErrorClass, o.Temporary(), o.Message, tc.class, tc.temporary)
		}
		if o.Message == "" || strings.Contains(o.Message, "a=b") {
			t.Errorf("%s: got message %q, want one without the URL", tc.name, o.Message)
		}
	}
}

func TestCallersContextEndsWithAnError(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	u := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(cause)
		<-r.Context().Done()
	})
	cfg := oneMethod(t, u.URL, "", `{"path":"/x"}`)
	if _, err := newFetcher(t).Fetch(ctx, Request{Integration: cfg, Resource: "things", Method: "list"}); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause of the context", err)
	}
}

func TestExpressionErrorsHaveAPlace(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	cfg := oneMethod(t, u.URL, `"error_expression":"1 + \"a\""`, `{"path":"/x"}`)
	_, err := newFetcher(t).Fetch(t.Context(), Request{Integration: cfg, Resource: "things", Method: "list"})
	var e *millrace.Error
	if !asError(err, &e) || e.Failures[0].Path != "config.error_expression" || e.Failures[0].Code != "T2002" {
		t.Errorf("got %v (%+v), want T2002 at config.error_expression", err, e)
	}
}

func TestRateLimitHeaders(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header http.Header
		want   RateLimit
	}{
		"none":         {http.Header{}, RateLimit{}},
		"draft":        {http.Header{"Ratelimit-Limit": {"100, 100;w=60"}, "Ratelimit-Remaining": {"9"}, "Ratelimit-Reset": {"30"}}, RateLimit{true, 100, 9, 30 * time.Second}},
		"epoch":        {http.Header{"X-Ratelimit-Limit": {"5"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1767323055"}}, RateLimit{true, 5, 0, 10 * time.Second}},
		"milliseconds": {http.Header{"X-Rate-Limit-Limit": {"5"}, "X-Rate-Limit-Reset": {"1767323055000"}}, RateLimit{false, 5, 0, 10 * time.Second}},
		"date":         {http.Header{"X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset": {"2026-01-02T03:04:15Z"}}, RateLimit{true, 0, 1, 10 * time.Second}},
		"nonsense":     {http.Header{"X-Ratelimit-Remaining": {"NaN"}, "X-Ratelimit-Limit": {"-5"}, "X-Ratelimit-Reset": {"-Inf"}}, RateLimit{}},
		"no limit":     {http.Header{"X-Ratelimit-Limit": {"-1"}, "X-Ratelimit-Remaining": {"-1"}}, RateLimit{}},
		"hubspot": {http.Header{
			"X-Hubspot-Ratelimit-Max": {"100"}, "X-Hubspot-Ratelimit-Remaining": {"99"}, "X-Hubspot-Ratelimit-Interval-Milliseconds": {"10000"},
		}, RateLimit{true, 100, 99, 10 * time.Second}},
	} {
		if diff := cmp.Diff(tc.want, readRateLimit(tc.header, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
