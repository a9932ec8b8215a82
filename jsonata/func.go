package jsonata

import (
	"context"
	"slices"
	"time"
)

// Func describes a function written in Go.
type Func struct {
	// Name is how expressions call it, without the dollar sign.
	Name string
	// Signature is a JSONata signature like "<s-n?:s>", which checks the arguments
	// and takes missing ones from the context item. Any argument may still be
	// undefined. Empty: arguments arrive unchanged, missing ones are undefined, and
	// nothing is taken from the context.
	Signature string
	// Params is the number of parameters it has, which tells higher-order functions
	// how many arguments to pass.
	Params int
	// Call does the work. It must not keep the Call after it has returned.
	Call func(*Call) (Value, error)
	// Volatile says that the result may differ between calls with the same
	// arguments, for [Analyze].
	Volatile bool
}

// Call is one call of a [Func].
type Call struct {
	Args  []Value
	Input Value // the context item

	ev    *evaluator
	frame *frame // of the caller
}

// Arg returns an argument, or undefined if there are not as many.
func (c *Call) Arg(i int) Value {
	if uint(i) >= uint(len(c.Args)) {
		return nil
	}
	return c.Args[i]
}

// Context returns the context of the evaluation.
func (c *Call) Context() context.Context { return c.ev.ctx }

// Now returns the time of the evaluation, which is the same in all of its calls.
func (c *Call) Now() time.Time { return c.ev.timestamp() }

// Step takes n steps from the budget. A function that loops calls it now and then
// and returns its error, which is a limit error.
func (c *Call) Step(n int) error { return c.ev.step(n) }

// Grow announces that the function is about to build a value of so many bytes.
// It returns a limit error if that is too much.
func (c *Call) Grow(bytes int) error { return c.ev.grow(bytes) }

// Apply calls a function value, such as a lambda that was passed as an argument.
func (c *Call) Apply(fn Value, args ...Value) (Value, error) {
	for i, v := range args {
		if !isValue(v) {
			v, err := converted(v)
			if err != nil {
				return nil, err
			}
			args = slices.Clone(args)
			args[i] = v
		}
	}
	return c.ev.applyValue(fn, args, c.frame)
}

// Arity returns the number of parameters of a function value, and 0 for anything
// else.
func (c *Call) Arity(fn Value) int {
	if f, ok := fn.(*Function); ok {
		return f.arity()
	}
	return 0
}
