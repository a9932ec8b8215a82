package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// mostMiddle and mostTail are what a quiet environment may feel, at most, of what another does.
	mostMiddle = 100 * time.Millisecond
	mostTail   = time.Second
)

// span sums up durations. Open ones had not ended when the benchmark gave up on them, and count for as long as it had waited.
type span struct {
	P50, P99, Max time.Duration
	Samples, Open int
}

// hopSpans are the spans of one phase by hop.
type hopSpans map[string]span

// neighbourResult is one row of the table.
type neighbourResult struct {
	Scenario, Database string
	Idle, Attacked     hopSpans
	IdleMiB, MostMiB   float64
	Load               string // of the machine: idle -> attacked
}

// neighbour measures what a quiet environment feels of what another one does on the same server: event sent to run started,
// event sent to response, event sent to delivery; first with the server idle, which is the floor, then during each attack.
func neighbour(ctx context.Context, o options, database string) error {
	var results []neighbourResult
	var missed []error
	for _, s := range scenarios() {
		if o.scenario != "" && !slices.Contains(strings.Split(o.scenario, ","), s.name) {
			continue
		}
		r, err := o.attacked(ctx, database, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		results = append(results, r)
		for _, hop := range hopNames() {
			fmt.Printf("%-18s %-9s %-10s idle %s   attacked %s\n", s.name, database, hop, r.Idle[hop], r.Attacked[hop])
		}
		fmt.Printf("%-18s %-9s memory     idle %.0f MiB   most %.0f MiB   load of the machine %s\n", s.name, database, r.IdleMiB, r.MostMiB, r.Load)
		missed = append(missed, s.check(r, max(o.check, 1)))
	}
	if len(results) == 0 {
		return fmt.Errorf("there is no scenario %q", o.scenario)
	}
	if err := o.keep(database, results); err != nil {
		return err
	}
	if o.check == 0 {
		return nil
	}
	return errors.Join(missed...)
}

// check compares what was measured with so many times what a neighbour may feel.
func (s scenario) check(r neighbourResult, times float64) error {
	middle, tail := time.Duration(times*float64(mostMiddle)), time.Duration(times*float64(mostTail))
	var errs []error
	for _, hop := range s.judged() {
		if got := r.Attacked[hop]; got.P50 >= middle || got.P99 >= tail {
			errs = append(errs, fmt.Errorf("%s on %s: %s p50 %s, p99 %s; p50 must be below %s and p99 below %s",
				s.name, r.Database, hop, short(got.P50), short(got.P99), short(middle), short(tail)))
		}
	}
	return errors.Join(errs...)
}

// keep prints the table and adds the results to a file, in place of earlier ones of the same scenarios.
func (o options) keep(database string, results []neighbourResult) error {
	before, err := readResults(o.before)
	if err != nil {
		return err
	}
	printTable(results, before)
	if o.save == "" {
		return nil
	}
	kept, err := readResults(o.save)
	if err != nil {
		return err
	}
	for _, r := range results {
		kept = slices.DeleteFunc(kept, func(old neighbourResult) bool {
			return old.Scenario == r.Scenario && old.Database == database
		})
		kept = append(kept, r)
	}
	raw, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Clean(o.save), raw, 0o600)
}

// readResults reads what keep wrote; nothing from a file that does not exist.
func readResults(name string) ([]neighbourResult, error) {
	if name == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(filepath.Clean(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var results []neighbourResult
	return results, json.Unmarshal(raw, &results)
}

// printTable prints a row for each scenario. A cell has p50 / p99 / most; where there are earlier results, those come first.
func printTable(results, before []neighbourResult) {
	fmt.Println("\n| What the other environment does | Database | Run started, idle | Run started | `POST /event` | Event delivered | Memory |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, r := range results {
		var old *neighbourResult
		for i := range before {
			if before[i].Scenario == r.Scenario && before[i].Database == r.Database {
				old = &before[i]
			}
		}
		cell := func(hop string) string {
			if old == nil {
				return r.Attacked[hop].cell()
			}
			return old.Attacked[hop].cell() + " -> " + r.Attacked[hop].cell()
		}
		memory := fmt.Sprintf("%.0f MiB", r.MostMiB)
		if old != nil {
			memory = fmt.Sprintf("%.0f -> %.0f MiB", old.MostMiB, r.MostMiB)
		}
		fmt.Println("| " + strings.Join([]string{
			title(r.Scenario), r.Database, r.Idle[hopStarted].cell(), cell(hopStarted), cell(hopResponse), cell(hopEvent), memory,
		}, " | ") + " |")
	}
	fmt.Println()
}

func title(name string) string {
	for _, s := range scenarios() {
		if s.name == name {
			return s.title
		}
	}
	return name
}

// spanOf sums up durations, of which some are open.
func spanOf(d []time.Duration, open int) span {
	if len(d) == 0 {
		return span{}
	}
	slices.Sort(d)
	at := func(p float64) time.Duration { return d[min(int(p*float64(len(d))), len(d)-1)] }
	return span{P50: at(0.50), P99: at(0.99), Max: d[len(d)-1], Samples: len(d), Open: open}
}

// String is the span for people.
func (s span) String() string {
	text := fmt.Sprintf("p50 %s p99 %s max %s (%d samples", short(s.P50), short(s.P99), short(s.Max), s.Samples)
	if s.Open > 0 {
		text += fmt.Sprintf(", %d had not ended", s.Open)
	}
	return text + ")"
}

func (s span) cell() string {
	more := ""
	if s.Open > 0 {
		more = ">"
	}
	return fmt.Sprintf("%s / %s / %s%s", short(s.P50), short(s.P99), more, short(s.Max))
}

// short writes a duration with two or three digits.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
