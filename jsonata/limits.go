package jsonata

import "time"

// Defaults of [Limits].
const (
	DefaultSteps  = 1_000_000
	DefaultDepth  = 500
	DefaultOutput = 8 << 20
)

// maxNesting is how deep values and source text may nest. It keeps recursive
// walks far away from the end of the stack, which Go cannot recover from.
const maxNesting = 10_000

const (
	maxDepth  = 100_000 // one level takes up to some kilobytes of stack
	maxOutput = 1 << 40
)

// Limits bound one evaluation. A zero field means the default.
type Limits struct {
	// Steps is how many steps may be done: nodes evaluated, items visited, steps
	// of a regular expression. Default 1,000,000.
	Steps int
	// Depth is how deep evaluations may nest. A call in tail position does not
	// count. Default 500, at most 100,000.
	Depth int
	// Output is how large one value may grow, and how large the result may be when
	// serialised, in bytes. All values that live at a time may together take three
	// times as much. Default 8 MiB.
	Output int
	// Timeout is how long an evaluation may work. What other evaluations take
	// that it lets run meanwhile does not count, and an evaluation of few steps
	// that is stopped by a busy machine may take up to eight times as long; where
	// that matters, give the context a deadline. Default: no limit but the
	// context's.
	Timeout time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Steps <= 0 {
		l.Steps = DefaultSteps
	}
	if l.Depth <= 0 {
		l.Depth = DefaultDepth
	}
	if l.Output <= 0 {
		l.Output = DefaultOutput
	}
	l.Depth = min(l.Depth, maxDepth)
	l.Output = min(l.Output, maxOutput)
	return l
}
