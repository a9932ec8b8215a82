package syncjob

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// files collects the files among records while they are encoded.
type files struct{ all []*expr.File }

// show replaces a file by the name of its part.
func (f *files) show(h jsonata.Host) jsonata.Value {
	file, ok := h.(*expr.File)
	if !ok {
		return h.JSON()
	}
	f.all = append(f.all, file)
	out := jsonata.NewObject(4)
	out.Set("file", partName(len(f.all)))
	out.Set("name", file.Name)
	out.Set("content_type", file.ContentType)
	out.Set("size", float64(len(file.Data)))
	return out
}

func partName(number int) string { return "file-" + strconv.Itoa(number) }

// multipartBody writes a delivery with files: the envelope as the part payload, then each file. The boundary follows from the
// delivery and its content, so that a repetition has the same bytes.
func multipartBody(id millrace.DeliveryID, envelope []byte, all []*expr.File) ([]byte, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary(id, envelope, all)); err != nil {
		return nil, fmt.Errorf("encode files: %w", err)
	}
	errs := []error{writePart(w, "payload", "", "application/json", envelope)}
	for i, f := range all {
		name := f.Name
		if name == "" {
			name = partName(i + 1)
		}
		errs = append(errs, writePart(w, partName(i+1), name, f.ContentType, f.Data))
	}
	if err := errors.Join(append(errs, w.Close())...); err != nil {
		return nil, fmt.Errorf("encode files: %w", err)
	}
	return b.Bytes(), nil
}

// boundary is a line that occurs in none of the parts.
func boundary(id millrace.DeliveryID, envelope []byte, all []*expr.File) string {
	for n := 0; ; n++ {
		b := fmt.Sprintf("millrace-%s-%d", id, n)
		taken := bytes.Contains(envelope, []byte(b))
		for _, f := range all {
			taken = taken || bytes.Contains(f.Data, []byte(b))
		}
		if !taken {
			return b
		}
	}
}

func writePart(w *multipart.Writer, name, fileName, contentType string, data []byte) error {
	disposition := `form-data; name="` + name + `"`
	if fileName != "" {
		disposition += `; filename="` + quotable.Replace(fileName) + `"`
	}
	if contentType == "" || strings.ContainsAny(contentType, "\r\n") {
		contentType = "application/octet-stream"
	}
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {disposition}, "Content-Type": {contentType}})
	if err == nil {
		_, err = part.Write(data)
	}
	return err
}

// quotable takes out of a file name what would end the header's value.
var quotable = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A") //nolint:gochecknoglobals // a table
