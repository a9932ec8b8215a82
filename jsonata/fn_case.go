package jsonata

import (
	"unicode"
	"unicode/utf8"
)

func lowerWide(s string) string {
	return eachRune(s, func(buf []byte, r rune, i int) []byte {
		switch r {
		case 'İ':
			return append(buf, "i̇"...)
		case 'Σ':
			if finalSigma(s, i) {
				return utf8.AppendRune(buf, 'ς')
			}
		}
		return utf8.AppendRune(buf, unicode.ToLower(r))
	})
}

// finalSigma tells whether the Σ at i ends a word.
func finalSigma(s string, i int) bool {
	before := false
	for k := i; k > 0; {
		r, n := utf8.DecodeLastRuneInString(s[:k])
		k -= n
		if !caseIgnorable(r) {
			before = isCased(r)
			break
		}
	}
	if !before {
		return false
	}
	for _, r := range s[i+len("Σ"):] {
		if !caseIgnorable(r) {
			return !isCased(r)
		}
	}
	return true
}

func isCased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) || unicode.Is(unicode.Other_Lowercase, r) || unicode.Is(unicode.Other_Uppercase, r)
}

func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '·', '’', '‘', '․', '‧', '︓', '﹒', '﹕', '＇', '．', '：', '՟', '״':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

func upperWide(s string) string {
	return eachRune(s, func(buf []byte, r rune, _ int) []byte {
		if text := upperSpecial(r); text != "" {
			return append(buf, text...)
		}
		return utf8.AppendRune(buf, unicode.ToUpper(r))
	})
}

// upperSpecial returns the upper case of the characters that have more than one
// character for it.
func upperSpecial(r rune) string {
	switch {
	case r < 0xDF:
		return ""
	case r >= 0x1F80 && r <= 0x1FFC:
		return upperIota(r)
	}
	switch r {
	case 'ß':
		return "SS"
	case 'ŉ':
		return "ʼN"
	case 'ǰ':
		return "J̌"
	case 'ΐ':
		return "\u0399\u0308\u0301"
	case 'ΰ':
		return "\u03a5\u0308\u0301"
	case 'և':
		return "ԵՒ"
	case 'ẖ':
		return "H̱"
	case 'ẗ':
		return "T̈"
	case 'ẘ':
		return "W̊"
	case 'ẙ':
		return "Y̊"
	case 'ẚ':
		return "Aʾ"
	case 'ὐ':
		return "Υ̓"
	case 'ὒ':
		return "Υ̓̀"
	case 'ὔ':
		return "Υ̓́"
	case 'ὖ':
		return "Υ̓͂"
	case 'ﬀ':
		return "FF"
	case 'ﬁ':
		return "FI"
	case 'ﬂ':
		return "FL"
	case 'ﬃ':
		return "FFI"
	case 'ﬄ':
		return "FFL"
	case 'ﬅ', 'ﬆ':
		return "ST"
	case 'ﬓ':
		return "ՄՆ"
	case 'ﬔ':
		return "ՄԵ"
	case 'ﬕ':
		return "ՄԻ"
	case 'ﬖ':
		return "ՎՆ"
	case 'ﬗ':
		return "ՄԽ"
	}
	return ""
}

// upperIota does the Greek letters with an iota below, which becomes a letter of
// its own, and those with a circumflex.
func upperIota(r rune) string {
	if r <= 0x1FAF {
		// Three blocks of 16: alpha, eta and omega; the upper half of each is the
		// capital with a small iota.
		base := [3]rune{0x1F08, 0x1F28, 0x1F68}[(r-0x1F80)/16]
		return string([]rune{base + (r-0x1F80)%8, 'Ι'})
	}
	switch r {
	case 'ᾲ':
		return "ᾺΙ"
	case 'ᾳ', 'ᾼ':
		return "ΑΙ"
	case 'ᾴ':
		return "ΆΙ"
	case 'ᾶ':
		return "Α͂"
	case 'ᾷ':
		return "Α͂Ι"
	case 'ῂ':
		return "ῊΙ"
	case 'ῃ', 'ῌ':
		return "ΗΙ"
	case 'ῄ':
		return "ΉΙ"
	case 'ῆ':
		return "Η͂"
	case 'ῇ':
		return "Η͂Ι"
	case 'ῒ':
		return "\u0399\u0308\u0300"
	case '\u1fd3':
		return "\u0399\u0308\u0301"
	case 'ῖ':
		return "Ι͂"
	case 'ῗ':
		return "\u0399\u0308\u0342"
	case 'ῢ':
		return "\u03a5\u0308\u0300"
	case '\u1fe3':
		return "\u03a5\u0308\u0301"
	case 'ῤ':
		return "Ρ̓"
	case 'ῦ':
		return "Υ͂"
	case 'ῧ':
		return "\u03a5\u0308\u0342"
	case 'ῲ':
		return "ῺΙ"
	case 'ῳ', 'ῼ':
		return "ΩΙ"
	case 'ῴ':
		return "ΏΙ"
	case 'ῶ':
		return "Ω͂"
	case 'ῷ':
		return "Ω͂Ι"
	}
	return ""
}
