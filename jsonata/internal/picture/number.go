package picture

import "slices"

// symbols are the characters of a decimal format. JavaScript strings may have
// any length here, also none.
type symbols struct {
	decimal, grouping, exponent, minus units
	percent, perMille, digit, pattern  units
	zero                               units
	family                             units // the ten digits that start at zero
}

func newSymbols(options map[string]string) *symbols {
	get := func(name, otherwise string) units {
		if s, ok := options[name]; ok {
			return toUnits(s)
		}
		return toUnits(otherwise)
	}
	s := &symbols{
		decimal:  get("decimal-separator", "."),
		grouping: get("grouping-separator", ","),
		exponent: get("exponent-separator", "e"),
		minus:    get("minus-sign", "-"),
		percent:  get("percent", "%"),
		perMille: get("per-mille", "\u2030"),
		zero:     get("zero-digit", "0"),
		digit:    get("digit", "#"),
		pattern:  get("pattern-separator", ";"),
	}
	if len(s.zero) > 0 {
		for i := range uint16(10) {
			s.family = append(s.family, s.zero[0]+i)
		}
	}
	return s
}

func (s *symbols) isDigit(c uint16) bool { return slices.Contains(s.family, c) }

func (s *symbols) isOptional(c uint16) bool { return len(s.digit) == 1 && s.digit[0] == c }

func (s *symbols) isAnyDigit(c uint16) bool { return s.isDigit(c) || s.isOptional(c) }

// isActive reports whether a character has a meaning in a sub-picture.
func (s *symbols) isActive(c uint16) bool {
	if s.isDigit(c) {
		return true
	}
	for _, active := range []units{s.decimal, s.exponent, s.grouping, s.digit, s.pattern} {
		if len(active) == 1 && active[0] == c {
			return true
		}
	}
	return false
}

// subpicture is one half of a number picture, taken apart.
type subpicture struct {
	text, prefix, suffix, active         units
	mantissa, exponent, integer, decimal units
	hasExponent                          bool

	groups, decimalGroups    []int // positions of grouping separators
	regular                  int   // their common distance, or 0
	minInteger, scaling      int
	minDecimals, maxDecimals int
	minExponent              int
}

// split takes the sub-picture apart. The offset of the exponent counts from the
// start of the text but is applied to the active part: a picture with a prefix
// and an exponent means something else than its author expects, and the
// reference does the same.
func (s *symbols) split(text units) *subpicture {
	first, last := -1, -1
	for i, c := range text {
		if s.isActive(c) && !text.at(i, s.exponent) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	p := &subpicture{text: text}
	if first >= 0 {
		p.prefix, p.suffix = text[:first], text[last+1:]
	}
	p.active = text[len(p.prefix) : len(text)-len(p.suffix)]
	p.mantissa = p.active
	if at := text.index(s.exponent, len(p.prefix)); at >= 0 && at <= len(text)-len(p.suffix) {
		p.hasExponent = true
		p.mantissa = p.active[:min(at, len(p.active))]
		p.exponent = p.active[min(at+1, len(p.active)):]
	}
	p.integer, p.decimal = p.mantissa, p.suffix
	if at := p.mantissa.index(s.decimal, 0); at >= 0 {
		p.integer = p.mantissa[:at]
		p.decimal = p.mantissa[min(at+1, len(p.mantissa)):]
	}
	return p
}

// validate returns the code of the last rule that the sub-picture breaks.
func (s *symbols) validate(p *subpicture) string {
	code := ""
	check := func(broken bool, rule string) {
		if broken {
			code = rule
		}
	}
	dot := p.text.index(s.decimal, 0)
	percent, perMille := p.text.index(s.percent, 0), p.text.index(s.perMille, 0)
	check(dot != p.text.lastIndex(s.decimal), "D3081")
	check(percent != p.text.lastIndex(s.percent), "D3082")
	check(perMille != p.text.lastIndex(s.perMille), "D3083")
	check(percent >= 0 && perMille >= 0, "D3084")
	check(p.mantissa.count(s.isAnyDigit) == 0, "D3085")
	check(p.active.count(s.isActive) < len(p.active), "D3086")
	if dot >= 0 {
		check(p.text.at(dot-1, s.grouping) || p.text.at(dot+1, s.grouping), "D3087")
	} else {
		check(p.integer.at(len(p.integer)-1, s.grouping), "D3088")
	}
	check(p.text.contains(slices.Concat(s.grouping, s.grouping)), "D3089")
	if at := p.integer.index(s.digit, 0); at >= 0 {
		check(p.integer[:at].count(s.isDigit) > 0, "D3090")
	}
	if at := p.decimal.lastIndex(s.digit); at >= 0 {
		check(p.decimal[at:].count(s.isDigit) > 0, "D3091")
	}
	check(len(p.exponent) > 0 && (percent >= 0 || perMille >= 0), "D3092")
	check(p.hasExponent && (len(p.exponent) == 0 || p.exponent.count(s.isDigit) < len(p.exponent)), "D3093")
	return code
}

// analyse derives the sizes and grouping positions.
func (s *symbols) analyse(p *subpicture) {
	p.groups = s.groupPositions(p, p.integer, false)
	p.regular = regularDistance(p.groups)
	p.decimalGroups = s.groupPositions(p, p.decimal, true)
	p.minInteger = p.integer.count(s.isDigit)
	p.scaling = p.minInteger
	p.minDecimals = p.decimal.count(s.isDigit)
	p.maxDecimals = p.decimal.count(s.isAnyDigit)
	if p.minInteger == 0 && p.maxDecimals == 0 {
		if p.hasExponent {
			p.minDecimals, p.maxDecimals = 1, 1
		} else {
			p.minInteger = 1
		}
	}
	if p.hasExponent && p.minInteger == 0 && p.integer.contains(s.digit) {
		p.minInteger = 1
	}
	if p.minInteger == 0 && p.minDecimals == 0 {
		p.minDecimals = 1
	}
	p.minExponent = p.exponent.count(s.isDigit)
}

// groupPositions counts the digits beyond each grouping separator of a part.
// After the first separator the reference goes on searching in the integer
// part, also for the decimal part, so this does too.
func (s *symbols) groupPositions(p *subpicture, part units, toLeft bool) []int {
	var before []int // digits in part[:i]
	var positions []int
	for at := part.index(s.grouping, 0); at >= 0; at = p.integer.index(s.grouping, at+1) {
		if before == nil {
			before = make([]int, len(part)+1)
			for i, c := range part {
				before[i+1] = before[i]
				if s.isAnyDigit(c) {
					before[i+1]++
				}
			}
		}
		digits := before[min(at, len(part))]
		if !toLeft {
			digits = before[len(part)] - digits
		}
		positions = append(positions, digits)
	}
	return positions
}

// regularDistance returns the distance of equally spaced positions, or 0.
func regularDistance(positions []int) int {
	if len(positions) == 0 {
		return 0
	}
	distance := positions[0]
	present := make(map[int]bool, len(positions))
	for _, p := range positions {
		for a, b := distance, p; ; a, b = b, a%b {
			if b == 0 {
				distance = a
				break
			}
		}
		present[p] = true
	}
	for i := range positions {
		if !present[(i+1)*distance] {
			return 0
		}
	}
	return distance
}
