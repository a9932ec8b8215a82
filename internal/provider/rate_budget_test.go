package provider

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// nodes are budgets on one database with one clock, as those of several processes are.
type nodes struct {
	t   *testing.T
	db  *store.DB
	now time.Time
	all []*RateBudget
}

func newNodes(t *testing.T, db *store.DB, n int) *nodes {
	t.Helper()
	w := &nodes{t: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		b := NewRateBudget(db, func() time.Time { return w.now }, slog.New(slog.DiscardHandler), 0)
		b.jitter = random.Float64
		w.all = append(w.all, b)
	}
	return w
}

func (w *nodes) ask(node int, c caller) (time.Duration, time.Duration) {
	w.t.Helper()
	blocked, paced, err := w.all[node].ask(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return blocked, paced
}

func (w *nodes) row(c caller) millrace.AccountRate {
	w.t.Helper()
	var row millrace.AccountRate
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		var err error
		row, err = tx.Accounts().Rate(w.t.Context(), c.env, c.id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

func someCaller() caller {
	return caller{env: millrace.NewID[millrace.EnvironmentID](), id: millrace.NewID[millrace.IntegratedAccountID]()}
}

func limitedFor(d time.Duration) *fetch.Outcome {
	return &fetch.Outcome{Kind: fetch.KindRateLimited, Status: 429, RetryAfter: d}
}

func withLeft(limit, remaining int64, reset time.Duration) *fetch.Outcome {
	return &fetch.Outcome{Kind: fetch.KindOK, Status: 200, RateLimit: fetch.RateLimit{Known: true, Limit: limit, Remaining: remaining, Reset: reset}}
}

func TestOneResponseKeepsAllNodesWaiting(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]*fetch.Outcome{
		"429": limitedFor(time.Minute), "nothing left": withLeft(100, 0, time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w, c := newNodes(t, db, 2), someCaller()
				if blocked, paced := w.ask(1, c); blocked+paced != 0 {
					t.Fatalf("before: got %s, %s", blocked, paced)
				}
				if back := w.all[0].learn(t.Context(), c, outcome); back < time.Minute || back > time.Minute+3*time.Second {
					t.Errorf("the one that learned comes back in %s, want a little more than a minute", back)
				}
				w.now = w.now.Add(time.Second) // what the other node remembers is old enough now
				for node := range w.all {
					if blocked, _ := w.ask(node, c); blocked < 59*time.Second || blocked > 62*time.Second {
						t.Errorf("node %d: got a wait of %s, want about 59 s", node, blocked)
					}
				}
				if blocked, paced := w.ask(1, someCaller()); blocked+paced != 0 {
					t.Errorf("another account: got %s, %s", blocked, paced)
				}
				w.now = w.now.Add(59 * time.Second)
				for node := range w.all {
					if blocked, paced := w.ask(node, c); blocked+paced != 0 {
						t.Errorf("node %d, afterwards: got %s, %s", node, blocked, paced)
					}
				}
			})
		})
	}
}

func TestOnlyNewsIsWritten(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	w, c := newNodes(t, db, 1), someCaller()
	for _, o := range []*fetch.Outcome{withLeft(100, 99, time.Minute), withLeft(100, 1, time.Minute), limitedFor(time.Second), {Kind: fetch.KindOK}} {
		w.all[0].learn(t.Context(), c, o)
		if row := w.row(c); row.BlockedUntil != 0 {
			t.Errorf("%s with %+v was written down: %+v", o.Kind, o.RateLimit, row)
		}
	}
	w.all[0].learn(t.Context(), c, limitedFor(time.Minute))
	first := w.row(c)
	for _, later := range []time.Duration{0, time.Millisecond, time.Second} {
		w.now = w.now.Add(later)
		w.all[0].learn(t.Context(), c, limitedFor(time.Minute-time.Second))
	}
	if again := w.row(c); again != first || first.BlockedUntil == 0 || first.EnvironmentID != c.env {
		t.Errorf("got row %+v after responses that said the same, want %+v as before", again, first)
	}
	w.all[0].learn(t.Context(), c, limitedFor(time.Hour))
	if row := w.row(c); row.BlockedUntil != millrace.TimeOf(w.now.Add(time.Hour)) {
		t.Errorf("a longer block: got %+v", row)
	}
}

func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	w, c := newNodes(t, storetest.Open(t, storetest.SQLite(t)), 1), someCaller()
	if back := w.all[0].learn(t.Context(), c, limitedFor(24*time.Hour)); back < time.Hour || back > time.Hour+maxSpread {
		t.Errorf("24 hours: got %s, want an hour", back)
	}
	// A row from a node whose clock is wrong.
	other := someCaller()
	w.all[0].share(t.Context(), millrace.AccountRate{EnvironmentID: other.env, IntegratedAccountID: other.id, BlockedUntil: millrace.TimeOf(w.now.AddDate(30, 0, 0))})
	if blocked, _ := w.ask(0, other); blocked < time.Hour || blocked > time.Hour+maxSpread {
		t.Errorf("30 years in the database: got %s, want an hour", blocked)
	}
	var last time.Duration
	for waits := range int64(300) {
		c := someCaller()
		c.waits = waits
		back := w.all[0].learn(t.Context(), c, limitedFor(0))
		if back < time.Second || back > maxGuess*5/4+maxSpread {
			t.Fatalf("wait %d without a word: got %s", waits, back)
		}
		if waits < 8 && back <= last {
			t.Errorf("wait %d without a word: got %s after %s, want it longer", waits, back, last)
		}
		last = back
	}
}

func TestFewRequestsArePaced(t *testing.T) {
	t.Parallel()
	w, c := newNodes(t, storetest.Open(t, storetest.SQLite(t)), 1), someCaller()
	w.all[0].learn(t.Context(), c, withLeft(100, 5, time.Minute))
	for i := range 6 {
		if _, paced := w.ask(0, c); paced != time.Duration(i)*10*time.Second {
			t.Errorf("request %d: got its turn in %s, want %s", i+1, paced, time.Duration(i)*10*time.Second)
		}
	}
	if _, paced := w.ask(0, c); paced < time.Minute || paced > time.Minute+maxSpread {
		t.Errorf("request 7, for which none is left: got %s, want about a minute", paced)
	}
	first := c
	first.turn = true
	if blocked, paced := w.ask(0, first); blocked+paced != 0 {
		t.Errorf("whose turn it is: got %s, %s", blocked, paced)
	}
	for name, o := range map[string]*fetch.Outcome{
		"many are left": withLeft(100, 11, time.Minute), "it starts anew soon": withLeft(100, 5, 3*time.Second), "nothing is said": {Kind: fetch.KindOK},
	} {
		c := someCaller()
		w.all[0].learn(t.Context(), c, o)
		for range 3 {
			if blocked, paced := w.ask(0, c); blocked+paced != 0 {
				t.Errorf("%s: got %s, %s", name, blocked, paced)
			}
		}
	}
}

// quota is a provider that allows so many requests in a window, and says so or only responds with 429.
type quota struct {
	limit    int64
	window   time.Duration
	silent   bool
	began    time.Time
	used     int64
	rejected int
}

func (q *quota) respond(now time.Time) *fetch.Outcome {
	if now.Sub(q.began) >= q.window {
		q.began, q.used = now, 0
	}
	reset := q.began.Add(q.window).Sub(now)
	if q.used >= q.limit {
		q.rejected++
		return limitedFor(max(reset, time.Second))
	}
	q.used++
	if q.silent {
		return &fetch.Outcome{Kind: fetch.KindOK}
	}
	return withLeft(q.limit, q.limit-q.used, reset)
}

// TestRunsShareAQuotaFairly simulates many runs of one account on two nodes: hardly any of them sees a 429 of its own,
// the quota is used, and no run waits much longer than the others.
func TestRunsShareAQuotaFairly(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"with headers": false, "with 429 only": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const runs, pages, limit = 20, 20, 10
			w := newNodes(t, storetest.Open(t, storetest.SQLite(t)), 2)
			q := &quota{limit: limit, window: time.Minute, silent: silent, began: w.now}
			began, id := w.now, someCaller()
			type run struct {
				caller
				at   time.Time
				done int
				last time.Time
				idle time.Duration
			}
			var all []*run
			for range runs {
				all = append(all, &run{caller: id, at: w.now, last: w.now})
			}
			for {
				var next *run
				node := 0
				for i, r := range all {
					if r.done < pages && (next == nil || r.at.Before(next.at)) {
						next, node = r, i%2
					}
				}
				if next == nil {
					break
				}
				w.now = next.at
				blocked, paced := w.ask(node, next.caller)
				switch {
				case blocked > 0:
					next.waits, next.turn, next.at = next.waits+1, false, w.now.Add(blocked)
					continue
				case paced > 0:
					next.turn, next.at = true, w.now.Add(paced)
					continue
				}
				next.turn = false
				w.now = w.now.Add(20 * time.Millisecond)
				o := q.respond(w.now)
				back := w.all[node].learn(t.Context(), next.caller, o)
				if next.at = w.now; o.Kind == fetch.KindRateLimited {
					next.waits, next.at = next.waits+1, w.now.Add(back)
					continue
				}
				next.done, next.waits = next.done+1, 0
				next.idle, next.last = max(next.idle, w.now.Sub(next.last)), w.now
			}
			windows := int(w.now.Sub(began)/q.window) + 1
			if least := runs * pages / limit; windows > least+least/4 {
				t.Errorf("it took %d windows, want about %d", windows, least)
			}
			if q.rejected > windows*len(w.all) {
				t.Errorf("%d requests were rejected in %d windows, want at most one per node and window", q.rejected, windows)
			}
			for i, r := range all {
				if longest := runs * q.window / 2; r.idle > longest {
					t.Errorf("run %d waited %s for a page, want at most %s", i, r.idle, longest)
				}
			}
		})
	}
}

func TestBlockGoesWithItsAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w, c := newNodes(t, db, 1), someCaller()
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Accounts().Create(t.Context(), &millrace.IntegratedAccount{ID: c.id, EnvironmentID: c.env, Status: millrace.AccountActive})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.all[0].learn(t.Context(), c, limitedFor(time.Minute))
		remove := func(ctx context.Context) error {
			return db.Update(ctx, func(tx *store.Tx) error { return tx.Accounts().Delete(ctx, c.env, c.id) })
		}
		if err := remove(t.Context()); err != nil {
			t.Fatal(err)
		}
		if row := w.row(c); row.BlockedUntil != 0 {
			t.Errorf("got %+v after the account was deleted", row)
		}
	})
}
