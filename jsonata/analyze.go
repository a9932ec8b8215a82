package jsonata

// Analysis says what a program reads and returns.
type Analysis struct{}

// Analyze inspects a program.
func Analyze(*Program) *Analysis { return &Analysis{} }
