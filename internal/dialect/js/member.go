package js

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/jsonata"
)

// Entries returns a value as an object: arrays and text have their indexes as keys, other values have no
// members.
func Entries(v jsonata.Value) *jsonata.Object {
	switch v := v.(type) {
	case *jsonata.Array:
		return Indexed(v.Items())
	case string:
		return Indexed(Characters(v))
	}
	if o, ok := ObjectOf(v); ok {
		return o
	}
	return jsonata.NewObject(0)
}

// Enumerable is a host object whose members can be listed, as those of an object can.
type Enumerable interface {
	jsonata.Host
	// Keys lists the members.
	Keys() []string
}

// ObjectOf returns a value as an object, if it has members.
func ObjectOf(v jsonata.Value) (*jsonata.Object, bool) {
	switch v := v.(type) {
	case *jsonata.Object:
		return v, true
	case Enumerable:
		return withMembers(v, v.Keys()), true
	}
	return nil, false
}

func withMembers(h jsonata.Host, names []string) *jsonata.Object {
	o := jsonata.NewObject(len(names))
	for _, name := range names {
		member, _ := h.Member(name)
		o.Set(name, member)
	}
	return o
}

// Listed returns a value as an object for functions that list members, which see those of date-times, too.
func Listed(v jsonata.Value) (*jsonata.Object, bool) {
	if l, ok := v.(jsonata.Lister); ok {
		return withMembers(l, l.Names()), true
	}
	return ObjectOf(v)
}

// Indexed returns items as an object whose keys are their indexes.
func Indexed(items []jsonata.Value) *jsonata.Object {
	o, _ := indexed(items, func() error { return nil })
	return o
}

// indexed calls between before each item, and ends with its error.
func indexed(items []jsonata.Value, between func() error) (*jsonata.Object, error) {
	o := jsonata.NewObject(min(len(items), roomAtOnce))
	for i, item := range items {
		if err := between(); err != nil {
			return nil, err
		}
		o.Set(strconv.Itoa(i), item)
	}
	return o, nil
}

// MaxIndex bounds the arrays that a path such as list[1000000000] makes room for.
const MaxIndex = 100_000

// Field returns a member of an object, undefined for anything that is not an object.
func Field(v jsonata.Value, name string) jsonata.Value {
	if o, ok := v.(*jsonata.Object); ok {
		member, _ := o.Get(name)
		return member
	}
	return nil
}

// Property reads a member as JavaScript's v[key] does, without inherited members: objects and host objects have named
// members, arrays and text have indexes and a length.
func Property(v jsonata.Value, key string) (jsonata.Value, bool) {
	switch v := v.(type) {
	case *jsonata.Array:
		if i, ok := IndexOf(key); ok && i < v.Len() {
			return v.At(i), true
		}
	case string:
		return textProperty(v, key)
	}
	return Member(v, key)
}

func textProperty(s, key string) (jsonata.Value, bool) {
	index, isIndex := IndexOf(key)
	if !isIndex && key != "length" {
		return nil, false
	}
	n := 0
	for rest := s; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		if IsHalf(rest) {
			size = 3
		}
		units := 1
		if r >= 0x10000 {
			units = 2
		}
		if isIndex && index < n+units {
			return Characters(rest[:size])[index-n], true
		}
		n, rest = n+units, rest[size:]
	}
	if isIndex {
		return nil, false
	}
	return float64(n), true
}

// IndexOf returns the array index that a key is: decimal digits without leading zeros.
func IndexOf(key string) (int, bool) {
	if key == "" || len(key) > 15 || (key[0] == '0' && len(key) > 1) || strings.Trim(key, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.Atoi(key)
	return i, err == nil
}

// PropertyKey is the member name that a value makes when it is used as one.
func PropertyKey(v jsonata.Value) string { return Text(v) }

// Member reads a named member. An array has only its length, and nothing is read from text.
func Member(v jsonata.Value, name string) (jsonata.Value, bool) {
	switch v := v.(type) {
	case *jsonata.Object:
		return v.Get(name)
	case jsonata.Host:
		return v.Member(name)
	case *jsonata.Array:
		if name == "length" {
			return float64(v.Len()), true
		}
	}
	return nil, false
}

// Get returns a member of an object, undefined if it has none of that name.
func Get(o *jsonata.Object, key string) jsonata.Value {
	v, _ := o.Get(key)
	return v
}
