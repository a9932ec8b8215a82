package jsonata_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/jsonata"
)

func eval(t *testing.T, src string, in jsonata.Input) (jsonata.Value, error) {
	t.Helper()
	program, err := jsonata.Compile(src)
	if err != nil {
		return nil, err
	}
	return program.Eval(t.Context(), in)
}

func decode(t *testing.T, doc string) jsonata.Value {
	t.Helper()
	v, err := jsonata.FromJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEval(t *testing.T) {
	t.Parallel()
	data := decode(t, diffData)
	for _, c := range []struct{ name, src, want string }{
		{"undefined and null differ", `[$exists(n), $exists(missing), n = null, missing = null]`, `[true,false,true,false]`},
		{"order of keys", `{"b": 1, "2": 2, "a": 3, "1": 4}`, `{"1":4,"2":2,"b":1,"a":3}`},
		{"nothing is escaped for HTML", `{"a": "<b>&"}`, `{"a":"<b>&"}`},
		{"a variable shadows a function", `($sum := function($x){$x}; $sum(5))`, `5`},
		{"an inner binding ends with its block", `($x := 1; ($x := 2; $x) & $x)`, `"21"`},
		{"a lambda sees later bindings", `($f := function(){$y}; $y := 3; $f())`, `3`},
		{"a lambda keeps its frame", `($f := [1..3].(($n := $; function(){$n * 10})); $map($f, function($g){$g()}))`, `[10,20,30]`},
		{"tail calls do not grow the stack", `($f := function($n){$n = 0 ? "done" : $f($n - 1)}; $f(20000))`, `"done"`},
		{"tail calls through other functions", `($even := function($n){$n = 0 ? true : $odd($n-1)}; $odd := function($n){$n = 0 ? false : $even($n-1)}; $even(9999))`, `false`},
		{"a transform copies", `($ ~> |items|{"name": "x"}|).items[0].name & items[0].name`, `"xbolt"`},
		{"a transform leaves what is not part of the copy", `($ ~> |$$.items|{"name": "x"}|).items[0].name`, `"bolt"`},
		{"halves of surrogate pairs", `"\uD83D" & "\uDE00"`, `"😀"`},
		{"a lone half is kept", `$length("\uD83D") & "\uD83D"`, `"1\ud83d"`},
		{"look-ahead and back-references", `$match("aa bb ab", /(\w)\1(?= )/).match`, `["aa","bb"]`},
		{"eval sees variables", `($x := 20; $eval("$x + a"))`, `21`},
		{"eval in a loop", `$map([1..3], function($i){$eval("$i * 2")})`, `[2,4,6]`},
		{"a range is not written out", `$count([1..10000000])`, `10000000`},
		{"group by with variables", `items@$i.$i.tags@$t{$t: [$i.name]}`, `{"m":["bolt"],"s":["bolt","nut"]}`},
		{"long chains", strings.Repeat(`"x" & `, 600) + `"y"`, `"` + strings.Repeat("x", 600) + `y"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := eval(t, c.src, jsonata.Input{Data: data})
			if err != nil {
				t.Fatalf("%s: %v", c.src, err)
			}
			if got := string(show(t, v)); got != c.want {
				t.Errorf("%s: got %s, want %s", c.src, got, c.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		src, code, token string
		line, column     int
	}{
		{"a +", "S0207", "", 1, 4},
		{"(a\n  .b", "S0203", "", 2, 5},
		{"é & (", "S0203", "", 1, 6},
		{"1 + 'x'", "T2002", "+", 1, 3},
		{"\n $sum('x')", "T0412", "sum", 2, 6},
		{"$nope(1)", "T1006", "nope", 1, 6},
		{"sum(1)", "T1005", "sum", 1, 4},
		{"$error('boom')", "D3137", "error", 1, 7},
		{"$map([1], function($x){$x + 'a'})", "T2002", "+", 1, 27},
		{"$eval('1 + ')", "D3120", "eval", 1, 6},
		{"/a**/", "S0303", "a**", 1, 1},
	} {
		t.Run(c.src, func(t *testing.T) {
			t.Parallel()
			_, err := eval(t, c.src, jsonata.Input{})
			var e *jsonata.Error
			if !errors.As(err, &e) {
				t.Fatalf("got error %v", err)
			}
			got := fmt.Sprint(e.Code, " ", e.Token, " ", e.Line, ":", e.Column)
			if want := fmt.Sprint(c.code, " ", c.token, " ", c.line, ":", c.column); got != want {
				t.Errorf("got %s (%v), want %s", got, err, want)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		// The official suite has these.
		`$error()`:                        `$error() function evaluated`,
		`$error(missing)`:                 `$error() function evaluated`,
		`$assert(false)`:                  `$assert() statement failed`,
		`$decodeUrl("%E0%A4%A")`:          `Malformed URL passed to $decodeUrl(): "%E0%A4%A"`,
		`$decodeUrlComponent("%E0%A4%A")`: `Malformed URL passed to $decodeUrlComponent(): "%E0%A4%A"`,
		`$uppercase(5)`:                   `argument 1 of $uppercase must be a string, not 5`,
		`$substring("a", "b")`:            `argument 2 of $substring must be a number, not "b"`,
		`$number([1])`:                    `argument 1 of $number must be a string or a number or a boolean, not [1]`,
		`$map([1], 5)`:                    `argument 2 of $map must be a function, not 5`,
		`$map([1])`:                       `argument 2 of $map must be a function, not undefined`,
		`$sum(["x"])`:                     `argument 1 of $sum must be an array of numbers, not ["x"]`,
		`$join([1])`:                      `argument 1 of $join must be an array of strings, not [1]`,
		`$merge("x")`:                     `argument 1 of $merge must be an array of objects, not "x"`,
		`$uppercase("a", "b")`:            `$uppercase takes no argument 2: "b"`,
		`5.$uppercase()`:                  `5 cannot be a step of a path`,
		`[5].$uppercase()`:                `the context item cannot be argument 1 of $uppercase, which must be a string, not 5`,
		`(function($x)<a<o>>{$x})([1])`:   `argument 1 of $( must be an array of objects, not [1]`,
		`$join(?, ",")([{}])`:             `argument 1 of $( must be an array of strings, not [{}]`,
		`$sort(?)("b")`:                   `argument 1 of $( must be an array, not "b"`,
	} {
		_, err := eval(t, src, jsonata.Input{})
		var e *jsonata.Error
		if !errors.As(err, &e) || e.Message != want {
			t.Errorf("%s: got error %v, want %s", src, err, want)
		}
	}
}

// clockHost is a host object with a field and a method.
type clockHost struct{ hours float64 }

func (h *clockHost) Member(name string) (jsonata.Value, bool) {
	switch name {
	case "hours":
		return h.hours, true
	case "plus":
		return jsonata.NewFunction(jsonata.Func{Name: "plus", Params: 1, Call: func(c *jsonata.Call) (jsonata.Value, error) {
			n, _ := c.Arg(0).(float64)
			return &clockHost{h.hours + n}, nil
		}}), true
	}
	return nil, false
}

func (h *clockHost) JSON() jsonata.Value { return fmt.Sprintf("%v:00", h.hours) }

// listedHost is a host object whose members can be listed.
type listedHost struct{ clockHost }

func (h *listedHost) Names() []string { return []string{"hours", "plus"} }

func TestHostObjects(t *testing.T) {
	t.Parallel()
	in := jsonata.Input{Bindings: map[string]jsonata.Value{"c": &clockHost{7}, "l": &listedHost{clockHost{8}}}}
	for src, want := range map[string]string{
		`$c.hours`:                        `7`,
		`$c.plus(2).plus(1).hours`:        `10`,
		`$c.missing`:                      `undefined`,
		`{"at": $c.plus(1)}`:              `{"at":"8:00"}`,
		`$string({"at": $c})`:             `"{\"at\":\"7:00\"}"`,
		`$type($c)`:                       `"object"`,
		`$boolean($c)`:                    `true`,
		`$c = $c`:                         `true`,
		`[$c, $c].hours`:                  `[7,7]`,
		`$keys($c)`:                       `undefined`,
		`$keys($l)`:                       `["hours","plus"]`,
		`$keys([$l, {"a": 1}])`:           `["hours","plus","a"]`,
		`$l.*[0]`:                         `8`,
		`$l.**[1]`:                        `8`,
		`$spread($l)[0]`:                  `{"hours":8}`,
		`$merge([$l, {"a": 1}])`:          `{"hours":8,"a":1}`,
		`$each($l, function($v, $k){$k})`: `["hours","plus"]`,
		`$sift($l, function($v, $k){$k="hours"})`: `{"hours":8}`,
		`{"at": $l}`: `{"at":"8:00"}`,
	} {
		v, err := eval(t, src, in)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := string(show(t, v)); got != want {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
	}
}

func TestHostFunctions(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	lib, err := jsonata.NewLibrary(jsonata.Standard(),
		jsonata.Func{Name: "twice", Params: 2, Call: func(c *jsonata.Call) (jsonata.Value, error) {
			v, err := c.Apply(c.Arg(0), c.Arg(1))
			if err != nil {
				return nil, err
			}
			return c.Apply(c.Arg(0), v)
		}},
		jsonata.Func{Name: "args", Call: func(c *jsonata.Call) (jsonata.Value, error) {
			kinds := jsonata.NewArray()
			for _, a := range c.Args {
				kinds.Append(fmt.Sprintf("%T", a))
			}
			return kinds, nil
		}},
		jsonata.Func{Name: "fail", Call: func(*jsonata.Call) (jsonata.Value, error) { return nil, broken }},
		jsonata.Func{Name: "panic", Call: func(*jsonata.Call) (jsonata.Value, error) { panic("oops") }},
		jsonata.Func{Name: "one", Call: func(*jsonata.Call) (jsonata.Value, error) { return jsonata.NewArray(1.0), nil }},
	)
	if err != nil {
		t.Fatal(err)
	}
	run := func(src string) (jsonata.Value, error) {
		program, err := lib.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		return program.Eval(t.Context(), jsonata.Input{Data: jsonata.NewObject(0)})
	}
	for src, want := range map[string]string{
		`$twice(function($x){$x * 3}, 2)`: `18`,
		`$args(missing, null, 1)`:         `["\u003cnil\u003e","jsonata.Null","float64"]`,
		`$one()`:                          `[1]`, // no singleton collapse
		`$args()`:                         `[]`,
	} {
		v, err := run(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if !sameJSON(t, show(t, v), []byte(want), false) {
			t.Errorf("%s: got %s, want %s", src, show(t, v), want)
		}
	}
	var e *jsonata.Error
	if _, err := run(`1 + $fail()`); !errors.Is(err, broken) || !errors.As(err, &e) || e.Code != jsonata.CodeHost || e.Column != 10 {
		t.Errorf("got error %v, want one that wraps that of the host function", err)
	}
	if _, err := run(`$panic()`); !errors.As(err, &e) || e.Code != jsonata.CodeInternal {
		t.Errorf("got error %v, want an internal error", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("server stops")
	cancel(cause)
	late, cancelLate := context.WithDeadline(context.Background(), time.Unix(0, 0))
	t.Cleanup(cancelLate)
	for _, c := range []struct {
		name, src, code string
		ctx             context.Context //nolint:containedctx // a table
		limits          jsonata.Limits
	}{
		{"steps", `($f := function(){$f()}; $f())`, jsonata.CodeSteps, nil, jsonata.Limits{Steps: 1000}},
		{"depth", `($f := function(){1 + $f()}; $f())`, jsonata.CodeDepth, nil, jsonata.Limits{}},
		{"depth at its most", `($f := function($x){1 + $map([1], $f)}; $f(1))`, jsonata.CodeDepth, nil, jsonata.Limits{Depth: math.MaxInt, Steps: math.MaxInt, Output: math.MaxInt}},
		{"output", `$pad("x", 100)`, jsonata.CodeOutput, nil, jsonata.Limits{Output: 50}},
		{"sequence", `[1..100].($)`, jsonata.CodeSequence, nil, jsonata.Limits{Output: 500}},
		{"time", `($f := function(){$f()}; $f())`, jsonata.CodeTimeout, nil, jsonata.Limits{Timeout: time.Millisecond, Steps: math.MaxInt}},
		{"cancelled", `1`, jsonata.CodeCancelled, ended, jsonata.Limits{}},
		{"deadline of the context", `1`, jsonata.CodeTimeout, late, jsonata.Limits{}},
		{"inside eval", `$eval("($f := function(){$f()}; $f())")`, jsonata.CodeSteps, nil, jsonata.Limits{Steps: 1000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			program, err := jsonata.Compile(c.src)
			if err != nil {
				t.Fatal(err)
			}
			_, err = program.Eval(c.ctx, jsonata.Input{Limits: c.limits})
			var e *jsonata.Error
			if !errors.As(err, &e) || e.Code != c.code || !e.IsLimit() {
				t.Errorf("got error %v, want limit error %s", err, c.code)
			}
			if c.name == "cancelled" && !errors.Is(err, cause) {
				t.Errorf("error %v does not wrap the cause", err)
			}
		})
	}
}

// TestConcurrent evaluates one program, which calls lambdas, host functions,
// $eval and regular expressions, in many goroutines. It is worth running with
// -race.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	program, err := benchLibrary(t).Compile(`(
		$f := function($x){$x.name & $mapValues($x.name, {"nut": "N"})};
		{"a": items.$f($), "b": $eval("$count(items)"), "c": $match(s, /o/).index, "d": items^(>price).id,
		 "e": items@$i.tags@$t.[$i.id, $t], "f": $ ~> |items|{"n": 1}|, "g": $now(), "h": items.sub.%.id}
	)`)
	if err != nil {
		t.Fatal(err)
	}
	in := jsonata.Input{Data: decode(t, diffData), Now: func() time.Time { return time.UnixMilli(0) }}
	first, err := program.Eval(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				v, err := program.Eval(t.Context(), in)
				if err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(string(show(t, first)), string(show(t, v))); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestFormatNumber(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]float64{
		"0": math.Copysign(0, -1), "1": 1, "-1.5": -1.5, "1e+21": 1e21, "100000000000000000000": 1e20, "1e-7": 1e-7, "0.000001": 1e-6,
		"1.5e+300": 1.5e300, "5e-324": 5e-324, "NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1),
		"9007199254740993": 9007199254740992 + 1, "0.1": 0.1, "1234567890123456800": 1234567890123456789, "1.2e-10": 1.2e-10,
	} {
		if want == "9007199254740993" {
			want = "9007199254740992" // the nearest number
		}
		if got := jsonata.FormatNumber(f); got != want {
			t.Errorf("FormatNumber(%g): got %s, want %s", f, got, want)
		}
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	in := map[string]any{"b": 1, "a": []any{nil, "x", true, 2.5}, "t": time.Unix(0, 0).UTC()}
	v, err := jsonata.FromGo(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(show(t, v)), `{"a":[null,"x",true,2.5],"b":1,"t":"1970-01-01T00:00:00Z"}`; got != want {
		t.Errorf("FromGo: got %s, want %s", got, want)
	}
	nested, err := json.Marshal(map[string]any{"v": v, "n": jsonata.Null{}, "l": jsonata.NewArray(1.0, "x")})
	if got, want := string(nested), `{"l":[1,"x"],"n":null,"v":{"a":[null,"x",true,2.5],"b":1,"t":"1970-01-01T00:00:00Z"}}`; got != want || err != nil {
		t.Errorf("values in a Go map: got %s, error %v, want %s", got, err, want)
	}
	want := map[string]any{"a": []any{nil, "x", true, 2.5}, "b": 1.0, "t": "1970-01-01T00:00:00Z"}
	if diff := cmp.Diff(want, jsonata.ToGo(v)); diff != "" {
		t.Errorf("ToGo (-want +got):\n%s", diff)
	}
	for doc, want := range map[string]string{
		`{"a":1,"b":2,"a":3}`:                `{"a":3,"b":2}`,
		`{"10":1,"9":2,"x":0}`:               `{"9":2,"10":1,"x":0}`,
		"\n[ 1 , -0.5e1, \"\\u0041\\n\" ]\t": `[1,-5,"A\n"]`,
	} {
		if got := string(show(t, decode(t, doc))); got != want {
			t.Errorf("%s: got %s, want %s", doc, got, want)
		}
	}
	for _, doc := range []string{"", "[", "[1,]", `{"a"}`, `{"a":1,}`, "01", "1.", "-", "tru", `"a`, `"\x"`, "\"\n\"", "1 2", "nul", strings.Repeat("[", 20000)} {
		if _, err := jsonata.FromJSON([]byte(doc)); err == nil {
			t.Errorf("%.20q is no JSON but was decoded", doc)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o := jsonata.NewObject(0)
	for i := range 40 {
		o.Set(fmt.Sprintf("k%d", i), float64(i))
	}
	for i := 39; i >= 0; i -= 2 {
		o.Set(fmt.Sprint(i), float64(i))
	}
	o.Delete("k0")
	o.Delete("1")
	o.Delete("absent")
	o.Set("k5", "new")
	if got := o.Keys()[:3]; !cmp.Equal(got, []string{"3", "5", "7"}) {
		t.Errorf("first keys are %v", got)
	}
	if v, ok := o.Get("k5"); v != "new" || !ok || o.Len() != 58 {
		t.Errorf("Get(k5) is %v, %v; Len is %d", v, ok, o.Len())
	}
	for key, v := range o.All() {
		if got, ok := o.Get(key); got != v || !ok {
			t.Errorf("Get(%s): got %v, want %v", key, got, v)
		}
	}
}

func TestObjectBuiltInBulk(t *testing.T) {
	t.Parallel()
	var doc strings.Builder
	doc.WriteString(`{"z":0`)
	for i := 200_000; i > 0; i-- {
		fmt.Fprintf(&doc, `,"%d":%d`, i, i)
	}
	doc.WriteString(`,"a":0,"z":1}`)
	o, ok := decode(t, doc.String()).(*jsonata.Object)
	if !ok || o.Len() != 200_002 {
		t.Fatal("not the object that was written")
	}
	keys := o.Keys()
	if v, _ := o.Get("z"); keys[0] != "1" || keys[199_999] != "200000" || keys[200_000] != "z" || keys[200_001] != "a" || v != 1.0 {
		t.Errorf("keys are %v ... %v, z is %v", keys[:2], keys[199_998:], v)
	}
}
