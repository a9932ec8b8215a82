package jsregexp

import "slices"

// scanRate is how many units of text a run scans in the time of an instruction.
const scanRate = 8

// entry is what a match comes back to when it fails.
type entry struct {
	kind entryKind
	pc   int32 // instruction to go on with; the slot, for an old value
	a, b int32
}

type entryKind uint8

const (
	entryBranch entryKind = iota // go on at pc and position a
	entryRun                     // give back one unit: position a down to b
	entryGrow                    // take one unit more: position a, at most b more
	entryValue                   // a slot held a
)

func (m *Matcher) push(e entry) error {
	if len(m.stack) == cap(m.stack) {
		if len(m.stack) >= maxStack {
			return ErrLimit
		}
		m.stack = slices.Grow(m.stack, max(len(m.stack), minStack))
	}
	m.stack = append(m.stack, e)
	return nil
}

// set changes a slot so that backtracking restores it.
func (m *Matcher) set(slot, value int32) error {
	if m.slots[slot] == value {
		return nil
	}
	err := m.push(entry{kind: entryValue, pc: slot, a: m.slots[slot]})
	m.slots[slot] = value
	return err
}

// unwind drops the entries above base. A side run that has matched only forgets
// its alternatives; one that must leave no trace also restores all slots.
func (m *Matcher) unwind(base int, restore bool) {
	kept := base
	for i := len(m.stack) - 1; restore && i >= base; i-- {
		if e := m.stack[i]; e.kind == entryValue {
			m.slots[e.pc] = e.a
		}
	}
	for i := base; !restore && i < len(m.stack); i++ {
		if m.stack[i].kind == entryValue {
			m.stack[kept] = m.stack[i]
			kept++
		}
	}
	m.stack = m.stack[:kept]
}

// run executes the program from pc at a position. It returns the position where
// it is done, or -1. Alternatives stay on the stack above the height at the call.
func run[T unit](m *Matcher, text []T, pc, at int32) (int32, error) {
	base := len(m.stack)
	for {
		if m.work--; m.work <= 0 {
			if err := m.spend(0); err != nil {
				return -1, err
			}
		}
		in := &m.re.program[pc]
		ok, err := true, error(nil)
		pc++
		switch in.op {
		case opChar:
			if in.backward {
				at--
				ok = at >= 0 && uint16(text[at]) == in.char
			} else {
				ok = int(at) < len(text) && uint16(text[at]) == in.char
				at++
			}
		case opSet:
			if in.backward {
				at--
				ok = at >= 0 && in.set.has(uint16(text[at]))
			} else {
				ok = int(at) < len(text) && in.set.has(uint16(text[at]))
				at++
			}
		case opRun:
			at, ok, err = scan(m, text, in, pc, at)
		case opSplit:
			if in.lazy {
				err = m.push(entry{entryBranch, pc, at, 0})
				pc = in.x
			} else {
				err = m.push(entry{entryBranch, in.x, at, 0})
			}
		case opJump:
			pc = in.x
		case opDone:
			return at, nil
		case opLook:
			ok, err = look(m, text, in, pc, at)
			pc = in.x
		case opBack:
			at, ok, err = back(m, text, in, at)
		case opLineStart:
			ok = at == 0 || m.re.multiline && isLineTerminator(uint16(text[at-1]))
		case opLineEnd:
			ok = int(at) == len(text) || m.re.multiline && isLineTerminator(uint16(text[at]))
		case opWord:
			before := at > 0 && isWord(uint16(text[at-1]))
			after := int(at) < len(text) && isWord(uint16(text[at]))
			ok = (before != after) != in.negate
		case opSave, opReset, opStore, opLoop, opCount, opMark, opProgress:
			pc, ok, err = m.control(in, pc, at)
		}
		if err != nil {
			return -1, err
		}
		if !ok {
			if pc, at = backtrack(m, text, base); pc < 0 {
				return -1, nil
			}
		}
	}
}

// control executes the instructions that only change slots, and opLoop.
func (m *Matcher) control(in *inst, pc, at int32) (int32, bool, error) {
	switch in.op { //nolint:exhaustive // run does the others
	case opSave, opMark:
		return pc, true, m.set(in.x, at)
	case opStore:
		return pc, true, m.set(in.x, in.y)
	case opReset:
		for slot := in.x; slot < in.y; slot++ {
			if err := m.set(slot, -1); err != nil {
				return pc, false, err
			}
		}
		return pc, true, m.spend(int(in.y-in.x) / scanRate)
	case opCount:
		return pc, true, m.set(in.x, min(m.slots[in.x]+1, in.max))
	case opProgress:
		required := in.y >= 0 && m.slots[in.y] <= in.min
		return pc, required || at != m.slots[in.x], nil
	}
	// opLoop
	switch count := m.slots[in.x]; {
	case count < in.min:
		return pc, true, nil
	case in.max != unbounded && count >= in.max:
		return in.y, true, nil
	case in.lazy:
		return in.y, true, m.push(entry{entryBranch, pc, at, 0})
	default:
		return pc, true, m.push(entry{entryBranch, in.y, at, 0})
	}
}

// scan matches a run of one set and leaves the choice of its length on the
// stack as one entry.
func scan[T unit](m *Matcher, text []T, in *inst, pc, at int32) (int32, bool, error) {
	most := in.max
	if in.lazy {
		most = in.min
	}
	start, taken := at, int32(0)
	if in.backward {
		for taken < most && at > 0 && in.set.has(uint16(text[at-1])) {
			at--
			taken++
		}
	} else {
		for taken < most && int(at) < len(text) && in.set.has(uint16(text[at])) {
			at++
			taken++
		}
	}
	if err := m.spend(int(taken) / scanRate); err != nil || taken < in.min {
		return at, false, err
	}
	switch {
	case in.lazy && in.max > in.min:
		return at, true, m.push(entry{entryGrow, pc, at, in.max - in.min})
	case taken > in.min && in.backward:
		return at, true, m.push(entry{entryRun, pc, at, start - in.min})
	case taken > in.min:
		return at, true, m.push(entry{entryRun, pc, at, start + in.min})
	}
	return at, true, nil
}

// backtrack restores the state of the latest alternative above base, and returns
// -1 if there is none.
func backtrack[T unit](m *Matcher, text []T, base int) (int32, int32) {
	for len(m.stack) > base {
		top := len(m.stack) - 1
		e := &m.stack[top]
		switch e.kind {
		case entryValue:
			m.slots[e.pc] = e.a
		case entryBranch:
			pc, at := e.pc, e.a
			m.stack = m.stack[:top]
			return pc, at
		case entryRun:
			if e.a > e.b {
				e.a--
			} else {
				e.a++
			}
			pc, at := e.pc, e.a
			if e.a == e.b {
				m.stack = m.stack[:top]
			}
			return pc, at
		case entryGrow:
			if at, ok := grow(m, text, e); ok {
				return e.pc, at
			}
		}
		m.stack = m.stack[:top]
	}
	return -1, -1
}

// grow takes one unit more into a lazy run.
func grow[T unit](m *Matcher, text []T, e *entry) (int32, bool) {
	in := &m.re.program[e.pc-1]
	if e.b == 0 {
		return 0, false
	}
	if in.max != unbounded {
		e.b--
	}
	at := e.a
	if in.backward {
		at--
	}
	if at < 0 || int(at) >= len(text) || !in.set.has(uint16(text[at])) {
		return 0, false
	}
	if !in.backward {
		at++
	}
	e.a = at
	return at, true
}

// look runs a look-around on the side. What it captured stays if it matched and
// was meant to; its alternatives are never tried again.
func look[T unit](m *Matcher, text []T, in *inst, pc, at int32) (bool, error) {
	base := len(m.stack)
	end, err := run(m, text, pc, at)
	if err != nil || end < 0 {
		return in.negate, err
	}
	if err := m.spend((len(m.stack) - base) / scanRate); err != nil {
		return false, err
	}
	m.unwind(base, in.negate)
	return !in.negate, nil
}

// back matches the text of a group again. A group without text matches nothing.
func back[T unit](m *Matcher, text []T, in *inst, at int32) (int32, bool, error) {
	from, to := m.slots[2*in.x], m.slots[2*in.x+1]
	if from < 0 || to < 0 {
		return at, true, nil
	}
	length := to - from
	if err := m.spend(int(length) / scanRate); err != nil {
		return at, false, err
	}
	start, end := at, at+length
	if in.backward {
		start, end = at-length, at
	}
	if start < 0 || int(end) > len(text) {
		return at, false, nil
	}
	for i := range length {
		a, b := uint16(text[from+i]), uint16(text[start+i])
		if a != b && (!m.re.fold || canonical(a) != canonical(b)) {
			return at, false, nil
		}
	}
	if in.backward {
		return start, true, nil
	}
	return end, true, nil
}
