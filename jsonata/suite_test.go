package jsonata_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/dialect/dialecttest"
	"github.com/millrace/millrace/jsonata"
)

// suiteCase is one case of the official JSONata test suite.
type suiteCase struct {
	ID        string          `json:"id"`
	RawExpr   json.RawMessage `json:"expr"`
	Expr      string          `json:"-"`
	HasData   bool            `json:"has_data"`
	Data      json.RawMessage `json:"data"`
	Bindings  json.RawMessage `json:"bindings"`
	Kind      string          `json:"kind"`
	Result    json.RawMessage `json:"result"`
	Code      string          `json:"code"`
	Unordered bool            `json:"unordered"`
	Depth     int             `json:"depth"`
	TimeLimit int             `json:"timelimit"`
}

func TestSuite(t *testing.T) { //nolint:tparallel // the cases are counted as they end
	t.Parallel()
	file, err := os.Open(dialecttest.Suite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	passed, total := 0, 0
	for lines.Scan() {
		var c suiteCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		// encoding/json would replace the halves of surrogate pairs.
		expr, err := jsonata.FromJSON(c.RawExpr)
		if err != nil {
			t.Fatal(err)
		}
		c.Expr, _ = expr.(string)
		total++
		if t.Run(c.ID, func(t *testing.T) { runSuiteCase(t, &c) }) {
			passed++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d cases passed", passed, total)
}

func runSuiteCase(t *testing.T, c *suiteCase) {
	t.Helper()
	got, err := evalSuiteCase(t, c)
	switch c.Kind {
	case "error":
		var e *jsonata.Error
		if !errors.As(err, &e) {
			t.Fatalf("%s\ngot %s, error %v, want error %s", c.Expr, show(t, got), err, c.Code)
		}
		// The suite's harness has a code of its own for its limits.
		if e.Code != c.Code && (c.Code != "U1001" || !e.IsLimit()) {
			t.Fatalf("%s\ngot error %v, want %s", c.Expr, err, c.Code)
		}
	case "undefined":
		if err != nil || got != nil {
			t.Fatalf("%s\ngot %s, error %v, want undefined", c.Expr, show(t, got), err)
		}
	default:
		if err != nil {
			t.Fatalf("%s\ngot error %v, want %s", c.Expr, err, c.Result)
		}
		if !sameJSON(t, show(t, got), c.Result, c.Unordered) {
			t.Fatalf("%s\ngot  %s\nwant %s", c.Expr, show(t, got), c.Result)
		}
	}
}

func evalSuiteCase(t *testing.T, c *suiteCase) (jsonata.Value, error) {
	t.Helper()
	program, err := jsonata.Compile(c.Expr)
	if err != nil {
		return nil, err
	}
	in := jsonata.Input{Limits: jsonata.Limits{Depth: c.Depth, Timeout: time.Duration(c.TimeLimit) * time.Millisecond}}
	if c.HasData {
		if in.Data, err = jsonata.FromJSON(c.Data); err != nil {
			t.Fatal(err)
		}
	}
	bindings, err := jsonata.FromJSON(c.Bindings)
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := bindings.(*jsonata.Object); ok {
		in.Bindings = maps.Collect(o.All())
	}
	got, err := program.Eval(t.Context(), in)
	if c.HasData && err == nil && !strings.Contains(c.Expr, "$random") {
		in.Data, in.JSON = nil, c.Data
		raw, err := program.Eval(t.Context(), in)
		if err != nil || !bytes.Equal(show(t, raw), show(t, got)) && !strings.Contains(c.Expr, "$shuffle") && !strings.Contains(c.Expr, "$now") {
			t.Errorf("%s\ngot %s from JSON (error %v) and %s from values", c.Expr, show(t, raw), err, show(t, got))
		}
	}
	return got, err
}

func show(t *testing.T, v jsonata.Value) []byte {
	t.Helper()
	data, err := jsonata.ToJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	if data == nil {
		return []byte("undefined")
	}
	return data
}

// sameJSON compares two documents without regard to the order of keys.
func sameJSON(t *testing.T, got, want []byte, unordered bool) bool {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		return false
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(g, w) {
		return true
	}
	gs, gok := g.([]any)
	ws, wok := w.([]any)
	if !unordered || !gok || !wok || len(gs) != len(ws) {
		return false
	}
	for _, x := range gs {
		found := false
		for i, y := range ws {
			if reflect.DeepEqual(x, y) {
				ws = append(ws[:i:i], ws[i+1:]...)
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}
