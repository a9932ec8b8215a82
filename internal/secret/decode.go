package secret

import (
	"bytes"
	"html"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// stream is a text after some rounds of decoding. Byte i stands for what begins at origin[i] of the text; bytes of one
// character have the same origin. Without origins, every byte stands for itself.
type stream struct {
	bytes  []byte
	origin []int32
	size   int // of the text
}

// span returns the part of the text that bytes from start to end stand for.
func (s *stream) span(start, end int) (int, int) {
	if s.origin == nil {
		return start, end
	}
	from, last := s.origin[start], s.origin[end-1]
	for ; end < len(s.origin); end++ {
		if s.origin[end] != last {
			return int(from), int(s.origin[end])
		}
	}
	return int(from), s.size
}

// rewriter makes one stream of another.
type rewriter struct {
	from stream
	to   stream
}

func rewrite(from stream) *rewriter {
	n := len(from.bytes)
	return &rewriter{from, stream{make([]byte, 0, n), make([]int32, 0, n), from.size}}
}

// put adds bytes that stand for what begins at position i of the old stream.
func (w *rewriter) put(i int, b []byte) {
	for _, c := range b {
		w.one(i, c)
	}
}

// one adds one byte.
func (w *rewriter) one(i int, c byte) {
	at := int32(i) //nolint:gosec // windows are small
	if w.from.origin != nil {
		at = w.from.origin[i]
	}
	w.to.bytes, w.to.origin = append(w.to.bytes, c), append(w.to.origin, at)
}

// decode takes one layer of escapes off and reports whether there was one.
func decode(from stream) (stream, bool) {
	if bytes.IndexByte(from.bytes, '\\') < 0 && bytes.IndexByte(from.bytes, '%') < 0 && bytes.IndexByte(from.bytes, '&') < 0 {
		return from, false
	}
	w, changed := rewrite(from), false
	var buf [64]byte
	for i := 0; i < len(from.bytes); {
		out, n := unescape(from.bytes[i:], buf[:0])
		if n == 0 {
			w.one(i, from.bytes[i])
			i++
			continue
		}
		changed = true
		w.put(i, out)
		i += n
	}
	return latin(w.to), changed
}

// latin reads bytes that are not UTF-8 as characters of Latin-1: that is what old software percent-encodes.
func latin(from stream) stream {
	if utf8.Valid(from.bytes) {
		return from
	}
	w := rewrite(from)
	var buf [utf8.UTFMax]byte
	for i := 0; i < len(from.bytes); {
		r, n := utf8.DecodeRune(from.bytes[i:])
		if r == utf8.RuneError && n == 1 {
			w.put(i, utf8.AppendRune(buf[:0], rune(from.bytes[i])))
		} else {
			for k := range n {
				w.one(i, from.bytes[i+k])
			}
		}
		i += n
	}
	return w.to
}

// unescape reads an escape at the beginning of a text and returns what it stands for and how long it is; 0: there is none.
func unescape(s, buf []byte) ([]byte, int) {
	switch s[0] {
	case '\\':
		return backslash(s, buf)
	case '%':
		return percent(s, buf)
	case '&':
		return entity(s, buf)
	}
	return nil, 0
}

func backslash(s, buf []byte) ([]byte, int) {
	if len(s) < 2 {
		return nil, 0
	}
	switch c := s[1]; c {
	case '"', '\\', '/', '\'', '`':
		return append(buf, c), 2
	case 'n':
		return append(buf, '\n'), 2
	case 'r':
		return append(buf, '\r'), 2
	case 't':
		return append(buf, '\t'), 2
	case 'b':
		return append(buf, '\b'), 2
	case 'f':
		return append(buf, '\f'), 2
	case 'x':
		if v, ok := digits(s, 2, 2, 16); ok {
			return append(buf, toByte(v)), 4
		}
	case 'U':
		if v, ok := digits(s, 2, 8, 16); ok && v <= unicode.MaxRune {
			return utf8.AppendRune(buf, toRune(v)), 10
		}
	case 'u':
		return unicodeEscape(s, buf)
	case '0', '1', '2', '3':
		if v, ok := digits(s, 1, 3, 8); ok {
			return append(buf, toByte(v)), 4
		}
	}
	return nil, 0
}

// unicodeEscape reads \uXXXX, a pair of surrogates in the same notation, and \u{X}.
func unicodeEscape(s, buf []byte) ([]byte, int) {
	if len(s) > 3 && s[2] == '{' {
		end := bytes.IndexByte(s[:min(len(s), 12)], '}')
		if v, ok := digits(s, 3, end-3, 16); ok && v <= unicode.MaxRune {
			return utf8.AppendRune(buf, toRune(v)), end + 1
		}
		return nil, 0
	}
	v, ok := digits(s, 2, 4, 16)
	if !ok {
		return nil, 0
	}
	if v >= 0xd800 && v < 0xdc00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if low, ok := digits(s, 8, 4, 16); ok && low >= 0xdc00 && low < 0xe000 {
			return utf8.AppendRune(buf, toRune((v-0xd800)<<10|(low-0xdc00))+0x10000), 12
		}
	}
	return utf8.AppendRune(buf, toRune(v)), 6
}

func percent(s, buf []byte) ([]byte, int) {
	if v, ok := digits(s, 1, 2, 16); ok {
		return append(buf, toByte(v)), 3
	}
	if len(s) > 1 && (s[1] == 'u' || s[1] == 'U') {
		if v, ok := digits(s, 2, 4, 16); ok {
			return utf8.AppendRune(buf, toRune(v)), 6
		}
	}
	return nil, 0
}

// maxEntity is the length of the longest named entity.
const maxEntity = 33

func entity(s, buf []byte) ([]byte, int) {
	if len(s) > 2 && s[1] == '#' {
		base, start := 10, 2
		if s[2] == 'x' || s[2] == 'X' {
			base, start = 16, 3
		}
		end := start
		for end < len(s) && end < start+10 && digit(s[end]) < base {
			end++
		}
		v, ok := digits(s, start, end-start, base)
		if !ok || v > unicode.MaxRune {
			return nil, 0
		}
		if end < len(s) && s[end] == ';' {
			end++
		}
		return utf8.AppendRune(buf, toRune(v)), end
	}
	end := bytes.IndexByte(s[:min(len(s), maxEntity)], ';')
	if end < 0 {
		return nil, 0
	}
	named := string(s[:end+1])
	if plain := html.UnescapeString(named); plain != named {
		return append(buf, plain...), end + 1
	}
	return nil, 0
}

// digits reads a number of exactly n digits.
func digits(s []byte, start, n, base int) (int64, bool) {
	if n <= 0 || start+n > len(s) {
		return 0, false
	}
	for _, c := range s[start : start+n] {
		if digit(c) >= base {
			return 0, false
		}
	}
	v, err := strconv.ParseInt(string(s[start:start+n]), base, 64)
	return v, err == nil
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return 99
}

// fold makes letters small, and a plus the space that it stands for in forms. It keeps the length of a text.
func fold(s []byte) []byte {
	out := bytes.Clone(s)
	for i := 0; i < len(out); {
		c := out[i]
		switch {
		case c >= 'A' && c <= 'Z':
			out[i] = c + 'a' - 'A'
		case c == '+':
			out[i] = ' '
		}
		if c < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(out[i:])
		if small := unicode.ToLower(r); small != r && utf8.RuneLen(small) == n {
			utf8.EncodeRune(out[i:], small)
		}
		i += n
	}
	return out
}

// base64Text unites the alphabets of base64 and leaves out the ends of lines, at which long texts are broken.
func base64Text(from stream) stream {
	if bytes.ContainsAny(from.bytes, "\r\n") {
		w := rewrite(from)
		for i, c := range from.bytes {
			if c != '\r' && c != '\n' {
				w.one(i, unite(c))
			}
		}
		return w.to
	}
	out := stream{make([]byte, len(from.bytes)), from.origin, from.size}
	for i, c := range from.bytes {
		out.bytes[i] = unite(c)
	}
	return out
}

func unite(c byte) byte {
	switch c {
	case '-':
		return '+'
	case '_':
		return '/'
	}
	return c
}

// toRune and toByte are for numbers of so few digits that they fit, or that were compared before.
func toRune(v int64) rune { return rune(v) } //nolint:gosec // it fits

func toByte(v int64) byte { return byte(v) } //nolint:gosec // it fits
