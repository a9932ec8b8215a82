package xmljs

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// parser reads XML one character at a time. It goes on after a mistake, because the message of the last one is the error of the call;
// errors name the place as sax-js does, from line 0.
type parser struct {
	out  *builder
	step func(int) error

	state  func(*parser, rune)
	c      rune
	line   int
	column int
	err    error // the last mistake
	fatal  error // a limit, which ends everything

	tags                 []string
	name                 strings.Builder // of the tag or the processing instruction
	attribute            strings.Builder
	buffer               strings.Builder // attribute value, comment, CDATA or body of an instruction
	text, entity         strings.Builder
	declaration, doctype strings.Builder
	attributes           *jsonata.Object
	inDoctype            bool // inside <!DOCTYPE, also while reading what is nested in it
	sawDoctype           bool
	sawRoot, closedRoot  bool
	quote                rune
	back                 func(*parser, rune) // the state an entity returns to
	wide                 int                 // characters since <
}

// run parses a document.
func (p *parser) run(text string) error {
	p.state = (*parser).begin
	text = strings.TrimPrefix(text, "\ufeff")
	for i, r := range text {
		p.c = r
		p.column++
		if r > 0xffff {
			p.column++ // places count UTF-16 units
		}
		if r == '\n' {
			p.line, p.column = p.line+1, 0
		}
		p.state(p, r)
		if i%64 == 0 && p.fatal == nil {
			p.fatal = p.step(8)
		}
		if p.fatal != nil {
			return p.fatal
		}
	}
	if p.err == nil && p.sawRoot && !p.closedRoot {
		p.fail("Unclosed root tag")
	}
	p.flush()
	return p.err
}

// fail remembers a mistake.
func (p *parser) fail(message string) {
	p.flush()
	p.err = js.ArgumentError("%s\nLine: %d\nColumn: %d\nChar: %s", message, p.line, p.column, string(p.c))
}

// flush hands over the text so far.
func (p *parser) flush() {
	if p.text.Len() > 0 {
		p.report(p.out.text(p.text.String()))
		p.text.Reset()
	}
}

// report keeps an error of the builder, which ends the parse.
func (p *parser) report(err error) {
	if err != nil && p.fatal == nil {
		p.fatal = err
	}
}

func isSpace(r rune) bool { return r == ' ' || r == '\n' || r == '\r' || r == '\t' }

func isNameStart(r rune) bool {
	switch {
	case r == ':' || r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
		return true
	case r < 0xc0 || r == 0xd7 || r == 0xf7 || r > 0xfffd:
		return false
	}
	for _, span := range [][2]rune{
		{0xc0, 0x2ff},
		{0x370, 0x37d},
		{0x37f, 0x1fff},
		{0x200c, 0x200d},
		{0x2070, 0x218f},
		{0x2c00, 0x2fef},
		{0x3001, 0xd7ff},
		{0xf900, 0xfdcf},
		{0xfdf0, 0xfffd},
	} {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}

func isNameBody(r rune) bool {
	return isNameStart(r) || r >= '0' && r <= '9' || r == '-' || r == '.' || r == 0xb7 || r >= 0x300 && r <= 0x36f || r == 0x203f || r == 0x2040
}

func (p *parser) begin(c rune) {
	switch {
	case c == '<':
		p.open()
	case !isSpace(c):
		p.fail("Non-whitespace before first tag.")
		p.text.WriteRune(c)
		p.state = (*parser).inText
	}
}

// open begins what a < begins.
func (p *parser) open() {
	p.state, p.wide = (*parser).afterOpen, 0
}

func (p *parser) inText(c rune) {
	if c == '<' {
		p.open()
		return
	}
	if !isSpace(c) && (!p.sawRoot || p.closedRoot) {
		p.fail("Text data outside of root node.")
	}
	if c == '&' {
		p.back, p.state = (*parser).inText, (*parser).inEntity
		return
	}
	p.text.WriteRune(c)
}

func (p *parser) afterOpen(c rune) {
	switch {
	case c == '!':
		p.declaration.Reset()
		p.state = (*parser).inDeclaration
	case isSpace(c):
		p.wide++
	case isNameStart(c):
		p.startName(c)
		p.state = (*parser).inTag
	case c == '/':
		p.name.Reset()
		p.state = (*parser).inCloseTag
	case c == '?':
		p.name.Reset()
		p.buffer.Reset()
		p.state = (*parser).inInstruction
	default:
		p.fail("Unencoded <")
		p.text.WriteString("<" + strings.Repeat(" ", p.wide) + string(c))
		p.state = (*parser).inText
	}
}

func (p *parser) startName(c rune) {
	p.name.Reset()
	p.name.WriteRune(c)
}

// inDeclaration reads what follows <! until it is clear what it is.
func (p *parser) inDeclaration(c rune) {
	so := ""
	if p.declaration.Len() < len("[CDATA[") || p.inDoctype {
		so = p.declaration.String() + string(c)
	}
	switch {
	case so == "--":
		p.buffer.Reset()
		p.state = (*parser).inComment
	case p.inDoctype && p.declaration.Len() > 0:
		p.doctype.WriteString("<!" + so)
		p.state = (*parser).inDTD
	case strings.EqualFold(so, "[CDATA["):
		p.flush()
		p.buffer.Reset()
		p.state = (*parser).inCDATA
	case strings.EqualFold(so, "DOCTYPE"):
		if p.sawDoctype || p.sawRoot {
			p.fail("Inappropriately located doctype declaration")
		}
		p.doctype.Reset()
		p.inDoctype, p.state = true, (*parser).atDoctype
	case c == '>':
		p.flush()
		p.state = (*parser).inText
	case c == '"' || c == '\'': // sax-js never finds the end of these quotes, so that the rest of the document is lost
		p.state = func(*parser, rune) {}
	default:
		p.declaration.WriteRune(c)
		return
	}
	p.declaration.Reset()
}

func (p *parser) atDoctype(c rune) {
	if c == '>' {
		p.state = (*parser).inText
		p.flush()
		p.out.doctype(p.doctype.String())
		p.inDoctype, p.sawDoctype = false, true
		return
	}
	p.doctype.WriteRune(c)
	switch c {
	case '[':
		p.state = (*parser).inDTD
	case '"', '\'':
		p.quoted(c, (*parser).atDoctype)
	}
}

// inDTD reads the brackets of a doctype.
func (p *parser) inDTD(c rune) {
	if c == '<' {
		p.open()
		return
	}
	p.doctype.WriteRune(c)
	switch c {
	case ']':
		p.state = (*parser).atDoctype
	case '"', '\'':
		p.quoted(c, (*parser).inDTD)
	}
}

// quoted reads quoted text of a doctype.
func (p *parser) quoted(quote rune, back func(*parser, rune)) {
	p.quote, p.back = quote, back
	p.state = func(p *parser, c rune) {
		p.doctype.WriteRune(c)
		if c == p.quote {
			p.quote, p.state = 0, p.back
		}
	}
}

// inEntity reads what follows &.
func (p *parser) inEntity(c rune) {
	target := &p.text
	if p.quote != 0 {
		target = &p.buffer
	}
	switch {
	case c == ';':
		value, ok := entity(p.entity.String())
		if !ok {
			p.fail("Invalid character entity")
			value = "&" + p.entity.String() + ";"
		}
		target.WriteString(value)
	case c == '#' || isNameStart(c) || p.entity.Len() > 0 && isNameBody(c):
		p.entity.WriteRune(c)
		return
	default:
		p.fail("Invalid character in entity name")
		target.WriteString("&" + p.entity.String() + string(c))
	}
	p.entity.Reset()
	p.state = p.back
}

// character is the character of a number without anything that does not belong there.
func character(number string) (string, bool) {
	digits, hexadecimal := strings.CutPrefix(number, "x")
	base := 10
	if hexadecimal {
		base = 16
	}
	n, err := strconv.ParseInt(digits, base, 32)
	valid := n == 9 || n == 10 || n == 13 || n >= 0x20 && n <= 0xd7ff || n >= 0xe000 && n <= 0xfffd || n >= 0x10000 && n <= 0x10ffff
	if err != nil || !valid || strings.ContainsAny(digits, "+-_") {
		return "", false
	}
	return string(rune(n)), true
}

func (p *parser) inComment(c rune) {
	text, ended := strings.CutSuffix(p.buffer.String(), "-")
	if c != '-' || !ended {
		p.buffer.WriteRune(c)
		return
	}
	if text != "" {
		p.flush()
		p.out.comment(text)
	}
	p.buffer.Reset()
	p.state = (*parser).afterComment
}

// afterComment expects the end of a comment after its second hyphen.
func (p *parser) afterComment(c rune) {
	switch {
	case c != '>':
		p.fail("Malformed comment")
		p.buffer.WriteString("--" + string(c))
		p.state = (*parser).inComment
	case p.inDoctype:
		p.state = (*parser).inDTD
	default:
		p.state = (*parser).inText
	}
}

func (p *parser) inCDATA(c rune) {
	if c != '>' || !strings.HasSuffix(p.buffer.String(), "]]") {
		p.buffer.WriteRune(c)
		return
	}
	if text := strings.TrimSuffix(p.buffer.String(), "]]"); text != "" {
		p.flush()
		p.out.cdata(text)
	}
	p.flush()
	p.state = (*parser).inText
}
