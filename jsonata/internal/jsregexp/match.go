package jsregexp

import "unsafe"

// unit is an element of text: bytes if all of it is ASCII, else code units.
type unit interface{ byte | uint16 }

// Matcher applies an expression to one text. It keeps the text converted and
// the memory of earlier matches, and is not for concurrent use.
type Matcher struct {
	re      *Regexp
	text    string
	ascii   []byte
	wide    []uint16
	slots   []int32
	stack   []entry
	offsets []int // of the last match
	work    int   // units of work until step is called next
	step    func(int) error
}

// Matcher prepares text for matching.
func (re *Regexp) Matcher(text string) *Matcher {
	m := &Matcher{re: re, text: text, slots: make([]int32, re.slots)}
	if IsASCII(text) {
		m.ascii = unsafe.Slice(unsafe.StringData(text), len(text)) //nolint:gosec // it is only read, and too long to be copied for each call
	} else {
		m.wide = encode(text)
	}
	return m
}

// Len returns the length of the text in UTF-16 code units.
func (m *Matcher) Len() int { return max(len(m.ascii), len(m.wide)) }

// Slice returns the text between two offsets. It may begin or end with half of a
// surrogate pair, which is kept in three bytes as if it were a character.
func (m *Matcher) Slice(from, to int) string {
	if m.wide != nil {
		return decode(m.wide[from:to])
	}
	return m.text[from:to]
}

// Match finds the first match at or after start. It returns the offsets of the
// whole match and of every group, two each and -1 for a group that took no part,
// or nil if there is no match. The next call overwrites them.
//
// step is called with the number of units of work done since the last call: one
// for each instruction or few units of text, which is some nanoseconds. An error
// from it is returned unchanged; ErrLimit means that a match needs too much memory.
func (m *Matcher) Match(start int, step func(n int) error) ([]int, error) {
	m.step, m.work = step, stepChunk
	for i := range m.slots {
		m.slots[i] = -1
	}
	m.stack = m.stack[:0]
	var found bool
	var err error
	switch {
	case m.Len() >= unbounded:
		err = ErrLimit
	case start < 0 || start > m.Len():
	case m.wide != nil:
		found, err = search(m, m.wide, start)
	default:
		found, err = search(m, m.ascii, start)
	}
	if err == nil && m.work < stepChunk {
		err = step(stepChunk - m.work)
	}
	if err != nil || !found {
		return nil, err
	}
	if m.offsets == nil {
		m.offsets = make([]int, 2*m.re.groups+2)
	}
	offsets := m.offsets
	for i := range offsets {
		offsets[i] = int(m.slots[i])
		if m.slots[i|1] < 0 || m.slots[i&^1] < 0 {
			offsets[i] = -1
		}
	}
	return offsets, nil
}

// spend counts n units of work.
func (m *Matcher) spend(n int) error {
	if m.work -= n; m.work > 0 {
		return nil
	}
	done := stepChunk - m.work
	m.work = stepChunk
	return m.step(done)
}

// search tries every position from start on where a match can begin.
func search[T unit](m *Matcher, text []T, start int) (bool, error) {
	for at := start; at <= len(text); at++ {
		found := next(m.re.window, text, at)
		if err := m.spend(1 + (found-at)/scanRate); err != nil || found > len(text) {
			return false, err
		}
		at = found
		m.slots[0] = small(at)
		end, err := run(m, text, 0, small(at))
		if err != nil {
			return false, err
		}
		if end >= 0 {
			m.slots[1] = end
			return true, nil
		}
		if m.re.anchored {
			break
		}
	}
	return false, nil
}
