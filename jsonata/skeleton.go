package jsonata

import (
	"context"
	"errors"
	"time"
)

type evaluator struct{ ctx context.Context }

func (ev *evaluator) timestamp() time.Time                         { return time.Time{} }
func (ev *evaluator) step(int) error                               { return nil }
func (ev *evaluator) grow(int) error                               { return nil }
func (ev *evaluator) applyValue(fn Value, a []Value) (Value, error) { return nil, nil }
func (f *Function) arity() int                                     { return f.params }

type signature struct{}

func parseSignature(string) (*signature, error) { return nil, nil }

// Standard returns the library of built-in functions.
func Standard() *Library { return &Library{} }

// FromJSON decodes a JSON document.
func FromJSON(data []byte) (Value, error) { return nil, errors.New("jsonata: not implemented") }

// FromGo converts a Go value.
func FromGo(v any) (Value, error) { return nil, errors.New("jsonata: not implemented") }

// ToJSON encodes a value; undefined is nil.
func ToJSON(v Value) ([]byte, error) { return nil, errors.New("jsonata: not implemented") }

// ToGo converts a value to map[string]any, []any and so on.
func ToGo(v Value) any { return nil }

// FormatNumber prints a number as JavaScript's String does.
func FormatNumber(f float64) string { return "" }

// Analysis says what a program reads and returns.
type Analysis struct{}

// Analyze inspects a program.
func Analyze(p *Program) *Analysis { return &Analysis{} }
