package jsonata

import "slices"

// builder makes objects of many members, whose keys may come in any order. Adding
// integer-like keys to an object one by one would move all other members each
// time.
type builder struct {
	members []member
	index   map[string]int
}

func newBuilder(n int) *builder {
	return &builder{members: make([]member, 0, n), index: make(map[string]int, n)}
}

// get returns a pointer to the value of a member, or nil.
func (b *builder) get(key string) *Value {
	if i, ok := b.index[key]; ok {
		return &b.members[i].val
	}
	return nil
}

func (b *builder) set(key string, v Value) {
	if old := b.get(key); old != nil {
		*old = v
		return
	}
	b.index[key] = len(b.members)
	b.members = append(b.members, member{key, v})
}

// object returns the object. The builder must not be used any more.
func (b *builder) object() *Object {
	o := &Object{members: b.members}
	moved := false
	for i := range b.members {
		if _, ok := arrayIndex(b.members[i].key); ok {
			moved = moved || i != o.ints
			o.ints++
		}
	}
	if o.ints > 0 {
		moved = sortIntegers(o.members) || moved
	}
	if moved || len(o.members) <= indexFrom {
		o.reindex()
	} else {
		o.index = b.index
	}
	return o
}

// sortIntegers moves members with integer-like keys to the front, in ascending
// order, and tells whether it had to.
func sortIntegers(members []member) bool {
	compare := func(x, y member) int {
		m, xok := arrayIndex(x.key)
		n, yok := arrayIndex(y.key)
		switch {
		case xok && yok:
			return int(int64(m) - int64(n))
		case xok:
			return -1
		case yok:
			return 1
		}
		return 0
	}
	if slices.IsSortedFunc(members, compare) {
		return false
	}
	slices.SortStableFunc(members, compare)
	return true
}
