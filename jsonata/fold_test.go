package jsonata_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/jsonata"
)

// TestFolds builds values step by step, whose intermediate results together are much larger than what lives at a time.
func TestFolds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, src, want string }{
		{"append", `$count($reduce([1..20000], function($a, $i){$append($a, $i)}, []))`, `20000`},
		{"append two", `$count($reduce([1..5000], function($a, $i){$append($a, [$i, $i])}, []))`, `10000`},
		{"append in front", `$count($reduce([1..3000], function($a, $i){$append($i, $a)}, []))`, `3000`},
		{"merge", `$count($keys($reduce([1..5000], function($a, $i){$merge([$a, {"k" & $i: $i}])}, {})))`, `5000`},
		{"merge of numbers", `$count($keys($reduce([1..5000], function($a, $i){$merge([$a, {$string($i): $i}])}, {})))`, `5000`},
		{"merge again", `$reduce([1..2000], function($a, $i){$merge([$a, {"k" & $i: $i, "last": $i}])}, {}).last`, `2000`},
		{"text", `$length($reduce([1..30000], function($a, $i){$a & "item " & $i}, ""))`, `288894`},
		{"text in front", `$length($reduce([1..5000], function($a, $i){$i & $a}, ""))`, `18893`},
		{"text by a tail call", `($f := function($a, $n){$n = 0 ? $a : $f($a & "0123456789", $n - 1)}; $length($f("", 20000)))`, `200000`},
		{"list by a tail call", `($f := function($a, $n){$n = 0 ? $a : $f($append($a, $n), $n - 1)}; $count($f([], 10000)))`, `10000`},
		{"predecessors", `($a := [1..5000]; $sum($map($a, function($v, $i){$i > 0 ? $v - $a[$i - 1] : 0})))`, `4999`},
		{"predecessors by name", `$sum($map([1..3000], function($v, $i, $l){$l[$i - 1]})) `, `4501500`},
		{"garbage in calls", `$sum($map([1..3000], function($v){$count($append([1..1000], $v))}))`, `3003000`},
		{"garbage in blocks", `$sum([1..3000].($x := $append([1..1000], $); $count($x)))`, `3003000`},
		{"copies", `$sum($reduce([1..1500], function($a, $i){$map($a, function($v){$v + 1})}, [1..500]))`, `875250`},
		{"in", `($l := [1..16000].$string(); $count($filter($l, function($x){$x in $l})))`, `16000`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := eval(t, c.src, jsonata.Input{Limits: jsonata.Limits{Steps: 5_000_000}})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(show(t, v)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestFoldsShare keeps values that later ones were made of.
func TestFoldsShare(t *testing.T) {
	t.Parallel()
	ten, hundred := `[1..10]`, strings.Repeat("x", 300)
	for src, want := range map[string]string{
		`($a := $append(` + ten + `, 11); $b := $append($a, 12); $c := $append($a, 13); $d := $append($b, 14); [$count($a), $a[-1], $b[-1], $c[-1], $d[-2], $d[-1], $count($d)])`:     `[11,11,12,13,12,14,13]`,
		`($a := $append([1..100], 1); $b := $append($a, $a); $c := $append($b, $b); [$count($a), $count($b), $count($c), $c[100], $c[101]])`:                                          `[101,202,404,1,1]`,
		`($s := "` + hundred + `"; $a := $s & "1"; $b := $a & "2"; $c := $a & "3"; $d := $b & "4"; [$substring($a, -2), $substring($b, -2), $substring($c, -2), $substring($d, -3)])`: `["x1","12","13","124"]`,
		`($s := "` + hundred + `" & "\uD83D"; $a := $s & "\uDE00"; $b := $s & "x"; [$substring($s, -1), $substring($a, -1), $substring($b, -2)])`:                                     `["\ud83d","😀","\ud83dx"]`,
		`($s := "` + hundred + `"; $a := $s & "\uD83D" & "\uDE00"; $b := $a & "" & "\uD83D"; $substring($b & "\uDE00", -3))`:                                                          `"x😀😀"`,
		`($o := $merge([1..40].{"k" & $: $}); $a := $merge([$o, {"x": 1}]); $b := $merge([$a, {"y": 2}]); $c := $merge([$a, {"z": 3}]); $d := $merge([$b, {"x": 4}]);
			[$count($keys($a)), $a.x, $exists($a.y), $b.y, $exists($b.z), $c.z, $exists($c.y), $d.x, $b.x])`: `[41,1,false,2,false,3,false,4,1]`,
		`($o := $merge([1..40].{"k" & $: $}); $a := $merge([$o, {"x": 1}]); $b := $merge([$a, {"y": 2}]); $t := $a ~> |$|{"y": 9, "k1": 0}|; [$a.k1, $b.k1, $b.y, $t.y, $t.k1, $exists($a.y)])`: `[1,1,2,9,0,false]`,
	} {
		v, err := eval(t, src, jsonata.Input{})
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := string(show(t, v)); got != want {
			t.Errorf("%s:\n got  %s\n want %s", src, got, want)
		}
	}
}

// TestResultsOfFoldsCanBeChanged changes one of several results that were made of each other.
func TestResultsOfFoldsCanBeChanged(t *testing.T) {
	t.Parallel()
	v, err := eval(t, `($o := $merge([1..40].{"k" & $: $}); $a := $merge([$o, {"x": 1}]); $b := $merge([$a, {"y": 2}]); $l := $append([1..20], 1); {"a": $a, "b": $b, "l": $l, "m": $append($l, 2)})`, jsonata.Input{})
	if err != nil {
		t.Fatal(err)
	}
	member := func(key string) jsonata.Value {
		m, _ := v.(*jsonata.Object).Get(key)
		return m
	}
	a, b := member("a").(*jsonata.Object), member("b").(*jsonata.Object)
	a.Set("new", "a")
	a.Set("k1", "changed")
	a.Delete("k2")
	if v, _ := b.Get("new"); v != nil {
		t.Errorf("a member of one is in the other: %v", v)
	}
	for key, want := range map[string]any{"k1": 1.0, "k2": 2.0, "y": 2.0} {
		if v, _ := b.Get(key); v != want {
			t.Errorf("%s is %v in the other, want %v", key, v, want)
		}
	}
	l, m := member("l").(*jsonata.Array), member("m").(*jsonata.Array)
	l.Append("new")
	if m.At(21) != 2.0 || l.At(21) != "new" {
		t.Errorf("lists end with %v and %v", m.At(21), l.At(21))
	}
}

// TestFoldsAgainstCopies builds values in random order out of random earlier ones, and compares with values that are always
// copied.
func TestFoldsAgainstCopies(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var src strings.Builder
		src.WriteString(`($l0 := [1..20]; $s0 := "` + strings.Repeat("ab", 200) + `"; $o0 := $merge([1..30].{"k" & $: $});`)
		lists, texts := [][]any{numbersTo(20)}, []string{strings.Repeat("ab", 200)}
		objects := []map[string]any{{}}
		for i := range 30 {
			objects[0][fmt.Sprintf("k%d", i+1)] = float64(i + 1)
		}
		// Most steps go on with the last value, the others with one that has been used before.
		pick := func(n int) int {
			if rnd.IntN(3) > 0 {
				return n - 1
			}
			return rnd.IntN(n)
		}
		for range 120 {
			switch rnd.IntN(3) {
			case 0:
				from, other := pick(len(lists)), rnd.IntN(len(lists))
				fmt.Fprintf(&src, "$l%d := $append($l%d, ", len(lists), from)
				next := append([]any(nil), lists[from]...)
				if rnd.IntN(4) == 0 && len(lists[other]) < 200 {
					fmt.Fprintf(&src, "$l%d);", other)
					next = append(next, lists[other]...)
				} else {
					fmt.Fprintf(&src, "%d);", len(lists))
					next = append(next, float64(len(lists)))
				}
				lists = append(lists, next)
			case 1:
				from := pick(len(texts))
				part := []string{"x", "é", "😀", "longer text"}[rnd.IntN(4)]
				fmt.Fprintf(&src, "$s%d := $s%d & %q;", len(texts), from, part)
				texts = append(texts, texts[from]+part)
			case 2:
				from := pick(len(objects))
				key := fmt.Sprintf([]string{"k%d", "n%d", "%d"}[rnd.IntN(3)], rnd.IntN(60))
				fmt.Fprintf(&src, "$o%d := $merge([$o%d, {%q: %d}]);", len(objects), from, key, len(objects))
				next := make(map[string]any)
				maps.Copy(next, objects[from])
				next[key] = float64(len(objects))
				objects = append(objects, next)
			}
		}
		src.WriteString("[")
		var want []any
		for i := range lists {
			fmt.Fprintf(&src, "[$l%d],", i)
			want = append(want, any(lists[i]))
		}
		for i := range texts {
			fmt.Fprintf(&src, "$s%d,", i)
			want = append(want, texts[i])
		}
		for i := range objects {
			fmt.Fprintf(&src, "$o%d,", i)
			want = append(want, objects[i])
		}
		src.WriteString("1])")
		want = append(want, 1.0)
		v, err := eval(t, src.String(), jsonata.Input{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got := jsonata.ToGo(v).([]any)
		for i := range lists {
			got[i] = got[i].([]any)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		for i, o := range objects { // by the index, too
			object := v.(*jsonata.Array).At(len(lists) + len(texts) + i).(*jsonata.Object)
			for key, w := range o {
				if g, _ := object.Get(key); g != w {
					t.Fatalf("seed %d: member %s of $o%d is %v, want %v", seed, key, i, g, w)
				}
			}
			if _, ok := object.Get("absent"); ok || object.Len() != len(o) {
				t.Fatalf("seed %d: $o%d has %d members, want %d", seed, i, object.Len(), len(o))
			}
		}
	}
}

func numbersTo(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = float64(i + 1)
	}
	return out
}
