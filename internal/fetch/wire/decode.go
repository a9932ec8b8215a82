package wire

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// maxFormFields bounds the fields of a form.
const maxFormFields = 1000

// DecodeBody returns the body of an inbound hook as expressions see it: a document of JSON or XML, a form as an object of
// its fields, anything else as text. What is not what its content type says is text, too: expressions decide what to
// make of it.
func DecodeBody(contentType string, raw []byte) expr.Value {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	if len(trimmed) == 0 {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		mediaType = ""
	}
	if mediaType == "application/x-www-form-urlencoded" {
		if v, ok := formOf(string(trimmed)); ok {
			return v
		}
	}
	format, found := guessFormat(mediaType, trimmed)
	if found != nil {
		return found
	}
	switch format {
	case "json":
		if v, err := expr.ParseJSON(trimmed); err == nil {
			return v
		}
	case "xml":
		if v, err := decodeXML(trimmed); err == nil {
			return v
		}
	}
	return string(bytes.ToValidUTF8(raw, []byte("\ufffd")))
}

// formOf reads a form; a field that comes more than once is an array.
func formOf(text string) (expr.Value, bool) {
	if strings.Count(text, "&") >= maxFormFields {
		return nil, false
	}
	o := jsonata.NewObject(8)
	for pair := range strings.SplitSeq(text, "&") {
		key, val, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		value, err2 := url.QueryUnescape(val)
		if err != nil || err2 != nil {
			return nil, false
		}
		if name == "" {
			continue
		}
		addChild(o, strings.ToValidUTF8(name, "\ufffd"), strings.ToValidUTF8(value, "\ufffd"))
	}
	return o, true
}

// DecodeQuery returns a query string as expressions see it.
func DecodeQuery(raw string) expr.Value {
	if v, ok := formOf(raw); ok {
		return v
	}
	return jsonata.NewObject(0)
}

// guessFormat goes by the media type. Texts may be JSON under a wrong name, which is common; then it also returns the value.
func guessFormat(mediaType string, raw []byte) (string, expr.Value) {
	switch {
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json") || mediaType == "text/json":
		return "json", nil
	case mediaType == "application/xml" || mediaType == "text/xml" || strings.HasSuffix(mediaType, "+xml") && mediaType != "image/svg+xml":
		return "xml", nil
	case mediaType != "" && !strings.HasPrefix(mediaType, "text/") && mediaType != "application/javascript":
		return "binary", nil
	}
	trimmed := bytes.TrimSpace(raw)
	if trimmed[0] == '{' || trimmed[0] == '[' {
		if v, err := expr.ParseJSON(trimmed); err == nil {
			return "json", v
		}
	}
	if utf8.Valid(raw) {
		return "text", nil
	}
	return "binary", nil
}

func fileName(h http.Header) string {
	_, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return params["filename"]
}
