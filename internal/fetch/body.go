package fetch

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// bodyConfig says what a request carries and how it is written.
type bodyConfig struct {
	path     string
	format   string
	template *template     // an object, or text with placeholders
	program  *expr.Program // text without placeholders
	root     string        // name of the outermost element of XML
}

func parseBody(f field) *bodyConfig {
	b := &bodyConfig{
		path:   f.get("body").path,
		format: f.get("body_format").oneOf("json", "json", "form", "multipart", "raw", "xml"),
	}
	config := f.get("body_format_config")
	config.object()
	b.root = config.get("root", "root_name", "rootName").text()
	body := f.get("body")
	src, isText := body.value.(string)
	switch {
	case isText && !strings.Contains(src, "{{"):
		b.program = body.program()
	default:
		b.template = body.template()
	}
	return b
}

// render makes the value of the body: the config's, or else the caller's.
func (b *bodyConfig) render(ctx context.Context, c *call) (expr.Value, error) {
	callers := c.req.Body
	if c.m.ignoreBody {
		callers = nil
	}
	switch {
	case c.m.nullBody || c.at != nil && c.m.ignoreBodyInPagination:
		return nil, nil
	case b.program != nil:
		return c.eval(ctx, b.path, b.program, c.scope)
	case b.template != nil:
		return b.template.render(c.scope)
	case c.m.hasBodyByDefault():
		return callers, nil
	}
	return nil, nil
}

// encode writes a body in the config's format. A blob travels as it is in every format but multipart.
func (b *bodyConfig) encode(v expr.Value, arrayFormat string) ([]byte, string, error) {
	if blob, ok := v.(*expr.File); ok && b.format != "multipart" {
		return blob.Data, blob.ContentType, nil
	}
	switch b.format {
	case "form":
		if o, ok := v.(*expr.Object); ok {
			v = encodePairs(flatten(o, arrayFormat))
		}
		return []byte(textOf(v)), "application/x-www-form-urlencoded", nil
	case "multipart":
		return b.encodeMultipart(v, arrayFormat)
	case "raw":
		return []byte(textOf(v)), "text/plain; charset=utf-8", nil
	case "xml":
		if s, ok := v.(string); ok {
			return []byte(s), "application/xml", nil
		}
		data, err := encodeXML(v, b.root)
		if err != nil {
			return nil, "", millrace.Invalid(b.path, "%v", err)
		}
		return data, "application/xml", nil
	}
	data, err := expr.EncodeJSON(v)
	if err != nil {
		return nil, "", millrace.Invalid(b.path, "%v", err)
	}
	return data, "application/json", nil
}

// encodeMultipart writes one part for each member. Blobs are files, and so are objects with a content and a
// file_name.
func (b *bodyConfig) encodeMultipart(v expr.Value, arrayFormat string) ([]byte, string, error) {
	o, ok := v.(*expr.Object)
	if !ok {
		return nil, "", millrace.Invalid(b.path, "must be an object to be sent as multipart")
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for key, member := range o.All() {
		if err := writeParts(w, key, member, arrayFormat); err != nil {
			return nil, "", millrace.Invalid(b.path, "write part %s: %v", key, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), w.FormDataContentType(), nil
}

func writeParts(w *multipart.Writer, key string, v expr.Value, arrayFormat string) error {
	if a, ok := v.(*expr.Array); ok {
		for _, item := range a.Items() {
			if asFile(item) == nil {
				return writeFields(w, key, v, arrayFormat)
			}
			if err := writeFile(w, key, asFile(item)); err != nil {
				return err
			}
		}
		return nil
	}
	if file := asFile(v); file != nil {
		return writeFile(w, key, file)
	}
	return writeFields(w, key, v, arrayFormat)
}

func writeFields(w *multipart.Writer, key string, v expr.Value, arrayFormat string) error {
	for _, p := range appendPairs(nil, key, v, arrayFormat, maxNesting) {
		if err := w.WriteField(p.key, p.value); err != nil {
			return err
		}
	}
	return nil
}

// asFile returns what is to be sent as a file, nil for plain values.
func asFile(v expr.Value) *expr.File {
	if blob, ok := v.(*expr.File); ok {
		return blob
	}
	name := textOf(memberOf(v, "file_name"))
	content := memberOf(v, "content")
	if name == "" || content == nil {
		return nil
	}
	file := &expr.File{Name: name, ContentType: textOf(memberOf(v, "content_type"))}
	if blob, ok := content.(*expr.File); ok {
		file.Data = blob.Data
		if file.ContentType == "" {
			file.ContentType = blob.ContentType
		}
		return file
	}
	file.Data = []byte(textOf(content))
	return file
}

func writeFile(w *multipart.Writer, key string, file *expr.File) error {
	quote := strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "", "\n", "")
	name, contentType := file.Name, file.ContentType
	if name == "" {
		name = "file"
	}
	if contentType == "" || !validHeader("Content-Type", contentType) {
		contentType = "application/octet-stream"
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="` + quote.Replace(key) + `"; filename="` + quote.Replace(name) + `"`},
		"Content-Type":        {contentType},
	})
	if err != nil {
		return err
	}
	_, err = part.Write(file.Data)
	return err
}

// mergeQuery copies the caller's query into a body; what the body has already stays.
func mergeQuery(body expr.Value, query *expr.Object) expr.Value {
	o, ok := body.(*expr.Object)
	if !ok && body != nil {
		return body
	}
	merged := jsonata.NewObject(query.Len())
	for key, v := range query.All() {
		merged.Set(key, v)
	}
	for key, v := range orEmpty(o).All() {
		merged.Set(key, v)
	}
	return merged
}
