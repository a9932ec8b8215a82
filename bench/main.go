// Command bench measures Millrace beside floors on the same machine, in the same run, and prints ratios: machines are
// noisy, ratios travel. A floor is the least that any program doing the job would have to do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

type options struct {
	short bool
	only  string
	dir   string

	database               string
	scenario, before, save string // of neighbour
	check                  float64
}

func main() { os.Exit(command()) }

func command() int {
	var o options
	flag.BoolVar(&o.short, "short", false, "run a fraction of the load: shows that it works, not how fast it is")
	flag.StringVar(&o.only, "only", "", "run one benchmark: events, latency, runs, deliveries, records, schedules, fairness, inbound, proxy, memory, neighbour")
	flag.StringVar(&o.database, "database", "", "measure one database: sqlite, postgres")
	flag.StringVar(&o.scenario, "scenario", "", "neighbour: run these scenarios, divided by commas")
	flag.StringVar(&o.before, "before", "", "neighbour: a file with earlier results, to be shown beside")
	flag.StringVar(&o.save, "save", "", "neighbour: a file to add the results to")
	flag.Float64Var(&o.check, "check", 0, "neighbour: fail when a neighbour feels so many times what it may; 1: when it feels more than it may")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	work := run
	if raw := os.Getenv(memoryEnv); raw != "" {
		work = func(ctx context.Context, _ options) error { return serve(ctx, raw) }
	}
	if err := work(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	o.dir = dir
	fmt.Printf("%s, %d cores, %s\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly))
	if o.short {
		fmt.Println("-short: that it works, not how fast it is; the ratios of so little work say little")
	}
	databases := []string{"sqlite"}
	if os.Getenv(postgresEnv) != "" {
		databases = append(databases, "postgres")
	} else {
		fmt.Println("SKIPPED: PostgreSQL, " + postgresEnv + " is not set (make bench sets it)")
	}
	benchmarks := []struct {
		name string
		run  func(context.Context, options, string) error
	}{{"events", events}, {"latency", latency}, {"runs", workflowRuns}, {"deliveries", deliveries}, {"records", records}, {"schedules", schedules}, {"fairness", fairness}, {"inbound", inboundHooks}, {"proxy", proxyCalls}, {"memory", memory}, {"neighbour", neighbour}}
	for _, b := range benchmarks {
		// The neighbour takes half an hour, and its figures mean nothing without -check or a table of earlier ones.
		if o.only != b.name && (o.only != "" || b.name == "neighbour") {
			continue
		}
		for _, database := range databases {
			if o.database != "" && o.database != database {
				continue
			}
			if err := b.run(ctx, o, database); err != nil {
				return fmt.Errorf("%s on %s: %w", b.name, database, err)
			}
		}
	}
	return nil
}

// postgresEnv names the variable with the address of a PostgreSQL server to create databases on.
const postgresEnv = "MILLRACE_TEST_POSTGRES"

// newDatabase returns the address of an empty database.
func (o options) newDatabase(ctx context.Context, kind, name string) (string, error) {
	if kind == "sqlite" {
		return filepath.Join(o.dir, name+".db"), nil
	}
	base := os.Getenv(postgresEnv)
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	cfg := conn.Config()
	db := fmt.Sprintf("millrace_bench_%s_%d", name, os.Getpid())
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+db+" WITH (FORCE)"); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+db); err != nil {
		return "", err
	}
	password := ""
	if cfg.Password != "" {
		password = ":" + cfg.Password
	}
	return fmt.Sprintf("postgres://%s%s@%s:%d/%s?sslmode=disable", cfg.User, password, cfg.Host, cfg.Port, db), nil
}

func (o options) count(n int) int {
	if o.short {
		return max(n/20, 50)
	}
	return n
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// rate prints a line with a rate, and with its ratio to a floor when there is one.
func rate(what, database string, n int, took time.Duration, floor float64) float64 {
	r := float64(n) / took.Seconds()
	line := fmt.Sprintf("%-46s %-9s %9.0f /s", what, database, r)
	if floor > 0 {
		line += fmt.Sprintf("   %5.1f %% of the floor", 100*r/floor)
	}
	fmt.Println(line)
	return r
}

// timed makes n calls, as many at once as there are callers, until one of them fails, and returns how long each took.
func timed(n int, call func(i int) error) ([]time.Duration, error) {
	latencies, errs := make([]time.Duration, n), make([]error, callers)
	var next atomic.Int64
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[c] == nil; i = int(next.Add(1)) - 1 {
				began := time.Now()
				errs[c] = call(i)
				latencies[i] = time.Since(began)
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return latencies, nil
}

// percentiles prints the middle and the tail of durations.
func percentiles(what, database string, d []time.Duration) error {
	if len(d) == 0 {
		return errors.New("nothing was measured")
	}
	slices.Sort(d)
	at := func(p float64) time.Duration {
		return d[min(int(p*float64(len(d))), len(d)-1)].Round(10 * time.Microsecond)
	}
	fmt.Printf("%-46s %-9s p50 %v   p99 %v   (%d samples)\n", what, database, at(0.50), at(0.99), len(d))
	return nil
}
