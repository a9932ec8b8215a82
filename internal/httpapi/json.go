package httpapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
)

// Limits of one body. They bound the memory that a small body can claim: an empty array takes three bytes on the wire
// and a hundred in memory.
const (
	maxValues = 250_000
	maxDepth  = 200
)

// jsonParser is a strict parser of JSON (RFC 8259) that knows where it is. encoding/json would do but for three
// things: it takes the last of duplicate keys without a word, it forgets the order of members, and it cannot say
// where a value stands.
type jsonParser struct {
	src    string // the texts of values are parts of it
	pos    int
	mark   int // where at was computed last
	at     place
	values int
	room   []value // for the next values: one allocation for many
}

// errBounds is the cause of an error about a body that is too much rather than wrong, so that nothing tries to read it
// in another way.
var errBounds = errors.New("the body is out of bounds")

// parseJSON decodes a document. The error is of KindInvalid and carries line and column.
func parseJSON(src []byte) (*value, error) {
	p := &jsonParser{src: string(src), at: place{1, 1}}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.src) {
		return nil, p.fail("unexpected %s after the end of the document", p.next())
	}
	return v, nil
}

// here returns the place of the next byte. It only moves forward, so that the whole document is counted once.
func (p *jsonParser) here() place {
	for chunk := p.src[p.mark:p.pos]; ; {
		i := strings.IndexByte(chunk, '\n')
		if i < 0 {
			p.at.column += int32(utf8.RuneCountInString(chunk)) //nolint:gosec // bodies are small
			break
		}
		p.at = place{p.at.line + 1, 1}
		chunk = chunk[i+1:]
	}
	p.mark = p.pos
	return p.at
}

func (p *jsonParser) fail(format string, args ...any) error {
	return brokenBody("JSON", p.here(), fmt.Sprintf(format, args...))
}

// tooMuch returns the error about a body that would take too much memory or stack.
func (p *jsonParser) tooMuch(format string, args ...any) error {
	return tooMuch("JSON", p.here(), fmt.Sprintf(format, args...))
}

func tooMuch(language string, at place, message string) error {
	return &millrace.Error{
		Kind: millrace.KindInvalid, Err: errBounds,
		Message:  fmt.Sprintf("the body is too large as %s: %s (line %d, column %d)", language, message, at.line, at.column),
		Failures: []millrace.Failure{{Message: message, Line: int(at.line), Column: int(at.column)}},
	}
}

// brokenBody returns the error about a body that cannot be parsed.
func brokenBody(language string, at place, message string) error {
	return &millrace.Error{
		Kind:     millrace.KindInvalid,
		Message:  fmt.Sprintf("the body is not valid %s: %s (line %d, column %d)", language, message, at.line, at.column),
		Failures: []millrace.Failure{{Message: message, Line: int(at.line), Column: int(at.column)}},
	}
}

// next describes what stands at the position.
func (p *jsonParser) next() string {
	if p.pos >= len(p.src) {
		return "end of the body"
	}
	r, size := utf8.DecodeRuneInString(p.src[p.pos:])
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("byte 0x%02x", p.src[p.pos])
	}
	return fmt.Sprintf("character %q", r)
}

func (p *jsonParser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *jsonParser) value(depth int) (*value, error) {
	p.space()
	p.values++
	switch {
	case depth > maxDepth:
		return nil, p.tooMuch("nests deeper than %d levels", maxDepth)
	case p.values > maxValues:
		return nil, p.tooMuch("has more than %d values", maxValues)
	case p.pos >= len(p.src):
		return nil, p.fail("unexpected end of the body")
	}
	at := p.here()
	switch c := p.src[p.pos]; {
	case c == '{':
		return p.object(depth, at)
	case c == '[':
		return p.array(depth, at)
	case c == '"':
		s, err := p.text()
		return p.make(value{kind: kindString, text: s, at: at}), err
	case c == '-' || (c >= '0' && c <= '9'):
		s, err := p.number()
		return p.make(value{kind: kindNumber, text: s, at: at}), err
	}
	return p.word(at)
}

// make returns a new value.
func (p *jsonParser) make(v value) *value {
	const atOnce = 64
	if len(p.room) == 0 {
		p.room = make([]value, atOnce)
	}
	made := &p.room[0]
	*made, p.room = v, p.room[1:]
	return made
}

// keys are the keys of an object. Few are compared one by one, which takes no memory.
type keys struct{ index map[string]bool }

// add adds a key beside those of the members, and reports whether it was not there.
func (k *keys) add(members []member, key string) bool {
	const few = 16
	if len(members) <= few {
		return !slices.ContainsFunc(members, func(m member) bool { return m.key == key })
	}
	if k.index == nil {
		k.index = make(map[string]bool, 2*len(members))
		for i := range members {
			k.index[members[i].key] = true
		}
	}
	if k.index[key] {
		return false
	}
	k.index[key] = true
	return true
}

// word parses true, false or null.
func (p *jsonParser) word(at place) (*value, error) {
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.src[p.pos:], word) {
			p.pos += len(word)
			if word == "null" {
				return p.make(value{kind: kindNull, at: at}), nil
			}
			return p.make(value{kind: kindBool, text: word, at: at}), nil
		}
	}
	return nil, p.fail("expected a value, found %s", p.next())
}

func (p *jsonParser) object(depth int, at place) (*value, error) {
	v := p.make(value{kind: kindObject, at: at})
	var seen keys
	p.pos++
	if p.space(); p.take('}') {
		return v, nil
	}
	for {
		p.space()
		if p.pos >= len(p.src) || p.src[p.pos] != '"' {
			return nil, p.fail("expected a key in double quotes, found %s", p.next())
		}
		m := member{at: p.here()}
		var err error
		if m.key, err = p.text(); err != nil {
			return nil, err
		}
		if !seen.add(v.members, m.key) {
			return nil, duplicateKey("JSON", m.key, m.at)
		}
		if p.space(); !p.take(':') {
			return nil, p.fail("expected a colon after the key %q, found %s", m.key, p.next())
		}
		if m.value, err = p.value(depth + 1); err != nil {
			return nil, err
		}
		v.members = append(v.members, m)
		p.space()
		if p.take('}') {
			return v, nil
		}
		if !p.take(',') {
			return nil, p.fail("expected a comma or } after the value of %q, found %s", m.key, p.next())
		}
	}
}

func duplicateKey(language, key string, at place) error {
	return brokenBody(language, at, fmt.Sprintf("duplicate key %q", key))
}

func (p *jsonParser) array(depth int, at place) (*value, error) {
	v := p.make(value{kind: kindArray, at: at})
	p.pos++
	if p.space(); p.take(']') {
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
		p.space()
		if p.take(']') {
			return v, nil
		}
		if !p.take(',') {
			return nil, p.fail("expected a comma or ] after an element, found %s", p.next())
		}
	}
}

func (p *jsonParser) take(c byte) bool {
	if p.pos < len(p.src) && p.src[p.pos] == c {
		p.pos++
		return true
	}
	return false
}
