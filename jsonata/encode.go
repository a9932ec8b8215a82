package jsonata

import (
	"math"
	"runtime"
	"slices"
)

// ToJSON encodes a value as JSON.stringify does: members in order, numbers as
// JavaScript prints them, nothing escaped for HTML. Undefined and functions give
// nil, are left out of objects, and are null in arrays; so are NaN and infinite
// numbers. Go values that are not of this package are converted as [FromGo] does. It
// fails for values that nest deeper than 10,000 levels, and for what cannot be JSON.
func ToJSON(v Value) ([]byte, error) {
	switch v.(type) {
	case nil, *Function:
		return nil, nil
	}
	return AppendJSON(make([]byte, 0, 256), v, nil)
}

// AppendJSON appends what [ToJSON] returns to buf. If show is not nil, it is called for each host and
// returns the value to write in its place.
func AppendJSON(buf []byte, v Value, show func(Host) Value) ([]byte, error) {
	e := encoder{buf: buf, show: show}
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	return e.buf, nil
}

// encoder writes JSON.
type encoder struct {
	buf    []byte
	ev     *evaluator // nil outside of an evaluation
	text   bool       // for $string: fractions rounded, functions empty strings
	pretty bool
	next   int // the length at which to check the budget again
	show   func(Host) Value
}

func (e *encoder) value(v Value, depth int) error {
	if depth > maxNesting {
		return newError(CodeDepth, maxNesting)
	}
	switch v := v.(type) {
	case string:
		e.buf = appendQuoted(e.buf, v)
	case float64:
		return e.number(v)
	case bool:
		if v {
			e.buf = append(e.buf, "true"...)
		} else {
			e.buf = append(e.buf, "false"...)
		}
	case *Array:
		return e.array(v, depth)
	case *Object:
		return e.object(v, depth)
	case *Function:
		if e.text {
			e.buf = append(e.buf, `""`...)
		} else {
			e.buf = append(e.buf, "null"...)
		}
	case Host:
		if e.show != nil {
			return e.value(e.show(v), depth+1)
		}
		return e.value(serialised(v), depth+1)
	case nil, Null:
		e.buf = append(e.buf, "null"...)
	default:
		v, err := converted(v)
		if err != nil {
			return err
		}
		return e.value(v, depth+1)
	}
	return nil
}

func (e *encoder) number(f float64) error {
	if math.IsInf(f, 0) && e.text {
		return newError("D1001", f)
	}
	if f != f || math.IsInf(f, 0) {
		e.buf = append(e.buf, "null"...)
		return nil
	}
	if e.text {
		f = round15(f)
	}
	e.buf = appendNumber(e.buf, f)
	return nil
}

// budget checks the size now and then.
func (e *encoder) budget() error {
	if len(e.buf) < e.next {
		return nil
	}
	e.next = len(e.buf) + 4096
	e.grow()
	if e.ev == nil {
		return nil
	}
	if len(e.buf) > e.ev.limits.Output {
		return newError(CodeOutput, e.ev.limits.Output)
	}
	return e.ev.step(16)
}

// grow makes room in a long text before append would copy it at once.
func (e *encoder) grow() {
	if len(e.buf) < part || cap(e.buf)-len(e.buf) >= part {
		return
	}
	larger := make([]byte, 0, 2*len(e.buf))
	for some := range slices.Chunk(e.buf, part) {
		larger = append(larger, some...)
		runtime.Gosched()
	}
	e.buf = larger
}

func (e *encoder) newline(depth int) {
	if !e.pretty {
		return
	}
	e.buf = append(e.buf, '\n')
	for range depth {
		e.buf = append(e.buf, ' ', ' ')
	}
}

func (e *encoder) array(a *Array, depth int) error {
	e.buf = append(e.buf, '[')
	for i := range a.Len() {
		if err := e.budget(); err != nil {
			return err
		}
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.newline(depth + 1)
		if err := e.value(a.At(i), depth+1); err != nil {
			return err
		}
	}
	if a.Len() > 0 {
		e.newline(depth)
	}
	e.buf = append(e.buf, ']')
	return nil
}

func (e *encoder) object(o *Object, depth int) error {
	e.buf = append(e.buf, '{')
	empty := true
	for i := range o.members {
		m := &o.members[i]
		if !e.visible(m.val) {
			continue
		}
		if err := e.budget(); err != nil {
			return err
		}
		if !empty {
			e.buf = append(e.buf, ',')
		}
		empty = false
		e.newline(depth + 1)
		e.buf = append(appendQuoted(e.buf, m.key), ':')
		if e.pretty {
			e.buf = append(e.buf, ' ')
		}
		if err := e.value(m.val, depth+1); err != nil {
			return err
		}
	}
	if !empty {
		e.newline(depth)
	}
	e.buf = append(e.buf, '}')
	return nil
}

// visible tells whether a member is written at all.
func (e *encoder) visible(v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case *Function:
		return e.text
	case Host:
		return v.JSON() != nil
	}
	return true
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends a JSON string. Halves of surrogate pairs are escaped.
func appendQuoted(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < 0xED {
			continue
		}
		if c >= 0xED {
			unit, half := halfPair(s[i:])
			if !half {
				continue
			}
			buf = append(append(buf, s[start:i]...), '\\', 'u',
				hexDigits[unit>>12], hexDigits[unit>>8&15], hexDigits[unit>>4&15], hexDigits[unit&15])
			start, i = i+3, i+2
			continue
		}
		buf = append(buf, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\b':
			buf = append(buf, '\\', 'b')
		case '\f':
			buf = append(buf, '\\', 'f')
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(buf, s[start:]...), '"')
}
