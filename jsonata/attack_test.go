package jsonata_test

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata"
)

const (
	attackTimeout = 250 * time.Millisecond
	attackMemory  = 64 << 20 // above what is in use before
)

// attack is an expression that wants more than it should get. The input is
// JSON.
type attack struct {
	name, expr, input string
	harmless          bool // may also succeed, as long as it stays within bounds
}

func nested(open, middle, closing string, n int) string {
	return strings.Repeat(open, n) + middle + strings.Repeat(closing, n)
}

// numbersJSON returns [0,1,...].
func numbersJSON(n int) string {
	var b strings.Builder
	b.WriteString("[0")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, ",%d", i*7919%n)
	}
	return b.String() + "]"
}

// treeJSON returns objects of two members each, depth deep.
func treeJSON(depth int) string {
	if depth == 0 {
		return `{"v":1}`
	}
	child := treeJSON(depth - 1)
	return `{"a":` + child + `,"b":` + child + `}`
}

func recursionAttacks() []attack {
	return []attack{
		{name: "endless tail recursion", expr: `($f := function($n) { $f($n + 1) }; $f(0))`},
		{name: "endless recursion", expr: `($f := function($n) { 1 + $f($n + 1) }; $f(0))`},
		{name: "mutual tail recursion", expr: `($a := function($n) { $b($n) }; $b := function($n) { $a($n) }; $a(1))`},
		{name: "mutual recursion", expr: `($a := function($n) { 1 & $b($n) }; $b := function($n) { 1 & $a($n) }; $a(1))`},
		{name: "fibonacci", expr: `($f := function($n) { $n < 2 ? $n : $f($n - 1) + $f($n - 2) }; $f(60))`},
		{name: "ackermann", expr: `($a := function($m, $n) { $m = 0 ? $n + 1 : $n = 0 ? $a($m - 1, 1) : $a($m - 1, $a($m, $n - 1)) }; $a(4, 4))`},
		{name: "omega", expr: `(function($x) { $x($x) })(function($x) { $x($x) })`},
		{name: "y combinator", expr: `($y := λ($f) { (λ($x) { $f(λ($v) { ($x($x))($v) }) })(λ($x) { $f(λ($v) { ($x($x))($v) }) }) }; $y(λ($s) { λ($n) { $s($n + 1) } })(0))`},
		{name: "recursion in map", expr: `($f := function($x) { $map([1, 2], $f) }; $f(1))`},
		{name: "recursion in filter", expr: `($f := function($x) { $filter([1, 2], $f) }; $f(1))`},
		{name: "recursion in reduce", expr: `($f := function($a, $b) { $reduce([1, 2, 3], $f) }; $f(1, 2))`},
		{name: "recursion in sort", expr: `($f := function($a, $b) { $sort([2, 1], $f) }; $f(1, 2))`},
		{name: "recursion in replace", expr: `($f := function($m) { $replace("aa", /a/, $f) }; $f(1))`},
		{name: "recursion in sift", expr: `($f := function($v) { $sift({"a": 1, "b": 2}, $f) }; $f(1))`},
		{name: "recursion in each", expr: `($f := function($v) { $each({"a": 1, "b": 2}, $f) }; $f(1))`},
		{name: "recursion in a path", expr: `($f := function($n) { [1, 2].$f($n) }; $f(1))`},
		{name: "recursion in a predicate", expr: `($f := function($n) { [1, 2][$f($n)] }; $f(1))`},
		{name: "recursion in an object", expr: `($f := function($n) { {"a": $f($n), "b": $f($n)} }; $f(1))`},
		{name: "growing accumulator", expr: `($f := function($a) { $f($append($a, $a)) }; $f([1]))`},
		{name: "growing accumulator by one", expr: `($f := function($a) { $f($append($a, 1)) }; $f([1]))`},
		{name: "growing text", expr: `($f := function($s) { $f($s & "x") }; $f("x"))`},
		{name: "growing object", expr: `($f := function($o, $n) { $f($merge([$o, {$string($n): $n}]), $n + 1) }; $f({}, 0))`},
		{name: "growing closure", expr: `($f := function($g) { $f(function() { $g() }) }; $f(function() { 1 }))`},
		{name: "growing composition", expr: `($f := function($g) { $f($g ~> $g) }; $f($uppercase))`},
		{name: "growing partial application", expr: `($f := function($g) { $f($g(?)) }; $f($uppercase))`},
		{name: "nesting arrays", expr: `($f := function($a) { $f([[$a]]) }; $f([]))`},
		{name: "nesting objects", expr: `($f := function($a) { $f({"a": $a}) }; $f(1))`},
		{name: "deep compositions", expr: `($g := $reduce([1..100000], function($f, $i) { $f ~> $abs }, $abs); $g(1))`},
	}
}

func growthAttacks() []attack {
	return []attack{
		{name: "range", expr: `[1..10000000]`},
		{name: "range too large", expr: `[1..100000000000]`},
		{name: "range mapped", expr: `[1..10000000].($ * 2)`},
		{name: "range of ranges", expr: `[1..10000].[1..10000]`},
		{name: "range squared", expr: `$map([1..10000], function($i) { [1..$i] })`},
		{name: "range summed", expr: `$sum([1..10000000])`, harmless: true},
		{name: "range joined", expr: `$join([1..5000000].$string(), ",")`},
		{name: "range reversed", expr: `$reverse([1..10000000])`},
		{name: "range shuffled", expr: `$shuffle([1..10000000])`},
		{name: "range sorted", expr: `[1..10000000]^(>$)`},
		{name: "range zipped", expr: `$zip([1..10000000], [1..10000000])`},
		{name: "range filtered", expr: `[1..10000000][$ % 2 = 0]`},
		{name: "ranges in predicate", expr: `[1..10000000][[1..1000000]]`},
		{name: "range as text", expr: `$string([1..10000000])`},
		{name: "range membership", expr: `[1..100000][$ in [1..100000]]`},
		{name: "range distinct", expr: `$distinct([1..10000000])`},
		{name: "ranges compared", expr: `[1..10000000] = [1..10000000]`, harmless: true},
		{name: "range appended", expr: `$append([1..9000000], [1..9000000])`},
		{name: "pad", expr: `$pad("x", 1000000000)`},
		{name: "pad left", expr: `$pad("x", -1000000000)`},
		{name: "pad with a long text", expr: `$pad("x", 8000000, $pad("y", 8000000))`, harmless: true},
		{name: "pad infinitely", expr: `$pad("x", 1e300)`},
		{name: "text doubled", expr: `$reduce([1..40], function($s, $i) { $s & $s }, "xxxxxxxx")`},
		{name: "array doubled", expr: `$reduce([1..40], function($s, $i) { $append($s, $s) }, [1])`},
		{name: "array of arrays doubled", expr: `$reduce([1..40], function($s, $i) { [[$s], [$s]] }, [1]) ~> $string()`},
		{name: "object doubled", expr: `$reduce([1..60], function($o, $i) { {"a": $o, "b": $o} }, 1) ~> $string()`},
		{name: "shared object as result", expr: `$reduce([1..60], function($o, $i) { {"a": $o, "b": $o} }, 1)`},
		{name: "shared object compared", expr: `($t := function() { $reduce([1..60], function($o, $i) { {"a": $o, "b": $o} }, 1) }; $t() = $t())`},
		{name: "shared object descended", expr: `$count($reduce([1..60], function($o, $i) { {"a": $o, "b": $o} }, 1).**)`},
		{name: "shared object transformed", expr: `$reduce([1..60], function($o, $i) { {"a": $o, "b": $o} }, 1) ~> |**|{"c": 1}|`},
		{name: "shared arrays descended", expr: `$count($reduce([1..60], function($o, $i) { [[$o], [$o]] }, [1]).**)`},
		{name: "join grows", expr: `$reduce([1..30], function($s, $i) { $join([$s, $s, $s], $s) }, "xyz")`},
		{name: "join long separator", expr: `$join([1..1000].$string(), $pad("x", 100000))`},
		{name: "replace grows", expr: `$reduce([1..30], function($s, $i) { $replace($s, "x", "xxxx") }, "x")`},
		{name: "replace by regex grows", expr: `$reduce([1..30], function($s, $i) { $replace($s, /x/, "$0$0$0$0") }, "x")`},
		{name: "replace with a long text", expr: `$replace($pad("x", 1000000, "x"), "x", $pad("y", 1000))`},
		{name: "replace by function", expr: `$replace($pad("x", 5000000, "x"), /x/, function($m) { "y" })`},
		{name: "split characters", expr: `$split($pad("x", 8000000), "")`},
		{name: "split spaces", expr: `$split($pad("x", 8000000), " ")`},
		{name: "split by regex", expr: `$split($pad("x", 8000000), / /)`},
		{name: "match all", expr: `$match($pad("x", 8000000, "x"), /x/)`},
		{name: "match with groups", expr: `$match($pad("x", 8000000, "x"), /(x)(x)(x)/)`},
		{name: "case of a long text", expr: `[1..10000].$uppercase($pad("x", 1000000))`},
		{name: "many long texts", expr: `[1..10000].$pad("x", 100000)`},
		{name: "base64 tower", expr: `$reduce([1..200], function($s, $i) { $base64encode($s) }, "x")`},
		{name: "url tower", expr: `$reduce([1..200], function($s, $i) { $encodeUrlComponent($s) }, "%%")`, harmless: true},
		{name: "string tower", expr: `$reduce([1..200], function($s, $i) { $string([$s]) }, "\"")`},
		{name: "spread", expr: `$reduce([1..30], function($s, $i) { $append($spread($s), $spread($s)) }, [{"a": 1, "b": 2}])`},
		{name: "merge", expr: `$merge([1..1000000].{$string($): $})`},
		{name: "lookup over and over", expr: `[1..1000000].$lookup($$, "v")`, input: treeJSON(10), harmless: true},
		{name: "sum of products", expr: `$sum([1..5000].($i := $; [1..5000].($ * $i)))`},
		{name: "power tower", expr: `$power(10, 1e308)`},
		{name: "wide number picture", expr: `[1..1000000].$formatNumber($, $pad("#", 60000, "0"))`},
		{name: "wide date picture", expr: `[1..1000].$fromMillis($, "[Y,1000000]")`},
		{name: "wide integer picture", expr: `[1..100000].$formatInteger($, $pad("0", 60000, "0"))`},
		{name: "roman", expr: `[1..1000].$formatInteger(1000000000, "I")`},
		{name: "long date text", expr: `[1..1000].$toMillis($pad("1", 1000000, "1"), "[Y][M][D][f][f][f][f]")`, harmless: true},
	}
}

func patternsAttacks() []attack {
	return []attack{
		{name: "nested plus", expr: `$match($pad("a", 40, "a") & "b", /^(a+)+$/)`},
		{name: "nested star", expr: `$contains($pad("a", 40, "a"), /(a*)*b/)`},
		{name: "overlapping alternatives", expr: `$contains($pad("a", 60, "a"), /^(a|aa)+b/)`},
		{name: "counted", expr: `$contains($pad("a", 100000, "a"), /(?:a|b|c){1,100000}x/)`},
		{name: "counted thrice", expr: `$contains($pad("a", 100000, "a"), /((a{1,1000}){1,1000}){1,1000}x/)`},
		{name: "quadratic", expr: `$contains($pad("a", 1000000, "a"), /a*b/)`},
		{name: "quadratic split", expr: `$split($pad("a", 1000000, "a"), /a*b/)`},
		{name: "quadratic replace", expr: `$replace($pad("a", 1000000, "a"), /a*b/, "")`},
		{name: "back references", expr: `$contains($pad("a", 1000000, "a"), /(a+)\1+b/)`},
		{name: "look-ahead", expr: `$contains($pad("a", 1000000, "a"), /(?:(?=.*x).)*y/)`},
		{name: "look-behind", expr: `$contains($pad("x", 1000000, "x"), /(?<=^b.*)x/)`},
		{name: "empty matches", expr: `$match($pad("a", 1000000, "a"), /a*?/)`},
		{name: "pattern over and over", expr: `[1..100000].$contains($pad("a", 30, "a"), /^(a+)+b/)`},
		{name: "many texts converted", expr: `($s := $pad("é", 1000000); [1..1000000].$contains($s, /x/))`},
		{name: "custom matcher", expr: `($m := function($s) { {"match": "a", "start": 0, "end": 1, "groups": [], "next": function() { $m($s) }} }; $match("aaa", $m))`},
		{name: "custom matcher in replace", expr: `($m := function($s) { {"match": "a", "start": 0, "end": 1, "groups": [], "next": function() { $m($s) }} }; $replace("aaa", $m, "bbb"))`},
		{name: "custom matcher in split", expr: `($m := function($s) { {"match": "a", "start": 0, "end": 1, "groups": [], "next": function() { $m($s) }} }; $split("aaa", $m))`},
		{name: "nested groups", expr: `$contains("a", /` + nested("(", "a", ")", 5000) + `/)`},
	}
}

func walksAttacks() []attack {
	wide, tree := numbersJSON(100_000), treeJSON(14)
	deep := nested(`{"a":`, "1", "}", 9_000)
	return []attack{
		{name: "descendants of a tree", expr: `**.**.**.**`, input: tree},
		{name: "descendants of a deep document", expr: `**.**.**`, input: deep},
		{name: "wildcards of a tree", expr: `*.*.*.*.*.*.*.*.*.*.*.*.*.(**.**)`, input: tree, harmless: true},
		{name: "deep document", expr: `$count(**)`, input: deep, harmless: true},
		{name: "deep document as text", expr: `$string($)`, input: deep, harmless: true},
		{name: "deep document compared", expr: `$ = $`, input: deep, harmless: true},
		{name: "deep document transformed", expr: `$ ~> |**|{"b": 1}|`, input: deep, harmless: true},
		{name: "deep path", expr: `$` + strings.Repeat(".a", 9_000), input: deep, harmless: true},
		{name: "parents", expr: `**.**.%.%.**`, input: tree},
		{name: "cross join", expr: `$@$a.$@$b.$@$c.[$a, $b, $c]`, input: wide},
		{name: "cross join with index", expr: `$#$i.$$#$j.($i * $j)`, input: wide},
		{name: "cross join filtered", expr: `($d := $; $d@$a.$d[$ = $a + 1])`, input: wide},
		{name: "join by predicate", expr: `$[$ in $$[$ > 5]]`, input: wide},
		{name: "group by", expr: `${$string($): $$}`, input: wide},
		{name: "group by with bodies", expr: `${$string($): $count($$[$ < 10])}`, input: wide},
		{name: "transform of everything", expr: `[1..10000].($$ ~> |**|{"c": 1}|)`, input: tree},
		{name: "transform grows", expr: `$reduce([1..40], function($o, $i) { $o ~> |$|{"c": $o}| }, $)`, input: `{"v":1}`, harmless: true},
		{name: "sort", expr: `[1..1000].($$^($))`, input: wide},
		{name: "sort by a slow term", expr: `$^($sum($$))`, input: wide},
		{name: "sort by comparator", expr: `$sort($, function($a, $b) { $sum($$) > $a })`, input: wide},
		{name: "sort by an unfair comparator", expr: `$sort($, function($a, $b) { true })`, input: wide, harmless: true},
		{name: "reduce", expr: `$reduce($, function($a, $b) { $append($a, $b) })`, input: wide, harmless: true},
		{name: "reduce in front", expr: `$reduce($, function($a, $b) { $append([$b], $a) })`, input: wide},
		{name: "reduce to one of two", expr: `$reduce($, function($a, $b) { [[$append($a[0], $b), $append($a[0], $b)]][0] }, [[], []])`, input: wide, harmless: true},
		{name: "reduce to text", expr: `$reduce($, function($a, $b) { $a & "," & $b })`, input: wide, harmless: true},
		{name: "reduce to text in front", expr: `$reduce($, function($a, $b) { $b & "," & $a })`, input: wide},
		{name: "reduce to an object", expr: `$reduce($, function($a, $b) { $merge([$a, {$string($b): $b}]) }, {})`, input: wide, harmless: true},
		{name: "reduce to all objects", expr: `$reduce($, function($a, $b) { [$a, $merge([$a[-1], {$string($b): $b}])] }, [{}])`, input: wide},
		{name: "reduce to all texts", expr: `$reduce($, function($a, $b) { $append($a, $a[-1] & "x") }, ["x"])`, input: wide},
		{name: "reduce to all lists", expr: `$reduce($, function($a, $b) { $append($a, [$append($a[-1], $b)]) }, [[[1]]])`, input: wide, harmless: true},
		{name: "closures over garbage", expr: `$reduce($, function($a, $b) { ($big := $pad("", 100000, "x"); $append($a, function() { $big })) }, [])`, input: wide},
		{name: "garbage kept by tail calls", expr: `($f := function($n) { ($big := $append([1..100000], $n); $map([$n], function($m) { $f($m + 1) & $big[0] })) }; $f(1))`},
		{name: "indexes of many lists", expr: `$map($, function($x) { ($l := $append([1..100000], $x); [1 in $l, 2 in $l, $l]) })`, input: wide},
		{name: "distinct of objects", expr: `$distinct($map($, function($v) { {"v": $v} }))`, input: wide},
		{name: "keys", expr: `[1..1000000].$keys($$)`, input: tree},
		{name: "each", expr: `[1..100000].$each($$, function($v, $k) { $count($v.**) })`, input: tree},
		{name: "sift", expr: `[1..100000].$sift($$, function($v) { $count($v.**) > 1 })`, input: tree},
		{name: "single", expr: `$single($, function($v) { $sum($$) < 0 })`, input: wide},
		{name: "aggregates", expr: `[1..1000000].($max($$) + $min($$) + $average($$) + $sum($$))`, input: wide},
		{name: "count over and over", expr: `[1..1000000].$count($$.**)`, input: tree},
		{name: "concatenation of arrays", expr: `[1..1000000].($$ & $$)`, input: wide},
		{name: "negative index", expr: `[1..1000000].$$[-1].$$[-1]`, input: wide},
		{name: "comparisons of large arrays", expr: `[1..1000000].($$ = $$)`, input: wide},
		{name: "membership", expr: `$[$ in $$]`, input: wide, harmless: true},
		{name: "hex of all", expr: `[1..10000000].$formatBase($, 2)`},
		{name: "parses", expr: `[1..10000000].$number("0x10")`},
		{name: "random", expr: `[1..10000000].$random()`},
		{name: "now", expr: `[1..10000000].$now("[Yw] [MNn] [Dwo]")`},
	}
}

func sourcesAttacks() []attack {
	return []attack{
		{name: "brackets", expr: nested("[", "1", "]", 100_000)},
		{name: "parentheses", expr: nested("(", "1", ")", 100_000)},
		{name: "braces", expr: nested(`{"a":`, "1", "}", 100_000)},
		{name: "negations", expr: strings.Repeat("-", 100_000) + "1"},
		{name: "functions", expr: nested("function(){", "1", "}", 50_000)},
		{name: "conditions", expr: strings.Repeat("1?", 50_000) + "1"},
		{name: "else branches", expr: strings.Repeat("0?1:", 50_000) + "1"},
		{name: "predicates", expr: "a" + nested("[a", "", "]", 50_000)},
		{name: "flat predicates", expr: "a" + strings.Repeat("[0]", 50_000), harmless: true},
		{name: "calls", expr: "$f" + strings.Repeat("()", 50_000), harmless: true},
		{name: "sums", expr: "1" + strings.Repeat("+1", 100_000), harmless: true},
		{name: "concatenations", expr: `"x"` + strings.Repeat(`&"x"`, 100_000), harmless: true},
		{name: "chains", expr: `1` + strings.Repeat(`~>$abs`, 50_000), harmless: true},
		{name: "assignments", expr: strings.Repeat("$a:=", 50_000) + "1", harmless: true},
		{name: "statements", expr: "(" + strings.Repeat("$a:=1;", 50_000) + "$a)", harmless: true},
		{name: "variables", expr: "(" + manyVariables(5_000) + "$v0)", harmless: true},
		{name: "paths", expr: "a" + strings.Repeat(".a", 100_000), harmless: true},
		{name: "parents", expr: "a" + strings.Repeat(".%", 20_000)},
		{name: "sort terms", expr: "a^(" + strings.Repeat("b,", 50_000) + "b)", harmless: true},
		{name: "transforms", expr: nested("|", "a", "|{}|", 5_000)},
		{name: "signature", expr: `function($x)<` + nested("a<", "n", ">", 20_000) + `:n>{$x}`, harmless: true},
		{name: "wide signature", expr: `(function($x)<` + strings.Repeat("(nsb)-?", 2_000) + `:n>{1})(` + strings.Repeat("1,", 30) + `1)`, harmless: true},
		{name: "ambiguous signature", expr: `(function($x)<` + strings.Repeat("a<s>*x?", 100) + `:n>{1})(` + strings.Repeat(`"a",`, 60) + `null)`, harmless: true},
		{name: "long name", expr: "`" + strings.Repeat("x", 1<<20) + "`", harmless: true},
		{name: "long number", expr: strings.Repeat("9", 1<<20)},
		{name: "long text", expr: `"` + strings.Repeat(`\u0041`, 1<<17) + `"`, harmless: true},
		{name: "comments", expr: strings.Repeat("/**/", 1<<17) + "1", harmless: true},
		{name: "unclosed comment", expr: strings.Repeat("/*", 1<<17)},
		{name: "unclosed text", expr: `"` + strings.Repeat("x", 1<<20)},
		{name: "unclosed pattern", expr: "/" + strings.Repeat("(", 1<<17)},
		{name: "many errors", expr: strings.Repeat("[", 1<<17)},
		{name: "noise", expr: strings.Repeat("@#%^&*()", 1<<14)},
		{name: "eval tower", expr: `$reduce([1..100], function($s, $i) { "$eval(" & $string($s) & ")" }, "1") ~> $eval()`},
		{name: "eval of itself", expr: `($s := "$eval($s)"; $eval($s))`},
		{name: "eval in a loop", expr: `[1..10000000].$eval("1 + " & $)`},
		{name: "eval of a large source", expr: `[1..1000].$eval("[" & $join([1..10000].$string(), ",") & "," & $ & "]")`},
		{name: "eval of nesting", expr: `$eval($pad("", 100000, "["))`},
		{name: "eval of recursion", expr: `($f := function() { $eval("$f()") }; $f())`},
		{name: "eval of growth", expr: `($f := function($s) { $eval("$f($s & $s)") }; $f("x"))`},
		{name: "eval of a document", expr: `$eval($pad("", 5000, "[") & $pad("", 5000, "]"))`, harmless: true},
	}
}

func manyVariables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "$v%d:=$v%d+1;", i, n-i)
	}
	return b.String()
}

// TestAttacks evaluates expressions that would run forever or take all memory.
// Each must end in time, with little memory and with an error of the language or
// of its limits. The second run has no limit of steps, so that only the deadline
// and the limits of size are left to stop it.
func TestAttacks(t *testing.T) {
	skipUnlessAlone(t)
	for group, cases := range map[string][]attack{
		"recursion": recursionAttacks(), "growth": growthAttacks(), "patterns": patternsAttacks(),
		"walks": walksAttacks(), "sources": sourcesAttacks(),
	} {
		t.Run(group, func(t *testing.T) {
			for i := range cases {
				for _, steps := range []int{0, 1 << 50} {
					t.Run(fmt.Sprintf("%s/steps %d", cases[i].name, steps), func(t *testing.T) {
						runAttack(t, &cases[i], steps)
					})
				}
			}
		})
	}
}

func runAttack(t *testing.T, c *attack, steps int) {
	t.Helper()
	var took time.Duration
	var peak uint64
	for range 3 { // other programs may take the processor away
		var err error
		took, peak, err = evalAttack(t, c, steps)
		var e *jsonata.Error
		switch {
		case err == nil && !c.harmless:
			t.Fatal("succeeded")
		case err != nil && !errors.As(err, &e):
			t.Fatalf("got error of type %T: %v", err, err)
		case took <= 2*attackTimeout && peak <= attackMemory:
			return
		}
	}
	t.Errorf("took %v and %d MiB, want at most %v and %d MiB", took, peak>>20, 2*attackTimeout, attackMemory>>20)
}

// evalAttack returns the time and the memory that compiling and evaluating took.
func evalAttack(t *testing.T, c *attack, steps int) (time.Duration, uint64, error) {
	t.Helper()
	var data jsonata.Value
	if c.input != "" {
		var err error
		if data, err = jsonata.FromJSON([]byte(c.input)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	stop := samplePeak()
	start := time.Now()
	program, err := jsonata.Compile(c.expr)
	if err == nil {
		_, err = program.Eval(t.Context(), jsonata.Input{
			Data: data, Limits: jsonata.Limits{Steps: steps, Timeout: attackTimeout},
		})
	}
	took := time.Since(start)
	return took, stop(), err
}

// samplePeak watches the heap in use until the function it returns is called,
// which returns the highest value above the first.
func samplePeak() func() uint64 {
	before := heapInUse()
	done, result := make(chan struct{}), make(chan uint64)
	go func() {
		ticker := time.NewTicker(500 * time.Microsecond)
		defer ticker.Stop()
		peak := before
		for {
			peak = max(peak, heapInUse())
			select {
			case <-done:
				result <- peak - before
				return
			case <-ticker.C:
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-result
	}
}

func heapInUse() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}
