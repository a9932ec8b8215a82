package jsonata

import (
	"slices"
	"strings"
)

// latest remembers the last list, text and object that a value was added to, with room behind them, so that folds need
// not copy what they have. A value cannot be changed, so only the last one may be continued: what is behind it no
// other value has seen.
type latest struct {
	list  *Array
	items []Value // of list, with room

	text strings.Builder

	object  *Object
	members []member // of object, with room
}

// fromHere is the size from which copying takes longer than remembering.
const fromHere = 32

// appended returns a new array of the items of l and of r.
func (ev *evaluator) appended(l *Array, r Value) (*Array, error) {
	x := &ev.latest
	items, room := x.items, cap(x.items)
	if x.list != l {
		all, err := ev.concat(l, nil)
		if err != nil {
			return nil, err
		}
		items, room = all.items, cap(all.items)
	}
	a, ok := r.(*Array)
	if !ok {
		a = &Array{items: []Value{r}}
	}
	if (len(items)+a.Len())*itemSize > ev.limits.Output {
		return nil, newError(CodeSequence, ev.limits.Output/itemSize)
	}
	before, out := len(items), &Array{items: items}
	if err := ev.extend(out, a); err != nil {
		return nil, err
	}
	if items = out.items; cap(items) != room { // it was copied
		if err := ev.growItems(before); err != nil {
			return nil, err
		}
	}
	x.items, x.list = items, &Array{items: slices.Clip(items)}
	return x.list, nil
}

// joined returns a text and what follows it, of the given size together.
func (ev *evaluator) joined(first string, rest []string, size int) (string, error) {
	if size > ev.limits.Output {
		return "", newError(CodeOutput, ev.limits.Output)
	}
	b := &ev.latest.text
	if b.Len() != len(first) || b.String() != first {
		*b = strings.Builder{}
		b.Grow(size + size/2)
		b.WriteString(first)
		if err := ev.grow(b.Cap()); err != nil {
			return "", err
		}
	}
	room := b.Cap()
	for _, t := range rest {
		b.WriteString(t)
	}
	if b.Cap() != room {
		room = 0
	} else {
		room = len(first)
	}
	return b.String(), ev.grow(b.Len() - room)
}

// merged adds members to the last object that members were added to, and returns nil if o is another one, or if the
// members do not belong at its end.
func (ev *evaluator) merged(o *Object, more []*Object) (*Object, error) {
	x := &ev.latest
	if x.object != o || o.index == nil {
		return nil, nil
	}
	ints, replaces, added := o.ints, false, 0
	last := uint32(0)
	if ints > 0 {
		last, _ = arrayIndex(o.members[ints-1].key)
	}
	for _, m := range more {
		added += m.Len()
		for i := range m.members {
			if o.find(m.members[i].key) >= 0 {
				replaces = true
				continue
			}
			n, ok := arrayIndex(m.members[i].key)
			if ok && (ints < len(o.members) || n <= last) {
				return nil, nil
			}
			if ok {
				last = n
			}
		}
	}
	members, room := x.members, cap(x.members)
	if replaces { // others may have seen the members
		members, room = append(make([]member, 0, len(members)+len(members)/4+added), members...), 0
	}
	out := &Object{ints: ints, index: o.index, shared: true}
	for _, m := range more {
		for i := range m.members {
			key := m.members[i].key
			if at, ok := out.index[key]; ok {
				members[at].val = m.members[i].val
				continue
			}
			out.index[key] = len(members)
			members = append(members, m.members[i])
			if _, ok := arrayIndex(key); ok {
				out.ints++
			}
		}
	}
	built := objectSize(&Object{members: members[:min(added, len(members))]})
	if cap(members) != room {
		built = 64 + 48*len(members)
	}
	o.index = nil // only the last one has it: older ones may be kept, and it grows
	out.members = slices.Clip(members)
	x.object, x.members = out, members
	return out, ev.grow(built)
}
