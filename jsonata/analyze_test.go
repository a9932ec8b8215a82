package jsonata_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/jsonata"
)

func TestAnalyze(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		src, reads, functions, variables, gaps string
		volatile                               bool
	}{
		{src: `integration.name = 'calcom'`, reads: "integration.name"},
		{src: `$.a.b + $$.c`, reads: "a.b c"},
		{src: `items[price > $limit].name`, reads: "items.name items.price", variables: "limit"},
		{src: `($x := integration; $x.name & $x.label)`, reads: "integration.label integration.name"},
		{src: `($f := function($o){$o.id}; $f(account))`, reads: "account.id"},
		{src: `$map(items, function($i){$i.name & $i.(price * 2)})`, reads: "items.name items.price", functions: "map"},
		{src: `$sum(items.(price * quantity))`, reads: "items.price items.quantity", functions: "sum"},
		{src: `items.sub.{"k": k, "p": %.price}`, reads: "items.price items.sub.k"},
		{src: `items@$i.tags@$t.[$i.id, $t]`, reads: "items.id tags"},
		{src: `items^(>price, id).id`, reads: "items.id items.price"},
		{src: `items{category: $sum(price)}`, reads: "items.category items.price", functions: "sum"},
		{src: `$lookup(map, "k")`, reads: "map.k", functions: "lookup"},
		{src: `a ? b : c`, reads: "a b c"},
		{src: `a ?? b.c`, reads: "a b.c"},
		{src: `data.*.id`, reads: "data.*.id"},
		{src: `**.id`, reads: "**.id"},
		{src: `$eval(code)`, reads: "code", functions: "eval", gaps: "$eval runs text that is not known yet"},
		{src: `$now() & $string(a)`, reads: "a", functions: "now string", volatile: true},
		{src: `items.name ~> $join(", ")`, reads: "items.name", functions: "join"},
		{src: `items.name.$uppercase()`, reads: "items.name", functions: "uppercase"},
		{src: `$ ~> |items|{"total": price * n}|`, reads: "$ items items.n items.price"},
		{src: `($f := function($n){$n < 1 ? a : $f($n - 1)}; $f(3))`, reads: "a", gaps: "a function calls itself"},
		{src: `function($x){$x.a & b}`, reads: "b"},
	} {
		t.Run(c.src, func(t *testing.T) {
			t.Parallel()
			program, err := jsonata.Compile(c.src)
			if err != nil {
				t.Fatal(err)
			}
			a := jsonata.Analyze(t.Context(), program)
			var reads, functions, variables, gaps []string
			for _, r := range a.Reads {
				reads = append(reads, r.String())
			}
			for _, u := range a.Functions {
				functions = append(functions, u.Name)
			}
			for _, u := range a.Variables {
				variables = append(variables, u.Name)
			}
			for _, g := range a.Gaps {
				gaps = append(gaps, g.Reason)
			}
			got := []string{strings.Join(reads, " "), strings.Join(functions, " "), strings.Join(variables, " "), strings.Join(gaps, "; ")}
			if diff := cmp.Diff([]string{c.reads, c.functions, c.variables, c.gaps}, got); diff != "" {
				t.Errorf("reads, functions, variables, gaps of %s (-want +got):\n%s", c.src, diff)
			}
			if a.Deterministic == c.volatile {
				t.Errorf("Deterministic of %s is %v", c.src, a.Deterministic)
			}
		})
	}
}

func TestAnalyzeShape(t *testing.T) {
	t.Parallel()
	program, err := jsonata.Compile("{\n  \"id\": account.id,\n  \"kind\": \"x\",\n  \"n\": a + 1,\n  \"ok\": a = 1\n}")
	if err != nil {
		t.Fatal(err)
	}
	got := jsonata.Analyze(t.Context(), program).Result
	want := &jsonata.Shape{Types: []string{"object"}, Keys: []jsonata.KeyShape{
		{Key: "id", Value: &jsonata.Shape{Types: []string{"any"}, Sources: []string{"account.id"}}, Place: jsonata.Place{Offset: 4, Line: 2, Column: 3}},
		{Key: "kind", Value: &jsonata.Shape{Types: []string{"string"}, Constant: "x"}, Place: jsonata.Place{Offset: 24, Line: 3, Column: 3}},
		{Key: "n", Value: &jsonata.Shape{Types: []string{"number", "undefined"}}, Place: jsonata.Place{Offset: 39, Line: 4, Column: 3}},
		{Key: "ok", Value: &jsonata.Shape{Types: []string{"boolean"}}, Place: jsonata.Place{Offset: 53, Line: 5, Column: 3}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shape (-want +got):\n%s", diff)
	}
}
