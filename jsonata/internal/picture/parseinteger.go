package picture

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// ParseInteger reads an integer that was written by a picture. Text that does
// not fit the picture is read as far as it goes, or is NaN. The errors are those
// of FormatInteger.
func ParseInteger(text, picture string) (float64, error) {
	p, err := parseIntegerPicture(picture)
	if err != nil {
		return 0, err
	}
	return p.parse(text)
}

func (p *integerPicture) parse(text string) (float64, error) {
	switch p.style {
	case styleLetters:
		if p.letters == caseUpper {
			return parseLetters(text, 'A'), nil
		}
		return parseLetters(text, 'a'), nil
	case styleRoman:
		if p.letters != caseUpper {
			text = strings.ToUpper(text)
		}
		return parseRoman(text), nil
	case styleWords:
		return parseWords(text), nil
	case styleDecimal:
		return p.parseDecimal(text)
	case styleSequence:
	}
	return 0, fail("D3130", p.token)
}

func parseLetters(text string, first rune) float64 {
	const allOverflow = 300 // powers of 26 from here on are infinite
	value := 0.0
	u := toUnits(text)
	power, base := big.NewInt(1), big.NewInt(26)
	for i := range u {
		weight := math.Inf(1)
		if i < allOverflow {
			weight, _ = new(big.Float).SetInt(power).Float64()
			power.Mul(power, base)
		}
		digit := float64(rune(u[len(u)-1-i])-first+1) * weight
		value += digit
	}
	return value
}

// parseRoman subtracts a numeral that precedes a larger one.
func parseRoman(text string) float64 {
	value, largest := 0.0, 1.0
	for len(text) > 0 {
		r, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
		i := strings.IndexRune("IVXLCDM", r)
		if i < 0 {
			return math.NaN()
		}
		numeral := [...]float64{1, 5, 10, 50, 100, 500, 1000}[i]
		if numeral < largest {
			value -= numeral
		} else {
			largest = numeral
			value += numeral
		}
	}
	return value
}

// parseDecimal drops the ordinal suffix and the separators. Regular separators
// are taken for commas whatever the picture says, as the reference does.
func (p *integerPicture) parseDecimal(text string) (float64, error) {
	if p.ordinal {
		u := toUnits(text)
		text = u[:max(len(u)-2, 0)].String()
	}
	drop := map[rune]bool{',': true}
	if p.regular == 0 {
		clear(drop)
		for _, s := range p.separators {
			r, _ := utf8.DecodeRuneInString(s.text)
			drop[r] = true
		}
	}
	shift := p.zero - '0'
	negative := false
	digits := strings.Map(func(r rune) rune {
		if drop[r] {
			return -1
		}
		if shift != 0 && r < shift {
			negative = true // not a code point, on which the reference fails
		}
		return max(r-shift, 0)
	}, text)
	if negative {
		return 0, ErrRange
	}
	return parseInt(digits), nil
}
