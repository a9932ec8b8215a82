package picture

import (
	"math"
	"slices"
	"strings"
	"unicode/utf16"
)

// FormatInteger writes the floor of a number by an integer picture: decimal
// digits, letters, roman numerals or words. It fails with D3130 for a sequence
// that is none of these, and with D3131 for mixed digit families.
func FormatInteger(value float64, picture string) (string, error) {
	p, err := parseIntegerPicture(picture)
	if err != nil {
		return "", err
	}
	return p.format(math.Floor(value))
}

func (p *integerPicture) format(value float64) (string, error) {
	sign := ""
	if value < 0 {
		sign = "-"
	}
	value = math.Abs(value)
	var text string
	var err error
	switch p.style {
	case styleLetters:
		text, err = letters(value)
	case styleRoman:
		text, err = roman(value)
	case styleWords:
		text, err = words(value, p.ordinal)
	case styleDecimal:
		text, err = p.decimal(value)
	case styleSequence:
		err = fail("D3130", p.token)
	}
	if err != nil {
		return "", err
	}
	switch {
	case p.style == styleDecimal:
	case p.letters == caseUpper:
		text = strings.ToUpper(text)
	case p.letters == caseLower:
		text = strings.ToLower(text)
	}
	return sign + text, nil
}

// letters writes a number like the columns of a spreadsheet: a, z, aa, ab.
func letters(value float64) (string, error) {
	if math.IsInf(value, 0) {
		return "", ErrRange
	}
	var reversed []uint16
	for value > 0 {
		reversed = append(reversed, uint16(math.Mod(value-1, 26)+'a'))
		value = math.Floor((value - 1) / 26)
	}
	slices.Reverse(reversed)
	return string(utf16.Decode(reversed)), nil
}

func roman(value float64) (string, error) {
	if value/1000 > maxPadding {
		return "", ErrLimit
	}
	numerals := [...]struct {
		value float64
		text  string
	}{
		{1000, "m"},
		{900, "cm"},
		{500, "d"},
		{400, "cd"},
		{100, "c"},
		{90, "xc"},
		{50, "l"},
		{40, "xl"},
		{10, "x"},
		{9, "ix"},
		{5, "v"},
		{4, "iv"},
		{1, "i"},
	}
	var b strings.Builder
	for _, n := range numerals {
		for value >= n.value {
			b.WriteString(n.text)
			value -= n.value
		}
	}
	return b.String(), nil
}

// decimal writes digits with padding, grouping and the ordinal suffix.
func (p *integerPicture) decimal(value float64) (string, error) {
	text := numberText(value)
	if p.mandatory > maxPadding {
		return "", ErrLimit
	}
	if missing := p.mandatory - float64(len(text)); missing > 0 {
		text = strings.Repeat("0", int(missing)) + text
	}
	if p.zero == '0' && len(p.separators) == 0 && !p.ordinal {
		return text, nil
	}
	digits := []rune(text)
	for i := range digits {
		digits[i] += p.zero - '0'
	}
	grouped, err := p.group(digits)
	if err != nil {
		return "", err
	}
	if p.ordinal {
		return grouped.String() + ordinalSuffix(grouped), nil
	}
	return grouped.String(), nil
}

func (p *integerPicture) group(digits []rune) (units, error) {
	if p.regular > 0 {
		var b strings.Builder
		for i, r := range digits {
			if i > 0 && (len(digits)-i)%p.regular == 0 {
				b.WriteString(p.separators[0].text)
			}
			b.WriteRune(r)
		}
		return toUnits(b.String()), nil
	}
	text := toUnits(string(digits))
	if len(p.separators)*(len(text)+len(p.separators)) > maxWork {
		return nil, ErrLimit
	}
	for _, s := range slices.Backward(p.separators) {
		at, sep := len(text)-s.position, toUnits(s.text)
		// Left of the first digit the separator is put in front and only
		// the last -at digits stay: a negative index counts from the end.
		head := text[:max(at, 0)]
		text = append(append(append(units{}, head...), sep...), text[text.sliceIndex(at):]...)
	}
	return text, nil
}

func ordinalSuffix(text units) string {
	last, tens := text[len(text)-1], uint16(0)
	if len(text) > 1 {
		tens = text[len(text)-2]
	}
	switch {
	case tens == '1':
		return "th"
	case last == '1':
		return "st"
	case last == '2':
		return "nd"
	case last == '3':
		return "rd"
	}
	return "th"
}
