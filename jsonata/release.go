package jsonata

// What an evaluation has built counts until it is known to be garbage: when a call, a block or a step of $reduce ends, nothing
// that was built in it lives but its result. Values cannot be changed, variables are bound in the innermost scope only,
// and closures are seen in the result. That is looked at only when much has been built.

// mark is a moment in an evaluation.
type mark struct {
	grown  int
	births int // of closures
	binds  int // of variables by $eval, which may bind them in a frame that lives on
}

func (ev *evaluator) mark() mark { return mark{ev.grown, ev.births, ev.binds} }

// release forgets what was built since a moment, except for what lives.
func (ev *evaluator) release(since mark, living ...Value) error {
	const smallest, perStep = 64, 1024
	built := ev.grown - since.grown
	if ev.grown <= ev.limits.Output || built < smallest || ev.binds != since.binds {
		return nil
	}
	s := sizing{most: built, births: since.births}
	for _, v := range living {
		s.add(v, 0)
	}
	if s.size < built {
		freed := built - s.size
		ev.grown -= freed
		return ev.step(freed / perStep)
	}
	return ev.watch(s.size / perStep)
}

// sizing adds up what values take, in the units in which ev.grown counts, up to a size. What is not known to be
// smaller counts as that size.
type sizing struct {
	size, most int
	births     int // closures that are younger may hold anything
}

func (s *sizing) add(v Value, depth int) {
	const number, header, deepest = 8, 64, 1000
	if depth > deepest {
		s.size = s.most
	}
	switch v := v.(type) {
	case nil, bool, Null:
	case float64:
		s.size += number
	case string:
		s.size += len(v) + itemSize
	case *Array:
		s.size += header + itemSize*len(v.items)
		for i := 0; i < len(v.items) && s.size < s.most; i++ {
			s.add(v.items[i], depth+1)
		}
	case *Object:
		s.size += objectSize(v)
		for i := 0; i < len(v.members) && s.size < s.most; i++ {
			s.size += len(v.members[i].key)
			s.add(v.members[i].val, depth+1)
		}
	case *Function:
		if !v.static && (v.born == 0 || v.born > s.births) {
			s.size = s.most
		}
	default:
		s.size = s.most
	}
}
