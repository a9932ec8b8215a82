package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

type jsonataTestCmd struct {
	Dialect string   `help:"Functions for all lines: truto or standard. Without it, standard for lines with kind, truto for the others." enum:",truto,standard" default:""`
	Files   []string `arg:"" help:"Files with one case a line." name:"file" type:"existingfile"`
}

// maxLine bounds a line of a file with cases.
const maxLine = 64 << 20

// Run runs every case of every file, prints what fails, and a count at the end.
func (c *jsonataTestCmd) Run(ctx context.Context, s *streams) error {
	passed, failed := 0, 0
	for _, name := range c.Files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		p, n, err := c.file(ctx, s.out, name, f)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		passed, failed = passed+p, failed+n
	}
	_, _ = fmt.Fprintf(s.out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		return exitError(1)
	}
	return nil
}

func (c *jsonataTestCmd) file(ctx context.Context, out io.Writer, name string, r io.Reader) (int, int, error) {
	passed, failed := 0, 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for number := 1; lines.Scan(); number++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		t, err := parseCase(lines.Bytes())
		if err != nil {
			return passed, failed, fmt.Errorf("line %d: %w", number, err)
		}
		if problem := t.run(ctx, c.Dialect); problem != "" {
			failed++
			_, _ = fmt.Fprintf(out, "FAIL %s:%d %s\n  %s\n%s\n", name, number, t.title(), t.source(), indent(problem))
			continue
		}
		passed++
	}
	return passed, failed, lines.Err()
}

func indent(s string) string { return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") }

// testCase is a line of any of the three forms: an expression with kind, an expression with a result or an error, a
// template with a result or an error.
type testCase struct {
	ID   string          `json:"id"`
	Name string          `json:"name"`
	Expr json.RawMessage `json:"expr"`

	Kind      string          `json:"kind"` // result, undefined, error
	HasData   bool            `json:"has_data"`
	Data      json.RawMessage `json:"data"`
	Bindings  json.RawMessage `json:"bindings"`
	Code      string          `json:"code"`
	Unordered bool            `json:"unordered"`
	TimeLimit int             `json:"timelimit"` // ms
	Depth     int             `json:"depth"`

	Input     json.RawMessage `json:"input"`
	NoInput   bool            `json:"no_input"`
	Result    json.RawMessage `json:"result"`
	Undefined bool            `json:"undefined"`
	Special   string          `json:"result_special"` // NaN, Infinity, -Infinity
	ErrorCode string          `json:"error_code"`

	Template json.RawMessage `json:"template"`
	Context  json.RawMessage `json:"context"`
	Error    json.RawMessage `json:"error"`
}

func parseCase(line []byte) (*testCase, error) {
	t := &testCase{}
	if err := json.Unmarshal(line, t); err != nil {
		return nil, fmt.Errorf("not a case: %w", err)
	}
	switch {
	case len(t.Template) > 0 && len(t.Expr) > 0:
		return nil, errors.New("a case has expr or template, not both")
	case len(t.Template) == 0 && len(t.Expr) == 0:
		return nil, errors.New("a case needs expr or template")
	case len(t.Template) == 0 && t.Kind == "" && len(t.Result) == 0 && !t.Undefined && t.Special == "" && t.ErrorCode == "":
		return nil, errors.New("a case needs result, undefined, result_special or error_code")
	case len(t.Template) > 0 && len(t.Result) == 0 && !t.Undefined && len(t.Error) == 0:
		return nil, errors.New("a case needs result, undefined or error")
	}
	return t, nil
}

func (t *testCase) title() string { return t.ID + t.Name }

func (t *testCase) source() string {
	if len(t.Template) > 0 {
		return string(t.Template)
	}
	v, err := jsonata.FromJSON(t.Expr) // keeps halves of surrogate pairs, unlike encoding/json
	if s, ok := v.(string); ok && err == nil {
		return s
	}
	return string(t.Expr)
}

// run returns what is wrong, "" when nothing is.
func (t *testCase) run(ctx context.Context, dialect string) string {
	v, err := t.evaluate(ctx, dialect)
	wantCode, wantError := t.wantsError()
	switch {
	case wantError && err == nil:
		return fmt.Sprintf("want error %s\ngot %s", wantCode, show(v))
	case wantError:
		return compareError(err, wantCode)
	case err != nil:
		return fmt.Sprintf("want %s\ngot error %v", t.wanted(), err)
	case t.Undefined || t.Kind == "undefined":
		if v != nil {
			return "want undefined\ngot " + show(v)
		}
		return ""
	case t.Special != "":
		return compareSpecial(v, t.Special)
	}
	return t.compare(v)
}

func (t *testCase) wanted() string {
	if t.Undefined || t.Kind == "undefined" {
		return "undefined"
	}
	return string(t.Result) + t.Special
}

func (t *testCase) wantsError() (string, bool) {
	switch {
	case t.Kind == "error":
		return t.Code, true
	case t.ErrorCode != "":
		return t.ErrorCode, true
	case len(t.Error) > 0 && string(t.Error) != "null":
		return "HOST", true
	}
	return "", false
}

func (t *testCase) evaluate(ctx context.Context, dialect string) (jsonata.Value, error) {
	if len(t.Template) > 0 {
		return t.render()
	}
	library := expr.Dialect()
	if dialect == "standard" || (dialect == "" && t.Kind != "") {
		library = jsonata.Standard()
	}
	program, err := library.Compile(t.source())
	if err != nil {
		return nil, err
	}
	in := jsonata.Input{Limits: expr.LimitsTransform()}
	if t.TimeLimit > 0 {
		in.Limits.Timeout = time.Duration(t.TimeLimit) * time.Millisecond
	}
	if t.Depth > 0 {
		in.Limits.Depth = t.Depth
	}
	data := t.Data
	if t.Kind == "" && !t.NoInput {
		data = t.Input
	}
	if in.Data, err = optional(data); err != nil {
		return nil, err
	}
	bindings, err := optional(t.Bindings)
	if err == nil {
		in.Bindings, err = variables(bindings)
	}
	if err != nil {
		return nil, err
	}
	v, err := program.Eval(ctx, in)
	if err == nil && t.Special == "" {
		_, err = jsonata.ToJSON(v)
	}
	return v, err
}

func (t *testCase) render() (jsonata.Value, error) {
	v, err := jsonata.FromJSON(t.Template)
	if err != nil {
		return nil, err
	}
	scope, err := optional(t.Context)
	if err != nil {
		return nil, err
	}
	template, err := expr.ParseTemplate(v)
	if err != nil {
		return nil, err
	}
	return template.Render(scope)
}

func optional(raw json.RawMessage) (jsonata.Value, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	return jsonata.FromJSON(raw)
}

// compareError accepts HOST for any error, and U1001, by which the official suite means its own limits, for ours.
func compareError(err error, want string) string {
	var e *jsonata.Error
	if want == "HOST" || (errors.As(err, &e) && (e.Code == want || want == "U1001" && e.IsLimit())) {
		return ""
	}
	return fmt.Sprintf("want error %s\ngot error %v", want, err)
}

func compareSpecial(v jsonata.Value, want string) string {
	f, ok := v.(float64)
	got := fmt.Sprint(v)
	if ok && (want == "NaN" && math.IsNaN(f) || want == "Infinity" && math.IsInf(f, 1) || want == "-Infinity" && math.IsInf(f, -1)) {
		return ""
	}
	return "want " + want + "\ngot " + got
}

// compare compares as JSON documents: numbers as doubles, objects without regard to the order of keys.
func (t *testCase) compare(v jsonata.Value) string {
	text, err := jsonata.ToJSON(v)
	if err != nil {
		return err.Error()
	}
	if text == nil {
		return "want " + string(t.Result) + "\ngot undefined"
	}
	var got, want any
	if err := json.Unmarshal(text, &got); err != nil {
		return err.Error()
	}
	if err := json.Unmarshal(t.Result, &want); err != nil {
		return "the expected result is not JSON: " + err.Error()
	}
	if reflect.DeepEqual(got, want) || (t.Unordered && sameSet(got, want)) {
		return ""
	}
	return "(-want +got)\n" + cmp.Diff(want, got)
}

func sameSet(a, b any) bool {
	x, okX := a.([]any)
	y, okY := b.([]any)
	if !okX || !okY || len(x) != len(y) {
		return false
	}
	used := make([]bool, len(y))
next:
	for _, item := range x {
		for i, other := range y {
			if !used[i] && reflect.DeepEqual(item, other) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

func show(v jsonata.Value) string {
	text, err := jsonata.ToJSON(v)
	switch {
	case err != nil:
		return err.Error()
	case text == nil:
		return "undefined"
	}
	return string(text)
}
