package document

import (
	"encoding/json"
	"unicode/utf8"
)

// Kind says what a value is.
type Kind uint8

// The kinds of values.
const (
	KindNull Kind = iota + 1
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// String names the kind in messages.
func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindBool:
		return "a boolean"
	case KindNumber:
		return "a number"
	case KindString:
		return "a string"
	case KindArray:
		return "an array"
	case KindObject:
		return "an object"
	}
	return "nothing"
}

// Value is one value of a request body. JSON and YAML are decoded into the same tree. Unlike Go's maps it keeps the
// order of members, the spelling of numbers, and the place where everything stands, so that an error can point at it.
// A small body can ask for many of them, so it is kept small.
type Value struct {
	Text    string // of a string; the literal of a number or boolean
	Members []Member
	Items   []*Value
	At      Position
	Kind    Kind
}

// Member is a name in an object, where it stands, and what it names.
type Member struct {
	Key   string
	At    Position
	Value *Value
}

// Position is where something stands in a body: line and column count from 1, columns in characters.
type Position struct{ Line, Column int32 }

// Get returns the member of an object, nil when there is none.
func (v *Value) Get(key string) *Value {
	for i := range v.Members {
		if v.Members[i].Key == key {
			return v.Members[i].Value
		}
	}
	return nil
}

// Set replaces the member of an object, or appends it.
func (v *Value) Set(key string, to *Value) {
	for i := range v.Members {
		if v.Members[i].Key == key {
			v.Members[i].Value = to
			return
		}
	}
	v.Members = append(v.Members, Member{Key: key, Value: to})
}

// Remove drops the member of an object.
func (v *Value) Remove(key string) {
	for i := range v.Members {
		if v.Members[i].Key == key {
			v.Members = append(v.Members[:i:i], v.Members[i+1:]...)
			return
		}
	}
}

// Merge merges an object into v, member by member and at any depth: arrays are replaced, null removes. It is not [expr.Merge]
// because it keeps positions and the spelling of numbers.
func (v *Value) Merge(from *Value) {
	for _, m := range from.Members {
		old := v.Get(m.Key)
		switch {
		case m.Value.Kind == KindNull:
			v.Remove(m.Key)
		case old != nil && old.Kind == KindObject && m.Value.Kind == KindObject:
			old.Merge(m.Value)
		default:
			v.Set(m.Key, m.Value)
		}
	}
}

// JSON encodes the value compactly. Numbers are spelled as they were sent.
func (v *Value) JSON() json.RawMessage { return v.append(nil) }

func (v *Value) append(dst []byte) []byte {
	switch v.Kind {
	case KindNull:
		return append(dst, "null"...)
	case KindBool, KindNumber:
		return append(dst, v.Text...)
	case KindString:
		return appendQuoted(dst, v.Text)
	case KindArray:
		dst = append(dst, '[')
		for i, item := range v.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.append(dst)
		}
		return append(dst, ']')
	case KindObject:
		dst = append(dst, '{')
		for i, m := range v.Members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, m.Key), ':')
			dst = m.Value.append(dst)
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
