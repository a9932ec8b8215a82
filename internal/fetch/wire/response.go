package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Response is the response of a provider while it is read.
type Response struct {
	Status int
	Header http.Header
	Raw    []byte
	Body   expr.Value // decoded
	Data   expr.Value // at response_path
	Count  int        // records of the page
	IsJSON bool
	IsText bool // body is the text of the response, not a value in it
}

// Metadata looks up a path of the pagination: below the base first, if there is one, then in the whole body.
func (in *Response) Metadata(base, path string) expr.Value {
	if base != "" {
		if v := expr.Lookup(expr.Lookup(in.Body, base), path); v != nil {
			return v
		}
	}
	return expr.Lookup(in.Body, path)
}

// Hash identifies the content of a page.
func (in *Response) Hash() string {
	data, err := expr.EncodeJSON(in.Data)
	if err != nil {
		data = in.Raw
	}
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Decode reads the body in a format, or in the one that the response claims where none is given. strict makes text that should be in
// the format an error. A stream is what its caller takes as a
// file, whatever it is; an error is not meant by that.
func (in *Response) Decode(format string, strict, stream bool) error {
	if len(bytes.TrimSpace(in.Raw)) == 0 {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(in.Header.Get("Content-Type"))
	if err != nil {
		mediaType = ""
	}
	if stream && in.Status < 300 {
		format = "stream"
	}
	if format == "" {
		var found expr.Value
		if format, found = guessFormat(mediaType, in.Raw); found != nil {
			in.Body, in.IsJSON = found, true
			return nil
		}
	}
	switch format {
	case "xml":
		in.Body, err = decodeXML(in.Raw)
	case "text":
		in.IsText = true
		in.Body = string(bytes.ToValidUTF8(in.Raw, []byte("\ufffd")))
	case "json":
		in.Body, err = expr.ParseJSON(bytes.TrimPrefix(in.Raw, []byte("\xef\xbb\xbf")))
		in.IsJSON = err == nil
	default: // binary, blob, stream, and whatever other names configs have for it
		in.Body = &expr.File{Data: in.Raw, ContentType: in.Header.Get("Content-Type"), Name: fileName(in.Header)}
	}
	if err == nil {
		return nil
	}
	in.Body, in.IsText = string(bytes.ToValidUTF8(in.Raw, []byte("\ufffd"))), true
	if strict {
		return fmt.Errorf("the response is not valid %s: %w", strings.ToUpper(format), err)
	}
	return nil
}

// Read applies response_path and counts the records.
func (in *Response) Read(path string) {
	in.Data = expr.Lookup(in.Body, path)
	in.Count = in.Records().Len()
}

// Records are the page as an array: nothing is an empty page, and a single value is a page of one.
func (in *Response) Records() *expr.Array { return RecordsOf(in.Data) }

// RecordsOf returns a value as a page of records: nothing is an empty page, and a single value is a page of one.
func RecordsOf(v expr.Value) *expr.Array {
	switch v := v.(type) {
	case nil, expr.Null:
		return jsonata.NewArray()
	case *expr.Array:
		return v
	}
	return jsonata.NewArray(v)
}

// Note says why a page is empty when the config may be the reason.
func (in *Response) Note(path string) string {
	if path == "" || in.Data != nil || in.Body == nil {
		return ""
	}
	has := "no members"
	if o, ok := in.Body.(*expr.Object); ok && o.Len() > 0 {
		keys := o.Keys()
		has = strings.Join(keys[:min(len(keys), 12)], ", ")
	}
	return fmt.Sprintf("response_path %s leads nowhere in the response, which has %s", path, has)
}

// Message finds the words of an error in a response, else the beginning of its text, of most bytes. They may hold secrets, and be long.
func (in *Response) Message(most int) string {
	for _, name := range []string{
		"message", "error.message", "error_description", "error.description", "error", "errors.0.message", "errors.0.detail",
		"errors.0.title", "errors.0", "detail", "description", "title", "msg", "reason", "error_message", "0.message",
		"Fault.faultstring", "Envelope.Body.Fault.faultstring",
	} {
		if s, ok := expr.Lookup(in.Body, name).(string); ok && s != "" {
			return s
		}
	}
	if _, binary := in.Body.(*expr.File); binary || in.Body == nil {
		return ""
	}
	return string(bytes.ToValidUTF8(in.Raw[:min(len(in.Raw), most)], nil))
}
