package document

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// text parses the string that starts at the position.
func (p *jsonParser) text() (string, error) {
	start := p.pos
	escaped := false
	for p.pos++; p.pos < len(p.src); p.pos++ {
		switch c := p.src[p.pos]; {
		case c == '"':
			p.pos++
			return p.unquote(start, escaped)
		case c == '\\':
			escaped = true
			if err := p.escape(); err != nil {
				return "", err
			}
		case c == '\n' || c == '\r':
			return "", p.fail(`a line break inside a string; write \n`)
		case c < ' ':
			return "", p.fail("control character 0x%02x inside a string", c)
		}
	}
	p.pos = start
	return "", p.fail("the string that starts here does not end")
}

// escape moves to the last character of the escape sequence at the position.
func (p *jsonParser) escape() error {
	if p.pos+1 >= len(p.src) {
		return nil // the end of the body is reported by the caller
	}
	switch c := p.src[p.pos+1]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.pos++
		return nil
	case 'u':
		digits := p.src[p.pos+2 : min(p.pos+6, len(p.src))]
		if len(digits) < 4 || !isHex(digits) {
			return p.fail(`\u needs four hexadecimal digits`)
		}
		if digits == "0000" {
			return p.fail(`\u0000 cannot be stored`)
		}
		p.pos += 5
		return nil
	}
	return p.fail("unknown escape sequence in a string")
}

func isHex(b string) bool {
	for _, c := range []byte(b) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func (p *jsonParser) unquote(start int, escaped bool) (string, error) {
	raw := p.src[start:p.pos]
	if !utf8.ValidString(raw) {
		p.pos = start
		return "", p.fail("the string that starts here is not UTF-8")
	}
	if !escaped {
		return raw[1 : len(raw)-1], nil
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		p.pos = start
		return "", p.fail("the string that starts here cannot be read")
	}
	return s, nil
}

// number parses the number that starts at the position and keeps its spelling.
func (p *jsonParser) number() (string, error) {
	start := p.pos
	p.take('-')
	switch {
	case p.take('0'):
	case p.digits() == 0:
		return "", p.fail("expected a digit, found %s", p.next())
	}
	if p.take('.') && p.digits() == 0 {
		return "", p.fail("expected a digit after the decimal point, found %s", p.next())
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if p.digits() == 0 {
			return "", p.fail("expected a digit in the exponent, found %s", p.next())
		}
	}
	text := p.src[start:p.pos]
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return "", p.fail("the number before this place is too large")
	}
	return text, nil
}

func (p *jsonParser) digits() int {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}
