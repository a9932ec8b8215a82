package jsonata_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata"
)

// Bounds of compiling and analysing one source. Every one of the attacks ends by its steps or its size, in less than half
// of the time; the rest is for slow machines.
const (
	saveTime   = 2 * jsonata.AnalysisTimeout
	saveMemory = 16 << 20
)

// numbered joins what the format makes of the numbers from 1 to n.
func numbered(n int, format, separator string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.NewReplacer("#-", fmt.Sprint(i), "#", fmt.Sprint(i+1)).Replace(format)
	}
	return strings.Join(parts, separator)
}

// saved lists sources that try to take all time or all memory while they are compiled and analysed. Those that are
// too large are rejected, the others analysed as far as the bounds allow.
func saved() map[string]string {
	list := func(item string, size int) string {
		return "[" + strings.Repeat(item+",", size/(len(item)+1)) + "1]"
	}
	out := map[string]string{
		"doubled array":         "($v0:=a;" + numbered(16, "$v#:=[$v#-,$v#-]", ";") + ";$v16)",
		"doubled array, long":   "($v0:=a;" + numbered(1500, "$v#:=[$v#-,$v#-]", ";") + ";$v1500)",
		"doubled object":        "($a:=a;" + strings.Repeat("$a:={'l':$a,'r':$a};", 60) + "$a)",
		"doubled object, long":  "($a:=a;" + strings.Repeat("$a:={'l':$a,'r':$a};", 1000) + "$a)",
		"doubled object, read":  "($a:=a;" + strings.Repeat("$a:={'l':$a,'r':$a};", 60) + "$a.**.l.r.*)",
		"nested lambdas":        "($f0:=function($x){$x};" + numbered(16, "$f#:=function($x){$f#-($f#-($x))}", ";") + ";$f16(a))",
		"growing lambdas":       "($f0:=function($x){[$x,b]};" + numbered(30, "$f#:=function($x){$f#-($f#-($x))}", ";") + ";$f30(a))",
		"growing objects":       "($f0:=function($x){{'l':$x,'r':[$x,c]}};" + numbered(30, "$f#:=function($x){$f#-($f#-($x)).*}", ";") + ";$f30(a))",
		"branching recursion":   "($f:=function($x){$f([$x,a]) & $f({'k':$x}) & $f($x.b)};$f(a))",
		"church numerals":       "($t:=function($f){function($x){$f($f($x))}};$t($t($t($t($t($t))))) (function($x){[$x]})(a))",
		"chained conditions":    "($v:=a;" + numbered(14, "$v:=b#?[$v,$v]:{'k':$v}", ";") + ";$v)",
		"chained conditions, n": "($v:=a;" + numbered(900, "$v:=b#?[$v,$v]:{'k':$v}", ";") + ";$v)",
		"nested conditions":     strings.Repeat("a?[b,c]:", 1500) + "d",
		"conditional lambdas":   "($f:=function($x){$x};" + numbered(200, "$f:=b#?$f:function($x){[$f($x),$x.c#]}", ";") + ";$f(a))",
		"rebinding":             "($f:=function(){$x};" + numbered(1500, "$x:=a#;$f()", ";") + ")",
		"map in map":            strings.Repeat("$map(a,function($x){[$x,", 300) + "1" + strings.Repeat("]})", 300),
		"reduce":                strings.Repeat("$reduce(a,function($x,$y){[$x,$y,", 200) + "1" + strings.Repeat("]})", 200),
		"list of names, 200 kB": list("a", 200_000),
		"list of ones, 200 kB":  list("1", 200_000),
		"list of names":         "[" + numbered(6_000, "a#", ",") + "]",
		"list of one name":      list("a", 16_000),
		"list of paths":         "[" + numbered(2_000, "a#.b#.c", ",") + "]",
		"list of wildcards":     list("*.**.*", 20_000),
		"list of variables":     "[" + numbered(9_000, "$a#", ",") + "]",
		"list of numbers":       list("1", 38_000),
		"list of objects":       "[" + numbered(2_500, "{'k#':#}", ",") + "]",
		"object of names":       "{" + numbered(4_000, "'k#':a#", ",") + "}",
		"wide object, doubled":  "($o:={" + numbered(2_000, "'k#':a#", ",") + "};$p:=[$o,$o,$o];{" + numbered(1_000, "'l#':$p", ",") + "})",
		"wide object, read":     "($o:={" + numbered(2_000, "'k#':a#", ",") + "};[" + numbered(2_000, "$o.k#", ",") + "])",
		"wide object, all":      "($o:={" + numbered(2_000, "'k#':a#", ",") + "};[" + strings.Repeat("$o.*,", 2_000) + "1])",
		"product of paths":      "($a:=[" + numbered(60, "a#", ",") + "];" + numbered(100, "$a:=$a.[x#,y#]", ";") + ";$a)",
		"long names":            "($a:=`" + strings.Repeat("x", 20_000) + "`;" + strings.Repeat("$a:=$a.`"+strings.Repeat("y", 500)+"`;", 200) + "[" + numbered(1_000, "$a.b#", ",") + "])",
		"nested blocks":         nested("(", "["+strings.Repeat("$x,", 8_000)+"1]", ")", 1_900),
		"nested scopes":         nested("($x:=1;", "["+strings.Repeat("$x,", 1_000)+"1]", ")", 1_500),
		"nested lambdas, deep":  nested("function($x){", "["+strings.Repeat("$x,", 8_000)+"1]", "}", 900),
		"nested calls":          nested("$f(", "1", ")", 1_990),
		"nested paths":          nested("a.(", "b", ")", 950),
		"parents":               nested("a.(b.(", "["+strings.Repeat("%,", 5_000)+"1]", "))", 400),
		"parents, nested":       nested("a.{'k':", "["+strings.Repeat("%.%.%,", 1_500)+"1]", "}", 900),
		"parents of a path":     "a" + strings.Repeat(".b", 1_500) + "[" + strings.Repeat("%.c=1 or ", 400) + "1]",
		"bindings, nested":      nested("a@$x.b#$i.(", "c", ")", 450),
		"bindings, many":        strings.Repeat("a@$x.(b@$y.(", 400) + "$x" + strings.Repeat("))", 400),
		"chain of names":        "a" + strings.Repeat(".a", 1_990),
		"chains of names":       "[" + strings.Repeat("a"+strings.Repeat(".a", 1_500)+",", 4) + "1]",
		"chain of operators":    "a" + strings.Repeat(" or a", 1_900),
		"chain of predicates":   "a" + strings.Repeat("[b]", 1_900),
		"chain of texts":        "a" + strings.Repeat("&a", 1_900),
		"lambdas":               list("function($x,$y){$y}", 60_000),
		"signatures":            list("function($x)<"+strings.Repeat("s-", 100)+":s>{1}", 150_000),
		"transforms":            list("|a|{}|", 40_000),
		"orders":                list("a^(b,>c)", 40_000),
		"empty parameters":      "function(" + numbered(9_000, "$a#", ",") + "){1}",
		"one long text":         `"` + strings.Repeat("x", 250_000) + `"`,
		"one long text, joined": `($x := "` + strings.Repeat("x", 120_000) + `"; [` + strings.Repeat("$x,", 6_000) + "1])",
		"escapes":               `"` + strings.Repeat(`\u00e9`, 40_000) + `"`,
		"one long name":         "`" + strings.Repeat("x", 250_000) + "`",
		"a comment":             "1 /*" + strings.Repeat("*", 250_000) + "*/",
		"blanks":                strings.Repeat(" ", 250_000) + "1",
		"8 MB of ones":          list("1", 8<<20),
		"8 MB of text":          `"` + strings.Repeat("x", 8<<20) + `"`,
		"8 MB of blanks":        strings.Repeat(" ", 8<<20),
	}
	for name, pattern := range map[string]string{
		"letters": "abcdefgh", "classes": `[\w\W\s\S]`, "ranges": `[a-zA-Z\u0100-\uffff]`, "repeats": `(a{1,1000}){1,1000}`,
		"groups": "(?:a|b)", "lookbehind": "(?<=a)", "letters, wide": "é", "negated": `[^\W\S\D]`, "escapes": `\u00e9`, "dots": ".*?",
	} {
		for _, flags := range []string{"", "i"} {
			out["pattern of "+name+" "+flags] = "$match(a, /" + strings.Repeat(pattern, 16_000/len(pattern)) + "/" + flags + ")"
			out["patterns of "+name+" "+flags] = "[" + strings.Repeat("$f(/"+pattern+"/"+flags+"),", 3_500) + "1]"
		}
	}
	out["pattern, nested"] = "$match(a, /" + nested("(?:", "a", ")*", 199) + "/)"
	out["pattern, too long"] = "$match(a, /" + strings.Repeat("a", 200_000) + "/)"
	return out
}

// save compiles and analyses a source, as saving a workflow does.
func save(ctx context.Context, src string) (*jsonata.Analysis, error) {
	program, err := jsonata.Compile(src)
	if err != nil {
		return nil, err
	}
	return jsonata.Analyze(ctx, program), nil
}

func TestAttacksOnSaving(t *testing.T) { //nolint:paralleltest // measures time and memory
	skipUnlessAlone(t)
	for name, src := range saved() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // measures time and memory
			for _, step := range []func() any{
				func() any { p, err := jsonata.Compile(src); return outcome(p, nil, err) },
				func() any { a, err := save(t.Context(), src); return outcome(nil, a, err) },
			} {
				took, used, result := cost(t, step)
				t.Logf("%v, %d kiB, %s", took, used>>10, result)
				if took > saveTime || used > saveMemory {
					t.Errorf("took %v and %.1f MiB, want at most %v and %d MiB", took, float64(used)/(1<<20), saveTime, saveMemory>>20)
				}
			}
		})
	}
}

// cost measures the least time and the least memory of several tries, because other programs may take the processor away.
func cost(t *testing.T, step func() any) (took time.Duration, used uint64, result any) {
	t.Helper()
	took, used = time.Hour, math.MaxUint64
	for try := 0; try < 3 || try < 10 && (took > saveTime || used > saveMemory); try++ {
		runtime.GC()
		peak := watchHeap(t)
		clock := stopwatch(t)
		result = step()
		took, used = min(took, clock()), min(used, peak())
	}
	return took, used, result
}

func outcome(p *jsonata.Program, a *jsonata.Analysis, err error) string {
	switch {
	case err != nil:
		text := err.Error()
		return text[:min(len(text), 120)]
	case a == nil:
		return fmt.Sprintf("a program of %d kiB", p.Size()>>10)
	}
	return fmt.Sprintf("%d reads, %d gaps, incomplete: %q", len(a.Reads), len(a.Gaps), a.Incomplete)
}

// TestAnalysisIsBounded checks what the attacks yield, without a clock.
func TestAnalysisIsBounded(t *testing.T) {
	t.Parallel()
	for name, src := range saved() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := save(t.Context(), src)
			var e *jsonata.Error
			if err != nil {
				if !errors.As(err, &e) || !e.IsLimit() && e.Code != "S0303" && e.Code != "S0217" || e.Line == 0 {
					t.Errorf("got error %v, want one of a limit, with its place", err)
				}
				return
			}
			checkAnalysis(t, a)
		})
	}
}

// checkAnalysis checks that an analysis is not larger than it may be.
func checkAnalysis(t *testing.T, a *jsonata.Analysis) {
	t.Helper()
	const most = 2_100 // of 2,000, and where that was noticed
	text := 0
	for _, r := range a.Reads {
		text += len(r.String())
	}
	if n := max(len(a.Reads), len(a.Functions), len(a.Variables), len(a.Gaps), shapes(a.Result)); n > most || text > 1<<20 {
		t.Errorf("a list has %d elements, the paths %d bytes; want at most %d and %d", n, text, most, 1<<20)
	}
}

// shapes counts the parts of a description.
func shapes(s *jsonata.Shape) int {
	n := 1
	for _, k := range s.Keys {
		n += shapes(k.Value)
	}
	if s.Items != nil {
		n += shapes(s.Items)
	}
	return n
}

func TestAnalyzeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	program, err := jsonata.Compile("[" + numbered(1_000, "a#", ",") + "]")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := jsonata.Analyze(ctx, program); a.Incomplete == "" || len(a.Reads) > 300 {
		t.Errorf("got %d reads and incomplete %q with a context that has ended", len(a.Reads), a.Incomplete)
	}
	var a *jsonata.Analysis
	for range 20 { // the time may be over before, if other tests have the processor
		if a = jsonata.Analyze(t.Context(), program); a.Incomplete == "" {
			break
		}
	}
	if a.Incomplete != "" || len(a.Reads) != 1_000 {
		t.Errorf("got %d reads and incomplete %q, want 1000 reads", len(a.Reads), a.Incomplete)
	}
}

// TestAnalyzerIsBounded checks that programs share one budget.
func TestAnalyzerIsBounded(t *testing.T) {
	t.Parallel()
	program, err := jsonata.Compile("[" + numbered(3_000, "a#", ",") + "]")
	if err != nil {
		t.Fatal(err)
	}
	all := jsonata.NewAnalyzer(t.Context())
	for range 100 {
		all.Analyze(program)
	}
	if a := all.Analyze(program); a.Incomplete == "" || len(a.Reads) > 0 || len(a.Result.Types) != 1 {
		t.Errorf("got %d reads and incomplete %q after 100 programs", len(a.Reads), a.Incomplete)
	}
}
