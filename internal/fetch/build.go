package fetch

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/page"
	"github.com/millrace/millrace/internal/fetch/wire"
)

// build puts the request together: templates, pagination, credentials.
func (c *call) build(ctx context.Context) (*wire.Request, error) {
	out, err := c.render(ctx)
	if err != nil {
		return nil, err
	}
	if c.m.Pagination != nil {
		filled, err := page.Fill(ctx, c.m.Pagination, &c.list, out)
		if err != nil {
			return nil, err
		}
		if filled {
			if out, err = c.render(ctx); err != nil {
				return nil, err
			}
		}
		if err := c.m.Pagination.Prepare(ctx, &c.list, out); err != nil {
			return nil, err
		}
	}
	if err := c.authorize(ctx, out); err != nil {
		return nil, err
	}
	return out, nil
}

// render renders the templates of the method.
func (c *call) render(ctx context.Context) (*wire.Request, error) {
	out := &wire.Request{Verb: c.m.Verb(), Headers: http.Header{}, ArrayFormat: c.m.ArrayFormat, Hides: c.secrets.hides}
	var err error
	if out.URL, err = c.renderURL(); err != nil {
		return nil, err
	}
	if out.Query, err = c.m.Query.Object(c.scope); err != nil {
		return nil, err
	}
	for key, v := range field.DropMissing(c.req.Query).All() {
		if !c.m.InPath(key) {
			out.Query.Set(key, v)
		}
	}
	headers, err := c.m.Headers.Object(c.scope)
	if err != nil {
		return nil, err
	}
	if err := out.SetHeaders(headers); err != nil {
		return nil, err
	}
	if err := out.SetHeaders(wire.HeadersObject(c.req.Headers)); err != nil {
		return nil, err
	}
	if out.Body, err = c.renderBody(ctx); err != nil {
		return nil, err
	}
	if c.m.AddQueryToBody {
		out.Body = mergeQuery(out.Body, field.DropMissing(c.req.Query))
	}
	return out, nil
}

// renderURL joins the base URL and the path. Values are escaped, except where a placeholder is the beginning of the
// base URL and so holds a URL itself.
func (c *call) renderURL() (*url.URL, error) {
	path := c.m.Path
	if c.list.At != nil && c.m.PaginationPath != nil {
		path = c.m.PaginationPath
	}
	suffix, err := path.PathText(c.scope)
	if err != nil {
		return nil, err
	}
	below := suffix == "" && c.req.Path != ""
	if below {
		suffix = c.req.Path
	}
	full := suffix
	if below || !config.HasScheme(suffix) {
		base, err := c.baseURL()
		if err != nil {
			return nil, err
		}
		full = joinURL(base, suffix)
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, millrace.Invalid(path.Path, "base URL and path do not make a URL of http or https")
	}
	if slices.ContainsFunc(strings.FieldsFunc(u.Path, isSlash), isDotSegment) {
		return nil, millrace.Invalid(path.Path, "the path must not contain . or .. as a segment")
	}
	if u.User != nil {
		return nil, millrace.Invalid(path.Path, "the URL must not contain credentials; authorization is the place for them")
	}
	u.Fragment = ""
	return u, c.confine(path.Path, u)
}

// isSlash counts the backslash, which some servers take for one.
func isSlash(r rune) bool { return r == '/' || r == '\\' }

func isDotSegment(s string) bool { return s == "." || s == ".." }

// confine keeps a call that a caller made up on the host of the config's base URL: it carries the account's
// credentials.
func (c *call) confine(path string, u *url.URL) error {
	if !c.m.Confined {
		return nil
	}
	text, err := c.baseURLOf(c.cfg.BaseURL(), config.RootPath)
	if err != nil {
		return err
	}
	base, err := url.Parse(text)
	if err != nil || !wire.SameHost(base, u) || base.Scheme == "https" && u.Scheme != "https" {
		return millrace.Invalid(path, "leads away from the host of the integration's base URL")
	}
	return nil
}

func (c *call) baseURL() (string, error) { return c.baseURLOf(c.m.BaseURL, c.m.Origin) }

func (c *call) baseURLOf(t *field.Template, origin string) (string, error) {
	if t == nil {
		return "", millrace.Invalid(origin+".base_url", "Required string is missing")
	}
	if t.StartsWithPlaceholder() {
		return t.Text(c.scope)
	}
	return t.PathText(c.scope)
}

// joinURL puts exactly one slash between base and path; an empty path leaves the base alone.
func joinURL(base, path string) string {
	if path == "" || strings.HasPrefix(path, "?") {
		return base + path
	}
	return strings.TrimRight(base, "/") + "/" + strings.TrimLeft(path, "/")
}

// httpRequest makes the request that is sent.
func (c *call) httpRequest(ctx context.Context, out *wire.Request) (*http.Request, error) {
	var body []byte
	contentType := ""
	if out.Body != nil {
		var err error
		if body, contentType, err = c.m.Body.Encode(out.Body, c.m.ArrayFormat); err != nil {
			return nil, err
		}
		if c.m.Body.Format == "json" && len(c.req.RawBody) > 0 && out.Body == c.req.Body {
			body = c.req.RawBody // numbers keep their digits
		}
	}
	req, err := http.NewRequestWithContext(ctx, out.Verb, out.FullURL().String(), bytes.NewReader(body))
	if err != nil {
		return nil, millrace.Invalid(c.m.Origin+".path", "the request cannot be made: %v", causeOf(err))
	}
	if out.Body == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	for name, values := range out.Headers {
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
	return req, c.sign(ctx, out, req, body)
}

// requestLine is the request for logs and messages.
func (c *call) requestLine(out *wire.Request) string {
	return clip(out.Verb+" "+c.secrets.Scrub(out.FullURL().String()), 2<<10)
}
