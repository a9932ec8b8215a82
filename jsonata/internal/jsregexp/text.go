package jsregexp

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Strings hold halves of surrogate pairs, which JavaScript's strings may contain
// and UTF-8 cannot, in the three bytes that UTF-8 would give to their number.

// surrogate decodes such a half at the beginning of s.
func surrogate(s string) (uint16, bool) {
	if len(s) < 3 || s[0] != 0xed || s[1] < 0xa0 || s[1] > 0xbf || s[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | uint16(s[1]&0x3f)<<6 | uint16(s[2]&0x3f), true
}

// encode returns the code units of a text.
func encode(s string) []uint16 {
	units := make([]uint16, 0, len(s))
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if half, ok := surrogate(s); ok && r == utf8.RuneError {
			units = append(units, half)
			s = s[3:]
			continue
		}
		units = utf16.AppendRune(units, r)
		s = s[size:]
	}
	return units
}

// decode returns the text of code units.
func decode(units []uint16) string {
	text := make([]byte, 0, len(units))
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if !utf16.IsSurrogate(r) {
			text = utf8.AppendRune(text, r)
			continue
		}
		if i+1 < len(units) {
			if pair := utf16.DecodeRune(r, rune(units[i+1])); pair != utf8.RuneError {
				text = utf8.AppendRune(text, pair)
				i++
				continue
			}
		}
		text = append(text, 0xe0|byte(r>>12&0xf), 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
	}
	return string(text)
}

// IsASCII tells whether a text has no other characters. It looks at eight bytes at a time.
func IsASCII(s string) bool {
	const high = 0x8080808080808080
	for len(s) >= 8 {
		eight := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if eight&high != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
