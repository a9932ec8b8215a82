package dialect

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata"
)

// hostileInputs are documents that are large in one way each.
func hostileInputs(t *testing.T) map[string]jsonata.Value {
	t.Helper()
	const size, count = 2 << 20, 100_000
	items := func(item func(i int) jsonata.Value) jsonata.Value {
		list := make([]jsonata.Value, count)
		for i := range list {
			list[i] = item(i)
		}
		return jsonata.NewArray(list...)
	}
	wide := jsonata.NewObject(count)
	for i := range count {
		wide.Set(fmt.Sprintf("key %d", i*7919%count), float64(i))
	}
	long := strings.Repeat("é", size/2)
	deep, err := jsonata.FromJSON([]byte(strings.Repeat("[", 9_000) + "1" + strings.Repeat("]", 9_000)))
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := jsonata.FromJSON([]byte(strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000)))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]jsonata.Value{
		"ASCII":          strings.Repeat("a", size),
		"accents":        long,
		"digits":         strings.Repeat("1", size),
		"blanks":         strings.Repeat(" ", size),
		"sigmas":         strings.Repeat("Σ", size/2),
		"escapes":        strings.Repeat("%41", size/3),
		"pairs":          strings.Repeat("a=b&", size/4),
		"nested pairs":   strings.Repeat("a[b]=c&", size/7),
		"JSON":           "[" + strings.Repeat("1,", size/2) + "1]",
		"XML":            "<a>" + strings.Repeat("<b/>", size/4) + "</a>",
		"XML attributes": "<a " + strings.Repeat("b='1' ", size/6) + "/>",
		"open XML":       strings.Repeat("<a>", size/3),
		"angles":         strings.Repeat("<", size),
		"entities":       "<a>" + strings.Repeat("&amp;", size/5) + "</a>",
		"lines":          strings.Repeat("a\n", size/2),
		"quotes":         strings.Repeat("'", size),
		"address":        "https://example.com/?" + strings.Repeat("a=b&", size/4),
		"deep arrays":    deep,
		"deep objects":   deeper,
		"numbers":        items(func(i int) jsonata.Value { return float64(i * 7919 % count) }),
		"texts":          items(func(i int) jsonata.Value { return fmt.Sprintf("text %d", i*7919%count) }),
		"long texts":     items(func(int) jsonata.Value { return long }),
		"objects": items(func(i int) jsonata.Value {
			o := jsonata.NewObject(2)
			o.Set("id", float64(i*7919%count))
			o.Set("parent_id", float64(i/2))
			return o
		}),
		"lists":       items(func(i int) jsonata.Value { return jsonata.NewArray(float64(i), "a") }),
		"wide object": wide,
	}
}

// hostileCalls are ways to call a function with the document and something else.
func hostileCalls() []string {
	return []string{
		"$f($$)", "$f($$, $$)", `$f($$, "a")`, `$f("a", $$)`, "$f($$, 2)", `$f($$, "id", "a")`, "$f($$, function($x){$x})", `$f({"a": $$}, "a")`,
	}
}

const (
	// hostileOvershoot is by how much an evaluation may miss its deadline, which is that of a step: 250 ms.
	hostileOvershoot = 250 * time.Millisecond
	// hostileTime is short, because what is measured is the overshoot.
	hostileTime = 5 * time.Millisecond
	// quick is a call that may be made between two looks at the clock as often as there are steps between them.
	quick = hostileOvershoot / 1000
)

// TestHostileCalls calls every function of the library with large documents, once, and again and again if that takes long. However it
// ends, it must end when its time is over.
func TestHostileCalls(t *testing.T) { //nolint:paralleltest // measures time
	if os.Getenv("MILLRACE_HOSTILE") == "" {
		t.Skip("SKIPPED beside other tests, because it measures time; make hostile runs it")
	}
	inputs := hostileInputs(t)
	// Without this, the time to collect garbage would be that of all the documents, which no evaluation has to pay.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(2 << 30))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, name := range Library().Names() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // measures time
			defer runtime.GC()
			for _, call := range hostileCalls() {
				call = strings.ReplaceAll(call, "$f(", "$"+name+"(")
				once, often := compiled(t, "("+call+"; 1)"), compiled(t, "[1..100000].("+call+"; 1)")
				for kind, input := range inputs {
					took := hostileCall(t, once, input)
					if took > quick && took <= hostileOvershoot {
						took = hostileCall(t, often, input)
					}
					if took > hostileOvershoot {
						t.Errorf("%s on %s: %v, want at most %v", call, kind, took, hostileOvershoot)
					}
				}
			}
		})
	}
}

func compiled(t *testing.T, src string) *jsonata.Program {
	t.Helper()
	program, err := Library().Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// hostileCall returns by how much an evaluation missed its deadline: the least of some tries, in time of the processor, since other
// programs may take it away.
func hostileCall(t *testing.T, program *jsonata.Program, input jsonata.Value) time.Duration {
	t.Helper()
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapAlloc > 1200<<20 {
		runtime.GC() // rather than at the limit, while it is measured
	}
	least := time.Hour
	for try := 0; try < 3 && (try == 0 || least > hostileOvershoot); try++ {
		start, before := time.Now(), processorTime(t)
		_, err := program.Eval(t.Context(), jsonata.Input{Data: input, Limits: jsonata.Limits{Timeout: hostileTime}})
		took := time.Since(start)
		if took > hostileOvershoot {
			took = min(took, processorTime(t)-before)
		}
		least = min(least, took)
		var e *jsonata.Error
		if errors.As(err, &e) && e.Code == jsonata.CodeInternal {
			t.Errorf("%s: %v", program, err)
		}
	}
	return least - hostileTime
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
