package expr

import "encoding/base64"

// File is binary data in a response, in a body or among records: a document, an image. Placeholders hand it on unchanged,
// expressions can read its name, content_type and size, and in JSON it is base64.
type File struct {
	Data        []byte
	ContentType string
	Name        string // when the provider gives one
}

// Member returns name, content_type or size.
func (f *File) Member(name string) (Value, bool) {
	switch name {
	case "name":
		return f.Name, true
	case "content_type":
		return f.ContentType, true
	case "size":
		return float64(len(f.Data)), true
	}
	return nil, false
}

// JSON returns the data as base64.
func (f *File) JSON() Value { return base64.StdEncoding.EncodeToString(f.Data) }
