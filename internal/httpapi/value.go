package httpapi

import (
	"encoding/json"
	"unicode/utf8"
)

// kind says what a value is.
type kind uint8

const (
	kindNull kind = iota + 1
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// String names the kind in messages.
func (k kind) String() string {
	switch k {
	case kindNull:
		return "null"
	case kindBool:
		return "a boolean"
	case kindNumber:
		return "a number"
	case kindString:
		return "a string"
	case kindArray:
		return "an array"
	case kindObject:
		return "an object"
	}
	return "nothing"
}

// value is one value of a request body. JSON and YAML are decoded into the same tree. Unlike Go's maps it keeps the
// order of members, the spelling of numbers, and the place where everything stands, so that a refusal can point at it.
// A small body can ask for many of them, so it is kept small; sizeOfValue in body.go says how small.
type value struct {
	text    string // of a string; the literal of a number or boolean
	members []member
	items   []*value
	at      place
	kind    kind
}

type member struct {
	key   string
	at    place
	value *value
}

// place is where something stands in a body: line and column count from 1, columns in characters.
type place struct{ line, column int32 }

// get returns the member of an object, nil when there is none.
func (v *value) get(key string) *value {
	for i := range v.members {
		if v.members[i].key == key {
			return v.members[i].value
		}
	}
	return nil
}

// set replaces the member of an object, or appends it.
func (v *value) set(key string, to *value) {
	for i := range v.members {
		if v.members[i].key == key {
			v.members[i].value = to
			return
		}
	}
	v.members = append(v.members, member{key: key, value: to})
}

// remove drops the member of an object.
func (v *value) remove(key string) {
	for i := range v.members {
		if v.members[i].key == key {
			v.members = append(v.members[:i:i], v.members[i+1:]...)
			return
		}
	}
}

// merge merges an object into v, member by member and at any depth: arrays are replaced, null removes.
func (v *value) merge(from *value) {
	for _, m := range from.members {
		old := v.get(m.key)
		switch {
		case m.value.kind == kindNull:
			v.remove(m.key)
		case old != nil && old.kind == kindObject && m.value.kind == kindObject:
			old.merge(m.value)
		default:
			v.set(m.key, m.value)
		}
	}
}

// json encodes the value compactly. Numbers are spelled as they were sent.
func (v *value) json() json.RawMessage { return v.append(nil) }

func (v *value) append(dst []byte) []byte {
	switch v.kind {
	case kindNull:
		return append(dst, "null"...)
	case kindBool, kindNumber:
		return append(dst, v.text...)
	case kindString:
		return appendQuoted(dst, v.text)
	case kindArray:
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.append(dst)
		}
		return append(dst, ']')
	case kindObject:
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, m.key), ':')
			dst = m.value.append(dst)
		}
		return append(dst, '}')
	}
	return dst
}

// appendQuoted appends a JSON string. Unlike encoding/json it leaves <, > and & alone, so that an expression is given
// back as it was sent.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r) // an invalid byte becomes U+FFFD
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}
