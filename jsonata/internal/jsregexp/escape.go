package jsregexp

// escape reads an escape outside of a class.
func (p *parser) escape() (*node, error) {
	start := p.pos
	p.pos++
	if !p.more() {
		return nil, p.fail(`\ at end of pattern`, start)
	}
	c := p.src[p.pos]
	if spans, ok := named(c); ok {
		p.pos++
		return &node{kind: nodeSet, set: newClass(spans, p.ignoreCase, false)}, nil
	}
	switch {
	case c >= '1' && c <= '9':
		if group, ok := p.number(); ok && group <= p.total {
			return &node{kind: nodeBackReference, group: group}, nil
		}
		p.pos = start + 1
	case c == 'k' && p.hasNames:
		p.pos++
		if !p.accept("<") {
			return nil, p.fail("invalid named reference", start)
		}
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		n := &node{kind: nodeBackReference}
		p.pending = append(p.pending, namedReference{n, name, start})
		return n, nil
	}
	char, err := p.characterEscape(false)
	if err != nil {
		return nil, err
	}
	return p.literal(char), nil
}

// characterEscape reads what follows a backslash and stands for one code unit.
// A \c that controls nothing is a backslash, and the c stays to be read.
func (p *parser) characterEscape(inClass bool) (uint16, error) {
	c := p.src[p.pos]
	p.pos++
	switch c {
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'v':
		return '\v', nil
	case 'x':
		if r, ok := p.hex(2, 2); ok {
			return uint16(r & 0xffff), nil
		}
	case 'u':
		if r, ok := p.hex(4, 4); ok {
			return uint16(r & 0xffff), nil
		}
	case 'c':
		if p.more() {
			next := p.src[p.pos]
			isLetter := next|0x20 >= 'a' && next|0x20 <= 'z'
			if isLetter || inClass && (next >= '0' && next <= '9' || next == '_') {
				p.pos++
				return next & 31, nil
			}
		}
		p.pos--
		return '\\', nil
	case '0', '1', '2', '3', '4', '5', '6', '7':
		return p.octal(c), nil
	case 'k':
		if p.hasNames {
			return 0, p.fail("invalid escape", p.pos-2)
		}
	}
	return c, nil
}

// octal reads the rest of a legacy escape of up to three digits and 255.
func (p *parser) octal(digit uint16) uint16 {
	value := digit - '0'
	for p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '7' && value < 32 {
		value = value*8 + p.src[p.pos] - '0'
		p.pos++
	}
	return value
}

// class reads a set in brackets.
func (p *parser) class() (*node, error) {
	start := p.pos
	p.pos++
	negate := p.accept("^")
	var spans []span
	for !p.accept("]") {
		low, err := p.classAtom(start)
		if err != nil {
			return nil, err
		}
		if !p.at("-") || p.at("-]") {
			spans = append(spans, low...)
			continue
		}
		p.pos++
		high, err := p.classAtom(start)
		if err != nil {
			return nil, err
		}
		if !isSingle(low) || !isSingle(high) {
			spans = append(append(append(spans, low...), high...), span{'-', '-'})
			continue
		}
		if low[0].lo > high[0].lo {
			return nil, p.fail("range out of order in character class", start)
		}
		spans = append(spans, span{low[0].lo, high[0].lo})
	}
	return &node{kind: nodeSet, set: newClass(spans, p.ignoreCase, negate)}, nil
}

// isSingle reports whether a class atom is a character. No named set has just
// one member.
func isSingle(spans []span) bool { return len(spans) == 1 && spans[0].lo == spans[0].hi }

func (p *parser) classAtom(start int) ([]span, error) {
	single := func(c uint16) []span { return []span{{c, c}} }
	if !p.more() {
		return nil, p.fail("unterminated character class", start)
	}
	c := p.src[p.pos]
	p.pos++
	if c != '\\' {
		return single(c), nil
	}
	if !p.more() {
		return nil, p.fail(`\ at end of pattern`, p.pos-1)
	}
	if spans, ok := named(p.src[p.pos]); ok {
		p.pos++
		return spans, nil
	}
	if p.accept("b") {
		return single('\b'), nil
	}
	char, err := p.characterEscape(true)
	return single(char), err
}
