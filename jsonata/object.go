package jsonata

import (
	"iter"
	"slices"
)

// indexFrom is the number of members from which an object keeps an index;
// comparing a few keys one by one is faster than hashing.
const indexFrom = 16

type member struct {
	key string
	val Value
}

// Object is a JSON object that keeps its members in the order in which they
// were added, but integer-like keys first and in ascending order, as JavaScript
// does. The zero value is an empty object.
type Object struct {
	members []member
	ints    int // how many members have integer-like keys; they come first
	index   map[string]int
	shared  bool // others have the same members: they are copied before a change
}

// NewObject returns an empty object with room for capacity members.
func NewObject(capacity int) *Object {
	return &Object{members: make([]member, 0, capacity)}
}

// Len returns the number of members.
func (o *Object) Len() int { return len(o.members) }

// Get returns a member and whether the object has it.
func (o *Object) Get(key string) (Value, bool) {
	if i := o.find(key); i >= 0 {
		return o.members[i].val, true
	}
	return nil, false
}

// Set adds a member or replaces its value. A key keeps its place when its value
// is replaced.
func (o *Object) Set(key string, v Value) {
	v = stored(v)
	o.own()
	if i := o.find(key); i >= 0 {
		o.members[i].val = v
		return
	}
	o.add(key, v)
}

// Delete removes a member.
func (o *Object) Delete(key string) {
	i := o.find(key)
	if i < 0 {
		return
	}
	o.own()
	copy(o.members[i:], o.members[i+1:])
	o.members[len(o.members)-1] = member{}
	o.members = o.members[:len(o.members)-1]
	if i < o.ints {
		o.ints--
	}
	o.reindex()
}

// own copies the members if others have them, too.
func (o *Object) own() {
	if o.shared {
		o.members, o.shared = slices.Clone(o.members), false
		o.reindex()
	}
}

// Keys returns the keys in order.
func (o *Object) Keys() []string {
	keys := make([]string, len(o.members))
	for i := range o.members {
		keys[i] = o.members[i].key
	}
	return keys
}

// All iterates over the members in order.
func (o *Object) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i := range o.members {
			if !yield(o.members[i].key, o.members[i].val) {
				return
			}
		}
	}
}

func (o *Object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].key == key {
			return i
		}
	}
	return -1
}

// add appends a member whose key the object does not have.
func (o *Object) add(key string, v Value) {
	at := len(o.members)
	o.members = append(o.members, member{key, v})
	if n, ok := arrayIndex(key); ok {
		at = o.intPlace(n)
		if at < len(o.members)-1 {
			copy(o.members[at+1:], o.members[at:])
			o.members[at] = member{key, v}
			o.index = nil
		}
		o.ints++
	}
	switch {
	case o.index != nil:
		o.index[key] = at
	case len(o.members) > indexFrom:
		o.reindex()
	}
}

// intPlace returns where the integer-like key n belongs.
func (o *Object) intPlace(n uint32) int {
	lo, hi := 0, o.ints
	for lo < hi {
		mid := (lo + hi) / 2
		if m, _ := arrayIndex(o.members[mid].key); m < n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (o *Object) reindex() {
	if len(o.members) <= indexFrom {
		o.index = nil
		return
	}
	o.index = make(map[string]int, 2*len(o.members))
	for i := range o.members {
		o.index[o.members[i].key] = i
	}
}

// merge sets all members of another object.
func (o *Object) merge(from *Object) {
	const few = 64
	o.own()
	if o.Len() <= few && from.Len() <= few {
		for i := range from.members {
			o.Set(from.members[i].key, from.members[i].val)
		}
		return
	}
	b := newBuilder(o.Len() + from.Len())
	for _, list := range [][]member{o.members, from.members} {
		for i := range list {
			b.set(list[i].key, list[i].val)
		}
	}
	*o = *b.object()
}

// remove deletes several members.
func (o *Object) remove(keys map[string]bool) {
	o.own()
	kept := o.members[:0]
	o.ints = 0
	for _, m := range o.members {
		if keys[m.key] {
			continue
		}
		if _, ok := arrayIndex(m.key); ok {
			o.ints++
		}
		kept = append(kept, m)
	}
	clear(o.members[len(kept):])
	o.members = kept
	o.reindex()
}

// copy returns a copy that shares the values but not the members.
func (o *Object) copy() *Object {
	c := &Object{members: make([]member, len(o.members)), ints: o.ints}
	copy(c.members, o.members)
	c.reindex()
	return c
}

// arrayIndex tells whether JavaScript takes a key for an array index: a decimal
// integer below 2^32-1 without leading zeros.
func arrayIndex(key string) (uint32, bool) {
	if key == "" || len(key) > 10 || key[0] < '0' || key[0] > '9' {
		return 0, false
	}
	if key[0] == '0' {
		return 0, key == "0"
	}
	var n uint64
	for i := range len(key) {
		c := key[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n < 1<<32-1
}
