package httpapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// remotePage is what follows the result in the answer to a list of a provider.
type remotePage struct {
	NextCursor *string `json:"next_cursor"`
	PrevCursor *string `json:"prev_cursor"`
	Count      *int    `json:"result_count,omitempty"`
	Partial    *bool   `json:"is_partial_response,omitempty"`
}

// remoteError is the body of a refusal that comes from a third party.
type remoteError struct {
	envelope
	Remote bool            `json:"truto_is_remote_error"`
	Raw    json.RawMessage `json:"raw_response,omitempty"`
}

// write makes the answer to the caller of what the third party answered.
func (q *proxyQuery) write(answer *ThirdPartyAnswer) *written {
	w := &written{Status: answer.Status, Header: http.Header{
		// What a third party sends is never to be taken for a page of ours.
		"X-Content-Type-Options": {"nosniff"}, "Content-Security-Policy": {"sandbox; default-src 'none'"},
	}}
	copySafe(w.Header, answer.Headers)
	maps.Copy(w.Header, answer.Limits)
	switch {
	case answer.Refused != nil:
		w.json(refusalOf(answer))
	case q.format == "raw" || answer.Binary:
		w.Header.Set("Content-Type", contentTypeOf(answer.Headers))
		w.Body = answer.Raw
	case answer.List:
		page := remotePage{}
		if !answer.Custom {
			page.Count, page.Partial = &answer.Count, new(bool)
		}
		page.NextCursor, page.PrevCursor = nullable(answer.Next), nullable(answer.Prev)
		w.list(q.without(answer.Data), page)
	case answer.Data == nil && len(answer.Raw) == 0:
		w.Status = http.StatusNoContent
	case answer.Exact && len(q.exclude) == 0:
		w.Header.Set("Content-Type", "application/json")
		w.Body = answer.Raw
	default:
		w.value(q.without(answer.Data))
	}
	return w
}

func (w *written) json(v any) {
	w.Header.Set("Content-Type", "application/json")
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // only of a value that is not JSON, which none is
		w.Status = http.StatusInternalServerError
	}
	w.Body = buf.Bytes()
}

func refusalOf(answer *ThirdPartyAnswer) *remoteError {
	e := &remoteError{envelope: *newEnvelope(answer.Status, answer.Refused.Message), Remote: true}
	switch raw := answer.Refused.Raw; {
	case len(raw) == 0:
	case json.Valid(raw):
		e.Raw = raw
	default:
		e.Raw, _ = json.Marshal(string(bytes.ToValidUTF8(raw, []byte("\ufffd")))) // a string always encodes
	}
	return e
}

// value answers with a value of a provider.
func (w *written) value(v expr.Value) {
	w.Header.Set("Content-Type", "application/json")
	w.Body = append(appendValue(nil, v), '\n')
}

// list answers with a page of a list.
func (w *written) list(result expr.Value, page remotePage) {
	w.json(page)
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

// Limits of what is passed on of a third party's headers.
const (
	maxHeaders     = 64
	maxHeaderValue = 2 << 10
)

// copySafe passes on the headers that describe the answer. Those of the connection, of cookies and of security belong
// to the third party's own site, and some would be orders to a proxy in front of us.
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
