package proxy

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/jsonata"
)

// remotePage is what follows the result in the response to a list of a provider.
type remotePage struct {
	NextCursor *string `json:"next_cursor"`
	PrevCursor *string `json:"prev_cursor"`
	Count      *int    `json:"result_count,omitempty"`
	Partial    *bool   `json:"is_partial_response,omitempty"`
}

// remoteError is the body of an error that comes from a provider.
type remoteError struct {
	rest.WireError
	Remote bool            `json:"truto_is_remote_error"`
	Raw    json.RawMessage `json:"raw_response,omitempty"`

	Insight *insight `json:"truto_error_insight,omitempty"`
}

// insight says more about an error than the provider does.
type insight struct {
	Forbidden forbiddenInsight `json:"forbidden_error"`
}

type forbiddenInsight struct {
	Description string `json:"description"`
	Value       struct {
		MissingScopes []string `json:"missing_scopes"`
	} `json:"value"`
}

// write makes the response to the caller out of that of the provider.
func (q *proxyQuery) write(response *provider.Response) *rest.Response {
	w := &rest.Response{Status: response.Status, Header: http.Header{
		// What a provider sends is never to be taken for a page of ours.
		"X-Content-Type-Options": {"nosniff"}, "Content-Security-Policy": {"sandbox; default-src 'none'"},
	}}
	copySafe(w.Header, response.Headers)
	maps.Copy(w.Header, response.Limits)
	switch {
	case response.Rejected != nil:
		w.JSON(remoteErrorOf(response))
	case q.format == "raw" || response.Binary:
		w.Header.Set("Content-Type", contentTypeOf(response.Headers))
		w.Body = response.Raw
	case response.List:
		page := remotePage{}
		if !response.Custom {
			page.Count, page.Partial = &response.Count, new(bool)
		}
		page.NextCursor, page.PrevCursor = rest.Nullable(response.Next), rest.Nullable(response.Prev)
		writeList(w, q.without(response.Data), page)
	case response.Data == nil && len(response.Raw) == 0:
		w.Status = http.StatusNoContent
	case response.Exact && len(q.exclude) == 0:
		w.Header.Set("Content-Type", "application/json")
		w.Body = response.Raw
	default:
		writeValue(w, q.without(response.Data))
	}
	return w
}

func remoteErrorOf(response *provider.Response) *remoteError {
	e := &remoteError{WireError: *rest.NewError(response.Status, response.Rejected.Message), Remote: true}
	if response.Rejected.Forbidden {
		e.Insight = &insight{forbiddenInsight{Description: "The provider forbids this to the connection. Where scopes are missing, it has to be authorised again with them."}}
		e.Insight.Forbidden.Value.MissingScopes = response.Rejected.MissingScopes
	}
	switch raw := response.Rejected.Raw; {
	case len(raw) == 0:
	case json.Valid(raw):
		e.Raw = raw
	default:
		e.Raw, _ = json.Marshal(string(bytes.ToValidUTF8(raw, []byte("\ufffd")))) // a string always encodes
	}
	return e
}

// writeValue responds with a value of a provider.
func writeValue(w *rest.Response, v expr.Value) {
	w.Header.Set("Content-Type", "application/json")
	w.Body = append(appendValue(nil, v), '\n')
}

// writeList responds with a page of a list.
func writeList(w *rest.Response, result expr.Value, page remotePage) {
	w.JSON(page)
	w.Body = append(append(appendValue([]byte(`{"result":`), result), ','), w.Body[len("{"):]...)
}

// appendValue appends a value as JSON: null when it has none.
func appendValue(buf []byte, v expr.Value) []byte {
	out, err := jsonata.AppendJSON(buf, v, nil)
	if err != nil {
		return append(buf, "null"...)
	}
	return out
}

// contentTypeOf passes on a content type that can be understood.
func contentTypeOf(h http.Header) string {
	if _, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil {
		return "application/octet-stream"
	}
	return h.Get("Content-Type")
}

// Limits of what is passed on of a provider's headers.
const (
	maxHeaders     = 64
	maxHeaderValue = 2 << 10
)

// copySafe passes on the headers that describe the response. Those of the connection, of cookies and of security belong
// to the provider's own site, and some would be orders to a proxy in front of us.
func copySafe(into, from http.Header) {
	n := 0
	for name, values := range from {
		if !isSafeHeader(name) || n >= maxHeaders {
			continue
		}
		for _, v := range values {
			if len(v) <= maxHeaderValue {
				into.Add(name, v)
				n++
			}
		}
	}
}

func isSafeHeader(name string) bool {
	switch name {
	case "Retry-After", "Etag", "Last-Modified", "Content-Language", "Content-Disposition", "Link", "Request-Id", "Cf-Ray":
		return true
	case "X-Request-Id", "X-Content-Type-Options", "X-Frame-Options", "X-Xss-Protection", "X-Sendfile", "X-Reproxy-Url",
		"X-Powered-By", "X-Dns-Prefetch-Control", "X-Download-Options":
		return false
	}
	if strings.HasPrefix(name, "Ratelimit") {
		return false // normalised
	}
	orders := []string{"X-Accel-", "X-Lighttpd-", "X-Litespeed-", "X-Forwarded-", "X-Real-", "X-Original-", "X-Rewrite-"}
	ordered := slices.ContainsFunc(orders, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	return !ordered && (strings.HasPrefix(name, "X-") || strings.HasSuffix(name, "-Request-Id"))
}

// without leaves the excluded members out of a record, or out of each record of a list. Values may be shared, so what
// changes is copied.
func (q *proxyQuery) without(v expr.Value) expr.Value {
	for _, field := range q.exclude {
		v = withoutField(v, strings.Split(field, "."))
	}
	return v
}

func withoutField(v expr.Value, path []string) expr.Value {
	switch v := v.(type) {
	case *expr.Array:
		items := make([]expr.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = withoutField(item, path)
		}
		return jsonata.NewArray(items...)
	case *expr.Object:
		copied := jsonata.NewObject(v.Len())
		for key, member := range v.All() {
			switch {
			case key != path[0]:
				copied.Set(key, member)
			case len(path) > 1:
				copied.Set(key, withoutField(member, path[1:]))
			}
		}
		return copied
	}
	return v
}
