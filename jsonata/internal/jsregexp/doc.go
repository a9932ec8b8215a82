// Package jsregexp matches JavaScript regular expressions within a budget.
//
// The dialect is ECMAScript 2023 with the web's legacy syntax (Annex B), as
// new RegExp(source, flags) accepts it without the u flag: look-ahead,
// look-behind, back references, named groups, lazy quantifiers, JavaScript's
// own sets for \d \w \s \b and its own case folding. Flags are i, m, s and g;
// g changes nothing here.
//
//	re, err := jsregexp.Compile(`(\w+)@(\w+)`, "i") // *SyntaxError, ErrLimit
//	m := re.Matcher(text)                           // one per text, not for concurrent use
//	groups, err := m.Match(0, step)                 // nil when there is none
//	m.Slice(groups[0], groups[1])
//
// All offsets count UTF-16 code units, as in JavaScript, and without the u flag
// one code unit is also what a pattern's dot or class consumes: /^.$/ does not
// match an emoji. Text in ASCII is matched in place; other text is converted
// once per Matcher, which is why a Matcher is kept over successive matches.
//
// # Why not an existing engine
//
// Go's regexp has no look-around and no back references, and reports other
// groups than JavaScript for repeated and empty ones. github.com/dlclark/regexp2
// follows .NET even in its ECMAScript mode: groups keep their value from an
// earlier iteration, named groups are numbered last, \s knows ASCII only, a dot
// consumes a whole code point, flags i and s do not combine as they should, and
// its only bound is a wall-clock time-out that belongs to the expression rather
// than to the call and was seen to overrun by more than half. An evaluation here
// must stop at a number of steps that its caller chooses per call, with little
// memory, so this package backtracks over its own explicit stack.
//
// # Bounds
//
// The nesting and the size of a pattern are limited when it is compiled, counted
// repeats are counters and cost no space, the stack of one match is limited, and
// step is called at least every few thousand units of work with their number; an
// error from it ends the match.
package jsregexp
