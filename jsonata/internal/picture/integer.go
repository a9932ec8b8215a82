package picture

import (
	"math"
	"slices"
	"strings"
)

// style is how an integer is written.
type style int

const (
	styleDecimal style = iota
	styleLetters
	styleRoman
	styleWords
	styleSequence // not supported, but only an error when it is used
)

type letterCase int

const (
	caseLower letterCase = iota
	caseUpper
	caseTitle
)

// separator is a grouping separator and the number of digits to its right.
type separator struct {
	position int
	text     string
}

// integerPicture is an analysed integer picture.
type integerPicture struct {
	style   style
	letters letterCase
	ordinal bool
	token   string // the picture without its modifier

	zero                rune    // zero of the digit family
	mandatory, optional float64 // digits; NaN where the style has none
	regular             int     // distance of separators, or 0
	separators          []separator

	parseWidth float64 // exact number of digits when parsing, or 0 or NaN
}

// parseIntegerPicture analyses a picture; it fails with D3131 when digits of
// two families are mixed.
func parseIntegerPicture(picture string) (*integerPicture, error) {
	if len(picture) > maxPicture {
		return nil, ErrLimit
	}
	p := &integerPicture{token: picture, mandatory: math.NaN(), optional: math.NaN()}
	if i := strings.LastIndexByte(picture, ';'); i >= 0 {
		p.token = picture[:i]
		p.ordinal = strings.HasPrefix(picture[i+1:], "o")
	}
	switch p.token {
	case "A":
		p.style, p.letters = styleLetters, caseUpper
	case "a":
		p.style = styleLetters
	case "I":
		p.style, p.letters = styleRoman, caseUpper
	case "i":
		p.style = styleRoman
	case "W":
		p.style, p.letters = styleWords, caseUpper
	case "Ww":
		p.style, p.letters = styleWords, caseTitle
	case "w":
		p.style = styleWords
	default:
		return p, p.parseDigits()
	}
	return p, nil
}

// parseDigits analyses a decimal digit pattern from right to left, as positions
// count from there.
func (p *integerPicture) parseDigits() error {
	mandatory, optional := 0, 0
	p.zero = -1
	var separators []separator
	for _, r := range slices.Backward([]rune(p.token)) {
		zero, isDigit := digitFamily(r)
		switch {
		case isDigit && p.zero >= 0 && zero != p.zero:
			return fail("D3131", nil)
		case isDigit:
			p.zero = zero
			mandatory++
		case r == '#':
			optional++
		default:
			separators = append(separators, separator{mandatory + optional, string(r)})
		}
	}
	if mandatory == 0 {
		p.style = styleSequence
		return nil
	}
	p.mandatory, p.optional = float64(mandatory), float64(optional)
	p.separators = separators
	p.regular = regularSeparators(separators)
	return nil
}

func regularSeparators(separators []separator) int {
	positions := make([]int, len(separators))
	for i, s := range separators {
		if s.text != separators[0].text {
			return 0
		}
		positions[i] = s.position
	}
	return regularDistance(positions)
}

// digitFamily returns the zero of the decimal digit family that r belongs to.
func digitFamily(r rune) (rune, bool) {
	zeros := [...]rune{
		0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
		0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
		0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
	}
	i, exact := slices.BinarySearch(zeros[:], r)
	if exact {
		return r, true
	}
	if i == 0 || r > zeros[i-1]+9 {
		return 0, false
	}
	return zeros[i-1], true
}
