package jsonata

import (
	"context"
	"errors"
	"time"
)

// Program is a compiled expression. It is immutable and may be evaluated by many
// goroutines at the same time.
type Program struct {
	src string
	lib *Library
}

// Input is what one evaluation works on.
type Input struct {
	// Data is the input document: $ and $$ at the top of the expression.
	Data Value
	// Bindings are variables, named without the dollar sign.
	Bindings map[string]Value
	Limits   Limits
	// Now is the clock of $now and $millis; nil is time.Now. It is read at most once.
	Now func() time.Time
	// Random returns numbers in [0, 1) for $random and $shuffle; nil is a generator
	// with a random seed.
	Random func() float64
}

// Compile compiles an expression that uses the built-in functions.
func Compile(src string) (*Program, error) { return Standard().Compile(src) }

// Compile compiles an expression that uses the functions of the library.
func (l *Library) Compile(src string) (*Program, error) {
	return &Program{src: src, lib: l}, nil
}

// String returns the source of the program.
func (p *Program) String() string { return p.src }

// Eval evaluates the program. The error is an [*Error], and it may wrap the error
// of a host function.
func (p *Program) Eval(ctx context.Context, in Input) (Value, error) {
	return nil, errors.New("jsonata: not implemented")
}
