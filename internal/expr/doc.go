// Package expr is how Millrace uses expressions: JSONata with the functions of the dialect, {{placeholders}}, the
// scope that workflow expressions see, what counts as true, and the limits every evaluation runs under.
//
// Expressions and the data they read are hostile input. Every evaluation and every rendering has limits; exceeding
// one is an error and never a crash. Nothing here keeps state but a cache of compiled expressions, so nothing is lost in a
// crash and everything may be repeated.
//
// Undefined and null are different values throughout: nil is undefined, [jsonata.Null] is null.
package expr
