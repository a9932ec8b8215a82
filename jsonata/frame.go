package jsonata

// scope is a region of the source with variables of its own. At run time there
// is a frame for each time it is entered, but none if it has no variables.
type scope struct {
	parent *scope
	names  []string
	index  map[string]int // of names, if there are many
	binds  int            // how many expressions bind its variables
	forced bool           // has a frame although it has no variables: $eval may bind some
}

func (s *scope) framed() bool { return s.forced || len(s.names) > 0 }

func (s *scope) slot(name string) int {
	if s.index != nil {
		if i, ok := s.index[name]; ok {
			return i
		}
		return -1
	}
	for i, n := range s.names {
		if n == name {
			return i
		}
	}
	return -1
}

// declare returns the slot of a variable of the scope.
func (s *scope) declare(name string) int {
	if i := s.slot(name); i >= 0 {
		return i
	}
	s.names = append(s.names, name)
	if n := len(s.names); n > indexFrom {
		if s.index == nil {
			s.index = make(map[string]int, 2*n)
			for i, name := range s.names {
				s.index[name] = i
			}
		}
		s.index[name] = n - 1
	}
	return len(s.names) - 1
}

// bound is the value in a frame of a variable that is bound to undefined; nil
// means that it is not bound yet.
type bound struct{}

// frame holds the values of the variables of a scope.
type frame struct {
	parent *frame
	scope  *scope
	vars   []Value
	extra  map[string]Value // bound by $eval, unknown to the scope
}

// smallFrame is a frame with its variables, which saves an allocation.
type smallFrame struct {
	frame
	space [smallVars]Value
}

const smallVars = 3

func newFrame(s *scope, parent *frame) *frame {
	n := len(s.names)
	if n <= smallVars {
		f := &smallFrame{frame: frame{parent: parent, scope: s}}
		f.vars = f.space[:n]
		return &f.frame
	}
	return &frame{parent: parent, scope: s, vars: make([]Value, n)}
}

func (f *frame) set(slot int, v Value) {
	if v == nil {
		v = bound{}
	}
	f.vars[slot] = v
}

// lookup finds a variable by name, for expressions that were not compiled with
// their surroundings.
func (f *frame) lookup(name string) (Value, bool) {
	for ; f != nil; f = f.parent {
		v, ok := f.extra[name]
		if i := f.scope.slot(name); !ok && i >= 0 && i < len(f.vars) {
			v = f.vars[i]
			ok = v != nil
		}
		if ok {
			if _, undefined := v.(bound); undefined {
				v = nil
			}
			return v, true
		}
	}
	return nil, false
}

// bind sets a variable by name, and tells whether the scope knows it.
func (f *frame) bind(name string, v Value) bool {
	if i := f.scope.slot(name); i >= 0 && i < len(f.vars) {
		f.set(i, v)
		return true
	}
	if f.extra == nil {
		f.extra = make(map[string]Value)
	}
	f.extra[name] = v
	return false
}

// slotRef is where a variable may be found: in the frame so many frames up.
type slotRef struct{ up, slot int }

// variable reads a variable.
type variable struct {
	name    string
	pos     int
	scope   *scope
	refs    []slotRef
	dynamic bool // belongs to the source of an $eval
	called  bool // as a function
	fn      *Function
}

func (x *variable) eval(ev *evaluator, f *frame, _ Value) (Value, error) {
	if x.dynamic || ev.dynamic {
		if v, ok := f.lookup(x.name); ok {
			return v, nil
		}
	}
	for _, ref := range x.refs {
		fr := f
		for range ref.up {
			fr = fr.parent
		}
		switch v := fr.vars[ref.slot].(type) {
		case nil:
		case bound:
			return nil, nil
		case *Array:
			return normalize(v, false), nil
		default:
			return v, nil
		}
	}
	v, err := x.global(ev)
	return normalize(v, false), err
}

func (x *variable) global(ev *evaluator) (Value, error) {
	if v, ok := ev.in.Bindings[x.name]; ok {
		if isValue(v) {
			return v, nil
		}
		v, err := ev.binding(x.name, v)
		return v, at(err, x.pos, x.name)
	}
	if x.fn != nil {
		return x.fn, nil
	}
	return nil, nil
}

// binding converts a variable that is not a value of this package, once.
func (ev *evaluator) binding(name string, v Value) (Value, error) {
	if out, ok := ev.bindings[name]; ok {
		return out, nil
	}
	out, err := converted(v)
	if err != nil {
		return nil, err
	}
	if ev.bindings == nil {
		ev.bindings = make(map[string]Value)
	}
	ev.bindings[name] = out
	return out, nil
}

// resolve finds out where the variable can be.
func (c *compiler) resolve(x *variable) error {
	const perRef = 10 // it is memory, too
	up := 0
	for s := x.scope; s != nil; s = s.parent {
		if err := c.spend(1, x.pos); err != nil {
			return err
		}
		if i := s.slot(x.name); i >= 0 {
			x.refs = append(x.refs, slotRef{up, i})
			if err := c.spend(perRef, x.pos); err != nil {
				return err
			}
		}
		if s.framed() {
			up++
		}
	}
	return nil
}

// bindExpr sets a variable of the innermost scope.
type bindExpr struct {
	name    string
	slot    int
	value   expr
	dynamic bool
}

func (x *bindExpr) eval(ev *evaluator, f *frame, in Value) (Value, error) {
	v, err := x.value.eval(ev, f, in)
	if err != nil {
		return nil, err
	}
	if x.dynamic {
		ev.binds++
		if !f.bind(x.name, v) {
			ev.dynamic = true
		}
		return v, nil
	}
	f.set(x.slot, v)
	return v, nil
}
