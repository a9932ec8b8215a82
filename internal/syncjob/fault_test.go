package syncjob

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// faultsEnv makes the fault tests try every place and that many random runs on each database; without it they try one place of
// faultStep and quickRandom runs.
const (
	faultsEnv   = "MILLRACE_FAULTS"
	faultStep   = 11
	quickRandom = 20
)

// faultRuns returns how thorough to be.
func faultRuns(t *testing.T) (step, random int) {
	t.Helper()
	text := os.Getenv(faultsEnv)
	if text == "" {
		return faultStep, quickRandom
	}
	random, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", faultsEnv, err)
	}
	return 1, random
}

// same reports where a run with faults differs from one without.
func (w *world) same(t rapid.TB, calm *world, when string) {
	t.Helper()
	if diff := cmp.Diff(firstSeen(t, calm.sink.all), firstSeen(t, w.sink.all)); diff != "" {
		t.Errorf("%s: received, without (-) and with (+) faults:\n%s", when, diff)
	}
	got, want := w.row(), calm.row()
	if got.Status != want.Status || got.Sequence != want.Sequence || (got.Error == nil) != (want.Error == nil) {
		t.Errorf("%s: got status %s, sequence %d, error %s; want %s, %d, %s", when, got.Status, got.Sequence, got.Error, want.Status, want.Sequence, want.Error)
	}
	if got, want := string(got.ResourceStats), string(want.ResourceStats); got != want {
		t.Errorf("%s: resource_stats: got %s, want %s", when, got, want)
	}
	if diff := cmp.Diff(calm.state(), w.state()); diff != "" {
		t.Errorf("%s: state, without (-) and with (+) faults:\n%s", when, diff)
	}
	if parts := w.parts(); len(parts) > 0 {
		t.Errorf("%s: %d parts of the checkpoint are left after the end", when, len(parts))
	}
}

// persevere does slices until the run has ended, as the queue does: whatever the database fails at.
func (w *world) persevere() error {
	for range 2000 {
		err := w.slice()
		var retry *millrace.RetryError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &retry):
			w.now = w.now.Add(retry.After)
		case !storetest.IsFault(err):
			return err
		}
	}
	return errors.New("the run does not end")
}

// struggle is a run with something that may go wrong.
type struggle struct {
	plot
	respond func(FetchRequest) (fetch.Outcome, error)
	sink    func(received) (deliver.Result, error)
}

func struggles() map[string]struggle {
	const list = `[{"name":"contacts","type":"request","resource":"contacts","method":"list"},
		{"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["contacts"]}]`
	contacts := pages(`[{"id":"1"},{"id":"2"}]`, `[{"id":"3"}]`, `[{"id":"4"}]`)
	responds := func(event string, res deliver.Result) func(received) (deliver.Result, error) {
		return func(r received) (deliver.Result, error) {
			if r.Event == event && r.Attempts < 2 {
				return res, nil
			}
			return delivered(), nil
		}
	}
	quick := rejected(500)
	quick.QuickRetry = time.Second
	attempt := []millrace.Attempt{{StatusCode: 400}}
	return map[string]struggle{
		"list":      {plot{resources: list}, contacts, nil},
		"state":     {plot{resources: cursorGraph}, pages(`[{"id":1,"at":"t1"},{"id":2,"at":"t2"}]`, `[{"id":3,"at":"t3"}]`), nil},
		"parked":    {plot{resources: list}, contacts, responds(millrace.EventRunRecord, rejected(500))},
		"retried":   {plot{resources: list}, contacts, responds(millrace.EventRunRecord, quick)},
		"cancelled": {plot{resources: list}, contacts, responds(millrace.EventRunStarted, deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Cancel}, Attempts: attempt})},
		"gone":      {plot{resources: list}, contacts, responds(millrace.EventRunRecord, deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Gone}, Attempts: attempt})},
		"failed":    {plot{resources: list, errors: millrace.ErrorFailFast}, byResource(nil), nil},
		"unheard":   {plot{resources: list, edit: func(run *millrace.SyncJobRun) { run.WebhookID = "" }}, contacts, nil},
	}
}

// world returns a run of the struggle; the parts of its checkpoint are small, so that there are some.
func (s *struggle) world(t *testing.T, db *store.DB, soon time.Duration) *world {
	t.Helper()
	p := s.plot
	p.edit = func(run *millrace.SyncJobRun) {
		run.StateKey = millrace.NewID[string]()
		if s.edit != nil {
			s.edit(run)
		}
	}
	w := newWorld(t, db, p)
	w.api.respond, w.sink.respond = s.respond, s.sink
	w.runner.cfg.Soon, w.runner.inline = soon, 20
	return w
}

// A statement or a commit that fails, at any place of a run and in any way, while the database can be reached again at once: the
// run goes on from its row, not from what the slice would have stored.
func TestFaultsAtEveryPlaceLoseNoPage(t *testing.T) {
	t.Parallel()
	step, _ := faultRuns(t)
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		db := faults.Open(t, url)
		runs := 0
		for name, s := range struggles() {
			for _, soon := range []time.Duration{-1, time.Hour} { // both ways of writing a response down
				calm := s.world(t, db, soon)
				faults.At(nil)
				calm.finish()
				places := faults.Places()
				for i := rand.IntN(step); i < len(places); i += step {
					faults.At(nil)
					w := s.world(t, db, soon)
					when := fmt.Sprintf("%s, soon %s, fault at %+v", name, soon, places[i])
					faults.At(&places[i])
					err := w.persevere()
					faults.At(nil)
					if err != nil {
						t.Fatalf("%s: %v", when, err)
					}
					w.same(t, calm, when)
					runs++
				}
			}
		}
		t.Logf("%d runs with one fault each", runs)
	})
}

// The same with random graphs, and several faults.
func TestRandomFaultsLoseNoPage(t *testing.T) {
	t.Parallel()
	_, runs := faultRuns(t)
	seed := time.Now().UnixNano()
	if text := os.Getenv("MILLRACE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		db := faults.Open(t, url)
		struck := 0
		for i := range int64(runs) {
			random := rand.New(rand.NewPCG(uint64(seed+i), 0))
			graph := rapid.Custom(drawGraph).Example(int(seed + i))
			s := struggle{plot: plot{resources: graph, args: `{"loop":["l1","l2"]}`}, respond: growing}
			soon := []time.Duration{-1, time.Hour}[random.IntN(2)]
			when := fmt.Sprintf("MILLRACE_SEED=%d, soon %s, %s", seed+i, soon, graph)
			faults.At(nil)
			calm := s.world(t, db, soon)
			calm.finish()
			w := s.world(t, db, soon)
			faults.Draw(random, 8)
			err := w.persevere()
			struck += faults.Struck()
			faults.At(nil)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			w.same(t, calm, when)
		}
		t.Logf("%d runs with %d faults", runs, struck)
	})
}
