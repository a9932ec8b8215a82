package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// incoming is an answer while it is read.
type incoming struct {
	status int
	header http.Header
	raw    []byte
	body   expr.Value // decoded
	data   expr.Value // at response_path
	count  int        // records of the page
	isJSON bool
	isText bool // body is the text of the answer, not a value in it
}

// metadata looks up a path of the pagination: below pagination_path first, then in the whole body.
func (in *incoming) metadata(m *Method, path string) expr.Value {
	if m.metadataPath != "" {
		if v := lookup(lookup(in.body, m.metadataPath), path); v != nil {
			return v
		}
	}
	return lookup(in.body, path)
}

// hash identifies the content of a page.
func (in *incoming) hash() string {
	data, err := expr.EncodeJSON(in.data)
	if err != nil {
		data = in.raw
	}
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// decode reads the body in the config's format, or in the one that the answer claims. A stream is what its caller takes as a
// file, whatever it is; an error is not meant by that.
func (in *incoming) decode(m *Method, stream bool) error {
	if len(bytes.TrimSpace(in.raw)) == 0 {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(in.header.Get("Content-Type"))
	if err != nil {
		mediaType = ""
	}
	format := m.responseFormat
	if stream && in.status < 300 {
		format = "stream"
	}
	if format == "" {
		var found expr.Value
		if format, found = guessFormat(mediaType, in.raw); found != nil {
			in.body, in.isJSON = found, true
			return nil
		}
	}
	switch format {
	case "xml":
		in.body, err = decodeXML(in.raw)
	case "text":
		in.isText = true
		in.body = string(bytes.ToValidUTF8(in.raw, []byte("\ufffd")))
	case "json":
		in.body, err = expr.ParseJSON(bytes.TrimPrefix(in.raw, []byte("\xef\xbb\xbf")))
		in.isJSON = err == nil
	default: // binary, blob, stream, and whatever other names configs have for it
		in.body = &expr.File{Data: in.raw, ContentType: in.header.Get("Content-Type"), Name: fileName(in.header)}
	}
	if err == nil {
		return nil
	}
	in.body, in.isText = string(bytes.ToValidUTF8(in.raw, []byte("\ufffd"))), true
	if m.strictParsing {
		return fmt.Errorf("the answer is not valid %s: %w", strings.ToUpper(format), err)
	}
	return nil
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

// read applies response_path and counts the records.
func (in *incoming) read(m *Method) {
	in.data = lookup(in.body, m.responsePath)
	in.count = in.records().Len()
}

// records are the page as an array: nothing is an empty page, and a single value is a page of one.
func (in *incoming) records() *expr.Array { return recordsOf(in.data) }

func recordsOf(v expr.Value) *expr.Array {
	switch v := v.(type) {
	case nil, expr.Null:
		return jsonata.NewArray()
	case *expr.Array:
		return v
	}
	return jsonata.NewArray(v)
}

// note says why a page is empty when the config may be the reason.
func (in *incoming) note(m *Method) string {
	if m.responsePath == "" || in.data != nil || in.body == nil {
		return ""
	}
	has := "no members"
	if o, ok := in.body.(*expr.Object); ok && o.Len() > 0 {
		keys := o.Keys()
		has = strings.Join(keys[:min(len(keys), 12)], ", ")
	}
	return fmt.Sprintf("response_path %s leads nowhere in the answer, which has %s", m.responsePath, has)
}

// message finds the words of an error in an answer. They may hold secrets, and be long.
func (in *incoming) message() string {
	for _, path := range []string{
		"message", "error.message", "error_description", "error.description", "error", "errors.0.message", "errors.0.detail",
		"errors.0.title", "errors.0", "detail", "description", "title", "msg", "reason", "error_message", "0.message",
		"Fault.faultstring", "Envelope.Body.Fault.faultstring",
	} {
		if s, ok := lookup(in.body, path).(string); ok && s != "" {
			return s
		}
	}
	if _, binary := in.body.(*expr.File); binary || in.body == nil {
		return ""
	}
	return string(bytes.ToValidUTF8(in.raw[:min(len(in.raw), 4*maxMessage+maxReach)], nil))
}

const maxMessage = 500

// clip shortens a text to n bytes, at a boundary of characters, on one line.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s[:min(len(s), 4*n)]), " ")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
