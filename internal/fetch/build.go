package fetch

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// build puts the request together: templates, pagination, credentials.
func (c *call) build(ctx context.Context) (*outgoing, error) {
	out, err := c.render(ctx)
	if err != nil {
		return nil, err
	}
	if _, blank := memberOf(c.scope, "pagination").(blankValues); blank {
		if out, err = c.renderWithValues(ctx, out); err != nil {
			return nil, err
		}
	}
	if c.m.pagination != nil {
		if err := c.m.pagination.prepare(ctx, c, out); err != nil {
			return nil, err
		}
	}
	if err := c.m.auth.apply(ctx, c, out); err != nil {
		return nil, err
	}
	return out, nil
}

// renderWithValues renders again once the values of a dynamic pagination are known. Their expression sees the request
// without them.
func (c *call) renderWithValues(ctx context.Context, out *outgoing) (*outgoing, error) {
	pager, ok := c.m.pagination.(*dynamicPager)
	if !ok {
		return out, nil
	}
	v, err := pager.values(ctx, c, out)
	if err != nil {
		return nil, err
	}
	values, ok := v.(*expr.Object)
	if !ok {
		values = jsonata.NewObject(0)
	}
	c.pagination = values
	c.scope.Set("pagination", values)
	return c.render(ctx)
}

// render renders the templates of the method.
func (c *call) render(ctx context.Context) (*outgoing, error) {
	out := &outgoing{verb: c.m.verb, headers: http.Header{}, arrayFormat: c.m.arrayFormat}
	var err error
	if out.url, err = c.renderURL(); err != nil {
		return nil, err
	}
	if out.query, err = c.m.query.object(c.scope); err != nil {
		return nil, err
	}
	for key, v := range dropMissing(c.req.Query).All() {
		if !c.m.inPath(key) {
			out.query.Set(key, v)
		}
	}
	headers, err := c.m.headers.object(c.scope)
	if err != nil {
		return nil, err
	}
	if err := out.setHeaders(c, headers); err != nil {
		return nil, err
	}
	if err := out.setHeaders(c, headersObject(c.req.Headers)); err != nil {
		return nil, err
	}
	if out.body, err = c.m.body.render(ctx, c); err != nil {
		return nil, err
	}
	if c.m.addQueryToBody {
		out.body = mergeQuery(out.body, dropMissing(c.req.Query))
	}
	return out, nil
}

// renderURL joins the base URL and the path. Values are escaped, except where a placeholder is the beginning of the
// base URL and so holds a URL itself.
func (c *call) renderURL() (*url.URL, error) {
	path := c.m.path
	if c.at != nil && c.m.paginationPath != nil {
		path = c.m.paginationPath
	}
	suffix, err := path.pathText(c.scope)
	if err != nil {
		return nil, err
	}
	below := suffix == "" && c.req.Path != ""
	if below {
		suffix = c.req.Path
	}
	full := suffix
	if below || !hasScheme(suffix) {
		base, err := c.baseURL()
		if err != nil {
			return nil, err
		}
		full = joinURL(base, suffix)
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, millrace.Invalid(path.path, "base URL and path do not make a URL of http or https")
	}
	if slices.ContainsFunc(strings.FieldsFunc(u.Path, isSlash), isDotSegment) {
		return nil, millrace.Invalid(path.path, "the path must not contain . or .. as a segment")
	}
	if u.User != nil {
		return nil, millrace.Invalid(path.path, "the URL must not contain credentials; authorization is the place for them")
	}
	u.Fragment = ""
	return u, c.confine(path.path, u)
}

// isSlash counts the backslash, which some servers take for one.
func isSlash(r rune) bool { return r == '/' || r == '\\' }

func isDotSegment(s string) bool { return s == "." || s == ".." }

// confine keeps a call that a caller made up on the host of the config's base URL: it carries the account's
// credentials.
func (c *call) confine(path string, u *url.URL) error {
	if !c.m.confined {
		return nil
	}
	text, err := c.baseURLOf(c.cfg.inherited.baseURL, rootPath)
	if err != nil {
		return err
	}
	base, err := url.Parse(text)
	if err != nil || !sameHost(base, u) || base.Scheme == "https" && u.Scheme != "https" {
		return millrace.Invalid(path, "leads away from the host of the integration's base URL")
	}
	return nil
}

func (c *call) baseURL() (string, error) { return c.baseURLOf(c.m.baseURL, c.m.origin) }

func (c *call) baseURLOf(t *template, origin string) (string, error) {
	if t == nil {
		return "", millrace.Invalid(origin+".base_url", "Required string is missing")
	}
	if t.startsWithPlaceholder() {
		return t.text(c.scope)
	}
	return t.pathText(c.scope)
}

// joinURL puts exactly one slash between base and path; an empty path leaves the base alone.
func joinURL(base, path string) string {
	if path == "" || strings.HasPrefix(path, "?") {
		return base + path
	}
	return strings.TrimRight(base, "/") + "/" + strings.TrimLeft(path, "/")
}

// httpRequest makes the request that is sent.
func (c *call) httpRequest(ctx context.Context, out *outgoing) (*http.Request, error) {
	var body []byte
	contentType := ""
	if out.body != nil {
		var err error
		if body, contentType, err = c.m.body.encode(out.body, c.m.arrayFormat); err != nil {
			return nil, err
		}
		if c.m.body.format == "json" && len(c.req.RawBody) > 0 && out.body == c.req.Body {
			body = c.req.RawBody // numbers keep their digits
		}
	}
	req, err := http.NewRequestWithContext(ctx, out.verb, out.fullURL().String(), bytes.NewReader(body))
	if err != nil {
		return nil, millrace.Invalid(c.m.origin+".path", "the request cannot be made: %v", causeOf(err))
	}
	if out.body == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	for name, values := range out.headers {
		req.Header[name] = slices.Clone(values)
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.fetcher.userAgent)
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json, */*;q=0.8")
	}
	// A multipart body is unreadable without its boundary, whatever the config says about the type.
	multipart := strings.HasPrefix(contentType, "multipart/")
	if contentType != "" && (multipart || req.Header.Get("Content-Type") == "") {
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}

// requestLine is the request for logs and messages.
func (c *call) requestLine(out *outgoing) string {
	return clip(out.verb+" "+c.secrets.Scrub(out.fullURL().String()), 2<<10)
}
