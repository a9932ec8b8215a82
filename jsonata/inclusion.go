package jsonata

type inclusion struct{ sides }

func (x *inclusion) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	l, r, err := x.both(ev, f, in)
	if err != nil || l == nil || r == nil {
		return false, err
	}
	a, ok := r.(*Array)
	if !ok {
		return identical(l, r), nil
	}
	found, err := ev.includes(a, l)
	return found, err
}

// members is a list and what is in it, for one that is searched again and again.
type members struct {
	list *Array
	set  map[Value]struct{}
	size int // of set, in bytes

	visited int // items that were compared while there was no set
}

// includes tells whether a list has an item that is identical to v. A long list that is searched again and again gets an index.
func (ev *evaluator) includes(a *Array, v Value) (bool, error) {
	const itemsPerStep, long, patience = 8, 64, 4
	x := &ev.members
	if a.Len() >= long && indexable(v) {
		if x.list != a {
			ev.kept -= x.size
			*x = members{list: a}
		}
		if x.set == nil && x.visited > patience*a.Len() {
			if err := ev.index(a); err != nil {
				return false, err
			}
		}
		if x.set != nil {
			_, found := x.set[v]
			return found, ev.compared(v)
		}
	}
	if s, ok := v.(string); ok && len(s) >= comparedPerStep {
		return ev.includesLong(a, s)
	}
	at := find(a, v)
	visited := at + 1
	if at < 0 {
		visited = a.Len()
	}
	if x.list == a {
		x.visited += visited
	}
	return at >= 0, ev.step(visited/itemsPerStep + 1)
}

// includesLong takes steps for each text that it compares.
func (ev *evaluator) includesLong(a *Array, s string) (bool, error) {
	if err := ev.step(a.Len()); err != nil {
		return false, err
	}
	for _, item := range a.items {
		t, ok := item.(string)
		if !ok || len(t) != len(s) {
			continue
		}
		if err := ev.compared(s); err != nil {
			return false, err
		}
		if t == s {
			return true, nil
		}
	}
	return false, nil
}

// find returns where an item is that is identical to v, or -1.
func find(a *Array, v Value) int {
	if n, ok := v.(float64); ok && a.count == 0 {
		for i, item := range a.items {
			if m, ok := item.(float64); ok && m == n {
				return i
			}
		}
		return -1
	}
	s, ok := v.(string)
	if !ok || s == "" {
		for i := range a.Len() {
			if identical(v, a.At(i)) {
				return i
			}
		}
		return -1
	}
	last := s[len(s)-1]
	for i, item := range a.items {
		if t, ok := item.(string); ok && len(t) == len(s) && t[len(t)-1] == last && t == s {
			return i
		}
	}
	return -1
}

// indexable tells whether values of the type are equal as keys of a map if they are identical.
func indexable(v Value) bool {
	switch v.(type) {
	case string, float64, bool, Null, *Array, *Object, *Function:
		return true
	}
	return false
}

func (ev *evaluator) index(a *Array) error {
	const sizeInSet = 3 // in items of an array
	if err := ev.step(a.Len()); err != nil {
		return err
	}
	size := sizeInSet * itemSize * a.Len()
	if err := ev.keep(size); err != nil {
		return err
	}
	ev.members.size = size
	ev.members.set = make(map[Value]struct{}, a.Len())
	for i := range a.Len() {
		v := a.At(i)
		if !indexable(v) {
			continue
		}
		if err := ev.compared(v); err != nil {
			return err
		}
		ev.members.set[v] = struct{}{}
	}
	return nil
}
