package jsregexp

import "strings"

type opcode uint8

const (
	opChar      opcode = iota // one code unit
	opSet                     // one code unit of a set
	opRun                     // min to max units of a set, in one backtrack entry
	opSplit                   // go on, or at x if that fails; the other way round if lazy
	opJump                    // to x
	opSave                    // position into slot x
	opReset                   // forget the captures in slots x to y
	opStore                   // y into slot x
	opLoop                    // decide on another iteration: counter in slot x, exit at y
	opCount                   // raise the counter in slot x, but not beyond max
	opMark                    // position into slot x, like opSave but for a loop
	opProgress                // fail if nothing was consumed since the mark in slot x
	opLineStart               //
	opLineEnd                 //
	opWord                    // word boundary, or none if negate
	opBack                    // the text of group x
	opLook                    // run what follows on the side, then go on at x
	opDone                    // the pattern, or the side run, has matched
)

// inst is one instruction. In look-behinds text is consumed backwards.
type inst struct {
	op       opcode
	backward bool
	lazy     bool
	negate   bool
	char     uint16
	set      *class
	x, y     int32
	min, max int32
}

// Regexp is a compiled expression. It is safe for concurrent use.
type Regexp struct {
	program   []inst
	groups    int // captures, without the whole match
	slots     int
	multiline bool
	fold      bool

	window   *window
	anchored bool // can only match at the start of the text
}

// Compile translates a pattern as new RegExp(pattern, flags) would. It fails
// with a *SyntaxError, or with ErrLimit for patterns beyond the fixed limits.
func Compile(pattern, flags string) (*Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, ErrLimit
	}
	p := &parser{src: encode(pattern)}
	re := &Regexp{}
	for i, flag := range flags {
		if strings.IndexRune(flags, flag) != i {
			return nil, &SyntaxError{Message: "repeated flag", Offset: i}
		}
		switch flag {
		case 'g':
		case 'i':
			p.ignoreCase, re.fold = true, true
		case 'm':
			re.multiline = true
		case 's':
			p.dotAll = true
		default:
			return nil, &SyntaxError{Message: "invalid flag", Offset: i}
		}
	}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	c := &compiler{slots: 2*p.groups + 2}
	c.emit(root, false)
	c.add(inst{op: opDone})
	re.program, re.groups, re.slots = c.program, p.groups, c.slots
	re.window = newWindow(root)
	re.anchored = !re.multiline && startsLine(root)
	return re, nil
}

// Groups returns the number of captures.
func (re *Regexp) Groups() int { return re.groups }

func startsLine(n *node) bool {
	for n.kind == nodeSequence || n.kind == nodeCapture {
		n = n.children[0]
	}
	return n.kind == nodeLineStart
}

// small converts sizes and offsets, all of which are limited: by the length of a
// pattern, of a text, or by unbounded.
func small(n int) int32 { return int32(n) } //nolint:gosec // see above

type compiler struct {
	program []inst
	slots   int
}

func (c *compiler) add(i inst) int {
	c.program = append(c.program, i)
	return len(c.program) - 1
}

func (c *compiler) slot() int32 {
	c.slots++
	return small(c.slots - 1)
}

func (c *compiler) here() int32 { return small(len(c.program)) }

func (c *compiler) emit(n *node, backward bool) {
	switch n.kind {
	case nodeEmpty:
	case nodeChar:
		c.add(inst{op: opChar, char: n.char, backward: backward})
	case nodeSet:
		c.add(inst{op: opSet, set: n.set, backward: backward})
	case nodeSequence:
		for i := range n.children {
			if backward {
				i = len(n.children) - 1 - i
			}
			c.emit(n.children[i], backward)
		}
	case nodeAlternatives:
		c.alternatives(n, backward)
	case nodeRepeat:
		c.repeat(n, backward)
	case nodeCapture:
		start, end := small(2*n.group), small(2*n.group+1)
		if backward {
			start, end = end, start
		}
		// Inside of the group only one of its slots is set, so that a back
		// reference to it from there matches nothing yet.
		c.add(inst{op: opSave, x: start})
		c.emit(n.children[0], backward)
		c.add(inst{op: opSave, x: end})
	case nodeBackReference:
		c.add(inst{op: opBack, x: small(n.group), backward: backward})
	case nodeLineStart:
		c.add(inst{op: opLineStart})
	case nodeLineEnd:
		c.add(inst{op: opLineEnd})
	case nodeWordBoundary, nodeNotWordBoundary:
		c.add(inst{op: opWord, negate: n.kind == nodeNotWordBoundary})
	case nodeLook:
		look := c.add(inst{op: opLook, negate: n.negate})
		c.emit(n.children[0], n.behind)
		c.add(inst{op: opDone})
		c.program[look].x = c.here()
	}
}

func (c *compiler) alternatives(n *node, backward bool) {
	var jumps []int
	for i, child := range n.children {
		if i == len(n.children)-1 {
			c.emit(child, backward)
			break
		}
		split := c.add(inst{op: opSplit})
		c.emit(child, backward)
		jumps = append(jumps, c.add(inst{op: opJump}))
		c.program[split].x = c.here()
	}
	for _, jump := range jumps {
		c.program[jump].x = c.here()
	}
}

// repeat chooses the cheapest form: a run for a single unit, a plain split for
// * and ? around what always consumes, and counted loops for the rest.
func (c *compiler) repeat(n *node, backward bool) {
	body := n.children[0]
	if n.max == 0 {
		return
	}
	if body.kind == nodeChar || body.kind == nodeSet {
		set := body.set
		if body.kind == nodeChar {
			set = newClass([]span{{body.char, body.char}}, false, false)
		}
		c.add(inst{op: opRun, set: set, min: small(n.min), max: small(n.max), lazy: n.lazy, backward: backward})
		return
	}
	switch {
	case n.min == 0 && n.max == 1:
		split := c.add(inst{op: opSplit, lazy: n.lazy})
		c.body(n, backward, -1)
		c.program[split].x = c.here()
	case n.min == 0 && n.max == unbounded:
		split := c.add(inst{op: opSplit, lazy: n.lazy})
		c.body(n, backward, -1)
		c.add(inst{op: opJump, x: small(split)})
		c.program[split].x = c.here()
	case n.min == 1 && n.max == 1:
		c.emit(body, backward)
	default:
		counter := c.slot()
		c.add(inst{op: opStore, x: counter, y: 0})
		loop := c.add(inst{op: opLoop, x: counter, min: small(n.min), max: small(n.max), lazy: n.lazy})
		limit := n.max
		if limit == unbounded {
			limit = n.min + min(1, unbounded-n.min)
		}
		c.add(inst{op: opCount, x: counter, max: small(limit)})
		c.body(n, backward, counter)
		c.add(inst{op: opJump, x: small(loop)})
		c.program[loop].y = c.here()
	}
}

// body emits one iteration. What the captures inside held from the iteration
// before is gone, and an iteration that is not needed for the minimum must
// consume something: both are rules of JavaScript.
func (c *compiler) body(n *node, backward bool, counter int32) {
	if n.endGroup > n.firstGroup && n.max > 1 {
		c.add(inst{op: opReset, x: small(2 * n.firstGroup), y: small(2 * n.endGroup)})
	}
	if !n.children[0].nullable() {
		c.emit(n.children[0], backward)
		return
	}
	mark := c.slot()
	c.add(inst{op: opMark, x: mark})
	c.emit(n.children[0], backward)
	c.add(inst{op: opProgress, x: mark, y: counter, min: small(n.min)})
}
