package picture

import (
	"math"
	"slices"
)

// Number is a decimal-format picture that has been taken apart. It may be used again and again.
type Number struct {
	symbols  *symbols
	positive *subpicture
	negative *subpicture // nil: the positive one behind a minus sign
}

// FormatNumber formats a number by a picture that is used once; see ParseNumber.
func FormatNumber(value float64, picture string, options map[string]string) (string, error) {
	p, err := ParseNumber(picture, options)
	if err != nil {
		return "", err
	}
	return p.Format(value)
}

// ParseNumber takes a decimal-format picture apart. Options replace the symbols of
// the format by their XPath names, for example decimal-separator. A bad picture
// fails with D3080 to D3093.
func ParseNumber(picture string, options map[string]string) (*Number, error) {
	if len(picture) > maxPicture {
		return nil, ErrLimit
	}
	for _, symbol := range options {
		if len(symbol) > maxSymbol {
			return nil, ErrLimit
		}
	}
	s := newSymbols(options)
	texts := toUnits(picture).split(s.pattern)
	if len(texts) > 2 {
		return nil, fail("D3080", nil)
	}
	if len(texts) == 0 {
		return nil, ErrRange
	}
	parts := make([]*subpicture, len(texts))
	for i, text := range texts {
		parts[i] = s.split(text)
	}
	n := &Number{symbols: s, positive: parts[0]}
	for i, p := range parts {
		if code := s.validate(p); code != "" {
			return nil, fail(code, nil)
		}
		s.analyse(p)
		if i > 0 {
			n.negative = p
		}
	}
	return n, nil
}

// Format formats a number.
func (n *Number) Format(value float64) (string, error) {
	if !(value < 0) && !math.IsNaN(value) {
		return n.symbols.format(value, n.positive, nil)
	}
	if n.negative != nil {
		return n.symbols.format(value, n.negative, nil)
	}
	return n.symbols.format(value, n.positive, n.symbols.minus)
}

// format writes a number behind a sign.
func (s *symbols) format(value float64, p *subpicture, sign units) (string, error) {
	if p.maxDecimals > 100 { // Number.prototype.toFixed takes no more
		return "", ErrRange
	}
	switch {
	case p.text.contains(s.percent):
		value *= 100
	case p.text.contains(s.perMille):
		value *= 1000
	}
	exponent := 0
	if p.minExponent > 0 {
		if math.IsInf(value, 0) {
			return "", ErrRange
		}
		value, exponent = normalise(value, p.scaling)
	}
	text := s.trimZeros(s.digits(round(value, p.maxDecimals), p.maxDecimals))
	dot := text.index(s.decimal, 0)
	text = slices.Concat(
		s.zeros(p.minInteger-dot), text, s.zeros(p.minDecimals-(len(text)-dot-1)))
	text, err := s.group(text, p)
	if err != nil {
		return "", err
	}
	if dot = text.index(s.decimal, 0); !p.text.contains(s.decimal) || dot == len(text)-1 {
		text = text[:max(len(text)-1, 0)]
	}
	if p.minExponent > 0 {
		digits := s.convert(numberText(math.Abs(float64(exponent))))
		text = slices.Concat(text, s.exponent)
		if exponent < 0 {
			text = slices.Concat(text, s.minus)
		}
		text = slices.Concat(text, s.zeros(p.minExponent-len(digits)), digits)
	}
	return slices.Concat(sign, p.prefix, text, p.suffix).String(), nil
}

// normalise finds a mantissa with as many integer digits as the picture has,
// by single steps of ten whose rounding errors belong to the result.
func normalise(value float64, scaling int) (float64, int) {
	upper, lower := powerOfTen(float64(scaling)), powerOfTen(float64(scaling-1))
	exponent := 0
	if value == 0 {
		return value, 0
	}
	for math.Abs(value) < lower {
		value *= 10
		exponent--
	}
	for math.Abs(value) > upper && !math.IsInf(value, 0) {
		value /= 10
		exponent++
	}
	return value, exponent
}

// digits writes the absolute value in the digits of the format, always with a
// decimal separator.
func (s *symbols) digits(value float64, decimals int) units {
	text := s.convert(fixedText(math.Abs(value), decimals))
	dot := text.index(units{'.'}, 0)
	if dot < 0 {
		return slices.Concat(text, s.decimal)
	}
	return slices.Concat(text[:dot], s.decimal, text[dot+1:])
}

// convert moves ASCII digits into the digit family of the format.
func (s *symbols) convert(text string) units {
	u := toUnits(text)
	if slices.Equal(s.zero, units{'0'}) {
		return u
	}
	var converted units
	for _, c := range u {
		switch {
		case c < '0' || c > '9':
			converted = append(converted, c)
		case len(s.family) > 0:
			converted = append(converted, s.family[c-'0'])
		}
	}
	return converted
}

func (s *symbols) trimZeros(text units) units {
	if len(s.zero) != 1 {
		return text
	}
	for len(text) > 0 && text[0] == s.zero[0] {
		text = text[1:]
	}
	for len(text) > 0 && text[len(text)-1] == s.zero[0] {
		text = text[:len(text)-1]
	}
	return text
}

func (s *symbols) zeros(n int) units {
	if n <= 0 {
		return nil
	}
	return slices.Repeat(s.zero, n)
}

// group inserts the grouping separators.
func (s *symbols) group(text units, p *subpicture) (units, error) {
	if (len(p.groups)+len(p.decimalGroups))*len(text) > maxWork {
		return nil, ErrLimit
	}
	dot := text.index(s.decimal, 0)
	if p.regular > 0 {
		text = s.groupRegularly(text, dot, p.regular)
	} else {
		for i, position := range p.groups {
			text = text.insert(dot+i-position, s.grouping)
		}
	}
	dot = text.index(s.decimal, 0)
	for _, position := range p.decimalGroups {
		text = text.insert(position+dot+1, s.grouping)
	}
	return text, nil
}

func (s *symbols) groupRegularly(text units, dot, distance int) units {
	grouped := make(units, 0, len(text)+len(text)/distance*len(s.grouping)+1)
	for i, c := range text {
		if i > 0 && i < dot && (dot-i)%distance == 0 {
			grouped = append(grouped, s.grouping...)
		}
		grouped = append(grouped, c)
	}
	return grouped
}
