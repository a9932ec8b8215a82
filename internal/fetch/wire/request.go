package wire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Request is a request while it is put together.
type Request struct {
	Verb        string
	URL         *url.URL // without query
	Query       *expr.Object
	rawQuery    string   // of a link that is followed
	kept        []string // escaped parameters that go with it
	ArrayFormat string
	Headers     http.Header
	Credentials []string // names of headers that must not reach another host
	Body        expr.Value
	Hides       func(text string) bool // whether a text has a secret in it
}

// Scope is what expressions about a request see. The query is a copy, because the request may still change and a
// value that an expression has seen may not.
func (out *Request) Scope() *expr.Object {
	query := NewQuery()
	for key, v := range out.Query.All() {
		query.Set(key, v)
	}
	options := jsonata.NewObject(4)
	options.Set("method", strings.ToLower(out.Verb))
	options.Set("headers", HeadersObject(out.Headers))
	options.Set("query", query)
	if out.Body != nil {
		options.Set("body", out.Body)
	}
	scope := jsonata.NewObject(8)
	scope.Set("url", out.FullURL().String())
	scope.Set("query", query)
	scope.Set("requestOptions", options)
	return scope
}

// FullURL is the URL with its query.
func (out *Request) FullURL() *url.URL {
	u := *out.URL
	parts := append([]string{}, out.kept...)
	for _, part := range []string{out.URL.RawQuery, out.rawQuery, encodePairs(flatten(out.Query, out.ArrayFormat))} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	u.RawQuery = strings.Join(parts, "&")
	return &u
}

// SetHeaders sets headers from an object.
func (out *Request) SetHeaders(headers *expr.Object) error {
	for name, v := range headers.All() {
		if _, null := v.(expr.Null); null || v == nil {
			continue
		}
		name, value := http.CanonicalHeaderKey(strings.TrimSpace(name)), expr.Text(v)
		if !ValidHeader(name, value) {
			return millrace.Invalid("headers", "the header %q or its value contains characters that headers cannot carry", name)
		}
		if isOurs(name) {
			continue
		}
		out.Headers.Set(name, value)
		if out.Hides(value) {
			out.Credentials = append(out.Credentials, name)
		}
	}
	return nil
}

// SetInBody sets a member of the body by its dotted path, making objects on the way.
func (out *Request) SetInBody(path string, v expr.Value) {
	body, ok := out.Body.(*expr.Object)
	if !ok && out.Body != nil {
		return // a text or an array has no members
	}
	out.Body = setPath(body, strings.Split(path, "."), v)
}

// setPath returns a copy of an object with a member set. Values may be shared, so none is changed in place.
func setPath(o *expr.Object, keys []string, v expr.Value) *expr.Object {
	copied := jsonata.NewObject(4)
	for key, member := range expr.OrEmpty(o).All() {
		copied.Set(key, member)
	}
	if len(keys) == 1 || len(keys) > maxNesting {
		copied.Set(strings.Join(keys, "."), v)
		return copied
	}
	child, _ := copied.Get(keys[0])
	childObject, _ := child.(*expr.Object)
	copied.Set(keys[0], setPath(childObject, keys[1:], v))
	return copied
}

// Follow replaces the query, and the path if wanted, by those of a link. The link says everything about the page but
// leaves out credentials, so parameters that carry one are kept.
func (out *Request) Follow(link string, withPath bool) error {
	u, err := url.Parse(link)
	if err == nil && strings.HasPrefix(link, "?") { // the path is that of the request
		u.Path, u.RawPath = out.URL.Path, out.URL.RawPath
	}
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") {
		return millrace.Invalid("next_cursor", "is not a cursor of this list")
	}
	for key, v := range out.Query.All() {
		if u.Query().Has(key) || !out.Hides(expr.Text(v)) {
			continue
		}
		out.kept = append(out.kept, url.QueryEscape(key)+"="+url.QueryEscape(expr.Text(v)))
	}
	out.Query = NewQuery()
	out.rawQuery, out.URL.RawQuery = u.RawQuery, ""
	if withPath {
		out.URL.Path, out.URL.RawPath = u.Path, u.RawPath
	}
	return nil
}
