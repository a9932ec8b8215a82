package xmljs

import "github.com/millrace/millrace/jsonata"

// The states of the parser inside tags and processing instructions.

func (p *parser) inInstruction(c rune) {
	switch {
	case c == '?':
		p.state = (*parser).endOfInstruction
	case isSpace(c):
		p.state = (*parser).inInstructionBody
	default:
		p.name.WriteRune(c)
	}
}

func (p *parser) inInstructionBody(c rune) {
	switch {
	case p.buffer.Len() == 0 && isSpace(c):
	case c == '?':
		p.state = (*parser).endOfInstruction
	default:
		p.buffer.WriteRune(c)
	}
}

func (p *parser) endOfInstruction(c rune) {
	if c != '>' {
		p.buffer.WriteString("?" + string(c))
		p.state = (*parser).inInstructionBody
		return
	}
	p.flush()
	p.report(p.out.instruction(p.name.String(), p.buffer.String()))
	p.state = (*parser).inText
}

func (p *parser) inTag(c rune) {
	if isNameBody(c) {
		p.name.WriteRune(c)
		return
	}
	p.flush()
	p.attributes = jsonata.NewObject(0)
	switch c {
	case '>':
		p.openTag()
	case '/':
		p.state = (*parser).afterSlash
	default:
		if !isSpace(c) {
			p.fail("Invalid character in tag name")
		}
		p.state = (*parser).betweenAttributes
	}
}

func (p *parser) openTag() {
	p.sawRoot = true
	name := p.name.String()
	p.tags = append(p.tags, name)
	p.flush()
	p.report(p.out.open(name, p.attributes))
	p.name.Reset()
	p.state = (*parser).inText
}

func (p *parser) afterSlash(c rune) {
	if c != '>' {
		p.fail("Forward-slash in opening tag not followed by >")
		p.state = (*parser).betweenAttributes
		return
	}
	name := p.name.String()
	p.openTag()
	p.name.WriteString(name)
	p.closeTag()
}

func (p *parser) betweenAttributes(c rune) {
	switch {
	case isSpace(c):
	case c == '>':
		p.openTag()
	case c == '/':
		p.state = (*parser).afterSlash
	case isNameStart(c):
		p.startAttribute(c)
	default:
		p.fail("Invalid attribute name")
	}
}

func (p *parser) startAttribute(c rune) {
	p.attribute.Reset()
	p.attribute.WriteRune(c)
	p.buffer.Reset()
	p.state = (*parser).inAttributeName
}

// setAttribute keeps the first of several attributes of one name.
func (p *parser) setAttribute(value string) {
	name := p.attribute.String()
	if _, again := p.attributes.Get(name); !again {
		p.attributes.Set(name, value)
	}
	p.buffer.Reset()
}

func (p *parser) inAttributeName(c rune) {
	switch {
	case c == '=':
		p.state = (*parser).beforeValue
	case c == '>':
		p.fail("Attribute without value")
		p.setAttribute(p.attribute.String())
		p.openTag()
	case isSpace(c):
		p.state = (*parser).afterAttributeName
	case isNameBody(c):
		p.attribute.WriteRune(c)
	default:
		p.fail("Invalid attribute name")
	}
}

func (p *parser) afterAttributeName(c rune) {
	switch {
	case c == '=':
		p.state = (*parser).beforeValue
		return
	case isSpace(c):
		return
	}
	p.fail("Attribute without value")
	switch {
	case c == '>':
		p.openTag()
	case isNameStart(c):
		p.startAttribute(c)
	default:
		p.fail("Invalid attribute name")
		p.state = (*parser).betweenAttributes
	}
}

func (p *parser) beforeValue(c rune) {
	switch {
	case isSpace(c):
	case c == '"' || c == '\'':
		p.quote, p.state = c, (*parser).inQuotedValue
	default:
		p.fail("Unquoted attribute value")
		p.buffer.WriteRune(c)
		p.quote, p.state = 0, (*parser).inBareValue
	}
}

func (p *parser) inQuotedValue(c rune) {
	switch c {
	case p.quote:
		p.setAttribute(p.buffer.String())
		p.quote, p.state = 0, (*parser).afterValue
	case '&':
		p.back, p.state = (*parser).inQuotedValue, (*parser).inEntity
	default:
		p.buffer.WriteRune(c)
	}
}

// inBareValue reads a value without quotes, which is a mistake already.
func (p *parser) inBareValue(c rune) {
	switch {
	case c == '>':
		p.setAttribute(p.buffer.String())
		p.openTag()
	case isSpace(c):
		p.setAttribute(p.buffer.String())
		p.state = (*parser).betweenAttributes
	default:
		p.buffer.WriteRune(c)
	}
}

func (p *parser) afterValue(c rune) {
	switch {
	case isSpace(c):
		p.state = (*parser).betweenAttributes
	case c == '>':
		p.openTag()
	case c == '/':
		p.state = (*parser).afterSlash
	case isNameStart(c):
		p.fail("No whitespace between attributes")
		p.startAttribute(c)
	default:
		p.fail("Invalid attribute name")
	}
}

func (p *parser) inCloseTag(c rune) {
	switch {
	case p.name.Len() == 0 && isSpace(c):
	case p.name.Len() == 0 && isNameStart(c):
		p.startName(c)
	case p.name.Len() == 0:
		p.fail("Invalid tagname in closing tag.")
	case c == '>':
		p.closeTag()
	case isNameBody(c):
		p.name.WriteRune(c)
	default:
		if !isSpace(c) {
			p.fail("Invalid tagname in closing tag")
		}
		p.state = (*parser).afterCloseTag
	}
}

func (p *parser) afterCloseTag(c rune) {
	switch {
	case isSpace(c):
	case c == '>':
		p.closeTag()
	default:
		p.fail("Invalid characters in closing tag")
	}
}

// closeTag closes the element of that name and all that are still open inside it.
func (p *parser) closeTag() {
	name := p.name.String()
	p.name.Reset()
	p.state = (*parser).inText
	at := len(p.tags) - 1
	for ; at >= 0 && p.tags[at] != name; at-- {
		p.fail("Unexpected close tag")
	}
	if at < 0 {
		p.fail("Unmatched closing tag: " + name)
		p.text.WriteString("</" + name + ">")
		return
	}
	p.flush()
	for range p.tags[at:] {
		p.out.close()
	}
	p.tags = p.tags[:at]
	p.closedRoot = p.closedRoot || at == 0
}
