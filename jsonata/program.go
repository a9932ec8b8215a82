package jsonata

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Program is a compiled expression. It is immutable and may be evaluated by many
// goroutines at the same time.
type Program struct {
	src   string
	lib   *Library
	body  expr
	scope *scope
	calls []*variable // of functions that it does not define itself
	pool  sync.Pool

	size      int  // roughly, in bytes of memory
	pathsOnly bool // can work on a document that is not decoded
}

// Input is what one evaluation works on.
type Input struct {
	// Data is the input document: $ and $$ at the top of the expression.
	Data Value
	// JSON is the input document in place of Data, if Data is nil. Members that an
	// expression does not need are not decoded, which is much faster for conditions
	// on a few fields. They are not checked either: JSON must be what [FromJSON]
	// accepts, with no key twice in an object.
	JSON []byte
	// Bindings are variables, named without the dollar sign.
	Bindings map[string]Value
	Limits   Limits
	// Now is the clock of $now and $millis; nil is time.Now. It is read at most once.
	Now func() time.Time
	// Random returns numbers in [0, 1) for $random and $shuffle; nil is a generator
	// with a random seed.
	Random func() float64
}

// Compile compiles an expression that uses the built-in functions. The error is
// an [*Error].
func Compile(src string) (*Program, error) { return Standard().Compile(src) }

// Compile compiles an expression that uses the functions of the library.
func (l *Library) Compile(src string) (*Program, error) { return l.compile(src, false) }

// String returns the source of the program.
func (p *Program) String() string { return p.src }

// Calls returns the calls by name of functions that the program does not define itself, each name once, at its first place.
// Those that are not in its library fail, unless the caller of Eval binds them.
func (p *Program) Calls() []Use {
	var out []Use
	seen, places := map[string]bool{}, places{src: p.src}
	for _, v := range p.calls {
		if !seen[v.name] {
			seen[v.name] = true
			out = append(out, Use{v.name, places.at(v.pos)})
		}
	}
	return out
}

// Size returns roughly how many bytes of memory the program takes.
func (p *Program) Size() int { return p.size }

// Eval evaluates the program. The error is an [*Error], and it may wrap the error
// of a host function or of the context.
func (p *Program) Eval(ctx context.Context, in Input) (Value, error) {
	ev, ok := p.pool.Get().(*evaluator)
	if !ok {
		ev = &evaluator{}
	}
	v, err := ev.guarded(ctx, p, in)
	ev.reset()
	p.pool.Put(ev)
	if err != nil {
		return nil, finished(p.src, err)
	}
	return v, nil
}

// guarded turns a panic, which can only be a mistake in this package or in a host
// function, into an error, so that one expression cannot take a server down.
func (ev *evaluator) guarded(ctx context.Context, p *Program, in Input) (v Value, err error) { //nolint:nonamedreturns // set by the deferred call
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, &Error{Code: CodeInternal, Message: fmt.Sprintf("internal error: %v", r)}
		}
	}()
	return ev.run(ctx, p, in)
}

func (ev *evaluator) run(ctx context.Context, p *Program, in Input) (Value, error) {
	ev.start(ctx, p, in)
	if err := ev.alive(); err != nil {
		return nil, err
	}
	data, err := ev.document(p)
	if err != nil {
		return nil, err
	}
	ev.root = data
	if a, ok := data.(*Array); ok {
		data = &Array{items: []Value{a}, flags: flagSequence | flagWrapper}
	}
	var f *frame
	if p.scope.framed() {
		f = newFrame(p.scope, nil)
	}
	v, err := p.body.eval(ev, f, data)
	if err != nil {
		return nil, err
	}
	v = unwrap(v)
	return v, ev.checkResult(v)
}

// document returns the input document, decoded if need be.
func (ev *evaluator) document(p *Program) (Value, error) {
	if ev.in.Data != nil || len(ev.in.JSON) == 0 {
		return converted(ev.in.Data)
	}
	ev.raw = rawDoc{data: ev.in.JSON}
	i := skipSpace(ev.in.JSON, 0)
	if p.pathsOnly && i < len(ev.in.JSON) && ev.in.JSON[i] == '{' {
		return &ev.raw, nil
	}
	return ev.raw.decode()
}

// checkResult makes sure that the result is not larger than the caller expects
// when it is serialised.
func (ev *evaluator) checkResult(v Value) error {
	switch v.(type) {
	case *Array, *Object:
		size := 0
		return ev.measure(v, &size, 0)
	case *tuple:
		return newError("S0217", nil)
	}
	_, err := converted(v)
	return err
}

// measure adds up roughly how long the JSON of a value is.
func (ev *evaluator) measure(v Value, size *int, depth int) error {
	switch v := v.(type) {
	case string:
		*size += len(v) + 2
	case *Array:
		if err := ev.nest(depth, 1); err != nil {
			return err
		}
		*size += 2 + v.Len()
		if v.count > 0 {
			*size += 2 * v.count
		}
		for i := 0; i < len(v.items) && *size <= ev.limits.Output; i++ {
			if err := ev.measure(v.items[i], size, depth+1); err != nil {
				return err
			}
		}
	case *Object:
		if err := ev.nest(depth, 1); err != nil {
			return err
		}
		for i := range v.members {
			*size += len(v.members[i].key) + 4
			if err := ev.measure(v.members[i].val, size, depth+1); err != nil {
				return err
			}
		}
	default:
		*size += 4
	}
	if *size > ev.limits.Output {
		return newError(CodeOutput, ev.limits.Output)
	}
	return nil
}
