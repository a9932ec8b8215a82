package dialect

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// base64Encode encodes the text of a value as UTF-8; a host object that holds bytes is encoded unchanged.
func base64Encode(c *jsonata.Call) (jsonata.Value, error) {
	var data []byte
	if h, ok := c.Arg(0).(interface{ Bytes() []byte }); ok {
		data = h.Bytes()
	} else if c.Arg(0) != nil {
		text, err := js.CallText(c, c.Arg(0))
		if err != nil {
			return nil, err
		}
		data = []byte(strings.ToValidUTF8(text, "\ufffd"))
	}
	if err := c.Grow(base64.StdEncoding.EncodedLen(len(data))); err != nil {
		return nil, err
	}
	if js.IsTrue(c.Arg(1)) {
		return base64.RawURLEncoding.EncodeToString(data), nil
	}
	return base64.StdEncoding.EncodeToString(data), nil
}

// base64Decode decodes text the way browsers do: white space is ignored and padding may be missing, but nothing else is
// forgiven. Bytes that are no UTF-8 become replacement characters.
func base64Decode(c *jsonata.Call) (jsonata.Value, error) {
	text, err := js.CallText(c, c.Arg(0))
	if err != nil {
		return nil, err
	}
	if js.IsTrue(c.Arg(1)) {
		if _, isText := c.Arg(0).(string); !isText {
			return nil, js.ArgumentError("$base64decode: got %s, want text", js.TypeName(c.Arg(0)))
		}
		text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	}
	data, err := decodeBase64(text)
	if err != nil {
		return nil, err
	}
	return decodeUTF8(data), nil
}

func decodeBase64(text string) ([]byte, error) {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\f\r ", r) {
			return -1
		}
		return r
	}, text)
	if len(text)%4 == 0 {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(text)%4 == 1 {
		return nil, js.FailedError("$base64decode: the text is not correctly encoded")
	}
	return data, nil
}

// decodeUTF8 decodes bytes as browsers do: a byte order mark at the start is dropped, and every longest run of bytes that
// could have begun a character becomes one replacement character.
func decodeUTF8(data []byte) string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			size = brokenLength(text)
		}
		b.WriteRune(r)
		text = text[size:]
	}
	return b.String()
}

// brokenLength returns how many bytes at the start of s belong to one character that is cut off.
func brokenLength(s string) int {
	low, high, want := byte(0x80), byte(0xbf), 0
	switch lead := s[0]; {
	case lead >= 0xc2 && lead <= 0xdf:
		want = 1
	case lead >= 0xe0 && lead <= 0xef:
		want = 2
		if lead == 0xe0 {
			low = 0xa0
		}
		if lead == 0xed {
			high = 0x9f
		}
	case lead >= 0xf0 && lead <= 0xf4:
		want = 3
		if lead == 0xf0 {
			low = 0x90
		}
		if lead == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for n <= want && n < len(s) && s[n] >= low && s[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}
	return n
}
