package millracetest_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestMain(m *testing.M) {
	millracetest.ServeIfAsked()
	os.Exit(m.Run())
}

const (
	quickRuns = 24  // on each database, when nobody says how many
	atOnce    = 100 // runs that are started together
	perKill   = 6   // runs for each kill
)

// Random jobs read from third parties that misbehave and deliver to webhooks that misbehave, in a server that is killed
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
	w := newTrials(t, url)
	began := time.Now()
	for first := 0; first < n; first += atOnce {
		var some []*millracetest.Trial
		for i := first; i < min(first+atOnce, n); i++ {
			some = append(some, millracetest.NewTrial(seed+uint64(i), patient))
		}
		w.try(t, random, some)
	}
	total, repeated := w.collector.Total()
	t.Logf("%d runs with %d kills in %s: %d deliveries, %d of them repetitions with the same id and the same bytes",
		n, w.kills, time.Since(began).Round(time.Millisecond), total, repeated)
	w.node.Stop(t)
	logErrors(t, w.node)
}

// trials is a server that dies, with the third parties and webhooks of the runs it executes.
type trials struct {
	url         string
	node        *millracetest.Node
	client      *millracetest.Client
	providers   *millracetest.Providers
	collector   *millracetest.Collector
	apis, hooks string
	startup     time.Duration
	kills       int
}

func newTrials(t *testing.T, url string) *trials {
	t.Helper()
	w := &trials{url: url, node: millracetest.NewOwnNode(t, url, newKey()), providers: &millracetest.Providers{}, collector: millracetest.NewCollector()}
	w.apis, w.hooks = millracetest.Listen(t, w.providers), millracetest.Listen(t, w.collector)
	w.node.Start(t)
	w.startup = w.node.WaitReady(t, time.Minute)
	w.client = millracetest.NewClient(w.node.Base, w.node.Token(t))
	return w
}

// try executes trials together and checks each.
func (w *trials) try(t *testing.T, random *rand.Rand, some []*millracetest.Trial) {
	t.Helper()
	ctx := t.Context()
	for _, trial := range some {
		w.providers.Add(trial.Name, trial.Provider)
		if err := trial.Configure(ctx, w.client, w.apis, w.hooks, w.collector); err != nil {
			t.Fatalf("MILLRACE_SEED=%d: %v", trial.Seed, err)
		}
	}
	var callers sync.WaitGroup
	callers.Go(func() {
		for _, trial := range some {
			if err := trial.Start(ctx, w.client); err != nil {
				t.Errorf("MILLRACE_SEED=%d: %v", trial.Seed, err)
			}
		}
	})
	for range max(len(some)/perKill, 1) {
		delay, _ := moment(random, w.startup)
		time.Sleep(delay / 2)
		if w.node.Ended() {
			t.Errorf("the program ended by itself")
		}
		w.node.Kill()
		w.node.Start(t)
		w.kills++
	}
	w.node.WaitReady(t, time.Minute)
	callers.Wait()
	millracetest.Settle(t, millracetest.OpenStore(t, w.url), 2*time.Minute)
	for _, trial := range some {
		if wrong := trial.Check(ctx, w.client, w.collector); wrong != "" {
			t.Error(wrong)
		}
	}
	for _, p := range w.collector.Problems() {
		t.Error(p)
	}
}
