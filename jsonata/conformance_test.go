package jsonata_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/millrace/millrace/jsonata"
)

// conformanceCase is one case of testdata/conformance, with the result that the reference implementation gives.
type conformanceCase struct {
	File     string
	Line     int
	Expr     string
	Input    string // JSON; empty: undefined
	Bindings string
	Limits   string
	Want     string
}

// conformanceClock is the time at which regenerate.mjs evaluates, 2024-05-17T10:20:30.456Z.
const conformanceClock = 1715941230456

// conformanceFile reads one file of cases; testdata/conformance/README.md describes its form.
func conformanceFile(t *testing.T, path string) []conformanceCase {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []conformanceCase
	c := conformanceCase{File: filepath.Base(path)}
	waiting := false // for the result of the last expression
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		isResult := strings.HasPrefix(line, "=> ") || strings.HasPrefix(line, "!! ")
		if isResult != waiting {
			t.Fatalf("%s:%d: an expression without a result, or a result without an expression; run regenerate.mjs", path, i+1)
		}
		if isResult {
			c.Want, waiting = line, false
			cases = append(cases, c)
			continue
		}
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		c.Line = i + 1
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t") {
			i++
			line += "\n" + lines[i][1:]
		}
		setting, ok := strings.CutPrefix(line, "--- ")
		if !ok {
			c.Expr, waiting = line, true
			continue
		}
		key, value, _ := strings.Cut(setting, " ")
		switch key {
		case "input":
			c.Input = value
		case "bindings":
			c.Bindings = value
		case "limits":
			c.Limits = value
		case "source":
			c.Expr, waiting = decode(t, value).(string), true
		default:
			t.Fatalf("%s:%d: unknown setting %q", path, i+1, key)
		}
	}
	if waiting {
		t.Fatalf("%s ends with an expression without a result; run regenerate.mjs", path)
	}
	return cases
}

// conformanceCases reads all files.
func conformanceCases(t *testing.T) []conformanceCase {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files: %v", err)
	}
	var cases []conformanceCase
	for _, path := range files {
		cases = append(cases, conformanceFile(t, path)...)
	}
	return cases
}

// TestConformance compares with the reference implementation: values to the last digit and member, errors by code,
// token, argument and place.
func TestConformance(t *testing.T) {
	t.Parallel()
	cases := conformanceCases(t)
	agree := 0
	known := make(map[string]int)
	for i := range cases {
		c := &cases[i]
		got := c.differs(t)
		if ours, ok := knownDifferences[c.Expr]; ok {
			known[c.Expr]++
			if got != ours.result {
				t.Errorf("%s:%d: %s\n got  %s\n the known difference is %s", c.File, c.Line, c.Expr, cmp.Or(got, "what the reference gives"), ours.result)
			}
			continue
		}
		if got != "" {
			t.Errorf("%s:%d: %s\n got  %s\n want %s", c.File, c.Line, c.Expr, got, c.Want)
			continue
		}
		agree++
	}
	for expr := range knownDifferences {
		if known[expr] != 1 {
			t.Errorf("%s is a known difference, and %d cases", expr, known[expr])
		}
	}
	t.Logf("%d of %d cases agree with the reference implementation, %d differ as documented", agree, len(cases), len(known))
}

// TestConformanceIsComplete reminds of functions and error codes that no case has.
func TestConformanceIsComplete(t *testing.T) {
	t.Parallel()
	var all, results strings.Builder
	for _, c := range conformanceCases(t) {
		all.WriteString(c.Expr + "\n")
		results.WriteString(c.Want + "\n")
	}
	data, err := os.ReadFile("testdata/conformance/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct{ Functions, Codes []string }
	if err := json.Unmarshal(data, &reference); err != nil {
		t.Fatal(err)
	}
	if names := jsonata.Standard().Names(); !slices.Equal(names, reference.Functions) {
		t.Errorf("functions\n ours      %v\n reference %v", names, reference.Functions)
	}
	for _, name := range reference.Functions {
		if !regexp.MustCompile(`\$` + name + `\b`).MatchString(all.String()) {
			t.Errorf("no case has $%s", name)
		}
	}
	for _, code := range slices.Compact(slices.Sorted(slices.Values(append(ourCodes(t), reference.Codes...)))) {
		found := strings.Contains(results.String(), "!! "+code)
		if why, ok := codesWithoutCase[code]; ok == found {
			t.Errorf("code %s: found in a case: %v; without a case because: %q", code, found, why)
		}
	}
}

// ourCodes lists the error codes in the source of this package and its internal ones.
func ourCodes(t *testing.T) []string {
	t.Helper()
	var codes []string
	literal := regexp.MustCompile(`"([A-Z]\d{4})"`)
	for _, pattern := range []string{"*.go", "internal/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range literal.FindAllSubmatch(source, -1) {
				codes = append(codes, string(m[1]))
			}
		}
	}
	return codes
}

// differs evaluates a case and returns what comes out if that is not what the reference implementation gives.
func (c *conformanceCase) differs(t *testing.T) string {
	t.Helper()
	v, err := c.eval(t, false)
	if err == nil {
		got := "=> " + showExact(t, v)
		if fromJSON, err := c.eval(t, true); err != nil || "=> "+showExact(t, fromJSON) != got {
			t.Errorf("%s:%d: %s\n got %s from values, and %s, error %v from JSON", c.File, c.Line, c.Expr, got, showExact(t, fromJSON), err)
		}
		if got != c.Want {
			return got
		}
		return ""
	}
	var e *jsonata.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	for _, e := range []*jsonata.Error{e, e.WithoutValues()} {
		if e.Message == "" || placeholder.MatchString(e.Message) {
			t.Errorf("%s:%d: %s\n has the message %q", c.File, c.Line, c.Expr, e.Message)
		}
	}
	if got := showConformanceError(t, e); !sameError(e, c.Expr, c.Want) {
		return got
	}
	return ""
}

// eval evaluates a case, on values or on JSON that is decoded as far as needed.
func (c *conformanceCase) eval(t *testing.T, fromJSON bool) (jsonata.Value, error) {
	t.Helper()
	program, err := jsonata.Compile(c.Expr)
	if err != nil {
		return nil, err
	}
	in := jsonata.Input{Now: func() time.Time { return time.UnixMilli(conformanceClock) }}
	switch {
	case c.Input == "":
	case fromJSON:
		in.JSON = []byte(c.Input)
	default:
		in.Data = decode(t, c.Input)
	}
	if c.Bindings != "" {
		in.Bindings = maps.Collect(decode(t, c.Bindings).(*jsonata.Object).All())
	}
	if c.Limits != "" {
		var l struct{ Stack, Timeout int }
		if err := json.Unmarshal([]byte(c.Limits), &l); err != nil {
			t.Fatal(err)
		}
		in.Limits = jsonata.Limits{Depth: l.Stack, Timeout: time.Duration(l.Timeout) * time.Millisecond}
	}
	return program.Eval(t.Context(), in)
}

// placeholder is what the templates of messages have for parts that are filled in.
var placeholder = regexp.MustCompile(`%[tfvi]\b`)

// errorLine is how a case file describes an error.
var errorLine = regexp.MustCompile(`^!! (\w+)(?: at (\d+))?(?: token ("(?:[^"\\]|\\.)*"))?(?: argument (\d+))?$`)

// sameError tells whether an error is the one that a case expects. Ours may have a token, an argument or a place where
// the reference has none, never another one.
func sameError(e *jsonata.Error, src, want string) bool {
	m := errorLine.FindStringSubmatch(want)
	if m == nil || m[1] != e.Code {
		return false
	}
	if m[2] != "" {
		at, _ := strconv.Atoi(m[2])
		if e.Line == 0 || !samePlace(src, e.Offset, at) {
			return false
		}
	}
	if m[3] != "" && e.Code != "S0217" { // the reference names a kind of node there
		var token string
		if json.Unmarshal([]byte(m[3]), &token) != nil || token != "(end)" && token != e.Token {
			return false
		}
	}
	// The index of D3138 is that of an item.
	return m[4] == "" || e.Code == "D3138" || m[4] == strconv.Itoa(e.Index)
}

// oneToken is a piece of source that the reader of expressions takes at once.
var oneToken = regexp.MustCompile(`^(?s:[\p{L}\p{N}_$.+-]+|".*|'.*|\x60.*|/.*|\.\.|[:!<>?~]=?>?|\?[:?]|\*\*|.)?$`)

// samePlace compares where an error is. Ours is where the token begins; that of the reference is where it has read the
// token, in UTF-16 code units. Of an error inside a function that a built-in function calls, it is the call of the
// built-in function.
func samePlace(src string, offset, want int) bool {
	units := utf16.Encode([]rune(src))
	if want > len(units) {
		return offset == len(src)
	}
	before := string(utf16.Decode(units[:want]))
	if token, ok := strings.CutPrefix(before, src[:offset]); ok {
		return oneToken.MatchString(token)
	}
	return strings.HasSuffix(before, "(") && strings.Contains(src[len(before):offset], "function")
}

// showExact writes a value as JSON, with words for what JSON lacks.
func showExact(t *testing.T, v jsonata.Value) string {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return "undefined"
	case *jsonata.Function:
		return "function"
	case float64:
		switch {
		case v != v:
			return "NaN"
		case math.IsInf(v, 0):
			return strings.TrimPrefix(strconv.FormatFloat(v, 'f', -1, 64), "+") + "inity"
		case v == 0 && math.Signbit(v):
			return "-0"
		}
	case *jsonata.Array:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = showExact(t, v.At(i))
		}
		return "[" + strings.Join(items, ",") + "]"
	case *jsonata.Object:
		var members []string
		for k, m := range v.All() {
			members = append(members, showExact(t, k)+":"+showExact(t, m))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	return string(show(t, v))
}

// showConformanceError describes an error as a case file does.
func showConformanceError(t *testing.T, e *jsonata.Error) string {
	t.Helper()
	line := "!! " + e.Code
	if e.Line > 0 {
		line += " at " + strconv.Itoa(e.Offset)
	}
	if e.Token != "" {
		line += " token " + string(show(t, e.Token))
	}
	if e.Index > 0 {
		line += " argument " + strconv.Itoa(e.Index)
	}
	return line
}
