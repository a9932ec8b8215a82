package jsonata_test

// knownDifferences are the cases in which this package does something else than the reference implementation, on
// purpose. docs/expressions.md tells users.
var knownDifferences = map[string]struct{ result, why string }{
	`["a", "b"]#$i.($i & $)`: {
		`=> ["0a","1b"]`,
		"the reference implementation loses a position that is bound to an array constructor",
	},
	`[$x := 5, $x]`: {
		`=> [5,5]`,
		"items are evaluated from left to right; the reference evaluates them at the same time",
	},
	`{"a": $x := 1, "b": $x}`: {
		`=> {"a":1,"b":1}`,
		"members are evaluated from left to right; the reference evaluates them at the same time",
	},
	`$number("0x1p3")`: {
		`!! D3030 at 7 token "number" argument 1`,
		"the reference returns NaN, which no expression can do anything with",
	},
	`($f := function($x) { $eval("$x + 1") }; $f(1))`: {
		`=> 2`,
		"in tail position the $eval of the reference does not see the variables around it",
	},
	`$replace("banana", "a", missing)`: {
		`!! D3012 at 8 token "replace"`,
		"the reference inserts the text undefined",
	},
	`$string(?)()`: {
		`=> undefined`,
		"the reference cannot apply $string partially: it fails with a syntax error of its own",
	},
	`$ ~> |a.b|function() { 1 }|`: {
		`!! T2011 at 18`,
		"the reference merges its internal representation of the function",
	},
	`[1..3]@$z.$z`: {
		`=> [1,2,3]`,
		"the reference implementation loses a variable that is bound to an array constructor",
	},
	`[1..3]@$z[$z > 1].$z`: {
		`=> [2,3]`,
		"and evaluates the predicate before the variable is bound",
	},
	`$sum(?)(["x", 1])`: {
		`=> NaN`,
		"a sum is a number; the reference puts texts together",
	},
	`$power(0.9999998995181144, -6162560720.748484)`: {
		`=> 8.439705975085638e+268`,
		"the nearest number, computed with 60 digits; that of the reference is 325 digits in the last place away",
	},
	`($$ := 5; $$)`: {
		`=> {"a":1,"list":[1,2,3],"o":{"x":{"y":5}},"rows":[{"v":1},{"v":2}]}`,
		"$$ is always the input document",
	},
	`t and $error("evaluated")`: {
		`!! D3137 at 12 token "error"`,
		"the reference says that the operator failed, not its right side",
	},
	`($f := function($x, $y)<nn>{$x - $y}; $f(?, 1)("a"))`: {
		`!! T2001 at 31 token "-"`,
		"the error is in the function; the reference gives the place of the call",
	},
}

// codesWithoutCase are the error codes that no case can have, with the reason.
var codesWithoutCase = map[string]string{
	"D1012": "a limit on time gives no repeatable result; see TestLimits",
	"D2015": "the limit on a sequence follows from Limits.Output here; see TestLimits",
	"H1001": "errors of host functions; see TestHostFunctions",
	"H1002": "panics of host functions; see TestHostFunctions",
	"L1001": "a limit of this package; see TestLimits",
	"L1002": "a limit of this package; see TestLimits",
	"L1003": "a limit of this package; see TestLimits",
	"L1004": "a limit of this package; see TestHostile",
	"S0205": "the reference has it for characters that it reads as names",
	"S0206": "no source leads there, here or in the reference",
	"S0303": "the reference fails with an exception of the host; see TestErrors",
	"S0500": "the reference raises it only after it was told to go on after errors",
}
