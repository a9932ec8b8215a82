package millracetest_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/millracetest/provider"
	"github.com/millrace/millrace/internal/millracetest/trial"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestMain(m *testing.M) {
	millracetest.ServeIfAsked()
	if base := os.Getenv(probeOf); base != "" {
		probeForever(base)
	}
	code := m.Run()
	millracetest.EndShared()
	millracetest.RemoveBinary()
	os.Exit(code)
}

const (
	quickRuns = 12 // on each database, by default
	atOnce    = 50 // runs that are started together
	perKill   = 8  // runs for each kill
)

// Random jobs read from providers that misbehave and deliver to webhooks that misbehave, in a server that is killed
// at random moments. What arrives is what a model of a job says, which knows nothing of the code that executes it.
//
// A trial that fails is repeated alone with MILLRACE_RUNS=1 and its MILLRACE_SEED.
func TestRunsSQLite(t *testing.T) {
	t.Parallel()
	runs(t, storetest.SQLite(t))
}

func TestRunsPostgres(t *testing.T) {
	t.Parallel()
	runs(t, storetest.Postgres(t))
}

func runs(t *testing.T, url string) {
	t.Helper()
	random, seed := seeded(t)
	n, patient := quickRuns, false
	if text := os.Getenv("MILLRACE_RUNS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("MILLRACE_RUNS: %v", err)
		}
		patient = true
	}
	w, began := newTrials(t, url), time.Now()
	var all []*trial.Trial
	for i := range n {
		all = append(all, trial.New(seed+uint64(i), patient))
	}
	w.configure(t, all)
	configured := time.Since(began)
	for some := range slices.Chunk(all, atOnce) {
		w.start(t, random, some)
	}
	killed := time.Since(began) - configured
	settled := millracetest.Settle(t, millracetest.OpenStore(t, url), 4*time.Minute)
	w.check(t, all)
	total, repeated := w.collector.Total()
	t.Logf("%d runs with %d kills: %d deliveries, %d of them repetitions with the same id and the same bytes", n, w.kills, total, repeated)
	t.Logf("configured in %s, killed for %s, at rest after %s more", configured.Round(time.Millisecond), killed.Round(time.Millisecond),
		settled.Round(time.Millisecond))
	w.node.Stop(t)
	logErrors(t, w.node)
}

// trials is a server that dies, with the providers and webhooks of the runs it executes.
type trials struct {
	url         string
	node        *millracetest.Node
	client      *millracetest.Client
	providers   *provider.Host
	collector   *millracetest.Collector
	apis, hooks string
	startup     time.Duration
	kills       int
}

func newTrials(t *testing.T, url string, prepare ...func(*millracetest.Node)) *trials {
	t.Helper()
	w := &trials{url: url, node: millracetest.NewOwnNode(t, url, newKey()), providers: &provider.Host{}, collector: millracetest.NewCollector()}
	for _, fn := range prepare {
		fn(w.node)
	}
	w.apis, w.hooks = millracetest.Listen(t, w.providers), millracetest.Listen(t, w.collector)
	w.node.Start(t)
	w.startup = w.node.WaitReady(t, time.Minute)
	w.client = millracetest.NewClient(w.node.Base, w.node.Token(t))
	return w
}

// configure creates what the trials need, while the server lives.
func (w *trials) configure(t *testing.T, all []*trial.Trial) {
	t.Helper()
	for _, one := range all {
		w.providers.Add(one.Name, one.Provider)
		if err := one.Configure(t.Context(), w.client, w.apis, w.hooks, w.collector); err != nil {
			t.Fatalf("MILLRACE_SEED=%d: %v", one.Seed, err)
		}
	}
}

// start starts the runs of trials and kills the server meanwhile.
func (w *trials) start(t *testing.T, random *rand.Rand, some []*trial.Trial) {
	t.Helper()
	var callers sync.WaitGroup
	callers.Go(func() {
		for _, one := range some {
			if err := one.Start(t.Context(), w.client); err != nil {
				t.Errorf("MILLRACE_SEED=%d: %v", one.Seed, err)
			}
		}
	})
	for range max(len(some)/perKill, 1) {
		time.Sleep(time.Duration(random.Int64N(int64(min(w.startup, time.Second) + 400*time.Millisecond))))
		if w.node.Ended() {
			t.Errorf("the program ended by itself")
		}
		w.node.Kill()
		w.node.Start(t)
		w.kills++
	}
	w.node.WaitReady(t, time.Minute)
	callers.Wait()
}

// check reports trials that did not end as the model says, and returns how many.
func (w *trials) check(t *testing.T, all []*trial.Trial) int {
	t.Helper()
	wrong := w.wrong(t, all)
	for _, what := range wrong {
		t.Error(what)
	}
	return len(wrong)
}

// wrong returns what is wrong with trials. Requests that a webhook must not get are reported at once.
func (w *trials) wrong(t *testing.T, all []*trial.Trial) []string {
	t.Helper()
	var out []string
	for _, one := range all {
		if wrong := one.Check(t.Context(), w.client, w.collector); wrong != "" {
			out = append(out, wrong)
		}
	}
	for _, p := range w.collector.Problems() {
		t.Error(p)
	}
	return out
}
