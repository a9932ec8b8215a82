package expr

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/dialect"
	"github.com/millrace/millrace/internal/dialect/dialecttest"
	"github.com/millrace/millrace/jsonata"
)

// Every expression here tries to take more time or memory than it may have. It must end with a limit error, and soon.
func TestHostileExpressionsStop(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"doubling join":        `($f := function($s, $n) { $n = 0 ? $s : $f($join([$s, $s], ""), $n - 1) }; $length($f("xxxxxxxx", 60)))`,
		"doubling wrap":        `($f := function($s, $n) { $n = 0 ? $s : $f($wrap($s, $s), $n - 1) }; $length($f("xxxxxxxx", 60)))`,
		"doubling string":      `($f := function($s, $n) { $n = 0 ? $s : $f($string([$s, $s]), $n - 1) }; $length($f("xxxxxxxx", 60)))`,
		"doubling base64":      `($f := function($s, $n) { $n = 0 ? $s : $f($base64encode($s), $n - 1) }; $length($f("xxxxxxxx", 200)))`,
		"doubling query":       `($f := function($s, $n) { $n = 0 ? $s : $f($stringifyQuery({"a": $s, "b": $s}), $n - 1) }; $length($f("x", 60)))`,
		"doubling array":       `($f := function($s, $n) { $n = 0 ? $s : $f($flatten([$s, $s]), $n - 1) }; $count($f([1..100], 60)))`,
		"doubling nodes":       `($f := function($n) { $n = 0 ? [] : $append($f($n - 1), [{"id": $n, "parent_id": $n - 1}, {"id": $n, "parent_id": $n - 1}]) }; $count($sortNodes($f(40))))`,
		"shared array as text": `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $length($join($f(["xxxxxxxx"], 60))))`,
		"shared array flat":    `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $count($flattenDeep($f(["x"], 60))))`,
		"shared object as text": `($f := function($s, $n) { $n = 0 ? $s : $f({"a": $s, "b": $s}, $n - 1) }; ` +
			`$length($string($f({"x": 1}, 60))))`,
		"shared object mapped": `($f := function($s, $n) { $n = 0 ? $s : $f({"a": $s, "b": $s}, $n - 1) }; $mapValues($f({"x": 1}, 60), {"1": 2}))`,
		"shared object matched": `($f := function($s, $n) { $n = 0 ? $s : $f({"a": $s, "b": $s}, $n - 1) }; ` +
			`$find([{"k": $f({"x": 1}, 60)}], {"k": $f({"x": 1}, 60)}))`,
		"shared keys":         `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $keys($f([{"a": 1}], 60)))`,
		"shared grouping":     `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $groupBy([{"k": $f(["x"], 60)}], "k"))`,
		"shared as number":    `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $toNumber($f(["x"], 60)))`,
		"shared sorting":      `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $orderBy([{"k": $f(["x"], 60)}, {"k": $f(["x"], 60)}], "k"))`,
		"shared query":        `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $stringifyQuery({"a": $f(["x"], 60)}))`,
		"shared query parsed": `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $parseQuery({"a": $f(["x"], 60)}))`,
		"shared sifting":      `($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $sift({"a": 1}, function() { $f([0], 60) }))`,
		"endless":             `($f := function() { $f() }; $f())`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := Compile(src)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			v, err := program.Eval(t.Context(), nil, LimitsTransform())
			var e *Error
			if !errors.As(err, &e) || !e.IsLimit() {
				t.Errorf("got %T, error %v, want a limit error", v, err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %v, want little more than the time limit", took)
			}
		})
	}
}

// Paths and options that ask for huge arrays are rejected instead of carried out.
func TestHugeIndexesAreRejected(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`$parseQuery("a[999999999]=x", {"arrayLimit": 1000000000})`,
		`$pick([], ["a"]) ~> $merge() ~> $string() = "{}" ? $parseQuery("a[500000]=x&a[3]=y", {"arrayLimit": 1000000000}) : 1`,
	} {
		program, err := Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		var e *Error
		if v, err := program.Eval(t.Context(), nil, LimitsCondition()); !errors.As(err, &e) || e.Code != dialect.CodeFailed {
			t.Errorf("%s: got %v, error %v, want code %s", src, dialecttest.Plain(v), err, dialect.CodeFailed)
		}
	}
}

func TestEvalHonoursContext(t *testing.T) {
	t.Parallel()
	program, err := Compile(`$sum([1..1000000].($ * 2))`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var e *Error
	if _, err := program.Test(ctx, nil); !errors.As(err, &e) || e.Code != jsonata.CodeCancelled {
		t.Errorf("got error %v, want code %s", err, jsonata.CodeCancelled)
	}
}

func TestCompileErrorHasPlace(t *testing.T) {
	t.Parallel()
	_, err := Compile("integration.name =\n  'calcom' and (")
	var e *Error
	if !errors.As(err, &e) || e.Line != 2 || e.Column == 0 || !strings.HasPrefix(e.Code, "S0") {
		t.Errorf("got %+v, want a syntax error in line 2", err)
	}
}

func TestFunctionErrorHasPlaceAndCode(t *testing.T) {
	t.Parallel()
	program, err := Compile(`{"url": $parseUrl("nowhere")}`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = program.Eval(t.Context(), nil, Limits{})
	var e *Error
	if !errors.As(err, &e) || e.Code != dialect.CodeFailed || e.Line != 1 || e.Column == 0 || e.Message != "Invalid URL" {
		t.Errorf("got %+v, want code %s with a place", err, dialect.CodeFailed)
	}
}

func TestTruthy(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		`null`: false, `false`: false, `0`: false, `""`: false, `[]`: false, `{}`: false, `[0]`: false, `[0, ""]`: false,
		`true`: true, `"false"`: true, `1`: true, `{"a": 0}`: true, `[0, 1]`: true,
	} {
		if got := Truthy(object(t, src)); got != want {
			t.Errorf("%s: got %v, want %v", src, got, want)
		}
	}
	if Truthy(nil) {
		t.Error("undefined: got true, want false")
	}
}
