package dialect

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"regexp"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// dataURI matches a data URI without parameters.
var dataURI = regexp.MustCompile(`^data:([^;]+);base64,(.+)$`)

// blobFunctions handle bytes.
func blobFunctions() []jsonata.Func {
	return js.Bounded(
		jsonata.Func{Name: "blob", Params: 2, Call: makeBlob},
		jsonata.Func{Name: "base64ToBlob", Params: 1, Call: base64ToBlob},
		jsonata.Func{Name: "getArrayBuffer", Params: 1, Call: getArrayBuffer},
		jsonata.Func{Name: "getDataUri", Params: 2, Call: getDataURI},
		jsonata.Func{Name: "bufferToString", Params: 2, Call: bufferToString},
		jsonata.Func{Name: "teeStream", Params: 1, Call: teeStream},
	)
}

// blob is a file: bytes with a media type. Serialised it is an empty object.
type blob struct {
	data []byte
	kind string
}

func newBlob(data []byte, kind string) *blob {
	for _, r := range kind {
		if r < 0x20 || r > 0x7e {
			kind = ""
			break
		}
	}
	return &blob{data: data, kind: strings.ToLower(kind)}
}

// JSON shows nothing of the content.
func (b *blob) JSON() jsonata.Value { return jsonata.NewObject(0) }

// Member returns a field or a method.
func (b *blob) Member(name string) (jsonata.Value, bool) {
	result := func(v jsonata.Value) (jsonata.Value, bool) {
		return js.Method(name, func([]jsonata.Value) (jsonata.Value, error) { return v, nil }), true
	}
	switch name {
	case "size":
		return float64(len(b.data)), true
	case "type":
		return b.kind, true
	case "text":
		return js.Method(name, func([]jsonata.Value) (jsonata.Value, error) { return decodeUTF8(b.data), nil }), true
	case "slice":
		return js.Method(name, b.slice), true
	case "arrayBuffer":
		return result(&arrayBuffer{b.data})
	case "stream":
		return js.Method(name, func([]jsonata.Value) (jsonata.Value, error) { return &stream{data: b.data}, nil }), true
	}
	return nil, false
}

// slice is part of the blob; negative positions count from the end.
func (b *blob) slice(args []jsonata.Value) (jsonata.Value, error) {
	size := float64(len(b.data))
	position := func(v jsonata.Value, otherwise float64) int {
		at := otherwise
		if v != nil {
			at = js.Integer(v)
		}
		if at < 0 {
			at += size
		}
		return int(math.Max(0, math.Min(at, size)))
	}
	from := position(js.Arg(args, 0), 0)
	to := max(from, position(js.Arg(args, 1), size))
	kind := ""
	if v := js.Arg(args, 2); v != nil {
		kind = js.Text(v)
	}
	return newBlob(b.data[from:to], kind), nil
}

// arrayBuffer is bytes without a type, which expressions can only pass on.
type arrayBuffer struct{ data []byte }

// JSON shows nothing of the content.
func (a *arrayBuffer) JSON() jsonata.Value { return jsonata.NewObject(0) }

// Member returns nothing.
func (a *arrayBuffer) Member(string) (jsonata.Value, bool) { return nil, false }

// Bytes is the content.
func (a *arrayBuffer) Bytes() []byte { return a.data }

// stream is bytes that can be read once.
type stream struct {
	data []byte

	mu     sync.Mutex
	locked bool // its content now belongs to two others
}

// JSON shows nothing of the content.
func (s *stream) JSON() jsonata.Value { return jsonata.NewObject(0) }

// Member returns a field or a method.
func (s *stream) Member(name string) (jsonata.Value, bool) {
	switch name {
	case "locked":
		return false, true
	case "tee":
		return js.Method(name, func([]jsonata.Value) (jsonata.Value, error) { return s.tee() }), true
	case "cancel":
		return js.Method(name, func([]jsonata.Value) (jsonata.Value, error) {
			_, err := s.read()
			return nil, err
		}), true
	}
	return nil, false
}

// read takes what is left.
func (s *stream) read() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked {
		return nil, js.FailedError("Invalid state: The ReadableStream is locked")
	}
	data := s.data
	s.data = nil
	return data, nil
}

// tee makes two streams of one.
func (s *stream) tee() (jsonata.Value, error) {
	data, err := s.read()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.locked = true
	s.mu.Unlock()
	return jsonata.NewArray(&stream{data: data}, &stream{data: data}), nil
}

// makeBlob implements $blob(content, options): text and buffers, or a list of them.
func makeBlob(c *jsonata.Call) (jsonata.Value, error) {
	options := c.Arg(1)
	if !js.IsNullish(options) && !js.IsComposite(options) {
		return nil, js.ArgumentError(`The "options" argument must be a dictionary. Received %s`, js.Text(options))
	}
	kind := ""
	if v := js.Field(options, "type"); v != nil {
		kind = js.Text(v)
	}
	var data []byte
	if js.IsTrue(c.Arg(0)) {
		for _, part := range js.List(c.Arg(0)) {
			piece := blobPart(part, js.Field(options, "endings") == "native")
			if err := c.Grow(len(piece)); err != nil {
				return nil, err
			}
			data = append(data, piece...)
		}
	}
	return newBlob(data, kind), nil
}

func blobPart(v jsonata.Value, native bool) []byte {
	if buffer, ok := v.(*arrayBuffer); ok {
		return buffer.data
	}
	text := js.Text(v)
	if native {
		text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	}
	return []byte(text)
}

// base64ToBlob implements $base64ToBlob(text, options). The type of a data URI wins over that of the options.
func base64ToBlob(c *jsonata.Call) (jsonata.Value, error) {
	options, kind := c.Arg(1), "application/octet-stream"
	if _, null := options.(jsonata.Null); null {
		return nil, js.ArgumentError("Cannot read properties of null (reading 'mimeType')")
	}
	if v := js.Field(options, "mimeType"); v != nil {
		kind = js.Text(v)
	}
	text, _ := c.Arg(0).(string)
	text = js.TrimSpace(text)
	if strings.HasPrefix(text, "data:") {
		m := dataURI.FindStringSubmatch(text)
		if m == nil {
			return nil, js.ArgumentError("Invalid data URI format")
		}
		kind, text = m[1], m[2]
	}
	if js.IsTrue(js.Field(options, "urlSafe")) {
		text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	}
	if err := c.Grow(len(text)); err != nil {
		return nil, err
	}
	if missing := -len(text) & 3; missing > 0 {
		text += strings.Repeat("=", missing)
	}
	data, err := decodeBase64(text)
	if err != nil {
		return nil, js.ArgumentError("Invalid base64 string: Invalid character")
	}
	return newBlob(data, kind), nil
}

// getArrayBuffer implements $getArrayBuffer(blob); anything else has none.
func getArrayBuffer(c *jsonata.Call) (jsonata.Value, error) {
	b, ok := c.Arg(0).(*blob)
	if !ok {
		return nil, nil //nolint:nilnil // undefined
	}
	return &arrayBuffer{b.data}, nil
}

// getDataURI implements $getDataUri(file, mimeType).
func getDataURI(c *jsonata.Call) (jsonata.Value, error) {
	if !js.IsTrue(c.Arg(1)) {
		return nil, js.ArgumentError("Mime type is required")
	}
	data, ok, err := contentOf(c.Arg(0))
	if b, isBlob := c.Arg(0).(*blob); isBlob {
		data, ok = b.data, true
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, js.ArgumentError("Unsupported file type for getDataUri")
	}
	if err := c.Grow(len(data) * 2); err != nil {
		return nil, err
	}
	return "data:" + js.Text(c.Arg(1)) + ";base64," + base64.StdEncoding.EncodeToString(data), nil
}

// contentOf reads a stream.
func contentOf(v jsonata.Value) ([]byte, bool, error) {
	s, ok := v.(*stream)
	if !ok {
		return nil, false, nil
	}
	data, err := s.read()
	return data, err == nil, err
}

// bufferToString implements $bufferToString(stream, encoding).
func bufferToString(c *jsonata.Call) (jsonata.Value, error) {
	data, ok, err := contentOf(c.Arg(0))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, js.ArgumentError("Unsupported value type for bufferToString")
	}
	if err := c.Grow(len(data) * 2); err != nil {
		return nil, err
	}
	encoding := "utf8"
	if v := c.Arg(1); v != nil {
		encoding = js.Text(v)
	}
	text, known := decodeBytes(data, strings.ToLower(encoding))
	if !known {
		return nil, js.ArgumentError("Unknown encoding: %s", encoding)
	}
	return text, nil
}

// decodeBytes shows bytes in one of the encodings of Node's buffers.
func decodeBytes(data []byte, encoding string) (string, bool) {
	switch encoding {
	case "utf8", "utf-8":
		mark := ""
		if strings.HasPrefix(string(data), "\ufeff") { // which decodeUTF8 drops
			mark = "\ufeff"
		}
		return mark + decodeUTF8(data), true
	case "hex":
		return hex.EncodeToString(data), true
	case "base64":
		return base64.StdEncoding.EncodeToString(data), true
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(data), true
	case "latin1", "binary", "ascii":
		runes := make([]rune, len(data))
		for i, b := range data {
			runes[i] = rune(b)
			if encoding == "ascii" {
				runes[i] = rune(b & 0x7f)
			}
		}
		return string(runes), true
	case "utf16le", "utf-16le", "ucs2", "ucs-2":
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = uint16(data[2*i]) | uint16(data[2*i+1])<<8
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// teeStream implements $teeStream(stream).
func teeStream(c *jsonata.Call) (jsonata.Value, error) {
	s, ok := c.Arg(0).(*stream)
	if !ok {
		return nil, js.ArgumentError("nativeStream.tee is not a function or its return value is not iterable")
	}
	return s.tee()
}
