package dialect

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/millrace/millrace/internal/dialect/dialecttest"
	"github.com/millrace/millrace/jsonata"
)

// vector is one expression with the result that the reference implementation computed.
type vector struct {
	Name         string                     `json:"name"`
	Fn           string                     `json:"fn"`
	RawExpr      json.RawMessage            `json:"expr"`
	Expr         string                     `json:"-"`
	Input        json.RawMessage            `json:"input"`
	NoInput      bool                       `json:"no_input"`
	Bindings     map[string]json.RawMessage `json:"bindings"`
	Result       json.RawMessage            `json:"result"`
	Special      string                     `json:"result_special"`
	Undefined    bool                       `json:"undefined"`
	ErrorCode    string                     `json:"error_code"`
	ErrorKind    string                     `json:"error_kind"`
	ErrorMessage string                     `json:"error_message"`
}

func TestDialectVectors(t *testing.T) {
	t.Parallel()
	groups := make(map[string][]vector)
	for _, path := range []string{"testdata/truto-jsonata.jsonl", "testdata/functions.jsonl"} {
		for _, v := range dialecttest.ReadLines[vector](t, path) {
			v.Expr = dialecttest.DecodeText(t, v.RawExpr)
			groups[v.Fn] = append(groups[v.Fn], v)
		}
	}
	for fn, vectors := range groups {
		t.Run(fn, func(t *testing.T) {
			t.Parallel()
			for _, v := range vectors {
				checkVector(t, v)
			}
		})
	}
}

func checkVector(t *testing.T, v vector) {
	t.Helper()
	got, err := evalVector(t, v)
	switch {
	case v.ErrorCode != "":
		checkVectorError(t, v, got, err)
	case err != nil:
		t.Errorf("%s: %s: got error %v, want %s%s", v.Name, v.Expr, err, v.Result, v.Special)
	case v.Undefined:
		if _, isFunction := got.(*jsonata.Function); got != nil && !isFunction {
			t.Errorf("%s: %s: got %v, want undefined", v.Name, v.Expr, dialecttest.Plain(got))
		}
	case v.Special != "":
		if f, ok := got.(float64); !ok || jsonata.FormatNumber(f) != v.Special {
			t.Errorf("%s: %s: got %v, want %s", v.Name, v.Expr, got, v.Special)
		}
	default:
		checkResult(t, v, got)
	}
}

func checkResult(t *testing.T, v vector, got jsonata.Value) {
	t.Helper()
	want := dialecttest.Plain(dialecttest.Decode(t, v.Result))
	if got == nil {
		t.Errorf("%s: %s: got undefined, want %s", v.Name, v.Expr, v.Result)
	} else if diff := cmp.Diff(want, dialecttest.Plain(got)); diff != "" {
		t.Errorf("%s: %s: (-want +got)\n%s", v.Name, v.Expr, diff)
	}
}

// checkVectorError expects JSONata's own errors by their code. Of errors that come from a function only the message
// of those that the function wrote itself is compared.
func checkVectorError(t *testing.T, v vector, got jsonata.Value, err error) {
	t.Helper()
	var e *jsonata.Error
	switch {
	case err == nil:
		t.Errorf("%s: %s: got %v, want error %s %q", v.Name, v.Expr, dialecttest.Plain(got), v.ErrorCode, v.ErrorMessage)
	case !errors.As(err, &e):
		t.Errorf("%s: %s: got error %v, which has no code", v.Name, v.Expr, err)
	case v.ErrorCode != "HOST" && e.Code != v.ErrorCode:
		t.Errorf("%s: %s: got error %v, want code %s", v.Name, v.Expr, err, v.ErrorCode)
	case v.ErrorKind == "function" && !strings.Contains(e.Message, v.ErrorMessage):
		t.Errorf("%s: %s: got error %v, want the message %q", v.Name, v.Expr, err, v.ErrorMessage)
	}
}

func evalVector(t *testing.T, v vector) (jsonata.Value, error) {
	t.Helper()
	program, err := Library().Compile(v.Expr)
	if err != nil {
		return nil, err
	}
	in := jsonata.Input{Bindings: make(map[string]jsonata.Value), Limits: jsonata.Limits{Timeout: time.Minute}}
	if !v.NoInput {
		in.Data = dialecttest.Decode(t, v.Input)
	}
	for name, raw := range v.Bindings {
		in.Bindings[name] = dialecttest.Decode(t, raw)
	}
	return program.Eval(t.Context(), in)
}

// suiteCase is one case of JSONata's official suite.
type suiteCase struct {
	ID        string                     `json:"id"`
	RawExpr   json.RawMessage            `json:"expr"`
	Expr      string                     `json:"-"`
	HasData   bool                       `json:"has_data"`
	Data      json.RawMessage            `json:"data"`
	Bindings  map[string]json.RawMessage `json:"bindings"`
	Kind      string                     `json:"kind"`
	Result    json.RawMessage            `json:"result"`
	Code      string                     `json:"code"`
	Unordered bool                       `json:"unordered"`
	Depth     int                        `json:"depth"`
}

// exempt are the cases in which the dialect's own functions differ from JSONata's.
func exempt(id string) bool {
	return slices.ContainsFunc([]string{
		"encoding/case001", "encoding/case003", "function-applications/case002", "function-join/case002",
		"function-join/case006", "function-join/case007", "function-join/case008", "function-join/case009",
		"function-join/case010", "function-join/case011", "function-signatures/case018", "function-string/case030",
	}, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
}

// TestOfficialSuite runs JSONata's suite with the dialect's functions. The suite is not part of the repository.
func TestOfficialSuite(t *testing.T) {
	t.Parallel()
	for _, c := range dialecttest.ReadLines[suiteCase](t, dialecttest.Suite(t)) {
		if exempt(c.ID) {
			continue
		}
		c.Expr = dialecttest.DecodeText(t, c.RawExpr)
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			checkSuiteCase(t, c)
		})
	}
}

func checkSuiteCase(t *testing.T, c suiteCase) {
	t.Helper()
	got, err := evalSuiteCase(t, c)
	switch c.Kind {
	case "error":
		var e *jsonata.Error
		limit := c.Code == "U1001" && errors.As(err, &e) && e.IsLimit()
		if !limit && (!errors.As(err, &e) || c.Code != "" && e.Code != c.Code) {
			t.Errorf("%s: got %v, error %v, want error %s", c.Expr, dialecttest.Plain(got), err, c.Code)
		}
	case "undefined":
		if err != nil || got != nil {
			t.Errorf("%s: got %v, error %v, want undefined", c.Expr, dialecttest.Plain(got), err)
		}
	default:
		want := dialecttest.Plain(dialecttest.Decode(t, c.Result))
		var options cmp.Options
		if c.Unordered {
			options = append(options, cmpopts.SortSlices(func(a, b any) bool { return toText(a) < toText(b) }))
		}
		if err != nil {
			t.Errorf("%s: got error %v, want %s", c.Expr, err, c.Result)
		} else if diff := cmp.Diff(want, dialecttest.Plain(got), options); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.Expr, diff)
		}
	}
}

func toText(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func evalSuiteCase(t *testing.T, c suiteCase) (jsonata.Value, error) {
	t.Helper()
	program, err := Library().Compile(c.Expr)
	if err != nil {
		return nil, err
	}
	// Some cases count to ten million or build large arrays, which the limits of production would stop.
	in := jsonata.Input{Bindings: make(map[string]jsonata.Value), Limits: jsonata.Limits{Steps: 1 << 28, Output: 1 << 28}}
	if c.Code == "U1001" {
		in.Limits.Steps, in.Limits.Depth = 1<<20, c.Depth
	}
	if c.HasData {
		in.Data = dialecttest.Decode(t, c.Data)
	}
	for name, raw := range c.Bindings {
		in.Bindings[name] = dialecttest.Decode(t, raw)
	}
	return program.Eval(t.Context(), in)
}

// TestGeneratedVectors compares random expressions over dates and documents with what the reference computed for them.
func TestGeneratedVectors(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"dates", "documents"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for _, v := range dialecttest.ReadLines[vector](t, "testdata/"+file+".jsonl") {
				v.Expr = dialecttest.DecodeText(t, v.RawExpr)
				checkVector(t, v)
			}
		})
	}
}

// TestKeysOfHosts checks what the reference implementation does not do: there, $keys gives the private fields of a date-time, and none
// of an address.
func TestKeysOfHosts(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`$keys($parseUrl("https://a.b"))[0]`:             "href",
		`$keys($dtFromIso("2024-01-02"))[0]`:             "year",
		`$keys([$dtFromIso("2024-01-02"), {"a":1}])[-1]`: "a",
	} {
		got, err := evalVector(t, vector{Expr: src, NoInput: true})
		if err != nil || got != want {
			t.Errorf("%s: got %v, error %v, want %s", src, got, err, want)
		}
	}
}
