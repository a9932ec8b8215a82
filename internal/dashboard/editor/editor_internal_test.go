package editor

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
)

// apply makes the right text of the rows of a difference.
func apply(rows []Row, left []string) (string, string) {
	var a, b []string
	n := 0
	for _, r := range rows {
		if r.Kind == "gap" {
			a, b = append(a, left[n:n+r.Gap]...), append(b, left[n:n+r.Gap]...)
			n += r.Gap
			continue
		}
		if r.From > 0 {
			a, n = append(a, r.Left), n+1
		}
		if r.To > 0 {
			b = append(b, r.Right)
		}
	}
	return strings.Join(a, "\n"), strings.Join(b, "\n")
}

func TestDiff(t *testing.T) {
	t.Parallel()
	rows, whole := Diff("1\n2\n3\n4\n5\n6\n7\n8\n9\nold\ngone\n10\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\nnew\n10\nmore\n")
	want := []Row{
		{Kind: "gap", Gap: 6},
		{Kind: "same", Left: "7", Right: "7", From: 7, To: 7},
		{Kind: "same", Left: "8", Right: "8", From: 8, To: 8},
		{Kind: "same", Left: "9", Right: "9", From: 9, To: 9},
		{Kind: "changed", Left: "old", Right: "new", From: 10, To: 10},
		{Kind: "removed", Left: "gone", From: 11},
		{Kind: "same", Left: "10", Right: "10", From: 12, To: 11},
		{Kind: "added", Right: "more", To: 12},
	}
	if diff := cmp.Diff(want, rows); diff != "" || !whole {
		t.Errorf("whole %v (-want +got):\n%s", whole, diff)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	text := func() []string {
		out := make([]string, r.IntN(40))
		for i := range out {
			out[i] = fmt.Sprint(r.IntN(5))
		}
		return out
	}
	for range 2000 {
		a, b := text(), text()
		rows, whole := Diff(strings.Join(a, "\n"), strings.Join(b, "\n"))
		left, right := apply(rows, a)
		if left != strings.Join(a, "\n") || right != strings.Join(b, "\n") || !whole {
			t.Fatalf("the difference of %q and %q is %v", a, b, rows)
		}
	}
	rows, whole = Diff(strings.Repeat("a\n", 100_000), strings.Repeat("b\n", 100_000))
	if len(rows) != maxRows || whole {
		t.Errorf("100,000 lines have %d rows, whole %v", len(rows), whole)
	}
}

// TestProblemsAreAtTheirPlaces checks texts with one wrong word each, which is marked.
func TestProblemsAreAtTheirPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, marked string }{
		{"plain YAML", "trigger_name: custom:x\nconfig:\n  run_if: a = $nosuch(b)\n", "$nosuch"},
		{"quoted YAML", "config:\n  run_if: \"x = \\\"ä\\\" and $nosuch(b)\"\n", "$nosuch"},
		{"single quotes", "config:\n  run_if: 'x = ''ä'' and $nosuch(b)'\n", "$nosuch"},
		{"a block", "config:\n  run_if: |\n    (\n      $a := 1;\n      $nosuch($a)\n    )\n", "$nosuch"},
		{"JSON", `{"config": {"run_if": "x = \"\ud83d\ude00\" and\n $nosuch(b)"}}`, "$nosuch"},
		{"behind what is wide", "config:\n  run_if: \"'😀' = $nosuch(b)\"\n", "$nosuch"},
	} {
		root := parse(c.text)
		if root == nil {
			t.Errorf("%s cannot be read", c.name)
			continue
		}
		condition := root.Get("config").Get("run_if").Text
		failures := (&definition.Workflow{Config: &definition.Config{RunIf: &condition, Steps: &definition.Steps{}}}).Check()
		if len(failures) == 0 {
			t.Errorf("%s: nothing is wrong with %q", c.name, condition)
			continue
		}
		p := place(c.text, failures, false)[0]
		line := utf16Of(strings.Split(c.text, "\n")[p.Line-1])
		if got := string(line[p.From:min(p.To, len(line))]); got != c.marked {
			t.Errorf("%s: %q is marked in line %d, want %q", c.name, got, p.Line, c.marked)
		}
	}
	for _, f := range []millrace.Failure{{Path: "config.steps[3].x", Line: 900, Column: 900}, {Path: "config", Offset: new(int), Line: 900, Column: 3}, {}} {
		if p := place("config: |\n  a\n", []millrace.Failure{f}, true)[0]; p.Line > 3 || p.From > 20 {
			t.Errorf("%v is placed at %d, %d", f, p.Line, p.From)
		}
	}
}

// utf16Of stands for a text as JavaScript has it: a character of four bytes takes two.
func utf16Of(text string) []rune {
	var out []rune
	for _, r := range text {
		if out = append(out, r); r > 0xffff {
			out = append(out, r)
		}
	}
	return out
}

func FuzzPlace(f *testing.F) {
	f.Add("a: |\n b\n", "a", 1, 2, 3)
	f.Add(`{"a":"\u00e4\ud83d"}`, "a", 1, 2, 3)
	f.Add("a: '''", "a", 1, 2, 300)
	f.Fuzz(func(t *testing.T, text, path string, line, column, offset int) {
		for _, p := range place(text, []millrace.Failure{{Path: path, Line: line, Column: column, Offset: &offset}, {Path: path, Line: line, Column: column}, {Path: path}}, false) {
			if lines := strings.Split(text, "\n"); p.Line < 0 || p.Line > len(lines) || p.Line > 0 && (p.From < 0 || p.From >= p.To || p.From > len(lines[p.Line-1])) {
				t.Errorf("%+v in %q", p, text)
			}
		}
	})
}
