package jsonata

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Function is a function as a value: built in, made by [NewFunction], or a lambda
// of an expression.
type Function struct {
	name   string
	params int
	sig    *signature
	call   func(*Call) (Value, error)

	returns  byte // the letter of the result's type in the signature, or 0
	volatile bool
	static   bool // of a library or of the source: it holds nothing of an evaluation
	born     int  // of a closure: its number in the evaluation

	lambda *lambda // of an expression, with where it was defined
	frame  *frame
	input  Value

	target *Function // of a partial application
	bound  []Value
	holes  []bool

	regex *regex // of a regular expression
}

// Name returns the name of a function of a library, and "" for other functions.
func (f *Function) Name() string { return f.name }

// NewFunction returns a callable value. It panics if the signature is malformed;
// signatures are constants of the program.
func NewFunction(f Func) *Function {
	fn, err := newFunction(f)
	if err != nil {
		panic("jsonata: function " + f.Name + ": " + err.Error())
	}
	return fn
}

func newFunction(f Func) (*Function, error) {
	if f.Call == nil {
		return nil, errors.New("no Call")
	}
	fn := &Function{name: f.Name, params: f.Params, call: f.Call, volatile: f.Volatile}
	if f.Signature != "" {
		sig, err := parseSignature(f.Signature)
		if err != nil {
			return nil, err
		}
		fn.sig = sig
		if i := strings.LastIndexByte(f.Signature, ':'); i >= 0 && i+1 < len(f.Signature) {
			fn.returns = f.Signature[i+1]
		}
	}
	return fn, nil
}

// Library is a set of functions that expressions can call by name. It is
// immutable.
type Library struct {
	funcs map[string]*Function
}

// NewLibrary returns a library with the functions of base and the given ones,
// which replace functions of the same name. A nil base is the empty library.
func NewLibrary(base *Library, fns ...Func) (*Library, error) {
	lib := &Library{funcs: make(map[string]*Function, len(fns))}
	if base != nil {
		maps.Copy(lib.funcs, base.funcs)
	}
	for _, f := range fns {
		fn, err := newFunction(f)
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", f.Name, err)
		}
		fn.static = true
		lib.funcs[f.Name] = fn
	}
	return lib, nil
}

// Names lists the functions of the library, sorted.
func (l *Library) Names() []string { return slices.Sorted(maps.Keys(l.funcs)) }
