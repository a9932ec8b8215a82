package wire

import (
	"bytes"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// Encoding says how a body is written.
type Encoding struct {
	Path   string // of the body in the config
	Format string
	Root   string // name of the outermost element of XML
}

// Encode writes a body in the config's format. A blob travels unchanged in every format but multipart.
func (b *Encoding) Encode(v expr.Value, arrayFormat string) ([]byte, string, error) {
	if blob, ok := v.(*expr.File); ok && b.Format != "multipart" {
		return blob.Data, blob.ContentType, nil
	}
	switch b.Format {
	case "form":
		if o, ok := v.(*expr.Object); ok {
			v = encodePairs(flatten(o, arrayFormat))
		}
		return []byte(expr.Text(v)), "application/x-www-form-urlencoded", nil
	case "multipart":
		return b.encodeMultipart(v, arrayFormat)
	case "raw":
		return []byte(expr.Text(v)), "text/plain; charset=utf-8", nil
	case "xml":
		if s, ok := v.(string); ok {
			return []byte(s), "application/xml", nil
		}
		data, err := encodeXML(v, b.Root)
		if err != nil {
			return nil, "", millrace.Invalid(b.Path, "%v", err)
		}
		return data, "application/xml", nil
	}
	data, err := expr.EncodeJSON(v)
	if err != nil {
		return nil, "", millrace.Invalid(b.Path, "%v", err)
	}
	return data, "application/json", nil
}

// encodeMultipart writes one part for each member. Blobs are files, and so are objects with a content and a
// file_name.
func (b *Encoding) encodeMultipart(v expr.Value, arrayFormat string) ([]byte, string, error) {
	o, ok := v.(*expr.Object)
	if !ok {
		return nil, "", millrace.Invalid(b.Path, "must be an object to be sent as multipart")
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for key, member := range o.All() {
		if err := writeParts(w, key, member, arrayFormat); err != nil {
			return nil, "", millrace.Invalid(b.Path, "write part %s: %v", key, err)
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
	name := expr.Text(expr.Get(v, "file_name"))
	content := expr.Get(v, "content")
	if name == "" || content == nil {
		return nil
	}
	file := &expr.File{Name: name, ContentType: expr.Text(expr.Get(v, "content_type"))}
	if blob, ok := content.(*expr.File); ok {
		file.Data = blob.Data
		if file.ContentType == "" {
			file.ContentType = blob.ContentType
		}
		return file
	}
	file.Data = []byte(expr.Text(content))
	return file
}

func writeFile(w *multipart.Writer, key string, file *expr.File) error {
	quote := strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "", "\n", "")
	name, contentType := file.Name, file.ContentType
	if name == "" {
		name = "file"
	}
	if contentType == "" || !ValidHeader("Content-Type", contentType) {
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
