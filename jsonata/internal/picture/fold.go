package picture

import "unicode"

// foldUnit maps a code unit to upper case as JavaScript's regular expressions
// compare without regard to case: outside of ASCII nothing folds into ASCII.
func foldUnit(c uint16) uint16 {
	upper := unicode.ToUpper(rune(c))
	if upper > 0xffff || c >= 0x80 && upper < 0x80 {
		return c
	}
	return uint16(upper & 0xffff)
}
