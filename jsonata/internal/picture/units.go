package picture

import (
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// units is text as JavaScript counts it. Number pictures are taken apart by
// position, and a position means a UTF-16 code unit.
type units []uint16

// toUnits takes half of a surrogate pair as the three bytes that UTF-8 would have for it.
func toUnits(s string) units {
	u := make(units, 0, len(s))
	for s != "" {
		if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF {
			u, s = append(u, 0xD000|uint16(s[1]&0x3F)<<6|uint16(s[2]&0x3F)), s[3:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		u, s = utf16.AppendRune(u, r), s[n:]
	}
	return u
}

func (u units) String() string {
	buf := make([]byte, 0, len(u))
	for i := 0; i < len(u); i++ {
		switch r := rune(u[i]); {
		case !utf16.IsSurrogate(r):
			buf = utf8.AppendRune(buf, r)
		case i+1 < len(u) && utf16.DecodeRune(r, rune(u[i+1])) != utf8.RuneError:
			buf = utf8.AppendRune(buf, utf16.DecodeRune(r, rune(u[i+1])))
			i++
		default:
			buf = append(buf, 0xED, 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
		}
	}
	return string(buf)
}

// index finds sub at or after from. Like String.prototype.indexOf, it finds an
// empty sub at from or at the end of u.
func (u units) index(sub units, from int) int {
	from = min(max(from, 0), len(u))
	for i := from; i+len(sub) <= len(u); i++ {
		if slices.Equal(u[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

func (u units) lastIndex(sub units) int {
	for i := len(u) - len(sub); i >= 0; i-- {
		if slices.Equal(u[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

func (u units) contains(sub units) bool { return u.index(sub, 0) >= 0 }

// at reports whether the unit at i is exactly sub. Outside of u there is the
// empty string, which only an empty sub equals.
func (u units) at(i int, sub units) bool {
	if i < 0 || i >= len(u) {
		return len(sub) == 0
	}
	return len(sub) == 1 && u[i] == sub[0]
}

// split cuts u at every sub; an empty sub cuts between all units.
func (u units) split(sub units) []units {
	if len(sub) == 0 {
		parts := make([]units, len(u))
		for i := range u {
			parts[i] = u[i : i+1]
		}
		return parts
	}
	var parts []units
	for {
		i := u.index(sub, 0)
		if i < 0 {
			return append(parts, u)
		}
		parts = append(parts, u[:i])
		u = u[i+len(sub):]
	}
}

// sliceIndex turns an index as String.prototype.slice takes it, where negative
// ones count from the end, into an offset within u.
func (u units) sliceIndex(i int) int {
	if i < 0 {
		i += len(u)
	}
	return min(max(i, 0), len(u))
}

// insert puts sub at index i, which may be negative or beyond the end.
func (u units) insert(i int, sub units) units {
	return slices.Insert(slices.Clip(u), u.sliceIndex(i), sub...)
}

func (u units) count(keep func(uint16) bool) int {
	n := 0
	for _, c := range u {
		if keep(c) {
			n++
		}
	}
	return n
}
