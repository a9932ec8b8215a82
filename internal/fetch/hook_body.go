package fetch

import (
	"bytes"
	"mime"
	"net/url"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// maxFormFields bounds the fields of a form.
const maxFormFields = 1000

// DecodeHook returns the body of an inbound hook as expressions see it: a document of JSON or XML, a form as an object of
// its fields, anything else as text. What is not what its content type says is text, too: expressions decide what to
// make of it.
func DecodeHook(contentType string, raw []byte) expr.Value {
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

// QueryOf returns a query string as expressions see it.
func QueryOf(raw string) expr.Value {
	if v, ok := formOf(raw); ok {
		return v
	}
	return jsonata.NewObject(0)
}
