package jsregexp

import (
	"bytes"
	"math/bits"
)

// maxWindow is how many units of a match the search looks at before it tries one.
const maxWindow = 8

// window describes the units that a match begins with, so that the search can leave out most of a text. It is as
// long as the shortest match, but at most maxWindow.
type window struct {
	length int
	ascii  [128]uint8 // bit i: the unit may be at offset i
	wide   uint8      // the same for all units outside of ASCII
	skip   [128]uint8 // by how much a window that ends with the unit may move on; 0: there may be a match
	work   int        // nodes that may still be walked
	only   int        // the single unit of ASCII that a match begins with, or -1
}

func newWindow(root *node) *window {
	const mostWork = 5_000 // nested repeats walk what is inside again and again
	w := &window{work: mostWork}
	if w.length = min(maxWindow, bits.TrailingZeros16(w.walk(root, 1))); w.work < 0 {
		return &window{}
	}
	used := uint8(1<<w.length - 1)
	w.only = -1
	for c := range w.ascii {
		w.ascii[c] &= used
		w.skip[c] = w.shift(w.ascii[c])
		switch {
		case w.ascii[c]&1 == 0:
		case w.only == -1:
			w.only = c
		default:
			w.only = len(w.ascii) // more than one
		}
	}
	w.wide &= used
	if w.only == len(w.ascii) || w.wide&1 != 0 {
		w.only = -1
	}
	return w
}

func (w *window) shift(offsets uint8) uint8 { return uint8(w.length - bits.Len8(offsets)) } //nolint:gosec // both are at most 8

// add notes that the class may be at some offsets.
func (w *window) add(c *class, at uint16) {
	for u := range w.ascii {
		if c.ascii[u>>6]&(1<<(u&63)) != 0 {
			w.ascii[u] |= uint8(at & 0xFF)
		}
	}
	if c.not || c.fold || len(c.spans) > 0 && c.spans[len(c.spans)-1].hi >= 128 {
		w.wide |= uint8(at & 0xFF)
	}
}

// walk notes what a node may consume when it begins at some offsets, which are bits, and returns at which it may end.
// The last bit stands for all offsets beyond the window.
func (w *window) walk(n *node, at uint16) uint16 {
	const beyond = 1 << maxWindow
	if w.work--; w.work < 0 {
		return at
	}
	switch n.kind {
	case nodeChar:
		w.add(newClass([]span{{n.char, n.char}}, false, false), at)
		return at<<1&(2*beyond-1) | at&beyond
	case nodeSet:
		w.add(n.set, at)
		return at<<1&(2*beyond-1) | at&beyond
	case nodeSequence:
		for _, child := range n.children {
			at = w.walk(child, at)
		}
	case nodeAlternatives:
		ends := uint16(0)
		for _, child := range n.children {
			ends |= w.walk(child, at)
		}
		return ends
	case nodeRepeat:
		return w.repeat(n, at)
	case nodeCapture:
		return w.walk(n.children[0], at)
	case nodeBackReference: // of any length, with anything in it
		all := -at & at // the lowest bit
		all = 2*beyond - all
		for u := range w.ascii {
			w.ascii[u] |= uint8(all & 0xFF)
		}
		w.wide |= uint8(all & 0xFF)
		return all
	case nodeEmpty, nodeLineStart, nodeLineEnd, nodeWordBoundary, nodeNotWordBoundary, nodeLook:
	}
	return at
}

func (w *window) repeat(n *node, at uint16) uint16 {
	for range min(n.min, maxWindow+1) {
		at = w.walk(n.children[0], at)
	}
	for i := n.min; i < n.max && i < n.min+maxWindow+1; i++ {
		more := at | w.walk(n.children[0], at)
		if more == at {
			break
		}
		at = more
	}
	return at
}

// next returns the next position where a match may begin, or one beyond the end if there is none.
func next[T unit](w *window, text []T, at int) int {
	if w.length == 0 {
		return at
	}
	b, ok := any(text).([]byte)
	if ok && w.only >= 0 {
		for ; at+w.length <= len(b); at++ {
			i := bytes.IndexByte(b[at:], byte(w.only&127))
			if i < 0 {
				break
			}
			if at += i; w.fits(b, at) {
				return at
			}
		}
		return len(text) + 1
	}
	if ok {
		for last := at + w.length - 1; last < len(b); last++ {
			if skip := w.skip[b[last]&127]; skip > 0 {
				last += int(skip) - 1
			} else if w.fits(b, last-w.length+1) {
				return last - w.length + 1
			}
		}
		return len(text) + 1
	}
	for ; at+w.length <= len(text); at++ {
		if fits := true; w.at(uint16(text[at]))&1 != 0 {
			for i := 1; i < w.length && fits; i++ {
				fits = w.at(uint16(text[at+i]))>>i&1 != 0
			}
			if fits {
				return at
			}
		}
	}
	return len(text) + 1
}

// fits tells whether a match may begin at a position of a text of ASCII.
func (w *window) fits(text []byte, at int) bool {
	if at+w.length > len(text) {
		return false
	}
	for i, c := range text[at : at+w.length] {
		if w.ascii[c&127]>>i&1 == 0 {
			return false
		}
	}
	return true
}

func (w *window) at(u uint16) uint8 {
	if u < 128 {
		return w.ascii[u]
	}
	return w.wide
}
