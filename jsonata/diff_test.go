package jsonata_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata"
)

// diffData is the document that random expressions are evaluated on.
const diffData = `{"a":1,"b":"two","c":[3,"x",null,true,{"d":4,"e":[5]}],"d":{"e":{"f":"g"},"1":"one"},"n":null,
"items":[{"id":1,"name":"bolt","price":0.5,"tags":["m","s"],"sub":[{"k":"p","v":1},{"k":"q","v":2}]},
{"id":2,"name":"nut","price":0.25,"tags":["s"],"sub":[{"k":"p","v":3}]},{"id":3,"name":"gear","price":12,"tags":[],"sub":[]}],
"empty":[],"one":[7],"nested":[[1,2],[3,[4]]],"t":true,"f":false,"s":"Hello, World","neg":-2.5,"o":{}}`

// TestDifferential compares with the reference implementation: the expressions of
// testdata/differential.txt, and random ones.
func TestDifferential(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MILLRACE_JSONATA_NODE")
	if dir == "" {
		t.Skip("SKIPPED, NOT PASSED: set MILLRACE_JSONATA_NODE to a directory where npm jsonata is installed")
	}
	seed, _ := strconv.ParseUint(os.Getenv("MILLRACE_SEED"), 10, 64)
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("MILLRACE_SEED=%d", seed)
	var exprs []string
	fixed, err := os.ReadFile("testdata/differential.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(fixed), "\n") {
		if line != "" && !strings.HasPrefix(line, "# ") {
			exprs = append(exprs, line)
		}
	}
	n, _ := strconv.Atoi(os.Getenv("MILLRACE_DIFF_COUNT"))
	if n == 0 {
		n = 2000
	}
	for _, d := range compareAll(t, dir, exprs) {
		if d.class.differs() {
			t.Error(d.text)
		}
	}
	g := &generator{rand.New(rand.NewPCG(seed, 0))}
	exprs = nil
	for range n {
		exprs = append(exprs, g.expr(3))
	}
	counts := make(map[class]int)
	for _, d := range compareAll(t, dir, exprs) {
		counts[d.class]++
		if d.class.differs() {
			t.Logf("%s: %s", d.class, d.text)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d %s", counts[c], c)
	}
	// What is not explained is found by random expressions only, and is looked at by hand.
	if bad := counts[classUnexplained]; bad > 2+n/1000 {
		t.Errorf("%d of %d random expressions differ without an explanation", bad, n)
	}
}

// class is what comes of comparing two results.
type class string

const (
	classSame        class = "the same value"
	classError       class = "the same error"
	classOrder       class = "another error, of an expression in which several parts fail"
	classException   class = "the reference fails with an exception of JavaScript"
	classLimit       class = "a limit of this package, or of the reference"
	classChanged     class = "the reference changed its input"
	classFunction    class = "the reference takes a function for an object with members"
	classMethod      class = "the reference's * finds a method of the list that an array constructor at the start of a path is evaluated on"
	classSorted      class = "the reference loses the variables of a path behind an order-by clause"
	classUnexplained class = "not explained"
)

// differs tells whether the results are worth a look.
func (c class) differs() bool {
	return c == classChanged || c == classFunction || c == classMethod || c == classSorted || c == classUnexplained
}

// difference is the result of one comparison.
type difference struct {
	class class
	text  string
}

type oracleResult struct {
	Result    json.RawMessage `json:"result"`
	Undefined bool            `json:"undefined"`
	Code      string          `json:"code"`
	Message   string          `json:"message"`
	Changed   bool            `json:"changed"`
}

// compareAll compares the results of each expression.
func compareAll(t *testing.T, dir string, exprs []string) []difference {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--stack-size=4000", "testdata/oracle.cjs", dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer func() { _ = stdin.Close() }()
		for _, expr := range exprs {
			line, _ := json.Marshal(map[string]any{"expr": expr, "data": json.RawMessage(diffData)})
			if _, err := stdin.Write(append(line, '\n')); err != nil {
				return
			}
		}
	}()
	data, err := jsonata.FromJSON([]byte(diffData))
	if err != nil {
		t.Fatal(err)
	}
	var out []difference
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 64<<20)
	for _, expr := range exprs {
		if !lines.Scan() {
			t.Fatalf("the reference implementation stopped at %s", expr)
		}
		var want oracleResult
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		c, got := compare(t, expr, data, &want)
		out = append(out, difference{c, fmt.Sprintf("%s\n got  %s\n want %s %s %s", expr, got, want.Result, want.Code, want.Message)})
	}
	_ = cmd.Wait()
	return out
}

// compare evaluates an expression, and returns the result beside what the reference implementation makes of it.
func compare(t *testing.T, expr string, data jsonata.Value, want *oracleResult) (class, string) {
	t.Helper()
	var got jsonata.Value
	program, err := jsonata.Compile(expr)
	if err == nil {
		got, err = program.Eval(t.Context(), jsonata.Input{Data: data, Limits: jsonata.Limits{Depth: 2000}})
	}
	var e *jsonata.Error
	shown := fmt.Sprintf("%+v", err)
	if err == nil {
		shown = string(show(t, got))
	}
	switch isError := errors.As(err, &e); {
	case isError && e.Code == want.Code:
		return classError, shown
	case want.Code == "?":
		return classException, shown
	case isError && e.IsLimit() || want.Code == "D1012" || want.Code == "D1011":
		return classLimit, shown
	case isError && want.Code != "" && strings.Contains(expr, ","):
		return classOrder, shown
	case !isError && want.Code == "" && sameResult(t, shown, want):
		return classSame, shown
	case want.Changed:
		return classChanged, shown
	case functionValue.MatchString(expr):
		return classFunction, shown
	case wildcardInArray.MatchString(expr):
		return classMethod, shown
	case sortedTuples.MatchString(expr):
		return classSorted, shown
	}
	return classUnexplained, shown
}

// functionValue is an expression that may give a function: a function that is not called, a regular expression, or a lambda.
var functionValue = regexp.MustCompile(`\$[a-z]{2,}(?:[^a-zA-Z(]|$)|/o/|function\(`)

// wildcardInArray is an array constructor with a wildcard at the start of a path.
var wildcardInArray = regexp.MustCompile(`\[.*\*.*\]\.`)

// sortedTuples is a path that binds variables or parents and is then sorted.
var sortedTuples = regexp.MustCompile(`[@#%].*\^\(`)

func sameResult(t *testing.T, shown string, want *oracleResult) bool {
	t.Helper()
	if shown == "undefined" || want.Result == nil {
		return shown == "undefined" && (want.Undefined || want.Result == nil)
	}
	return sameJSON(t, []byte(shown), want.Result, false)
}

// generator makes random expressions.
type generator struct{ r *rand.Rand }

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) expr(depth int) string {
	if depth == 0 {
		return g.leaf()
	}
	e := func() string { return g.expr(depth - 1) }
	switch g.r.IntN(26) {
	case 0, 1, 2, 3:
		return e() + "." + e()
	case 4:
		return e() + "[" + e() + "]"
	case 5:
		return "(" + e() + ")"
	case 6:
		return "[" + e() + "," + e() + "]"
	case 7:
		return `{"k":` + e() + `,` + g.pick(`"l"`, "name", "$string(id)", "b") + `:` + e() + "}"
	case 8:
		return e() + g.pick("=", "!=", "<", ">=", " in ", " and ", " or ", "&", "+", "-", "*", "/", "%", "..", "?:", "??") + e()
	case 9:
		return e() + "?" + e() + ":" + e()
	case 10:
		return "($x := " + e() + "; " + e() + ")"
	case 11:
		return e() + "[]"
	case 12:
		return e() + "^(" + g.pick("", "<", ">") + e() + ")"
	case 13:
		return e() + `{` + g.pick("name", `"z"`, "$string(id)", "k") + `:` + e() + "}"
	case 14:
		return g.pick("items", "items.sub", "c", "nested") + "@$x." + e()
	case 15:
		return g.pick("items", "items.sub", "c", "nested") + "#$x" + g.pick(".", "[", "[$x>0].") + e() + g.pick("", "]")
	case 16:
		return g.pick("items", "items.sub", "items.tags", "d.e") + g.pick(".", "[") + g.pick("%.", "%.%.") + e() + g.pick("", "]")
	case 17:
		return e() + " ~> $" + g.pick("sum", "count", "string", "keys", "reverse", "distinct", "type", "uppercase", "map(function($v){$v})")
	case 18, 19, 20:
		return "$" + g.pick("string", "count", "sum", "max", "keys", "spread", "merge", "type", "exists", "boolean", "not", "number",
			"length", "uppercase", "reverse", "distinct", "sort", "abs", "floor", "round", "shuffle($)~>$count", "join", "zip", "trim", "average") + "(" + e() + ")"
	case 21:
		return "$" + g.pick("append", "lookup", "substring", "contains", "split", "join", "pad", "power", "zip", "replace", "substringBefore") +
			"(" + e() + "," + e() + ")"
	case 22:
		return "$" + g.pick("map", "filter", "each", "sift", "single", "reduce", "sort") + "(" + e() + ",function(" +
			g.pick("$x", "$x,$y", "$x,$y,$z") + "){" + e() + "})"
	case 23:
		return "-" + e()
	case 24:
		return e() + " ~> |" + g.pick("items", "d", "**", "c", "items.sub") + "|" + `{"p":` + e() + "}" + g.pick("", `,"a"`, `,["name","k"]`) + "|"
	}
	return g.leaf()
}

func (g *generator) leaf() string {
	return g.pick("a", "b", "c", "d", "e", "n", "items", "items.name", "items.sub", "tags", "sub", "k", "v", "id", "price", "name",
		"empty", "one", "nested", "t", "f", "s", "neg", "o", "$", "$$", "*", "**", "%", "$x", "$y", "missing", "1", "0", "-1", "2.5",
		`"x"`, `""`, "true", "null", "[]", "{}", "$sum", "function($q){$q}", "items[0]", "items[-1]", "items[id>1]", "d.*", "[1..3]", "$$.items", "/o/")
}
