package jsregexp

import (
	"cmp"
	"slices"
	"unicode"
)

// span is an inclusive range of code units.
type span struct{ lo, hi uint16 }

// class is a set of code units, with a bitmap for ASCII in front.
type class struct {
	ascii [2]uint64
	spans []span
	fold  bool // outside of ASCII, a unit is also in if one that folds to the same is
	not   bool // outside of ASCII, after folding
}

// newClass builds a set. Folding is applied before the negation, as JavaScript
// does: /[^x]/i excludes X.
func newClass(spans []span, fold, not bool) *class {
	c := &class{spans: mergeSpans(spans), fold: fold, not: not}
	for _, s := range c.spans {
		for u := s.lo; u < 128 && u <= s.hi; u++ {
			c.include(u)
			// No unit outside of ASCII folds into it.
			if other := u ^ 0x20; fold && (u >= 'a' && u <= 'z' || u >= 'A' && u <= 'Z') {
				c.include(other)
			}
		}
	}
	if not {
		c.ascii[0], c.ascii[1] = ^c.ascii[0], ^c.ascii[1]
	}
	return c
}

func (c *class) include(u uint16) { c.ascii[u>>6] |= 1 << (u & 63) }

func (c *class) has(u uint16) bool {
	if u < 128 {
		return c.ascii[u>>6]&(1<<(u&63)) != 0
	}
	return c.lookup(u)
}

func (c *class) lookup(u uint16) bool {
	found := c.contains(u)
	if c.fold && !found {
		found = slices.ContainsFunc(equivalents(u), c.contains)
	}
	return found != c.not
}

func (c *class) contains(u uint16) bool {
	_, found := slices.BinarySearchFunc(c.spans, u, func(s span, u uint16) int {
		switch {
		case s.hi < u:
			return -1
		case s.lo > u:
			return 1
		}
		return 0
	})
	return found
}

func mergeSpans(spans []span) []span {
	spans = slices.SortedFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && int(s.lo) <= int(merged[n-1].hi)+1 {
			merged[n-1].hi = max(merged[n-1].hi, s.hi)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// complement returns the spans that the given ones leave out.
func complement(spans []span) []span {
	var rest []span
	next := 0
	for _, s := range mergeSpans(spans) {
		if next < int(s.lo) {
			rest = append(rest, span{uint16(next), s.lo - 1})
		}
		next = int(s.hi) + 1
	}
	if next <= 0xffff {
		rest = append(rest, span{uint16(next), 0xffff})
	}
	return rest
}

// named returns the set of \d, \w or \s, or of their negations.
func named(letter uint16) ([]span, bool) {
	switch letter {
	case 'd':
		return []span{{'0', '9'}}, true
	case 'w':
		return []span{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, true
	case 's':
		return []span{
			{'\t', '\r'},
			{' ', ' '},
			{0xa0, 0xa0},
			{0x1680, 0x1680},
			{0x2000, 0x200a},
			{0x2028, 0x2029},
			{0x202f, 0x202f},
			{0x205f, 0x205f},
			{0x3000, 0x3000},
			{0xfeff, 0xfeff},
		}, true
	case 'D', 'W', 'S':
		spans, _ := named(letter + 'a' - 'A')
		return complement(spans), true
	}
	return nil, false
}

func lineTerminators() []span {
	return []span{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
}

func isLineTerminator(u uint16) bool {
	return u == '\n' || u == '\r' || u == 0x2028 || u == 0x2029
}

func isWord(u uint16) bool {
	return u >= 'a' && u <= 'z' || u >= 'A' && u <= 'Z' || u >= '0' && u <= '9' || u == '_'
}

// canonical maps a code unit to what it is compared by under the flag i: its
// upper case, unless that takes several units or leads from outside into ASCII.
func canonical(u uint16) uint16 {
	if u < 128 {
		if u >= 'a' && u <= 'z' {
			return u - 'a' + 'A'
		}
		return u
	}
	upper := unicode.ToUpper(rune(u))
	if upper < 128 || upper > 0xffff || upperIsLonger(u) {
		return u
	}
	return uint16(upper)
}

// upperIsLonger reports the code units that have a simple upper case but whose
// full upper case, which JavaScript uses, takes more than one unit.
func upperIsLonger(u uint16) bool {
	switch {
	case u >= 0x1f80 && u <= 0x1faf:
		return true
	case u == 0x1fb3 || u == 0x1fbc || u == 0x1fc3 || u == 0x1fcc || u == 0x1ff3 || u == 0x1ffc:
		return true
	}
	return false
}

// equivalents returns the other code units that equal u under the flag i.
func equivalents(u uint16) []uint16 {
	var others []uint16
	want := canonical(u)
	for r := unicode.SimpleFold(rune(u)); r != rune(u); r = unicode.SimpleFold(r) {
		if other := uint16(r & 0xffff); r <= 0xffff && canonical(other) == want {
			others = append(others, other)
		}
	}
	return others
}
