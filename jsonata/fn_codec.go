package jsonata

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/jsonata/internal/jsregexp"
)

func codecFuncs() []builtin {
	text := func(name string, fn func(string) (string, bool)) builtin {
		return builtin{name, "<s-:s>", 1, defined(func(c *Call) (Value, error) {
			s := c.Arg(0).(string)
			if err := c.Grow(3 * len(s)); err != nil {
				return nil, err
			}
			out, ok := fn(s)
			if !ok {
				e := newError("D3140", s)
				e.Token = name
				return nil, e
			}
			return out, c.Step(len(s) / 64)
		})}
	}
	return []builtin{
		text("base64encode", encodeBase64),
		text("base64decode", decodeBase64),
		text("encodeUrlComponent", func(s string) (string, bool) { return encodeURI(s, "-_.!~*'()") }),
		text("encodeUrl", func(s string) (string, bool) { return encodeURI(s, "-_.!~*'();/?:@&=+$,#") }),
		text("decodeUrlComponent", func(s string) (string, bool) { return decodeURI(s, "") }),
		text("decodeUrl", func(s string) (string, bool) { return decodeURI(s, ";/?:@&=+$,#") }),
	}
}

// encodeBase64 encodes the low byte of each UTF-16 code unit.
func encodeBase64(s string) (string, bool) {
	if jsregexp.IsASCII(s) {
		return base64.StdEncoding.EncodeToString([]byte(s)), true
	}
	buf := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c < utf8.RuneSelf:
			buf = append(buf, c)
			i++
		case c < 0xE0 && i+1 < len(s): // two bytes, of which the second and the lowest bits of the first are the low byte
			buf = append(buf, c<<6|s[i+1]&0x3F)
			i += 2
		default:
			n := runeSize(s[i:])
			for _, unit := range encodeUnits(s[i : i+n]) {
				buf = append(buf, byte(unit&0xFF))
			}
			i += n
		}
	}
	return base64.StdEncoding.EncodeToString(buf), true
}

// decodeBase64 decodes to characters U+0000 to U+00FF. It ignores what is not
// base64, stops at padding, and takes the alphabet of URLs as well.
func decodeBase64(s string) (string, bool) {
	if end := strings.IndexByte(s, '='); end >= 0 {
		s = s[:end]
	}
	// Node ignores other characters up to U+00FF and stops at those beyond.
	if end := strings.IndexFunc(s, func(r rune) bool { return r > 0xff }); end >= 0 {
		s = s[:end]
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/':
			return r
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		}
		return -1
	}, s)
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	data, _ := base64.RawStdEncoding.DecodeString(clean)
	buf := make([]byte, 0, len(data))
	for _, c := range data {
		buf = utf8.AppendRune(buf, rune(c))
	}
	return string(buf), true
}

func alphanumeric(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || isDigit(c)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// encodeURI escapes all but letters, digits and the given marks. It fails for
// half of a surrogate pair.
func encodeURI(s, marks string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	const hex = "0123456789ABCDEF"
	buf := make([]byte, 0, len(s)+len(s)/2)
	for i := range len(s) {
		c := s[i]
		if alphanumeric(c) || strings.IndexByte(marks, c) >= 0 {
			buf = append(buf, c)
		} else {
			buf = append(buf, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(buf), true
}

// decodeURI undoes escapes, except those of the reserved characters. It fails for
// malformed escapes and for bytes that are not UTF-8.
func decodeURI(s, reserved string) (string, bool) {
	buf := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '%' {
			buf = append(buf, s[i])
			i++
			continue
		}
		c, ok := escapedByte(s[i:])
		if !ok {
			return "", false
		}
		if c < utf8.RuneSelf {
			if strings.IndexByte(reserved, c) >= 0 {
				buf = append(buf, s[i:i+3]...)
			} else {
				buf = append(buf, c)
			}
			i += 3
			continue
		}
		var char []byte
		for ; i < len(s) && !utf8.FullRune(char); i += 3 {
			if c, ok = escapedByte(s[i:]); !ok {
				return "", false
			}
			char = append(char, c)
		}
		if !utf8.Valid(char) {
			return "", false
		}
		buf = append(buf, char...)
	}
	return string(buf), true
}

// escapedByte reads an escape such as %2F.
func escapedByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	n, ok := parseDigits(s[1:3], 16)
	return byte(n), ok
}

// upper and lower map case as JavaScript does, which knows characters that
// become several.
func upper(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return upperWide(s)
		}
	}
	return strings.ToUpper(s)
}

func lower(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return lowerWide(s)
		}
	}
	return strings.ToLower(s)
}

// eachRune calls fn for each character, and copies halves of surrogate pairs.
func eachRune(s string, fn func(buf []byte, r rune, i int) []byte) string {
	buf := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); {
		n := runeSize(s[i:])
		if r, _ := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError {
			buf = fn(buf, r, i)
		} else {
			buf = append(buf, s[i:i+n]...)
		}
		i += n
	}
	return string(buf)
}
