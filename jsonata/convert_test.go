package jsonata_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/jsonata"
)

// plainHost is a host object that does not know the types of values.
type plainHost struct{}

func (plainHost) Member(name string) (jsonata.Value, bool) {
	return map[string]any{"year": 2024, "tags": []string{"x"}}[name], true
}

func (plainHost) JSON() jsonata.Value { return map[string]any{"year": 2024} }

// node is a list that may end in itself.
type node struct {
	Next *node `json:"next,omitempty"`
	Up   *node `json:"-"`
}

func chain(n int) *node {
	first := &node{}
	for at := first; n > 0; n-- {
		at.Next = &node{Up: at}
		at = at.Next
	}
	return first
}

// TestPlainGoValues passes Go values that are not those of this package wherever values are taken.
func TestPlainGoValues(t *testing.T) {
	t.Parallel()
	function := func(name string, result any) jsonata.Func {
		return jsonata.Func{Name: name, Call: func(*jsonata.Call) (jsonata.Value, error) { return result, nil }}
	}
	object := jsonata.NewObject(0)
	object.Set("n", 5)
	object.Set("l", []int{1, 2})
	object.Set("s", struct{ A []int }{[]int{4}})
	object.Set("p", (*jsonata.Object)(nil))
	list := jsonata.NewArray(1, "x", nil, map[string]int{"a": 7})
	list.Append(int8(3))
	lib, err := jsonata.NewLibrary(jsonata.Standard(),
		function("int", 5), function("map", map[string]any{"a": []int{1}, "n": nil}), function("object", object), function("list", list),
		function("struct", struct {
			A int `json:"a"`
		}{3}), function("nothing", (*jsonata.Object)(nil)), function("channel", make(chan int)),
		jsonata.Func{Name: "apply", Call: func(c *jsonata.Call) (jsonata.Value, error) { return c.Apply(c.Arg(0), 5, []string{"x"}) }},
	)
	if err != nil {
		t.Fatal(err)
	}
	in := jsonata.Input{
		Data:     map[string]any{"a": map[string]any{"b": 1}, "list": []map[string]int{{"x": 1}, {"x": 2}}, "z": nil, "u": uint8(9)},
		Bindings: map[string]jsonata.Value{"n": 7, "m": map[string]any{"k": "v"}, "host": plainHost{}, "bad": make(chan int)},
	}
	for src, want := range map[string]string{
		`a.b`:                                    `1`,
		`list.x`:                                 `[1,2]`,
		`$sum(list.x) + u`:                       `12`,
		`z`:                                      `null`,
		`$`:                                      `{"a":{"b":1},"list":[{"x":1},{"x":2}],"u":9,"z":null}`,
		`$n + 1`:                                 `8`,
		`$m.k`:                                   `"v"`,
		`$m in [$m]`:                             `true`,
		`$int() + 1`:                             `6`,
		`$map().a[0]`:                            `1`,
		`$exists($map().n)`:                      `true`,
		`$object().n + $sum($object().l)`:        `8`,
		`$list()`:                                `[1,"x",null,{"a":7},3]`,
		`$object().s.A`:                          `[4]`,
		`$object().s`:                            `{"A":[4]}`,
		`$object().p.x`:                          `undefined`,
		`$list()[3].a`:                           `7`,
		`$struct().a`:                            `3`,
		`$exists($nothing())`:                    `false`,
		`$apply(function($x, $y){[$x + 1, $y]})`: `[6,"x"]`,
		`$host.year + 1`:                         `2025`,
		`$host.tags`:                             `["x"]`,
		`[$host].year`:                           `2024`,
		`{"h": $host}`:                           `{"h":{"year":2024}}`,
		`$string($host)`:                         `"{\"year\":2024}"`,
		`$host.*`:                                `2024`,
	} {
		program, err := lib.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		v, err := program.Eval(t.Context(), in)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := string(show(t, v)); got != want {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
	}
	for _, src := range []string{`$channel()`, `$bad`, `[$bad]`} {
		program, err := lib.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		_, err = program.Eval(t.Context(), in)
		var e *jsonata.Error
		if !errors.As(err, &e) || e.Code != jsonata.CodeHost || !strings.Contains(e.Message, "chan int") {
			t.Errorf("%s: got error %v, want one that names the type", src, err)
		}
	}
	program, err := jsonata.Compile(`$`)
	if err != nil {
		t.Fatal(err)
	}
	var e *jsonata.Error
	if _, err := program.Eval(t.Context(), jsonata.Input{Data: func() {}}); !errors.As(err, &e) || e.Code != jsonata.CodeHost {
		t.Errorf("got error %v for a Go function as input", err)
	}
}

func TestConvertPlainGoValues(t *testing.T) {
	t.Parallel()
	in := map[string]any{"b": []int{1}, "a": map[string]string{"x": "y"}}
	if data, err := jsonata.ToJSON(in); err != nil || string(data) != `{"a":{"x":"y"},"b":[1]}` {
		t.Errorf("ToJSON: got %s, error %v", data, err)
	}
	if data, err := jsonata.ToJSON(make(chan int)); err == nil {
		t.Errorf("ToJSON of a channel: got %s", data)
	}
	if data, err := jsonata.ToJSON(jsonata.NewArray(make(chan int))); err == nil {
		t.Errorf("ToJSON of an array with a channel: got %s", data)
	}
	if got := jsonata.ToGo(jsonata.NewArray(1, 2.5)).([]any); got[0] != 1.0 || got[1] != 2.5 {
		t.Errorf("ToGo: got %v", got)
	}
	if !jsonata.Boolean(5) || jsonata.Boolean(0) || jsonata.Boolean(map[string]any{}) || !jsonata.Boolean([]int{1}) {
		t.Error("Boolean takes plain values for something else")
	}
}

// TestFromGoOfCycles checks that values without an end, or too deep for the stack, are errors.
func TestFromGoOfCycles(t *testing.T) {
	t.Parallel()
	list := []any{1}
	list[0] = list
	object := map[string]any{}
	object["self"] = []any{object}
	ring := &node{}
	ring.Next = ring
	var deep any = 1
	for range 2_000_000 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{
		"slice": list, "map": object, "pointers": ring, "pointers in a map": map[string]any{"x": ring}, "deep slices": deep, "deep pointers": chain(2_000_000),
	} {
		if _, err := jsonata.FromGo(v); err == nil {
			t.Errorf("%s: got no error", name)
		}
		if _, err := jsonata.ToJSON(v); err == nil {
			t.Errorf("%s: ToJSON gave no error", name)
		}
	}
	if v, err := jsonata.FromGo(chain(100)); err != nil || v == nil {
		t.Errorf("a list of 100: %v", err)
	}
}
