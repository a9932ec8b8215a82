package jsregexp

import (
	"unicode"
	"unicode/utf16"
)

// parser reads a pattern by the grammar of ECMAScript's Annex B, which gives a
// meaning to almost every text: what is no escape, quantifier or back reference
// stands for itself.
type parser struct {
	src        []uint16
	pos        int
	depth      int
	ignoreCase bool
	dotAll     bool

	groups   int // captures opened so far
	total    int // captures in the whole pattern
	names    map[string]int
	pending  []namedReference
	hasNames bool
}

// namedReference is a \k whose group may be further to the right.
type namedReference struct {
	node   *node
	name   string
	offset int
}

func (p *parser) fail(message string, offset int) error {
	return &SyntaxError{Message: message, Offset: offset}
}

func (p *parser) more() bool { return p.pos < len(p.src) }

// at reports whether the source goes on with text, which is ASCII.
func (p *parser) at(text string) bool {
	if len(p.src)-p.pos < len(text) {
		return false
	}
	for i := range len(text) {
		if p.src[p.pos+i] != uint16(text[i]) {
			return false
		}
	}
	return true
}

func (p *parser) accept(text string) bool {
	if p.at(text) {
		p.pos += len(text)
		return true
	}
	return false
}

func (p *parser) parse() (*node, error) {
	p.countGroups()
	if p.total > maxGroups {
		return nil, ErrLimit
	}
	p.names = make(map[string]int)
	root, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.more() {
		return nil, p.fail("unmatched ')'", p.pos)
	}
	for _, reference := range p.pending {
		group, ok := p.names[reference.name]
		if !ok {
			return nil, p.fail("invalid named capture referenced", reference.offset)
		}
		reference.node.group = group
	}
	return root, nil
}

// countGroups looks ahead for captures, as whether \2 is a back reference
// depends on their number and whether \k is one on their names.
func (p *parser) countGroups() {
	inClass := false
	for i := 0; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '\\':
			i++
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
		case c == '(':
			at := parser{src: p.src, pos: i + 1}
			isName := at.at("?<") && !at.at("?<=") && !at.at("?<!")
			if !at.at("?") || isName {
				p.total++
			}
			p.hasNames = p.hasNames || isName
		}
	}
}

func (p *parser) alternatives() (*node, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, ErrLimit
	}
	defer func() { p.depth-- }()
	var all []*node
	for {
		sequence, err := p.sequence()
		if err != nil {
			return nil, err
		}
		all = append(all, sequence)
		if !p.accept("|") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return &node{kind: nodeAlternatives, children: all}, nil
}

func (p *parser) sequence() (*node, error) {
	var terms []*node
	for p.more() && !p.at("|") && !p.at(")") {
		term, err := p.term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	switch len(terms) {
	case 0:
		return &node{kind: nodeEmpty}, nil
	case 1:
		return terms[0], nil
	}
	return &node{kind: nodeSequence, children: terms}, nil
}

// term reads an assertion, or an atom with its quantifier.
func (p *parser) term() (*node, error) {
	switch {
	case p.accept("^"):
		return &node{kind: nodeLineStart}, nil
	case p.accept("$"):
		return &node{kind: nodeLineEnd}, nil
	case p.accept(`\b`):
		return &node{kind: nodeWordBoundary}, nil
	case p.accept(`\B`):
		return &node{kind: nodeNotWordBoundary}, nil
	}
	firstGroup := p.groups + 1
	atom, err := p.atom()
	if err != nil || atom.kind == nodeLook && atom.behind {
		return atom, err
	}
	return p.quantify(atom, firstGroup)
}

func (p *parser) quantify(atom *node, firstGroup int) (*node, error) {
	start := p.pos
	repeat := &node{kind: nodeRepeat, children: []*node{atom}, max: unbounded, firstGroup: firstGroup, endGroup: p.groups + 1}
	switch {
	case p.accept("*"):
	case p.accept("+"):
		repeat.min = 1
	case p.accept("?"):
		repeat.max = 1
	default:
		low, high, ok := p.braces()
		if !ok {
			return atom, nil
		}
		if low > high {
			return nil, p.fail("numbers out of order in {} quantifier", start)
		}
		repeat.min, repeat.max = low, high
	}
	repeat.lazy = p.accept("?")
	return repeat, nil
}

// braces reads a counted quantifier; anything else in braces is left alone.
func (p *parser) braces() (int, int, bool) {
	start := p.pos
	if p.accept("{") {
		if low, ok := p.number(); ok {
			high := low
			if p.accept(",") {
				if high, ok = p.number(); !ok {
					high = unbounded
				}
			}
			if p.accept("}") {
				return low, high, true
			}
		}
	}
	p.pos = start
	return 0, 0, false
}

// number reads a decimal number, clamped.
func (p *parser) number() (int, bool) {
	n, start := 0, p.pos
	for p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		n = min(n*10+int(p.src[p.pos]-'0'), unbounded)
		p.pos++
	}
	return n, p.pos > start
}

func (p *parser) atom() (*node, error) {
	start := p.pos
	switch c := p.src[p.pos]; c {
	case '(':
		return p.group()
	case '[':
		return p.class()
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return nil, p.fail("nothing to repeat", start)
	case '{':
		if _, _, ok := p.braces(); ok {
			return nil, p.fail("nothing to repeat", start)
		}
		p.pos++
		return p.literal(c), nil
	case '.':
		p.pos++
		if p.dotAll {
			return &node{kind: nodeSet, set: newClass(nil, false, true)}, nil
		}
		return &node{kind: nodeSet, set: newClass(lineTerminators(), false, true)}, nil
	default:
		p.pos++
		return p.literal(c), nil
	}
}

// literal matches one code unit, or under the flag i all that equal it.
func (p *parser) literal(c uint16) *node {
	if p.ignoreCase {
		if others := equivalents(c); len(others) > 0 {
			spans := []span{{c, c}}
			for _, other := range others {
				spans = append(spans, span{other, other})
			}
			return &node{kind: nodeSet, set: newClass(spans, false, false)}
		}
	}
	return &node{kind: nodeChar, char: c}
}

func (p *parser) group() (*node, error) {
	start := p.pos
	p.pos++
	n := &node{}
	switch {
	case p.accept("?:"):
	case p.accept("?="):
		n.kind = nodeLook
	case p.accept("?!"):
		n.kind, n.negate = nodeLook, true
	case p.accept("?<="):
		n.kind, n.behind = nodeLook, true
	case p.accept("?<!"):
		n.kind, n.behind, n.negate = nodeLook, true, true
	case p.accept("?<"):
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if _, ok := p.names[name]; ok {
			return nil, p.fail("duplicate capture group name", start)
		}
		p.names[name] = p.groups + 1
		n.kind = nodeCapture
	case p.at("?"):
		return nil, p.fail("invalid group", start)
	default:
		n.kind = nodeCapture
	}
	if n.kind == nodeCapture {
		p.groups++
		n.group = p.groups
	}
	body, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		return nil, p.fail("unterminated group", start)
	}
	if n.kind == nodeEmpty {
		if body.kind == nodeLook { // a quantifier may follow the group
			body = &node{kind: nodeSequence, children: []*node{body}}
		}
		return body, nil
	}
	n.children = []*node{body}
	return n, nil
}

// name reads a group name up to its closing angle bracket.
func (p *parser) name() (string, error) {
	start := p.pos
	var name []rune
	for p.more() {
		if p.accept(">") {
			if len(name) == 0 {
				break
			}
			return string(name), nil
		}
		r, ok := p.nameRune()
		if !ok || !isNameRune(r, len(name) == 0) {
			break
		}
		name = append(name, r)
	}
	return "", p.fail("invalid capture group name", start)
}

// nameRune reads one code point of a name, which may be escaped.
func (p *parser) nameRune() (rune, bool) {
	if p.accept(`\u`) {
		if p.accept("{") {
			r, ok := p.hex(1, 8)
			return r, ok && p.accept("}")
		}
		r, ok := p.hex(4, 4)
		if ok && utf16.IsSurrogate(r) && p.accept(`\u`) {
			low, lowOK := p.hex(4, 4)
			return utf16.DecodeRune(r, low), lowOK
		}
		return r, ok
	}
	r := rune(p.src[p.pos])
	p.pos++
	if utf16.IsSurrogate(r) && p.more() {
		r = utf16.DecodeRune(r, rune(p.src[p.pos]))
		p.pos++
	}
	return r, true
}

func isNameRune(r rune, start bool) bool {
	if r == '$' || r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) || unicode.Is(unicode.Other_ID_Start, r) {
		return true
	}
	return !start && (r == 0x200c || r == 0x200d || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue))
}

// hex reads between least and most hexadecimal digits, or nothing.
func (p *parser) hex(least, most int) (rune, bool) {
	start, value := p.pos, rune(0)
	for p.more() && p.pos-start < most {
		digit := hexDigit(p.src[p.pos])
		if digit < 0 {
			break
		}
		value = min(value<<4|digit, unicode.MaxRune+1)
		p.pos++
	}
	if p.pos-start < least {
		p.pos = start
		return 0, false
	}
	return value, true
}

func hexDigit(c uint16) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
