package jsregexp

import (
	"bytes"
	"unicode/utf8"
)

// unit is what text is made of: bytes if all of it is ASCII, else code units.
type unit interface{ byte | uint16 }

// Matcher applies an expression to one text. It keeps the text converted and
// the memory of earlier matches, and is not for concurrent use.
type Matcher struct {
	re    *Regexp
	ascii []byte
	wide  []uint16
	slots []int32
	stack []entry
	work  int // units of work until step is called next
	step  func(int) error
}

// Matcher prepares text for matching.
func (re *Regexp) Matcher(text string) *Matcher {
	m := &Matcher{re: re, slots: make([]int32, re.slots)}
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			m.wide = encode(text)
			return m
		}
	}
	m.ascii = []byte(text)
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
	return string(m.ascii[from:to])
}

// Match finds the first match at or after start. It returns the offsets of the
// whole match and of every group, two each and -1 for a group that took no part,
// or nil if there is no match.
//
// step is called with the number of units of work done since the last call: one
// for each instruction or few units of text, which is some nanoseconds. An error
// from it is returned as it is; ErrLimit means that a match needs too much memory.
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
	offsets := make([]int, 2*m.re.groups+2)
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
		next := at
		if !m.re.anyStart {
			next = skip(m.re, text, at)
		}
		if err := m.spend(1 + (next-at)/scanRate); err != nil || next > len(text) {
			return false, err
		}
		at = next
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

// skip returns the next position where the first unit fits, or one beyond the
// end if there is none.
func skip[T unit](re *Regexp, text []T, at int) int {
	if b, ok := any(text).([]byte); ok {
		if c, ok := re.first.only(); ok {
			if i := bytes.IndexByte(b[at:], c); i >= 0 {
				return at + i
			}
			return len(text) + 1
		}
	}
	for ; at < len(text); at++ {
		c := uint16(text[at])
		if c >= 128 && re.first.wide || c < 128 && re.first.ascii[c>>6]&(1<<(c&63)) != 0 {
			return at
		}
	}
	return len(text) + 1
}
