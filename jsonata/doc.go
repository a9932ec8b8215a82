// Package jsonata compiles and evaluates JSONata 2.2 expressions
// (https://docs.jsonata.org).
//
//	program, err := jsonata.Compile(`$sum(items.(price * quantity))`)
//	...
//	data, err := jsonata.FromJSON(body)
//	...
//	total, err := program.Eval(ctx, jsonata.Input{Data: data})
//
// A [Program] is immutable: compile once, evaluate from any number of goroutines.
//
// # Values
//
// Undefined and null are different things in JSONata, so a [Value] that is nil is
// undefined, and [Null] is null. Objects keep the order of their members, which
// is why decoded documents are [*Object] and [*Array] and not Go maps and slices.
// [FromJSON], [FromGo], [ToJSON] and [ToGo] convert.
//
// A condition on a few fields of a document need not decode all of it: pass the
// text as Input.JSON.
//
// # Functions
//
// A [Library] holds the functions an expression can call. [Standard] has the
// built-in ones; [NewLibrary] adds functions written in Go, which can call
// lambdas they were given and return functions and host objects themselves.
//
// # Hostile input
//
// Expressions and documents may come from anywhere. Every evaluation has a budget
// of steps, of nesting and of output, and honours its context ([Limits]). An
// expression that exceeds one of them ends with an [*Error] whose IsLimit method
// returns true. Regular expressions are those of JavaScript, with look-ahead and
// back-references, and spend steps from the same budget.
//
// # Analysis
//
// [Analyze] tells which parts of the input a program reads, which functions and
// variables it uses, whether it is deterministic, and what its result looks like.
//
// # Errors
//
// Errors are of type [*Error], carry JSONata's error codes and the place in the
// source.
package jsonata
