package jsonata

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// FromJSON decodes a JSON document. Strings of the result share the memory of one
// copy of the document. Of members with the same key the last one counts. Bytes
// that are not UTF-8 become U+FFFD.
func FromJSON(data []byte) (Value, error) { return fromJSON(data, nil) }

// FromJSON decodes a JSON document within the limits of the evaluation.
func (c *Call) FromJSON(data []byte) (Value, error) { return fromJSON(data, c.ev) }

func fromJSON(data []byte, ev *evaluator) (Value, error) {
	d := decoder{s: textOf(data), ev: ev}
	if !utf8.ValidString(d.s) {
		d.s = strings.ToValidUTF8(d.s, "\uFFFD")
	}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.i < len(d.s) {
		return nil, d.fail("more text after the value")
	}
	return v, nil
}

// part is how much is copied at a time. Nothing interrupts a single copy, which takes 100 ms for 14 MB where the memory below is
// new; the collector waits for it, and everything else for the collector.
const part = 256 << 10

// textOf copies a document.
func textOf(data []byte) string {
	if len(data) <= part {
		return string(data)
	}
	var b strings.Builder
	b.Grow(len(data))
	for some := range slices.Chunk(data, part) {
		b.Write(some)
		runtime.Gosched()
	}
	return b.String()
}

// decoder reads JSON in one pass.
type decoder struct {
	s       string
	i       int
	items   []Value  // of the arrays that are being read
	members []member // of the objects that are being read

	ev     *evaluator // that takes steps for it; nil: none does
	values int
}

// step counts a value that is about to be read.
func (d *decoder) step() error {
	const perStep = 16
	if d.values++; d.values%perStep == 0 {
		return d.ev.step(1)
	}
	return nil
}

func (d *decoder) fail(what string) error {
	return fmt.Errorf("decode JSON: %s at offset %d", what, d.i)
}

func (d *decoder) space() {
	for d.i < len(d.s) {
		switch d.s[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

// peek returns the next byte, and 0 at the end.
func (d *decoder) peek() byte {
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

func (d *decoder) value(depth int) (Value, error) {
	if depth > maxNesting {
		return nil, d.fail("nesting too deep")
	}
	if d.ev != nil {
		if err := d.step(); err != nil {
			return nil, err
		}
	}
	switch c := d.peek(); c {
	case '"':
		return d.str()
	case '{':
		return d.object(depth)
	case '[':
		return d.array(depth)
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	case 'n':
		return Null{}, d.word("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return d.number()
		}
	}
	if d.i >= len(d.s) {
		return nil, d.fail("unexpected end")
	}
	return nil, d.fail("unexpected character")
}

func (d *decoder) word(w string) error {
	if !strings.HasPrefix(d.s[d.i:], w) {
		return d.fail("unexpected character")
	}
	d.i += len(w)
	return nil
}

func (d *decoder) number() (Value, error) {
	s, start, i := d.s, d.i, d.i
	digits := func() int {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i - from
	}
	if s[i] == '-' {
		i++
	}
	first := i
	n, whole := digits(), true
	ok := n > 0 && (s[first] != '0' || n == 1)
	if ok && i < len(s) && s[i] == '.' {
		i++
		ok, whole = digits() > 0, false
	}
	if ok && i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		ok, whole = digits() > 0, false
	}
	if d.i = i; !ok {
		return nil, d.fail("malformed number")
	}
	if whole && n <= 15 && first == start {
		var v int64
		for _, c := range []byte(s[start:i]) {
			v = v*10 + int64(c-'0')
		}
		return float64(v), nil
	}
	f, _ := strconv.ParseFloat(s[start:i], 64) // too large is infinite, as in JavaScript
	return f, nil
}

func (d *decoder) str() (string, error) {
	start := d.i + 1
	for i := start; i < len(d.s); i++ {
		switch c := d.s[i]; {
		case c == '"':
			d.i = i + 1
			return d.s[start:i], nil
		case c == '\\' || c < 0x20:
			d.i = i
			return d.escaped(start)
		}
	}
	d.i = len(d.s)
	return "", d.fail("unterminated string")
}

// escaped reads the rest of a string with escape sequences.
func (d *decoder) escaped(start int) (string, error) {
	buf := []byte(d.s[start:d.i])
	for d.i < len(d.s) {
		c := d.s[d.i]
		switch {
		case c == '"':
			d.i++
			return string(buf), nil
		case c < 0x20:
			return "", d.fail("control character in string")
		case c != '\\':
			buf = append(buf, c)
			d.i++
			continue
		}
		d.i++
		c = d.peek()
		if at := strings.IndexByte(`"\/bfnrt`, c); at >= 0 {
			buf = append(buf, "\"\\/\b\f\n\r\t"[at])
			d.i++
			continue
		}
		if c != 'u' || d.i+5 > len(d.s) {
			return "", d.fail("malformed escape sequence")
		}
		unit, err := strconv.ParseUint(d.s[d.i+1:d.i+5], 16, 16)
		if err != nil {
			return "", d.fail("malformed escape sequence")
		}
		buf = syntax.AppendUnit(buf, uint16(unit))
		d.i += 5
	}
	return "", d.fail("unterminated string")
}

func (d *decoder) array(depth int) (Value, error) {
	base := len(d.items)
	d.i++
	d.space()
	if d.peek() == ']' {
		d.i++
		return &Array{}, nil
	}
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.items = append(d.items, v)
		d.space()
		switch d.peek() {
		case ',':
			d.i++
			d.space()
		case ']':
			d.i++
			return d.taken(base), nil
		default:
			return nil, d.fail("expected , or ]")
		}
	}
}

// taken returns an array of the items from base on. The outermost array of a long
// document takes the slice itself, which would double what it needs otherwise.
func (d *decoder) taken(base int) *Array {
	const long = 4096
	if base == 0 && len(d.items) >= long {
		a := &Array{items: slices.Clip(d.items)}
		d.items = nil
		return a
	}
	a := &Array{items: append([]Value(nil), d.items[base:]...)}
	clear(d.items[base:])
	d.items = d.items[:base]
	return a
}

func (d *decoder) object(depth int) (Value, error) {
	base := len(d.members)
	d.i++
	d.space()
	if d.peek() == '}' {
		d.i++
		return &Object{}, nil
	}
	for {
		if d.peek() != '"' {
			return nil, d.fail("expected a key")
		}
		key, err := d.str()
		if err != nil {
			return nil, err
		}
		if d.space(); d.peek() != ':' {
			return nil, d.fail("expected :")
		}
		d.i++
		d.space()
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.members = append(d.members, member{key, v})
		d.space()
		switch d.peek() {
		case ',':
			d.i++
			d.space()
		case '}':
			d.i++
			o := objectOf(d.members[base:])
			clear(d.members[base:])
			d.members = d.members[:base]
			return o, nil
		default:
			return nil, d.fail("expected , or }")
		}
	}
}

// objectOf returns an object with a copy of the members, whose keys may repeat
// and may be integers.
func objectOf(members []member) *Object {
	plain := len(members) <= indexFrom
	for i := 0; i < len(members) && plain; i++ {
		key := members[i].key
		if _, ok := arrayIndex(key); ok {
			plain = false
		}
		for k := 0; k < i && plain; k++ {
			plain = members[k].key != key
		}
	}
	if plain {
		return &Object{members: append([]member(nil), members...)}
	}
	b := newBuilder(len(members))
	for _, m := range members {
		b.set(m.key, m.val)
	}
	return b.object()
}
