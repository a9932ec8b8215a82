package millracetest_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// quick is how often to kill by default.
const quick = 3

// pace is the pause of each caller between two events: long in a quick run, which is about what happens at a kill and not about how
// much.
func pace(t *testing.T) time.Duration {
	t.Helper()
	if crashes(t) > quick {
		return 20 * time.Millisecond
	}
	return 60 * time.Millisecond
}

// crashes returns how often to kill: a few times in a quick run, MILLRACE_CRASHES times where there is time for it.
func crashes(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MILLRACE_CRASHES")
	if text == "" {
		return quick
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MILLRACE_CRASHES: %v", err)
	}
	return n
}

func seeded(t *testing.T) (*mathrand.Rand, uint64) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MILLRACE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("MILLRACE_SEED: %v", err)
		}
	}
	t.Logf("seed: MILLRACE_SEED=%d", seed)
	return mathrand.New(mathrand.NewPCG(seed, 0)), seed
}

func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// A server that works on the main job without pause is killed at random moments, also while it starts, and started again.
// In the end, everything that it has accepted has happened once and has been delivered in order.
//
// The databases come one after the other and before the tests that run in parallel: a busy machine kills fewer runs in
// fewer phases.
func TestCrashSQLite(t *testing.T) { crash(t, storetest.SQLite(t)) }

func TestCrashPostgres(t *testing.T) { crash(t, storetest.Postgres(t)) }

func crash(t *testing.T, url string) {
	t.Helper()
	random, seed := seeded(t)
	node := millracetest.NewNode(t, millracetest.Binary(t), url, "")
	node.Start(t)
	startup := node.WaitReady(t, time.Minute)
	client := millracetest.NewClient(node.Base, node.Token(t))
	load := millracetest.NewLoad(t, 0.01, seed, client)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	callers.Go(func() { load.Run(ctx, pace(t)) })

	began, n := time.Now(), crashes(t)
	phases := map[string]int{}
	var starts []time.Time
	for range n {
		delay, phase := moment(random, startup)
		time.Sleep(delay)
		if node.Ended() {
			t.Errorf("the program ended by itself")
		}
		if underway := load.Underway(); underway > 0 && phase != "while starting" {
			phase = "with runs under way"
		}
		phases[phase]++
		node.Kill()
		starts = append(starts, time.Now())
		node.Start(t)
	}
	killing := time.Since(began)
	node.WaitReady(t, time.Minute)
	stop()
	callers.Wait()
	db := millracetest.OpenStore(t, url)
	settled := millracetest.Settle(t, db, 2*time.Minute)
	t.Logf("killed %d times in %s: %v; first start took %s; at rest %s after the last restart", n, killing.Round(time.Millisecond), phases,
		startup.Round(time.Millisecond), time.Since(starts[len(starts)-1]).Round(time.Millisecond))
	t.Logf("after the load ended, %s until all was done", settled.Round(time.Millisecond))
	logProgress(t, load, starts)
	load.Check(t, db)
	node.Stop(t)
	logErrors(t, node)
}

// moment returns how long to let a server work before it is killed, so that kills fall into every phase: while it
// starts, just after it has, and in the middle of its work.
func moment(random *mathrand.Rand, startup time.Duration) (time.Duration, string) {
	span := func(least, most time.Duration) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)))
	}
	switch random.IntN(10) {
	case 0, 1:
		return span(0, startup), "while starting"
	case 2, 3, 4, 5, 6:
		return span(startup, startup+time.Second), "idle"
	}
	return span(startup, startup+2500*time.Millisecond), "idle"
}

// logProgress says how long it took from a restart to the next delivery, and the longest pauses within runs.
func logProgress(t *testing.T, load *millracetest.Load, starts []time.Time) {
	t.Helper()
	var waits []time.Duration
	received := load.Times()
	for i, start := range starts {
		end := time.Now()
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		for _, at := range received {
			if at.After(start) && at.Before(end) {
				waits = append(waits, at.Sub(start))
				break
			}
		}
	}
	gaps := load.Pauses()
	t.Logf("restart to next delivery: median %s, longest %s (%d of %d restarts lived long enough); longest pause within a run: median of runs %s, 99%% %s, longest %s",
		quantile(waits, 0.5), quantile(waits, 1), len(waits), len(starts), quantile(gaps, 0.5), quantile(gaps, 0.99), quantile(gaps, 1))
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1))].Round(time.Millisecond)
}

func logErrors(t *testing.T, nodes ...*millracetest.Node) {
	t.Helper()
	for _, node := range nodes {
		for message, times := range node.Errors() {
			t.Logf("%s logged as an error %d times: %s", node.Base, times, message)
		}
	}
}
