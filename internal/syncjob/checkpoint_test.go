package syncjob

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/jsonata"
)

// bulky returns a page of records of about a kilobyte each.
func bulky(prefix string, n int) fetch.Outcome {
	var records []jsonata.Value
	for i := range n {
		record := jsonata.NewObject(2)
		record.Set("id", fmt.Sprintf("%s%d", prefix, i))
		record.Set("text", strings.Repeat("x", 1000))
		records = append(records, record)
	}
	return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(records...)}
}

// checkpoint returns the run's checkpoint as stored.
func (w *world) checkpoint() string {
	w.t.Helper()
	var run *millrace.SyncJobRun
	w.update(func(ctx context.Context, tx *store.Tx) error {
		var err error
		run, err = tx.SyncJobRuns().Claim(ctx, env, w.run.ID) // the run has no lease between two slices
		return err
	})
	return string(run.Checkpoint)
}

// TestLargePagesAreWrittenOnce shows that what a run writes for a child does not grow with the page of its parent, nor
// with what a spool has collected.
func TestLargePagesAreWrittenOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: `[
		  {"name":"a","type":"request","resource":"a","method":"list"},
		  {"name":"b","type":"request","resource":"b","method":"list","depends_on":"a","query":{"of":"{{resources.a.id}}"}},
		  {"name":"all","type":"spool","depends_on":"b"},
		  {"name":"count","type":"transform","depends_on":"all","config":{"expression":"{\"id\": $count(resources.b)}"}},
		  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["b","count"]}]`})
		w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
			w.now = w.now.Add(time.Second)
			if req.Resource == "a" {
				return bulky("a", 100), nil
			}
			res := bulky("b", 3)
			if page, _ := strconv.Atoi(req.Cursor); page < 99 && strings.Contains(jsonOf(req.Query), `"a0"`) {
				res.NextCursor = strconv.Itoa(page + 1)
			}
			return res, nil
		}
		written := map[int64]int{}
		for {
			err := w.slice()
			if err == nil {
				break
			}
			retryIn(t, err)
			if row := w.row(); len(w.sink.accepted) == 0 || row.Status.Finished() {
				continue
			}
			if size := len(w.checkpoint()); size > 3*checkpoint.MaxInline/2 {
				t.Fatalf("after %d requests the checkpoint has %d bytes, want it to stay below %d", len(w.api.calls), size, 3*checkpoint.MaxInline/2)
			}
			maps.Copy(written, w.parts())
		}
		if n := len(w.api.calls); n != 200 {
			t.Errorf("%d requests were made, want 200: 1 for the page, 100 for its first record, and 1 for each other", n)
		}
		sum := 0
		for number, size := range written {
			if sum += size; size <= checkpoint.MaxInline {
				t.Errorf("part %d has only %d bytes", number, size)
			}
		}
		// The page of 100 and 300 records in the spool, with a little for their form.
		if most := 400 * 1100; sum > most || sum < 350_000 {
			t.Errorf("%d bytes were written beside the checkpoint, want nearly 400 kB", sum)
		}
		if left := w.parts(); len(left) > 0 {
			t.Errorf("parts %v are left after the end", left)
		}
		if got := w.script()[101]; got != "record b 300" {
			t.Errorf("after the first record: got %s, want what the spool has collected", got)
		}
	})
}

// TestEveryCrashCostsOnePage kills a run of three levels with loops, recursion and spools once at every seventh call of the
// store and of the network, other ones each time that the test runs. Each time the run must fetch at most one page more than without the crash, and what is
// delivered twice must be the same.
func TestEveryCrashCostsOnePage(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	p := plot{args: `{"loop":["l1","l2"]}`, resources: `[
	  {"name":"a","type":"request","resource":"a","method":"list","loop_on":"args.loop","query":{"element":"{{args.loop}}"}},
	  {"name":"b","type":"request","resource":"b","method":"list","depends_on":"a","query":{"of":"{{resources.a.id}}"},
	   "recurse":{"if":"{{resources.b.more:bool}}","config":{"query":{"of":"deeper{{resources.b.id}}"}}}},
	  {"name":"s","type":"spool","depends_on":"b"},
	  {"name":"sum","type":"transform","depends_on":"s","config":{"expression":"{\"id\": $join(resources.b.id, \"+\")}"}},
	  {"name":"c","type":"request","resource":"c","method":"list","depends_on":"b","query":{"of":"{{resources.b.id}}"}},
	  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["a","b","c","sum"]}]`}
	const every = 7
	calm := newWorld(t, db, p)
	calm.api.respond = growing
	calm.finish()
	want, requests := calm.script(), len(calm.api.calls)
	if requests < 20 || requests > 200 {
		t.Fatalf("the run makes %d requests, want a number that says something and takes no time", requests)
	}
	for _, soon := range []time.Duration{-1, time.Hour} {
		for at := rand.IntN(every); ; at += every {
			w := newWorld(t, db, p)
			w.api.respond = growing
			w.runner.inline = 50
			calls := 0
			f := &fate{left: 1, draw: func(label string, _ int) int {
				switch label {
				case "fetch", "soon":
					return 1 // no responses but those of the API
				}
				calls++
				return min(1, max(calls-at-1, at+1-calls)) // 0, which is death, at one call
			}}
			if err := w.endureWith(f, soon); err != nil {
				t.Fatalf("a crash at call %d: %v", at, err)
			}
			if f.crashes == 0 {
				break // the run has fewer calls
			}
			got := firstSeen(t, w.sink.all)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("received, without (-) and with (+) a crash at call %d:\n%s", at, diff)
			}
			if n := len(w.api.calls); n > requests+1 {
				t.Errorf("a crash at call %d: %d requests, want at most %d", at, n, requests+1)
			}
			if repeated := len(w.sink.all) - len(got); repeated > 1 {
				t.Errorf("a crash at call %d repeated %d deliveries, want at most 1", at, repeated)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestLostPartIsAnError shows that a run does not go on without what its checkpoint names.
func TestLostPartIsAnError(t *testing.T) {
	t.Parallel()
	c, err := checkpoint.Read([]byte(`{"parts":3,"stack":[{"walk":{"parts":[{"node":"a","records":2}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Fill(map[int64][]byte{3: []byte(`[]`)}); err == nil || !strings.Contains(err.Error(), "part 2") {
		t.Errorf("got %v, want an error that names the part", err)
	}
	if err := c.Fill(map[int64][]byte{2: []byte(`[1,2]`)}); err != nil || len(c.Stack[0].Walk.Parts[0].Records.Items) != 2 {
		t.Errorf("got %v, %v", c.Stack[0].Walk.Parts[0].Records, err)
	}
	for _, bad := range []string{`{"stack":[{"walk":{"parts":[{"node":"a","records":"x"}]}}]}`, `{"stack":[{"walk":{"parts":[{"node":"a","records":{}}]}}]}`} {
		if _, err := checkpoint.Read([]byte(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
