package expr

import "github.com/millrace/millrace/jsonata"

// The states of the parser inside tags and processing instructions.

func (p *xmlParser) inInstruction(c rune) {
	switch {
	case c == '?':
		p.state = (*xmlParser).endOfInstruction
	case isXMLSpace(c):
		p.state = (*xmlParser).inInstructionBody
	default:
		p.name.WriteRune(c)
	}
}

func (p *xmlParser) inInstructionBody(c rune) {
	switch {
	case p.buffer.Len() == 0 && isXMLSpace(c):
	case c == '?':
		p.state = (*xmlParser).endOfInstruction
	default:
		p.buffer.WriteRune(c)
	}
}

func (p *xmlParser) endOfInstruction(c rune) {
	if c != '>' {
		p.buffer.WriteString("?" + string(c))
		p.state = (*xmlParser).inInstructionBody
		return
	}
	p.flush()
	p.report(p.out.instruction(p.name.String(), p.buffer.String()))
	p.state = (*xmlParser).inText
}

func (p *xmlParser) inTag(c rune) {
	if isNameBody(c) {
		p.name.WriteRune(c)
		return
	}
	p.flush()
	p.attributes = jsonata.NewObject(0)
	switch {
	case c == '>':
		p.openTag()
	case c == '/':
		p.state = (*xmlParser).afterSlash
	default:
		if !isXMLSpace(c) {
			p.fail("Invalid character in tag name")
		}
		p.state = (*xmlParser).betweenAttributes
	}
}

func (p *xmlParser) openTag() {
	p.sawRoot = true
	name := p.name.String()
	p.tags = append(p.tags, name)
	p.flush()
	p.report(p.out.open(name, p.attributes))
	p.name.Reset()
	p.state = (*xmlParser).inText
}

func (p *xmlParser) afterSlash(c rune) {
	if c != '>' {
		p.fail("Forward-slash in opening tag not followed by >")
		p.state = (*xmlParser).betweenAttributes
		return
	}
	name := p.name.String()
	p.openTag()
	p.name.WriteString(name)
	p.closeTag()
}

func (p *xmlParser) betweenAttributes(c rune) {
	switch {
	case isXMLSpace(c):
	case c == '>':
		p.openTag()
	case c == '/':
		p.state = (*xmlParser).afterSlash
	case isNameStart(c):
		p.startAttribute(c)
	default:
		p.fail("Invalid attribute name")
	}
}

func (p *xmlParser) startAttribute(c rune) {
	p.attribute.Reset()
	p.attribute.WriteRune(c)
	p.buffer.Reset()
	p.state = (*xmlParser).inAttributeName
}

// setAttribute keeps the first of several attributes of one name.
func (p *xmlParser) setAttribute(value string) {
	name := p.attribute.String()
	if _, again := p.attributes.Get(name); !again {
		p.attributes.Set(name, value)
	}
	p.buffer.Reset()
}

func (p *xmlParser) inAttributeName(c rune) {
	switch {
	case c == '=':
		p.state = (*xmlParser).beforeValue
	case c == '>':
		p.fail("Attribute without value")
		p.setAttribute(p.attribute.String())
		p.openTag()
	case isXMLSpace(c):
		p.state = (*xmlParser).afterAttributeName
	case isNameBody(c):
		p.attribute.WriteRune(c)
	default:
		p.fail("Invalid attribute name")
	}
}

func (p *xmlParser) afterAttributeName(c rune) {
	switch {
	case c == '=':
		p.state = (*xmlParser).beforeValue
		return
	case isXMLSpace(c):
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
		p.state = (*xmlParser).betweenAttributes
	}
}

func (p *xmlParser) beforeValue(c rune) {
	switch {
	case isXMLSpace(c):
	case c == '"' || c == '\'':
		p.quote, p.state = c, (*xmlParser).inQuotedValue
	default:
		p.fail("Unquoted attribute value")
		p.buffer.WriteRune(c)
		p.quote, p.state = 0, (*xmlParser).inBareValue
	}
}

func (p *xmlParser) inQuotedValue(c rune) {
	switch c {
	case p.quote:
		p.setAttribute(p.buffer.String())
		p.quote, p.state = 0, (*xmlParser).afterValue
	case '&':
		p.back, p.state = (*xmlParser).inQuotedValue, (*xmlParser).inEntity
	default:
		p.buffer.WriteRune(c)
	}
}

// inBareValue reads a value without quotes, which is a mistake already.
func (p *xmlParser) inBareValue(c rune) {
	switch {
	case c == '>':
		p.setAttribute(p.buffer.String())
		p.openTag()
	case isXMLSpace(c):
		p.setAttribute(p.buffer.String())
		p.state = (*xmlParser).betweenAttributes
	default:
		p.buffer.WriteRune(c)
	}
}

func (p *xmlParser) afterValue(c rune) {
	switch {
	case isXMLSpace(c):
		p.state = (*xmlParser).betweenAttributes
	case c == '>':
		p.openTag()
	case c == '/':
		p.state = (*xmlParser).afterSlash
	case isNameStart(c):
		p.fail("No whitespace between attributes")
		p.startAttribute(c)
	default:
		p.fail("Invalid attribute name")
	}
}

func (p *xmlParser) inCloseTag(c rune) {
	switch {
	case p.name.Len() == 0 && isXMLSpace(c):
	case p.name.Len() == 0 && isNameStart(c):
		p.startName(c)
	case p.name.Len() == 0:
		p.fail("Invalid tagname in closing tag.")
	case c == '>':
		p.closeTag()
	case isNameBody(c):
		p.name.WriteRune(c)
	default:
		if !isXMLSpace(c) {
			p.fail("Invalid tagname in closing tag")
		}
		p.state = (*xmlParser).afterCloseTag
	}
}

func (p *xmlParser) afterCloseTag(c rune) {
	switch {
	case isXMLSpace(c):
	case c == '>':
		p.closeTag()
	default:
		p.fail("Invalid characters in closing tag")
	}
}

// closeTag closes the element of that name and all that are still open inside it.
func (p *xmlParser) closeTag() {
	name := p.name.String()
	p.name.Reset()
	p.state = (*xmlParser).inText
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
