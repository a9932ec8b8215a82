package syntax

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokOperator
	tokName
	tokVariable
	tokString
	tokNumber
	tokLiteral
	tokRegex
)

type token struct {
	kind  tokenKind
	pos   int
	text  string
	flags string
	num   float64
}

type lexer struct {
	src string
	pos int
}

const operatorChars = ".[]{}(),@#;:?+-*/%|=<>^&!~"

func isOperatorChar(c byte) bool { return strings.IndexByte(operatorChars, c) >= 0 }

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v'
}

// next returns the next token. A slash is a division where an operator may
// stand (infix) and starts a regular expression elsewhere.
func (l *lexer) next(infix bool) (token, error) {
	if err := l.skip(); err != nil {
		return token{}, err
	}
	if l.pos >= len(l.src) {
		return token{kind: tokEnd, pos: len(l.src)}, nil
	}
	c := l.src[l.pos]
	switch {
	case c == '/' && !infix:
		return l.regex()
	case isOperatorChar(c):
		return l.operator(), nil
	case c == '"' || c == '\'':
		return l.str(c)
	case c >= '0' && c <= '9':
		return l.number()
	case c == '`':
		return l.quotedName()
	}
	return l.name(), nil
}

// skip passes over white space and comments.
func (l *lexer) skip() error {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case isSpace(c):
			l.pos++
		case strings.HasPrefix(l.src[l.pos:], "/*"):
			end := strings.Index(l.src[l.pos+2:], "*/")
			if end < 0 {
				return &Error{Code: "S0106", Pos: l.pos}
			}
			l.pos += end + 4
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) operator() token {
	t := token{kind: tokOperator, pos: l.pos}
	n := 1
	if l.pos+2 <= len(l.src) {
		switch l.src[l.pos : l.pos+2] {
		case "..", ":=", "!=", ">=", "<=", "**", "~>", "?:", "??":
			n = 2
		}
	}
	t.text = l.src[l.pos : l.pos+n]
	l.pos += n
	return t
}

func (l *lexer) number() (token, error) {
	start, s := l.pos, l.src
	i := start + 1
	if s[start] != '0' {
		i = digits(s, i)
	}
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		i = digits(s, i+1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			i = digits(s, j)
		}
	}
	l.pos = i
	num, _ := strconv.ParseFloat(s[start:i], 64)
	if math.IsInf(num, 0) {
		return token{}, &Error{Code: "S0102", Pos: start, Token: s[start:i]}
	}
	return token{kind: tokNumber, pos: start, text: s[start:i], num: num}, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func digits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func (l *lexer) quotedName() (token, error) {
	start := l.pos
	end := strings.IndexByte(l.src[start+1:], '`')
	if end < 0 {
		return token{}, &Error{Code: "S0105", Pos: start}
	}
	l.pos = start + end + 2
	return token{kind: tokName, pos: start, text: l.src[start+1 : l.pos-1]}, nil
}

func (l *lexer) name() token {
	start := l.pos
	i := start
	for i < len(l.src) && !isSpace(l.src[i]) && !isOperatorChar(l.src[i]) {
		i++
	}
	l.pos = i
	text := l.src[start:i]
	if text[0] == '$' {
		return token{kind: tokVariable, pos: start, text: text[1:]}
	}
	switch text {
	case "and", "or", "in":
		return token{kind: tokOperator, pos: start, text: text}
	case "true", "false", "null":
		return token{kind: tokLiteral, pos: start, text: text}
	}
	return token{kind: tokName, pos: start, text: text}
}

// str reads a string literal in the given quotes.
func (l *lexer) str(quote byte) (token, error) {
	start := l.pos
	i := start + 1
	for i < len(l.src) && l.src[i] != quote && l.src[i] != '\\' {
		i++
	}
	if i < len(l.src) && l.src[i] == quote {
		l.pos = i + 1
		return token{kind: tokString, pos: start, text: l.src[start+1 : i]}, nil
	}
	buf := []byte(l.src[start+1 : i])
	for i < len(l.src) {
		c := l.src[i]
		switch c {
		case quote:
			l.pos = i + 1
			return token{kind: tokString, pos: start, text: string(buf)}, nil
		case '\\':
			var err error
			if buf, i, err = l.escape(buf, i+1); err != nil {
				return token{}, err
			}
		default:
			buf = append(buf, c)
			i++
		}
	}
	return token{}, &Error{Code: "S0101", Pos: start}
}

// escape appends what the escape sequence after the backslash means and returns
// where the text goes on.
func (l *lexer) escape(buf []byte, i int) ([]byte, int, error) {
	if i >= len(l.src) {
		return nil, 0, &Error{Code: "S0103", Pos: i - 1}
	}
	if at := strings.IndexByte(`"\/bfnrt`, l.src[i]); at >= 0 {
		return append(buf, "\"\\/\b\f\n\r\t"[at]), i + 1, nil
	}
	if l.src[i] != 'u' {
		_, n := utf8.DecodeRuneInString(l.src[i:])
		return nil, 0, &Error{Code: "S0103", Pos: i - 1, Token: l.src[i : i+n]}
	}
	end := min(i+5, len(l.src))
	unit, err := strconv.ParseUint(l.src[i+1:end], 16, 16)
	if err != nil || end < i+5 && end < len(l.src) {
		return nil, 0, &Error{Code: "S0104", Pos: i - 1}
	}
	return AppendUnit(buf, uint16(unit)), end, nil
}

// regex reads a regular expression. A slash inside brackets or after a backslash
// does not end it.
func (l *lexer) regex() (token, error) {
	start := l.pos + 1
	depth := 0
	for i := start; i < len(l.src); i++ {
		c := l.src[i]
		escaped := l.src[i-1] == '\\'
		switch {
		case c == '/' && depth == 0 && !oddBackslashes(l.src[start:i]):
			if i == start {
				return token{}, &Error{Code: "S0301", Pos: l.pos}
			}
			end := i + 1
			for end < len(l.src) && (l.src[end] == 'i' || l.src[end] == 'm') {
				end++
			}
			t := token{kind: tokRegex, pos: l.pos, text: l.src[start:i], flags: l.src[i+1 : end]}
			l.pos = end
			return t, nil
		case (c == '(' || c == '[' || c == '{') && !escaped:
			depth++
		case (c == ')' || c == ']' || c == '}') && !escaped:
			depth--
		}
	}
	return token{}, &Error{Code: "S0302", Pos: l.pos}
}

func oddBackslashes(s string) bool {
	n := 0
	for n < len(s) && s[len(s)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// AppendUnit appends a UTF-16 code unit. Half of a surrogate pair is kept as the
// three bytes UTF-8 would have for it, and the second half joins the first one.
func AppendUnit(buf []byte, unit uint16) []byte {
	const surrogateMin, lowMin, surrogateMax = 0xD800, 0xDC00, 0xDFFF
	if unit < surrogateMin || unit > surrogateMax {
		return utf8.AppendRune(buf, rune(unit))
	}
	if n := len(buf); unit >= lowMin && n >= 3 && buf[n-3] == 0xED && buf[n-2] >= 0xA0 && buf[n-2] < 0xB0 {
		high := rune(0xD000) | rune(buf[n-2]&0x3F)<<6 | rune(buf[n-1]&0x3F)
		return utf8.AppendRune(buf[:n-3], 0x10000+(high-surrogateMin)<<10+rune(unit)-lowMin)
	}
	return append(buf, 0xE0|byte(unit>>12), 0x80|byte(unit>>6&0x3F), 0x80|byte(unit&0x3F))
}
