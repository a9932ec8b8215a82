package expr

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/jsonata"
)

// entriesOf returns a value as an object: arrays and text have their indexes as keys, other values have no
// members.
func entriesOf(v jsonata.Value) *jsonata.Object {
	switch v := v.(type) {
	case *jsonata.Array:
		return indexed(v.Items())
	case string:
		return indexed(characters(v))
	}
	if o, ok := objectOf(v); ok {
		return o
	}
	return jsonata.NewObject(0)
}

// enumerable is a host object whose members can be listed, as those of an object can.
type enumerable interface {
	jsonata.Host
	// Keys lists the members.
	Keys() []string
}

// objectOf returns a value as an object, if it has members.
func objectOf(v jsonata.Value) (*jsonata.Object, bool) {
	switch v := v.(type) {
	case *jsonata.Object:
		return v, true
	case enumerable:
		names := v.Keys()
		o := jsonata.NewObject(len(names))
		for _, name := range names {
			member, _ := v.Member(name)
			o.Set(name, member)
		}
		return o, true
	}
	return nil, false
}

func indexed(items []jsonata.Value) *jsonata.Object {
	o := jsonata.NewObject(len(items))
	for i, item := range items {
		o.Set(strconv.Itoa(i), item)
	}
	return o
}

// maxIndex bounds the arrays that a path such as list[1000000000] makes room for.
const maxIndex = 100_000

// field returns a member of an object, undefined for anything that is not an object.
func field(v jsonata.Value, name string) jsonata.Value {
	if o, ok := v.(*jsonata.Object); ok {
		member, _ := o.Get(name)
		return member
	}
	return nil
}

// property reads a member as JavaScript's v[key] does, without inherited members: objects and host objects have named
// members, arrays and text have indexes and a length.
func property(v jsonata.Value, key string) (jsonata.Value, bool) {
	switch v := v.(type) {
	case *jsonata.Array:
		if i, ok := indexOf(key); ok && i < v.Len() {
			return v.At(i), true
		}
	case string:
		return textProperty(v, key)
	}
	return member(v, key)
}

func textProperty(s, key string) (jsonata.Value, bool) {
	index, isIndex := indexOf(key)
	if !isIndex && key != "length" {
		return nil, false
	}
	units := characters(s)
	if !isIndex {
		return float64(len(units)), true
	}
	if index >= len(units) {
		return nil, false
	}
	return units[index], true
}

// indexOf returns the array index that a key is: decimal digits without leading zeros.
func indexOf(key string) (int, bool) {
	if key == "" || len(key) > 15 || (key[0] == '0' && len(key) > 1) || strings.Trim(key, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.Atoi(key)
	return i, err == nil
}

// propertyKey is the member name that a value makes when it is used as one.
func propertyKey(v jsonata.Value) string { return textOf(v) }

// member reads a named member. An array has only its length, and nothing is read from text.
func member(v jsonata.Value, name string) (jsonata.Value, bool) {
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

func objectGet(o *jsonata.Object, key string) jsonata.Value {
	v, _ := o.Get(key)
	return v
}
