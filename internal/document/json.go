package document

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
	MaxValues = 250_000
	maxDepth  = 200
)

// jsonParser is a strict parser of JSON (RFC 8259) that knows where it is. encoding/json would do but for three
// things: it takes the last of duplicate keys without a word, it forgets the order of members, and it cannot say
// where a value stands.
type jsonParser struct {
	src    string // the texts of values are parts of it
	pos    int
	mark   int // where at was computed last
	at     Position
	values int
	room   []Value // for the next values: one allocation for many
}

// ErrBounds is the cause of an error about a body that is too much rather than wrong, so that nothing tries to read it
// in another way.
var ErrBounds = errors.New("the body is out of bounds")

// ParseJSON decodes a document. The error is of KindInvalid and carries line and column.
func ParseJSON(src []byte) (*Value, error) {
	p := &jsonParser{src: string(src), at: Position{1, 1}}
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
func (p *jsonParser) here() Position {
	for chunk := p.src[p.mark:p.pos]; ; {
		i := strings.IndexByte(chunk, '\n')
		if i < 0 {
			p.at.Column += int32(utf8.RuneCountInString(chunk)) //nolint:gosec // bodies are small
			break
		}
		p.at = Position{p.at.Line + 1, 1}
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

func tooMuch(language string, at Position, message string) error {
	return &millrace.Error{
		Kind: millrace.KindInvalid, Err: ErrBounds,
		Message:  fmt.Sprintf("the body is too large as %s: %s (line %d, column %d)", language, message, at.Line, at.Column),
		Failures: []millrace.Failure{{Message: message, Line: int(at.Line), Column: int(at.Column)}},
	}
}

// brokenBody returns the error about a body that cannot be parsed.
func brokenBody(language string, at Position, message string) error {
	return &millrace.Error{
		Kind:     millrace.KindInvalid,
		Message:  fmt.Sprintf("the body is not valid %s: %s (line %d, column %d)", language, message, at.Line, at.Column),
		Failures: []millrace.Failure{{Message: message, Line: int(at.Line), Column: int(at.Column)}},
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

func (p *jsonParser) value(depth int) (*Value, error) {
	p.space()
	p.values++
	switch {
	case depth > maxDepth:
		return nil, p.tooMuch("nests deeper than %d levels", maxDepth)
	case p.values > MaxValues:
		return nil, p.tooMuch("has more than %d values", MaxValues)
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
		return p.make(Value{Kind: KindString, Text: s, At: at}), err
	case c == '-' || (c >= '0' && c <= '9'):
		s, err := p.number()
		return p.make(Value{Kind: KindNumber, Text: s, At: at}), err
	}
	return p.word(at)
}

// make returns a new value.
func (p *jsonParser) make(v Value) *Value {
	const atOnce = 64
	if len(p.room) == 0 {
		p.room = make([]Value, atOnce)
	}
	made := &p.room[0]
	*made, p.room = v, p.room[1:]
	return made
}

// keys are the keys of an object. Few are compared one by one, which takes no memory.
type keys struct{ index map[string]bool }

// add adds a key beside those of the members, and reports whether it was not there.
func (k *keys) add(members []Member, key string) bool {
	const few = 16
	if len(members) <= few {
		return !slices.ContainsFunc(members, func(m Member) bool { return m.Key == key })
	}
	if k.index == nil {
		k.index = make(map[string]bool, 2*len(members))
		for i := range members {
			k.index[members[i].Key] = true
		}
	}
	if k.index[key] {
		return false
	}
	k.index[key] = true
	return true
}

// word parses true, false or null.
func (p *jsonParser) word(at Position) (*Value, error) {
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.src[p.pos:], word) {
			p.pos += len(word)
			if word == "null" {
				return p.make(Value{Kind: KindNull, At: at}), nil
			}
			return p.make(Value{Kind: KindBool, Text: word, At: at}), nil
		}
	}
	return nil, p.fail("expected a value, found %s", p.next())
}

func (p *jsonParser) object(depth int, at Position) (*Value, error) {
	v := p.make(Value{Kind: KindObject, At: at})
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
		m := Member{At: p.here()}
		var err error
		if m.Key, err = p.text(); err != nil {
			return nil, err
		}
		if !seen.add(v.Members, m.Key) {
			return nil, duplicateKey("JSON", m.Key, m.At)
		}
		if p.space(); !p.take(':') {
			return nil, p.fail("expected a colon after the key %q, found %s", m.Key, p.next())
		}
		if m.Value, err = p.value(depth + 1); err != nil {
			return nil, err
		}
		v.Members = append(v.Members, m)
		p.space()
		if p.take('}') {
			return v, nil
		}
		if !p.take(',') {
			return nil, p.fail("expected a comma or } after the value of %q, found %s", m.Key, p.next())
		}
	}
}

func duplicateKey(language, key string, at Position) error {
	return brokenBody(language, at, fmt.Sprintf("duplicate key %q", key))
}

func (p *jsonParser) array(depth int, at Position) (*Value, error) {
	v := p.make(Value{Kind: KindArray, At: at})
	p.pos++
	if p.space(); p.take(']') {
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
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
