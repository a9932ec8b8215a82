package jsonata_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata"
)

// hostile lists expressions that try to take all time, all memory or all of the
// stack. Each must end with a limit error.
func hostile() []string {
	deep := func(open, inner, shut string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}
	return []string{
		// Time.
		`($f := function($x){$f($x+1)}; $f(0))`,
		`($f := function(){$g()}; $g := function(){$f()}; $f())`,
		`($f := function($x){$x ? $f($x) : $f($x)}; $f(0))`,
		`[1..10000].([1..10000].($ + 1))`,
		`[1..1000].([1..1000].([1..1000].$))`,
		`[1..10000000].($ * 2)`,
		`$map([1..10000000], function($x){$x})`,
		`$filter([1..10000000], function($x){false})`,
		`$reduce([1..10000000], function($a,$b){$a+$b})`,
		`$single([1..10000000], function($x){false})`,
		`[1..10000000][$ = 0]`,
		`$sum([1..10000000]) + $count($map([1..10000000], function($v){$sum([1..1000000])}))`,
		`[1..1000000]{$string($ % 7): $}`,
		`[1..3000000]^($)`,
		`$sort([1..3000000])`,
		`$sort([1..100000], function($a,$b){$a < $b})`,
		`[1..100000]^(<$, >$string($), $ * 2)`,
		`$distinct([1..100000].{"a": $})`,
		`[1..100000]@$x.[1..100000]@$y[$x=$y]`,
		`[1..400000]#$i[$i = 100000000]`,
		`$each($merge([1..100000].{$string($): $}), function($v){$each($merge([1..1000].{$string($): $}), function($w){1})})`,
		`$eval("$eval('($f := function(){$f()}; $f())')")`,
		`($e := "1+"; $f := function($n){$eval($e & $string($n)) + $f($n+1)}; $f(1))`,
		`($f := function($n){$eval("$f(" & $string($n+1) & ")")}; $f(1))`,
		`[1..10000].($$.**)`,
		`$merge([1..100000].{$string(100000 - $): $}) ~> $string ~> $pad(10000000)`,
		`($m := $merge([1..60000].{$string(60000 - $): $}); $m ~> |$|{}, $keys($m)| ~> $string ~> $pad(10000000))`,
		`($m := $merge([1..60000].{$string(60000 - $): $}); {"x": 1} ~> |$|$m| ~> $string ~> $pad(10000000))`,
		`[1..100000]{$string(100000 - $): $} ~> $string ~> $pad(10000000)`,
		// Regular expressions.
		`$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)`,
		`$contains($pad("a", 5000, "a") & "!", /^(a|aa)+$/)`,
		`$replace($pad("a", 100000, "a"), /(a*)*b/, "x")`,
		`$split($pad("x", 200000, "x"), /(x+x+)+y/)`,
		`$match($pad("x", 3000000, "x"), /x/)`,
		`$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /(a*)*\1b/)`,
		`$match($pad("(", 30000, "("), /(((((.*)*)*)*)*)\)/)`,
		// Memory.
		`$pad("x", 1000000000)`,
		`$pad("x", -1e15, "abc")`,
		`($d := function($s){$d($s & $s)}; $d("xxxxxxxx"))`,
		`($d := function($s){$d([$s, $s])}; $d("x"))`,
		`($d := function($s){$d($append($s, $s))}; $d([1,2]))`,
		`$reduce([1..60], function($a,$b){$a & $a}, "0123456789")`,
		`$reduce([1..60], function($a,$b){[$a, $a]}, [1])`,
		`$string($reduce([1..60], function($a,$b){[[$a], [$a]]}, [1]))`,
		`($a := $reduce([1..60], function($a,$b){{"l": $a, "r": $a}}, 1); $b := $reduce([1..60], function($a,$b){{"l": $a, "r": $a}}, 1); $a = $b)`,
		`$reduce([1..60], function($a,$b){{"l": $a, "r": $a}}, 1)`,
		`$reduce([1..60], function($a,$b){{"l": $a, "r": $a}}, 1).**`,
		`$reduce([1..60], function($a,$b){{"l": $a, "r": $a}}, 1) ~> |l|{"x":1}|`,
		`$spread($reduce([1..60], function($a,$b){[[$a], [$a]]}, [1]))`,
		`$keys($reduce([1..60], function($a,$b){[[$a], [$a]]}, [{"a":1}]))`,
		`$reduce([1..60], function($a,$b){[[$a], [$a]]}, [{"a":1}]).a`,
		`$boolean($reduce([1..60], function($a,$b){[[$a], [$a]]}, [0]))`,
		`$replace($pad("a", 1000000, "a"), "a", $pad("b", 1000, "b"))`,
		`$replace($pad("a", 100000, "a"), /a/, $pad("b", 10000, "b"))`,
		`$join($split($pad("a", 2000000, "a"), ""), $pad("-", 100, "-"))`,
		`$split($pad("a", 8000000, "a"), "")`,
		`$join([1..400000].$string(), $pad("-", 1000, "-"))`,
		`[1..10000000]`,
		`[[1..10000000], 1]`,
		`$append([1..10000000], 1)`,
		`$reverse([1..10000000])`,
		`$shuffle([1..10000000])`,
		`$zip([1..10000000], [1..10000000])`,
		`$string([1..10000000])`,
		`$map([1..100], function($x){$append([1..100000], $x)})`,
		`$merge([1..1000000].{$string($): $})`,
		`[1..100000].[1..100000]`,
		`$map([1..300000], function($x){function($y){$x + $y}})`,
		`$encodeUrlComponent($reduce([1..24], function($a,$b){$a & $a}, "€"))`,
		`$base64encode($pad("x", 8000000)) & $uppercase($pad("x", 8000000)) & $pad("y", 8000000)`,
		`$formatNumber(1, $pad("#", 5000000, "#") & "0")`,
		`$formatInteger(1, $pad("0", 5000000, "0"))`,
		`$fromMillis(0, $reduce([1..18], function($a,$b){$a & $a}, "[Y,9999999-9999999]"))`,
		`($f := function($x, $n){$f(function(){[$x, $x]}, $n+1)}; $f(1, 0))`,
		`{"a": [1..10000000], "b": [1..10000000]}`,
		`items.{"a": [1..10000000]}`,
		`$ ~> |$|{"x": [1..10000000]}|`,
		`$.b.($x := [1..5000000]; $x[[0..4000000]])`,
		// The stack.
		`($f := function($x){1 + $f($x)}; $f(1))`,
		`($f := function($x){[$f($x)]}; $f(1))`,
		`($f := function($x){{"a": $f($x)}}; $f(1))`,
		`($f := function($x){$map([1], $f)}; $f(1))`,
		`($f := function($x){$x ~> $f ~> $f}; $f(1))`,
		`($f := function($x){$replace("a", /a/, $f)}; $f(1))`,
		`($f := function($x){$sort([2,1], $f)}; $f(1))`,
		`($f := function($x){$string($f($x))}; $f(1))`,
		`($f := function($x){b[$f($x)]}; $f(1))`,
		`($f := function($x){$ ~> |b|$f($x)|}; $f(1))`,
		`($f := function($x){items^($f($x))}; $f(1))`,
		`($f := function($x){items{$f($x): 1}}; $f(1))`,
		`$reduce([1..20000].($string), function($a,$b){$a ~> $b})(1)`,
		`$string($reduce([1..100000], function($a,$b){[[$a]]}, 1))`,
		`$reduce([1..100000], function($a,$b){[[$a]]}, 1)`,
		`$reduce([1..100000], function($a,$b){[[$a]]}, 1).x`,
		`$reduce([1..100000], function($a,$b){[[$a]]}, 1).**`,
		`$reduce([1..100000], function($a,$b){{"a":$a}}, 1) = $reduce([1..100000], function($a,$b){{"a":$a}}, 1)`,
		`$eval($pad("1", 100000, "("))`,
		`$eval($reduce([1..15], function($a,$b){$a & $a}, "["))`,
		`$eval($reduce([1..15], function($a,$b){$a & $a}, "1+") & "1")`,
		deep("(", "1", ")", 100_000),
		deep("[", "", "]", 100_000),
		deep(`{"a":`, "1", "}", 100_000),
		deep("-", "1", "", 100_000),
		deep("function(){", "1", "}", 100_000),
		deep("a[", "1", "]", 100_000),
		deep("$f(", "1", ")", 100_000),
		deep("a ? ", "1", "", 100_000),
		deep("1 + ", "1", "", 100_000),
		deep("$x := ", "1", "", 100_000),
		deep("|a|", "{}", "|", 100_000),
		deep("a ~> ", "$f", "", 100_000),
		"a" + strings.Repeat("[]", 100_000) + strings.Repeat(".a", 100_000),
		"a" + strings.Repeat("[0]", 100_000),
		"a" + strings.Repeat("(1)", 100_000),
		"a" + strings.Repeat("@$x.b", 100_000),
		"/" + strings.Repeat("(", 100_000) + strings.Repeat(")", 100_000) + "/",
	}
}

func TestHostile(t *testing.T) { //nolint:paralleltest // measures memory
	skipUnlessAlone(t)
	data, err := jsonata.FromJSON([]byte(diffData))
	if err != nil {
		t.Fatal(err)
	}
	const deadline = 250 * time.Millisecond
	for _, src := range hostile() {
		name := src
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // measures memory
			var took time.Duration
			var mib uint64
			for range 3 { // other programs may take the processor away
				runtime.GC()
				peak := watchHeap(t)
				start := time.Now()
				err := evalHostile(t.Context(), src, data, deadline)
				took, mib = time.Since(start), peak()>>20
				var e *jsonata.Error
				if !errors.As(err, &e) || !e.IsLimit() && e.Code != "S0303" {
					t.Fatalf("%s: got error %v, want a limit error", name, err)
				}
				if took <= 2*deadline && mib <= 64 {
					return
				}
			}
			t.Errorf("%s: took %v and %d MiB, want at most %v and 64 MiB", name, took, mib, 2*deadline)
		})
	}
}

func evalHostile(ctx context.Context, src string, data jsonata.Value, deadline time.Duration) error {
	program, err := jsonata.Compile(src)
	if err != nil {
		return err
	}
	_, err = program.Eval(ctx, jsonata.Input{Data: data, Limits: jsonata.Limits{Timeout: deadline}})
	return err
}

// watchHeap samples the size of the heap until the returned function is called,
// which gives the growth.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	sample := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most.Store(max(most.Load(), m.HeapAlloc+m.StackInuse))
	}
	go func() {
		defer close(done)
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				sample()
			}
		}
	}()
	return func() uint64 {
		sample()
		close(stop)
		<-done
		return most.Load() - min(most.Load(), before.HeapAlloc+before.StackInuse)
	}
}

// TestDeepInput evaluates on documents that nest as deep as they may.
func TestDeepInput(t *testing.T) {
	t.Parallel()
	arrays := strings.Repeat("[", 9_999) + "1" + strings.Repeat("]", 9_999)
	objects := strings.Repeat(`{"a":`, 9_999) + "1" + strings.Repeat("}", 9_999)
	for _, doc := range []string{arrays, objects} {
		data, err := jsonata.FromJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range []string{
			`a`, `*`, `**`, `$`, `$$`, `$string($)`, `[$]`, `[$,$]`, `$ = $$`, `[$] = [$$]`, `{"x": $}`, `$ ~> |a|{"b": 1}|`, `$clone($)`, `$keys($)`, `$spread($)`,
			`$boolean($)`, `$not([$])`, `$[0]`, `a[0]`, `$distinct([$, $$])`, `$lookup($, "a")`, `"x" & $`, `$count(**)`, `$map($, $string)`, `**[a]`, `$merge([$])`,
			`$sort([$, $])`, `a.a.a.a`, `$each($, $string)`, `$sift($, $boolean)`, `$reduce([$, $], $append)`, `$type($)`, `$exists(a)`, `[$]{"k": $}`, `$eval("$", $)`, `($x := [[$]]; $x = [[$$]])`,
		} {
			program, err := jsonata.Compile(src)
			if err != nil {
				t.Fatal(err)
			}
			v, err := program.Eval(t.Context(), jsonata.Input{Data: data})
			var e *jsonata.Error
			if errors.As(err, &e) && e.Code == jsonata.CodeInternal {
				t.Errorf("%s: %v", src, err)
			}
			_ = encode(t, v)
			_ = jsonata.ToGo(v)
			_ = jsonata.Boolean(v)
		}
	}
}

// TestLongTextsTakeSteps checks, without a clock, that what reads a long text again and again ends by its steps.
func TestLongTextsTakeSteps(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1<<20)
	other := "x" + strings.Repeat("é", 1<<20)
	data := jsonata.NewObject(2)
	data.Set("a", long)
	data.Set("b", strings.Clone(long))
	data.Set("c", other)
	for _, src := range []string{
		`$length($$.a)`, `$substring($$.a, 1000000, 1)`, `$substringBefore($$.a, "x")`, `$substringAfter($$.a, "x")`, `$contains($$.a, "x")`, `$number($$.a)`,
		`$$.a < $$.b`, `$$.a = $$.b`, `$$.a in [$$.b, $$.c]`, `$lookup({"a": 1}, $$.a)`, `$pad($$.a, 10)`, `$toMillis($$.a)`, `$parseInteger($$.a, $$.a)`,
	} {
		program, err := jsonata.Compile("[1..100000].(" + src + ")")
		if err != nil {
			t.Fatal(err)
		}
		_, err = program.Eval(t.Context(), jsonata.Input{Data: data, Limits: jsonata.Limits{Steps: 100_000}})
		var e *jsonata.Error
		if !errors.As(err, &e) || !e.IsLimit() && !strings.HasPrefix(e.Code, "D31") && e.Code != "D3030" && e.Code != "D3137" {
			t.Errorf("%s: got error %v, want that of a limit", src, err)
		}
	}
}
