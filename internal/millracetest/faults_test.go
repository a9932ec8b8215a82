package millracetest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/millracetest/trial"
	"github.com/millrace/millrace/internal/store/storetest"
)

const (
	quickFaultRuns = 8  // of each of the fault tests, by default
	faultyAtOnce   = 25 // runs that are started together
)

// Random runs, while the database fails in one way or another and can be reached again at once: nothing that a page brought is
// lost, and what comes twice is the same. MILLRACE_FAULTS says how many runs each test makes.

// Statements and commits of the server fail; of half of the commits the outcome is unknown.
func TestFaultsSQLite(t *testing.T) {
	t.Parallel()
	injectedFaults(t, storetest.SQLite(t))
}

func TestFaultsPostgres(t *testing.T) {
	t.Parallel()
	injectedFaults(t, storetest.Postgres(t))
}

func injectedFaults(t *testing.T, url string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "faults")
	w := newTrials(t, url, func(n *millracetest.Node) { n.FailWhile(file) })
	w.fail(t, &faultSource{
		kinds: []string{"statements failed", "commits failed", "commits lost, outcome unknown", "commits stored, outcome unknown"},
		begin: func(*rand.Rand) {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		end: func() {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
		struck: func() map[string]int { return millracetest.FaultsStruck(t, file) },
	})
}

// PostgreSQL ends sessions that write.
func TestFaultsTerminatedSessions(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	var terminator *millracetest.Terminator
	newTrials(t, url).fail(t, &faultSource{
		kinds:  []string{"sessions terminated after COMMIT", "sessions terminated after INSERT", "sessions terminated at INSERT"},
		begin:  func(random *rand.Rand) { terminator = millracetest.NewTerminator(t, url, random) },
		end:    func() { terminator.Stop(t) },
		struck: func() map[string]int { return terminator.Ended() },
	})
}

// The network resets connections to PostgreSQL, some of them in the middle of a COMMIT.
func TestFaultsResetConnections(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	proxy := millracetest.NewPostgresProxy(t, url, rand.Uint64())
	w := newTrials(t, proxy.URL)
	w.url = url // tests look at the database without the proxy
	w.fail(t, &faultSource{
		kinds:  []string{"connections reset anywhere", "connections reset before a COMMIT", "connections reset after a COMMIT"},
		begin:  func(*rand.Rand) { proxy.Cut(true) },
		end:    func() { proxy.Cut(false) },
		struck: proxy.Cuts,
	})
}

// The disk is full for a moment, again and again.
func TestFaultsFullDisk(t *testing.T) {
	t.Parallel()
	dir := millracetest.SmallDisk(t, "512")
	var filler *millracetest.Filler
	newTrials(t, filepath.Join(dir, "millrace.db")).fail(t, &faultSource{
		kinds:  []string{"times the disk was full"},
		begin:  func(random *rand.Rand) { filler = millracetest.NewFiller(dir, random) },
		end:    func() { filler.Stop() },
		struck: func() map[string]int { return filler.Full() },
	})
}

// faultSource is a way in which a database fails.
type faultSource struct {
	kinds  []string // of faults, each of which strikes in a test with many runs
	begin  func(*rand.Rand)
	end    func()
	struck func() map[string]int // faults so far, by their kind
}

// missing returns the kinds of faults that have not struck yet. With few runs, one of any kind is enough.
func (f *faultSource) missing(runs int) []string {
	struck, total := f.struck(), 0
	for _, n := range struck {
		total += n
	}
	if runs < 100 && total > 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.kinds), func(kind string) bool { return struck[kind] > 0 })
}

// fail starts runs while the database fails, and checks them against the model.
func (w *trials) fail(t *testing.T, f *faultSource) {
	t.Helper()
	random, seed := seeded(t)
	n := faultRuns(t)
	var all []*trial.Trial
	for i := range n {
		all = append(all, trial.New(seed+uint64(i), false))
	}
	w.configure(t, all)
	began := time.Now()
	f.begin(random)
	for some := range slices.Chunk(all, faultyAtOnce) {
		var callers sync.WaitGroup
		for _, one := range some {
			callers.Go(func() {
				if err := one.Start(t.Context(), w.client); err != nil {
					t.Errorf("MILLRACE_SEED=%d: %v", one.Seed, err)
				}
			})
		}
		callers.Wait()
		w.underway(t, f, some) // most of them end while the database fails
	}
	ended := w.ended(all)
	f.end()
	failing := time.Since(began)
	settled := millracetest.Settle(t, millracetest.OpenStore(t, w.url), 4*time.Minute)
	lost := w.wrong(t, all)
	for _, wrong := range lost {
		t.Error(wrong)
	}
	total, repeated := w.collector.Total()
	t.Logf("%d runs, of which %d ended while the database failed, in %s; at rest %s later: %d runs with pages lost or wrong, %d deliveries, "+
		"%d of them repetitions, %d of those with other bytes; faults: %s", n, ended, failing.Round(time.Millisecond), settled.Round(time.Millisecond),
		len(lost), total, repeated, len(w.collector.Problems()), counted(f.struck()))
	if missing := f.missing(n); len(missing) > 0 {
		t.Errorf("no faults of the kinds %q, so they were not tested", missing)
	}
	if w.node.Ended() {
		t.Error("the program ended by itself")
		return
	}
	w.node.Stop(t)
	logErrors(t, w.node)
}

func faultRuns(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MILLRACE_FAULTS")
	if text == "" {
		return quickFaultRuns
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MILLRACE_FAULTS: %v", err)
	}
	return n
}

// counted writes numbers with what they count, sorted.
func counted(counts map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(parts, ", ")
}

func (w *trials) ended(some []*trial.Trial) int {
	n := 0
	for _, one := range some {
		if one.Ended(w.collector) {
			n++
		}
	}
	return n
}

// underway waits until most of the trials have ended, but not for long, and until a fault has struck, which takes its time on a
// machine that is busy with other tests.
func (w *trials) underway(t *testing.T, f *faultSource, some []*trial.Trial) {
	t.Helper()
	began := time.Now()
	patience := time.Duration(5+len(some)/5) * time.Second
	for time.Since(began) < patience && w.ended(some) < len(some)*9/10 || time.Since(began) < time.Minute && len(f.missing(1)) > 0 {
		time.Sleep(50 * time.Millisecond)
	}
}
