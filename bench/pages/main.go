// Command pages measures the pages of the dashboard while much is stored: it lets the demo happen, multiplies every row of it, reads
// every kind of page that the links of the dashboard lead to, and lets a hundred pages follow what happens.
//
//	make pages-bench
//
// A floor, /healthz in the same run, says what a request costs that does nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/demo"
)

// options are the flags.
type options struct {
	deliveries int
	reads      int
	live       int
	seconds    int
	database   string
	keep       bool
}

func main() {
	var o options
	flag.IntVar(&o.deliveries, "deliveries", 10_000_000, "rows of deliveries; events are a tenth, accounts and runs a hundredth of them")
	flag.IntVar(&o.reads, "reads", 100, "how often each page is read")
	flag.IntVar(&o.live, "live", 100, "how many pages are open at once")
	flag.IntVar(&o.seconds, "seconds", 30, "how long pages are open")
	flag.StringVar(&o.database, "database", "", "measure one database: sqlite, postgres")
	flag.BoolVar(&o.keep, "keep", false, "leave the data directories, and print where they are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1) //nolint:gocritic // stop does nothing more
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "millrace-pages-")
	if err != nil {
		return err
	}
	if o.keep {
		defer fmt.Println("the data is in " + dir)
	} else {
		defer func() { _ = os.RemoveAll(dir) }()
	}
	fmt.Printf("%s, %d cores, %s, load average before %s\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly), loadAverage())
	binary := filepath.Join(dir, "millrace")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/millrace").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for _, database := range []string{"sqlite", "postgres"} {
		if o.database != "" && o.database != database {
			continue
		}
		if database == "postgres" && os.Getenv(postgresEnv) == "" {
			fmt.Println("SKIPPED: PostgreSQL, " + postgresEnv + " is not set (make pages-bench sets it)")
			continue
		}
		if err := measure(ctx, o, binary, filepath.Join(dir, database), database); err != nil {
			return fmt.Errorf("%s: %w", database, err)
		}
	}
	return nil
}

func measure(ctx context.Context, o options, binary, data, database string) error {
	began := time.Now()
	url, err := newDatabase(ctx, database)
	if err != nil {
		return err
	}
	if err := demo.Run(ctx, demo.Options{Out: io.Discard, DataDir: data, Database: url}); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	f, err := open(ctx, data, url)
	if err != nil {
		return err
	}
	err = errors.Join(f.fill(ctx, int64(o.deliveries)), f.close())
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d deliveries, %d events, %d accounts, made in %s\n", database, o.deliveries, o.deliveries/10, o.deliveries/100, time.Since(began).Round(time.Second))
	s, err := start(ctx, binary, data, url)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("%s: the server was ready after %s\n", database, s.ready.Round(10*time.Millisecond))
	pages, err := s.crawl(ctx)
	if err != nil {
		return err
	}
	if err := s.read(ctx, o, database, pages); err != nil {
		return err
	}
	return s.follow(ctx, o, database, pages)
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
