package jsonata

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/millrace/millrace/jsonata/internal/picture"
)

// chunk is the number of steps between two checks of the clock and the context.
const chunk = 1024

// evaluator is the state of one evaluation.
type evaluator struct {
	ctx    context.Context //nolint:containedctx // it lives as long as one Eval
	prog   *Program
	in     Input
	limits Limits

	steps   int // left until the next check
	reserve int // left after that
	depth   int
	grown   int           // bytes built so far, without what is known to be garbage
	kept    int           // bytes that live to the end, whatever comes of grown
	births  int           // closures made so far
	binds   int           // variables bound by $eval so far
	spent   time.Duration // at work so far
	since   time.Time     // when it last began to work
	now     time.Time
	root    Value // what $$ stands for
	raw     rawDoc

	latest  latest
	members members
	picture struct { // the last picture of a number
		text   string
		number *picture.Number
	}

	tail tailCall // the call a lambda's body ended with
	// bindings are the variables that had to be converted.
	bindings map[string]Value

	dynamic bool // $eval has bound variables that no scope knows of
	evals   map[string]*Program
	calls   []*Call
	inUse   int      // how many of calls are
	frames  []*frame // small ones that can be used again
}

func (ev *evaluator) start(ctx context.Context, p *Program, in Input) {
	ev.ctx, ev.prog, ev.in = ctx, p, in
	ev.limits = in.Limits.withDefaults()
	ev.steps = min(chunk, ev.limits.Steps)
	ev.reserve = ev.limits.Steps - ev.steps
}

// reset forgets the evaluation so that the evaluator can be used again.
func (ev *evaluator) reset() {
	calls, frames, picture := ev.calls, ev.frames, ev.picture
	for _, c := range calls {
		*c = Call{}
	}
	*ev = evaluator{calls: calls, frames: frames, picture: picture}
}

// enter begins the evaluation of a nested expression and takes a step. The caller
// decrements depth at the end, except when the evaluation fails.
func (ev *evaluator) enter() error {
	ev.depth++
	ev.steps--
	if ev.steps < 0 || ev.depth > ev.limits.Depth {
		return ev.check()
	}
	return nil
}

// step takes n steps.
func (ev *evaluator) step(n int) error {
	ev.steps -= n
	if ev.steps < 0 {
		return ev.check()
	}
	return nil
}

// Bytes of text that take about the time of a step: to read once, with some work on each character, and to compare with
// others, or to hash.
const (
	bytesPerStep    = 256
	comparedPerStep = 1024
)

// read takes steps for a text, or for the members of a value, that is about to be read.
func (ev *evaluator) read(v Value) error {
	const itemsPerStep = 16
	switch v := v.(type) {
	case string:
		if len(v) >= bytesPerStep {
			return ev.step(len(v) / bytesPerStep)
		}
	case *Array:
		return ev.watch(v.Len() / itemsPerStep)
	case *Object:
		return ev.watch(len(v.members) / itemsPerStep)
	}
	return nil
}

// compared takes steps for a text that is compared or hashed as a whole.
func (ev *evaluator) compared(v Value) error {
	if s, ok := v.(string); ok && len(s) >= comparedPerStep {
		return ev.step(len(s) / comparedPerStep)
	}
	return nil
}

// watch checks the clock and the context n steps sooner, without taking steps: the function that is called may visit
// few of the items, and takes steps for those itself.
func (ev *evaluator) watch(n int) error {
	if n == 0 {
		return nil
	}
	ev.steps -= n
	ev.reserve += n
	if ev.steps < 0 {
		return ev.check()
	}
	return nil
}

func (ev *evaluator) check() error {
	if ev.depth > ev.limits.Depth {
		return newError(CodeDepth, ev.limits.Depth)
	}
	ev.reserve += ev.steps
	if ev.reserve < 0 {
		return newError(CodeSteps, ev.limits.Steps)
	}
	ev.steps = min(chunk, ev.reserve)
	ev.reserve -= ev.steps
	return ev.alive()
}

// alive fails when the context has ended or the time is over. It lets others run first: without that, each of them would wait
// for the 10 ms that Go gives a goroutine, again and again, while expressions work on every processor. What the others take does
// not count, or a simple expression would fail on a machine that has much to do.
func (ev *evaluator) alive() error {
	timed := ev.limits.Timeout > 0
	if timed && !ev.since.IsZero() {
		ev.spent += time.Since(ev.since)
	}
	runtime.Gosched()
	if timed {
		ev.since = time.Now() //nolint:forbidigo // a limit of real time
	}
	if err := ev.ctx.Err(); err != nil {
		e := newError(CodeCancelled, err.Error())
		if errors.Is(err, context.DeadlineExceeded) {
			e.Code = CodeTimeout
		}
		e.cause = context.Cause(ev.ctx)
		return e
	}
	if timed && ev.late() {
		return newError(CodeTimeout, ev.limits.Timeout.String())
	}
	return nil
}

// late reports whether the time is over. An evaluation that has taken fewer steps than the slowest machine would take in that time
// has not had it: the garbage collector or other processes have stopped it, for which it may take some times as long.
func (ev *evaluator) late() bool {
	const slowest, patience = time.Microsecond, 8
	steps := ev.limits.Steps - ev.reserve - ev.steps
	return ev.spent > ev.limits.Timeout && (steps >= int(ev.limits.Timeout/slowest) || ev.spent > patience*ev.limits.Timeout)
}

// grow accounts for a value of so many bytes.
func (ev *evaluator) grow(bytes int) error {
	ev.grown += bytes
	if bytes > ev.limits.Output || bytes < 0 {
		return newError(CodeOutput, ev.limits.Output)
	}
	return ev.together()
}

// together checks what all values take.
func (ev *evaluator) together() error {
	if most := 3 * ev.limits.Output; ev.grown+ev.kept > most {
		return newError(CodeOutput, most)
	}
	return nil
}

// keep accounts for something that lives to the end of the evaluation.
func (ev *evaluator) keep(bytes int) error {
	if err := ev.grow(bytes); err != nil {
		return err
	}
	ev.grown -= bytes
	ev.kept += bytes
	return nil
}

// itemSize is the size of an item of an array.
const itemSize = 16

// growItems accounts for an array of n items.
func (ev *evaluator) growItems(n int) error {
	ev.grown += n * itemSize
	if n*itemSize > ev.limits.Output {
		return newError(CodeSequence, ev.limits.Output/itemSize)
	}
	return ev.together()
}

// growing accounts for n items that were appended to an array, which as a whole
// must not outgrow the limit either.
func (ev *evaluator) growing(a *Array, n int) error {
	if len(a.items)*itemSize > ev.limits.Output {
		return newError(CodeSequence, ev.limits.Output/itemSize)
	}
	return ev.growItems(n)
}

// items returns the items of an array. It accounts for a range that has to be
// written out.
func (ev *evaluator) items(a *Array) ([]Value, error) {
	if a.count > 0 {
		if err := ev.growItems(a.count + a.count/2); err != nil {
			return nil, err
		}
	}
	return a.Items(), nil
}

// timestamp returns the time of the evaluation, which is read once.
func (ev *evaluator) timestamp() time.Time {
	if ev.now.IsZero() {
		if ev.in.Now != nil {
			ev.now = ev.in.Now()
		} else {
			ev.now = time.Now() //nolint:forbidigo // the default clock
		}
	}
	return ev.now
}

func (ev *evaluator) random() float64 {
	if ev.in.Random != nil {
		return ev.in.Random()
	}
	return rand.Float64() //nolint:gosec // $random is no secret
}

// normalize returns the value of a sequence where an expression ends: undefined
// for an empty one, the item for one of one item, unless keep is set or the
// sequence itself is marked to be kept. Arrays and other values are returned
// unchanged, and so are streams of tuples, whose path goes on.
func normalize(v Value, keep bool) Value {
	a, ok := v.(*Array)
	if !ok || a.flags&flagSequence == 0 || a.flags&flagTuples != 0 {
		return v
	}
	switch a.Len() {
	case 0:
		return nil
	case 1:
		if a.has(flagKeepSingleton) {
			return a
		}
		if keep {
			return &Array{items: []Value{a.At(0)}, flags: flagSequence | flagKeepSingleton}
		}
		return a.At(0)
	}
	return v
}
