package picture_test

import (
	"flag"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/dashboard/picture"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got template.HTML) {
	t.Helper()
	file := filepath.Join("testdata", name+".svg")
	text := strings.ReplaceAll(string(got), "><", ">\n<") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func at(minutes float64) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(minutes * float64(time.Minute)))
}

func TestStrip(t *testing.T) {
	t.Parallel()
	golden(t, "strip", picture.Strip([]time.Time{at(59.5), at(59), at(59), at(30), at(-1), at(61)}, at(60), time.Hour, time.Time{}, "Events <now>"))
	golden(t, "strip-part", picture.Strip([]time.Time{at(59.5)}, at(60), time.Hour, at(45), "Events"))
	golden(t, "strip-empty", picture.Strip(nil, at(60), time.Hour, time.Time{}, "Events"))
}

func TestBar(t *testing.T) {
	t.Parallel()
	golden(t, "bar", picture.Bar([]picture.Span{
		{From: at(0), To: at(1), Class: "wait", Title: "waited"}, {From: at(1), To: at(1), Class: "ok", Title: "a moment"}, {From: at(5), Class: "work", Title: "goes <on>"},
	}, at(0), at(10)))
	golden(t, "bar-outside", picture.Bar([]picture.Span{{From: at(-5), To: at(20), Class: "ok", Title: "longer"}, {From: at(30), To: at(40), Class: "ok", Title: "later"}}, at(0), at(10)))
	golden(t, "bar-no-time", picture.Bar([]picture.Span{{From: at(0), To: at(0), Class: "ok", Title: "at once"}}, at(0), at(0)))
}

func TestGraph(t *testing.T) {
	t.Parallel()
	golden(t, "graph", picture.Graph([]picture.Node{
		{Name: "contacts", Note: "2 of 2 delivered", Class: "ok"},
		{Name: "deals", After: []string{"contacts"}, Class: "failed"},
		{Name: "notes <b>", After: []string{"contacts", "deals", "nothing"}},
		{Name: strings.Repeat("long ", 20), After: []string{"contacts"}},
	}))
	golden(t, "graph-round", picture.Graph([]picture.Node{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a", "b"}}}))
	var many []picture.Node
	for i := range 1000 {
		many = append(many, picture.Node{Name: fmt.Sprint(i), After: []string{fmt.Sprint(i - 1)}})
	}
	if got := string(picture.Graph(many)); !strings.Contains(got, "800 more are not drawn") || strings.Count(got, "<g ") != 200 {
		t.Errorf("a graph of 1,000 nodes has %d bytes: %.200s", len(got), got)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	golden(t, "load", picture.Load([]int{0, 1, 4, 8}, 8, at(0), time.Minute, "crm <b>"))
	golden(t, "load-empty", picture.Load(nil, 0, at(0), time.Minute, "crm"))
}
