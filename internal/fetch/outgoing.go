package fetch

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// outgoing is a request while it is put together.
type outgoing struct {
	verb        string
	url         *url.URL // without query
	query       *expr.Object
	rawQuery    string   // of a link that is followed
	kept        []string // escaped parameters that go with it
	arrayFormat string
	headers     http.Header
	credentials []string // names of headers that must not reach another host
	body        expr.Value
}

// scope is what expressions about a request see. The query is a copy, because the request may still change and a
// value that an expression has seen may not.
func (out *outgoing) scope() *expr.Object {
	query := newQuery()
	for key, v := range out.query.All() {
		query.Set(key, v)
	}
	options := jsonata.NewObject(4)
	options.Set("method", strings.ToLower(out.verb))
	options.Set("headers", headersObject(out.headers))
	options.Set("query", query)
	if out.body != nil {
		options.Set("body", out.body)
	}
	scope := jsonata.NewObject(8)
	scope.Set("url", out.fullURL().String())
	scope.Set("query", query)
	scope.Set("requestOptions", options)
	return scope
}

// fullURL is the URL with its query.
func (out *outgoing) fullURL() *url.URL {
	u := *out.url
	parts := append([]string{}, out.kept...)
	for _, part := range []string{out.url.RawQuery, out.rawQuery, encodePairs(flatten(out.query, out.arrayFormat))} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	u.RawQuery = strings.Join(parts, "&")
	return &u
}

// setHeaders sets headers from an object.
func (out *outgoing) setHeaders(c *call, headers *expr.Object) error {
	for name, v := range headers.All() {
		if _, null := v.(expr.Null); null || v == nil {
			continue
		}
		name, value := http.CanonicalHeaderKey(strings.TrimSpace(name)), textOf(v)
		if !validHeader(name, value) {
			return millrace.Invalid("headers", "the header %q or its value contains characters that headers cannot carry", name)
		}
		if isOurs(name) {
			continue
		}
		out.headers.Set(name, value)
		if c.secrets.hides(value) {
			out.credentials = append(out.credentials, name)
		}
	}
	return nil
}

// isOurs reports headers that belong to the connection. Accept-Encoding is among them because the transport only
// unpacks, and limits, what it asked for itself.
func isOurs(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding", "Te", "Trailer", "Upgrade":
		return true
	}
	return false
}

// setInBody sets a member of the body by its dotted path, making objects on the way.
func (out *outgoing) setInBody(path string, v expr.Value) {
	body, ok := out.body.(*expr.Object)
	if !ok && out.body != nil {
		return // a text or an array has no members
	}
	out.body = setPath(body, strings.Split(path, "."), v)
}

// setPath returns a copy of an object with a member set. Values may be shared, so none is changed in place.
func setPath(o *expr.Object, keys []string, v expr.Value) *expr.Object {
	copied := jsonata.NewObject(4)
	for key, member := range orEmpty(o).All() {
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
