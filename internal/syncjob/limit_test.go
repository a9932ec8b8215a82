package syncjob

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/jsonata"
)

// TestLimitsFailTheRun shows that a run that must leave something out because of a limit fails, even if its
// error_handling ignores errors, and that everything before the limit was delivered.
func TestLimitsFailTheRun(t *testing.T) {
	t.Parallel()
	endless := func(req FetchRequest) (fetch.Outcome, error) {
		next := req.Cursor + "1"
		return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"x","more":true}]`)...), NextCursor: next}, nil
	}
	single := func(FetchRequest) (fetch.Outcome, error) {
		return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"x","more":true}]`)...)}, nil
	}
	large := func(FetchRequest) (fetch.Outcome, error) {
		return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":1},{"id":2,"text":"` + strings.Repeat("x", 2000) + `"},{"id":3}]`)...)}, nil
	}
	const request, persist = `{"name":"a","type":"request","resource":"r","method":"list"`, `,"persist":true}`
	for _, c := range []struct {
		name      string
		resources string
		api       func(FetchRequest) (fetch.Outcome, error)
		want      millrace.RunError
		records   int
	}{
		{"pages", `[` + request + persist + `]`, endless, millrace.RunError{Code: evaluate.CodePageLimit, Message: "there are more than 4 pages"}, 4},
		{
			"recursion", `[` + request + `,"recurse":{"if":"{{resources.a.more:bool}}"}` + persist + `]`, single,
			millrace.RunError{Code: evaluate.CodeRecursion, Message: "the request recurses more than 2 times"},
			3,
		},
		{
			"spool", `[` + request + persist + `,{"name":"s","type":"spool","depends_on":"a"}]`, endless,
			millrace.RunError{
				Code: evaluate.CodeSpoolLimit, Node: "s",
				Message: `the spool collects more than 60 bytes; not sent were 3 records that the spool "s" had collected`,
			},
			3,
		},
		{
			"delivery", `[` + request + persist + `]`, large,
			millrace.RunError{Code: evaluate.CodeDelivery, Message: "a delivery of one record has 2503 bytes; at most 1000 are allowed"},
			1,
		},
		{"run time", `[` + request + persist + `]`, endless, millrace.RunError{Code: evaluate.CodeRunTime, Message: "the run has worked for more than 30s"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: c.resources, config: func(cfg *Config) {
				cfg.MaxPages, cfg.MaxRecursion, cfg.MaxSpool, cfg.MaxDelivery = 4, 2, 60, 1000
				if c.want.Code == evaluate.CodeRunTime {
					cfg.MaxRunTime, cfg.MaxPages = 30*time.Second, 1000
				}
			}})
			w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
				if c.want.Code == evaluate.CodeRunTime {
					w.now = w.now.Add(10 * time.Second)
				}
				return c.api(req)
			}
			w.finish()
			row := w.row()
			var got millrace.RunError
			if err := json.Unmarshal(row.Error, &got); err != nil || row.Status != millrace.RunFailed {
				t.Fatalf("got status %s, error %s, %v", row.Status, row.Error, err)
			}
			if c.want.Node == "" {
				c.want.Node = "a"
			}
			c.want.Resource = "r"
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			script := w.script()
			if n := len(script) - 2; n != c.records || script[len(script)-1] != "failed" {
				t.Errorf("got deliveries %v, want %d of records and then failed", script, c.records)
			}
		})
	}
}

// TestWaitingIsNoWork shows that time in which a run waits for others does not count towards its limit.
func TestWaitingIsNoWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph, config: func(cfg *Config) { cfg.MaxRunTime = time.Minute }})
	limits, rejections := 5, 3
	w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
		if limits > 0 {
			limits--
			return fetch.Outcome{Kind: fetch.KindRateLimited, RetryAfter: time.Hour}, nil
		}
		return pages(`[{"id":1}]`, `[{"id":2}]`)(req)
	}
	w.sink.respond = func(r received) (deliver.Result, error) {
		if r.Event == millrace.EventRunRecord && rejections > 0 {
			rejections--
			return rejected(503), nil
		}
		return delivered(), nil
	}
	w.finish()
	if row := w.row(); row.Status != millrace.RunCompleted {
		t.Errorf("got status %s, error %s after %s", row.Status, row.Error, time.Duration(row.FinishedAt-row.StartedAt)*time.Microsecond)
	}
}

// TestLargePageIsDivided shows that records that are too many for one delivery come in several, in order, each within
// the limit, and the same ones after a crash.
func TestLargePageIsDivided(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{
			resources: `[{"name":"a","type":"request","resource":"a","method":"list","persist":true}]`,
			config:    func(cfg *Config) { cfg.MaxDelivery = 4000 },
		})
		w.api.respond = func(FetchRequest) (fetch.Outcome, error) { return bulky("x", 10), nil }
		w.finish()
		want := []string{"started", "record a x0,x1", "record a x2,x3,x4", "record a x5,x6", "record a x7,x8,x9", "completed"}
		if diff := cmp.Diff(want, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		for i, r := range w.sink.all {
			if len(r.Body) > 4000 || r.DeliveryID != millrace.RunDeliveryID(env, w.run.ID, int64(i+1)) {
				t.Errorf("delivery %d: %d bytes, id %s", i+1, len(r.Body), r.DeliveryID)
			}
		}
		if got := string(w.row().ResourceStats); got != `{"a":{"list":{"pages":1,"fetched":10,"persisted":10,"failed":0}}}` {
			t.Errorf("got resource_stats %s", got)
		}
	})
}

// TestRateLimitNeverFailsARun responds with hundreds of limits in a row, each with another wait.
func TestRateLimitNeverFailsARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph, errors: millrace.ErrorFailFast})
	limits := 0
	w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
		if req.Waits != int64(limits) {
			t.Errorf("got %d waits, want %d", req.Waits, limits)
		}
		if limits < 300 {
			limits++
			return fetch.Outcome{Kind: fetch.KindRateLimited, RetryAfter: time.Duration(limits%3-1) * time.Minute}, nil
		}
		return pages(`[{"id":1}]`)(req)
	}
	w.finish()
	if diff := cmp.Diff([]string{"started", "rate_limited", "record tickets 1", "completed"}, w.script()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

// TestPacedRequestWaitsForItsTurn shows that a run whose turn comes later gives its worker back, is not called rate
// limited, and shows its ticket when it comes back.
func TestPacedRequestWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph})
	w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
		if len(req.Cursor) > 0 && !req.Turn {
			return fetch.Outcome{Kind: fetch.KindPaced, RetryAfter: 10 * time.Second}, nil
		}
		return pages(`[{"id":1}]`, `[{"id":2}]`, `[{"id":3}]`)(req)
	}
	for range 2 {
		if got := retryIn(t, w.slice()); got != 10*time.Second {
			t.Errorf("comes back in %s, want 10 s", got)
		}
		if row := w.row(); row.Status != millrace.RunRunning || row.RetryAt != millrace.TimeOf(w.now.Add(10*time.Second)) {
			t.Errorf("got status %s, retry at %s", row.Status, row.RetryAt)
		}
		w.now = w.now.Add(10 * time.Second)
	}
	w.finish()
	if diff := cmp.Diff([]string{"started", "record tickets 1", "record tickets 2", "record tickets 3", "completed"}, w.script()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}
