package fetch

import (
	"encoding/base64"

	"github.com/millrace/millrace/internal/expr"
)

// Blob is binary data in an answer or in a body: a file, an image. Placeholders hand it on unchanged, expressions can
// read its name, content_type and size, and in JSON it is base64.
type Blob struct {
	Data        []byte
	ContentType string
	Name        string // file name, when the third party gives one
}

// Member returns name, content_type or size.
func (b *Blob) Member(name string) (expr.Value, bool) {
	switch name {
	case "name":
		return b.Name, true
	case "content_type":
		return b.ContentType, true
	case "size":
		return float64(len(b.Data)), true
	}
	return nil, false
}

// JSON returns the data as base64.
func (b *Blob) JSON() expr.Value { return base64.StdEncoding.EncodeToString(b.Data) }
