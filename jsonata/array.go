package jsonata

type arrayFlags uint8

const (
	// flagSequence marks the result of a path or of a function that selects.
	flagSequence arrayFlags = 1 << iota
	// flagKeepSingleton keeps a sequence of one item an array: a[].
	flagKeepSingleton
	// flagCons marks an array constructor, which a path does not flatten.
	flagCons
	// flagWrapper marks the sequence around an input document that is an array.
	flagWrapper
	// flagTuples marks a stream of *tuple.
	flagTuples
)

// Array is an ordered list of values. The zero value is an empty array.
//
// JSONata has two kinds of lists, distinguished by flagSequence. An array
// is a value: it comes from the input, from an array constructor, or from a
// function that is documented to return one, and it stays an array whatever its
// length. A sequence is what an expression selected: none, one or many items.
// Three rules follow, and all code of this package keeps them:
//
//   - Where an expression ends, an empty sequence becomes undefined and a sequence
//     of one item becomes that item (normalize). A step written with [] sets
//     flagKeepSingleton, and then one item remains a list.
//   - Where a sequence becomes part of another list, its items are appended, not
//     the sequence itself. Arrays are flattened by the steps of a path, too, unless
//     flagCons says that an array constructor in the path made them.
//   - An input document that is an array is wrapped in a sequence with flagWrapper,
//     so that $ means the whole array and a step is still applied to each item.
type Array struct {
	items []Value
	// first and count describe a range of integers that has not been needed as a
	// slice yet; items is nil then.
	first float64
	count int
	flags arrayFlags
}

// NewArray returns an array of the given items. It keeps the slice.
func NewArray(items ...Value) *Array {
	for i, v := range items {
		if !isValue(v) {
			items[i] = stored(v)
		}
	}
	return &Array{items: items}
}

// Len returns the number of items.
func (a *Array) Len() int {
	if a.count > 0 {
		return a.count
	}
	return len(a.items)
}

// At returns the item at index i, or undefined if there is none.
func (a *Array) At(i int) Value {
	if a.count > 0 {
		if uint(i) >= uint(a.count) {
			return nil
		}
		return a.first + float64(i)
	}
	if uint(i) >= uint(len(a.items)) {
		return nil
	}
	return a.items[i]
}

// Items returns the items. The caller must not change them.
func (a *Array) Items() []Value {
	if a.count == 0 {
		return a.items
	}
	items := make([]Value, a.count)
	for i := range items {
		items[i] = a.first + float64(i)
	}
	return items
}

// Append adds items to an array under construction.
func (a *Array) Append(items ...Value) {
	if a.count > 0 {
		a.items, a.count = a.Items(), 0
	}
	for _, v := range items {
		a.items = append(a.items, stored(v))
	}
}

func (a *Array) has(f arrayFlags) bool { return a.flags&f != 0 }

// newSequence returns an empty sequence with room for n items.
func newSequence(n int) *Array {
	a := &Array{flags: flagSequence}
	if n > 0 {
		a.items = make([]Value, 0, n)
	}
	return a
}

// sequenceOf returns a sequence that uses items.
func sequenceOf(items ...Value) *Array {
	return &Array{items: items, flags: flagSequence}
}
