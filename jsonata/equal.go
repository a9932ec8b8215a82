package jsonata

import "reflect"

// equal compares two values deeply.
func (ev *evaluator) equal(l, r Value, depth int) (bool, error) {
	switch l := l.(type) {
	case *Array:
		m, ok := r.(*Array)
		if !ok || l.Len() != m.Len() {
			return false, nil
		}
		return ev.equalArrays(l, m, depth)
	case *Object:
		m, ok := r.(*Object)
		if !ok || l.Len() != m.Len() {
			return false, nil
		}
		return ev.equalObjects(l, m, depth)
	}
	return identical(l, r), ev.compared(l)
}

func (ev *evaluator) equalArrays(l, r *Array, depth int) (bool, error) {
	if l == r {
		return true, nil
	}
	if err := ev.nest(depth, l.Len()); err != nil {
		return false, err
	}
	for i := range l.Len() {
		same, err := ev.equal(l.At(i), r.At(i), depth+1)
		if !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (ev *evaluator) equalObjects(l, r *Object, depth int) (bool, error) {
	if l == r {
		return true, nil
	}
	if err := ev.nest(depth, l.Len()); err != nil {
		return false, err
	}
	for i := range l.members {
		v, ok := r.Get(l.members[i].key)
		if !ok {
			return false, nil
		}
		same, err := ev.equal(l.members[i].val, v, depth+1)
		if !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// nest checks the depth of a walk through a value and takes n steps.
func (ev *evaluator) nest(depth, n int) error {
	if depth > maxNesting {
		return newError(CodeDepth, maxNesting)
	}
	return ev.step(n)
}

// identical compares as JavaScript's === does: arrays, objects and functions are
// equal only to themselves.
func identical(l, r Value) bool {
	switch l := l.(type) {
	case nil:
		return r == nil
	case string:
		m, ok := r.(string)
		return ok && l == m
	case float64:
		m, ok := r.(float64)
		return ok && l == m
	case bool, Null, *Array, *Object, *Function:
		return l == r
	}
	return reflect.TypeOf(l).Comparable() && reflect.TypeOf(l) == reflect.TypeOf(r) && l == r
}
