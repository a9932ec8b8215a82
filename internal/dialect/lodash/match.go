package lodash

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// iteratee is what a lodash function does with each item: read a path, compare, or call a function.
type iteratee func(item jsonata.Value) (jsonata.Value, error)

// newIteratee builds an iteratee from its short form: nothing is the item itself, a list is a path and the value
// wanted there, an object is a pattern, a function is called, and anything else is a path.
func newIteratee(c *jsonata.Call, short jsonata.Value) iteratee {
	if err := js.Visit(c, short); err != nil {
		return failing(err)
	}
	switch short := short.(type) {
	case nil, jsonata.Null:
		return func(item jsonata.Value) (jsonata.Value, error) { return item, nil }
	case *jsonata.Function:
		return func(item jsonata.Value) (jsonata.Value, error) { return c.Apply(short, item) }
	case *jsonata.Array:
		path, err := callPath(c, short.At(0))
		if err != nil {
			return failing(err)
		}
		want := short.At(1)
		return func(item jsonata.Value) (jsonata.Value, error) {
			m := matcher{call: c}
			return m.hasAt(item, path, want), m.err
		}
	case *jsonata.Object:
		return func(item jsonata.Value) (jsonata.Value, error) {
			m := matcher{call: c}
			return m.matches(item, short), m.err
		}
	}
	return readPath(callPath(c, short))
}

func failing(err error) iteratee {
	return func(jsonata.Value) (jsonata.Value, error) { return nil, err }
}

func readPath(p path, err error) iteratee {
	if err != nil {
		return failing(err)
	}
	return func(item jsonata.Value) (jsonata.Value, error) { return p.get(item), nil }
}

// matcher compares values with patterns. After an error nothing matches any more.
type matcher struct {
	call *jsonata.Call
	err  error
}

// step takes one step from the evaluation's budget.
func (m *matcher) step() bool {
	if m.err == nil {
		m.err = m.call.Step(1)
	}
	return m.err == nil
}

// hasAt reports whether item has the wanted value, or something that contains it, at path.
func (m *matcher) hasAt(item jsonata.Value, p path, want jsonata.Value) bool {
	got, exists := p.lookup(item)
	if got == nil && want == nil {
		return exists
	}
	return m.contains(got, want)
}

// matches reports whether an item has all members of a pattern. The empty pattern matches everything.
func (m *matcher) matches(item jsonata.Value, pattern *jsonata.Object) bool {
	if item == jsonata.Value(pattern) {
		return true
	}
	for key, want := range pattern.All() {
		got, exists := js.Property(item, key)
		if !exists || !m.contains(got, want) {
			return false
		}
	}
	return true
}

// contains reports whether got equals want, where objects may have more members and arrays more items than wanted, in
// any order.
func (m *matcher) contains(got, want jsonata.Value) bool {
	if !m.step() {
		return false
	}
	switch want := want.(type) {
	case *jsonata.Array:
		got, ok := got.(*jsonata.Array)
		return ok && (got == want || m.containsItems(got.Items(), want.Items()))
	case *jsonata.Object:
		got, ok := got.(*jsonata.Object)
		return ok && (got == want || m.matches(got, want))
	}
	return js.Same(got, want)
}

// containsItems reports whether every wanted item has an item of its own that contains it.
func (m *matcher) containsItems(got, want []jsonata.Value) bool {
	if len(want) > len(got) {
		return false
	}
	used := make([]bool, len(got))
	for _, wanted := range want {
		found := false
		for i, item := range got {
			if !used[i] && m.contains(item, wanted) {
				used[i], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}
