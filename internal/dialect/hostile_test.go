package dialect

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
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
		"$f($$)", "$f($$, $$)", `$f($$, "a")`, `$f("a", $$)`, "$f($$, 2)", `$f($$, "id", "a")`, `$f($$, $$, $$)`, "$f($$, function($x){$x})",
		`$f($$, "a", $$)`, "$f($$, [$$, $$])", "$f([$$, $$])", `$f($$, {"a": $$})`, `$f({"a": $$, "b": [$$]})`, `$f({"a": $$}, "a")`, "$f($$, /a+b/)",
	}
}

const (
	hostileDeadline = 50 * time.Millisecond
	hostileNoise    = 50 * time.Millisecond
	hostileMemory   = 128 << 20 // above the document: three times the output, and what is not collected yet
)

// TestHostileCalls calls every function of the library again and again with large documents. However it ends, it must end
// when its time is over.
func TestHostileCalls(t *testing.T) { //nolint:paralleltest // measures time and memory
	if os.Getenv("MILLRACE_HOSTILE") == "" {
		t.Skip("SKIPPED beside other tests, because it measures time and memory; make hostile runs it")
	}
	inputs := hostileInputs(t)
	for _, name := range Library().Names() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // measures time and memory
			for _, call := range hostileCalls() {
				src := "[1..100000].(" + strings.ReplaceAll(call, "$f(", "$"+name+"(") + "; 1)"
				program, err := Library().Compile(src)
				if err != nil {
					t.Fatal(err)
				}
				for kind, input := range inputs {
					if took, used := hostileCall(t, program, input); took > 2*hostileDeadline+hostileNoise || used > hostileMemory {
						t.Errorf("%s on %s: %v and %d MiB, want at most 2 x %v and %d MiB", call, kind, took, used>>20, hostileDeadline, hostileMemory>>20)
					}
				}
			}
		})
	}
}

// hostileCall returns the least of some tries, since other programs may take the processor away.
func hostileCall(t *testing.T, program *jsonata.Program, input jsonata.Value) (time.Duration, uint64) {
	t.Helper()
	var took time.Duration
	var used uint64
	for try := range 3 {
		if try > 0 {
			runtime.GC()
		}
		peak := watchMemory()
		start, before := time.Now(), processorTime(t)
		_, err := program.Eval(t.Context(), jsonata.Input{Data: input, Limits: jsonata.Limits{Timeout: hostileDeadline}})
		took = min(time.Since(start), processorTime(t)-before)
		used = peak()
		var e *jsonata.Error
		if errors.As(err, &e) && e.Code == jsonata.CodeInternal {
			t.Errorf("%s: %v", program, err)
		}
		if took <= 2*hostileDeadline+hostileNoise && used <= hostileMemory {
			break
		}
	}
	return took, used
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchMemory samples the heap and the stacks until the returned function is called, which gives the growth.
func watchMemory() func() uint64 {
	use := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := use()
	var most atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				most.Store(max(most.Load(), use()))
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		after := max(most.Load(), use())
		return after - min(after, before)
	}
}
