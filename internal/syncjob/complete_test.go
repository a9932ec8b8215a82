package syncjob

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/jsonata"
)

// incremental are jobs that ask only for what has changed, in the ways that the documentation names. A record that cannot be
// transformed has no number.
var incremental = map[string]string{
	"previous_run_date": `[
	  {"name":"parents","type":"request","resource":"parents","method":"list","query":{"since":"{{previous_run_date}}"}},` + below,
	"state below complete": `[
	  {"name":"cursor","type":"get_state","config":{"key":"cursor","default":"1970-01-01T00:00:00.000Z"}},
	  {"name":"parents","type":"request","resource":"parents","method":"list","query":{"since":"{{resources.cursor.value}}"}},
	  {"name":"end","type":"event","config":{"name":"complete"}},
	  {"name":"mark","type":"update_state","depends_on":"end","config":{"key":"cursor",
	    "value_expression":"sync_job_run.status = 'completed' ? sync_job_run.started_at.toISOString()"}},` + below,
	"state behind each record": `[
	  {"name":"cursor","type":"get_state","config":{"key":"cursor","default":"1970-01-01T00:00:00.000Z"}},
	  {"name":"parents","type":"request","resource":"parents","method":"list","query":{"since":"{{resources.cursor.value}}"}},` +
		below[:len(below)-1] + `,
	  {"name":"mark","type":"update_state","depends_on":"parents","config":{"key":"cursor","value":"{{resources.parents.at}}"}}]`,
}

const below = `
	  {"name":"sum","type":"transform","depends_on":"parents","config":{"expression":"resources.parents.{\"id\": id, \"version\": version, \"sum\": 1 + number}"}},
	  {"name":"children","type":"request","resource":"children","method":"list","depends_on":"parents","id":"{{resources.parents.id}}"},
	  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["sum","children"]}]`

// record is a parent of a provider; its children have the same version.
type record struct {
	version int
	at      time.Time
	bad     bool
}

// unreliable is a provider whose records change all the time and that fails now and then.
type unreliable struct {
	random  *rand.Rand
	w       *world
	records []*record
	failing float64 // of the requests
	narrow  *int    // lists that were asked for since a time
	lists   [][]string
}

// change adds records and changes some.
func (u *unreliable) change() {
	for range u.random.IntN(4) {
		r := &record{}
		if n := len(u.records); n > 0 && u.random.IntN(2) == 0 {
			r = u.records[u.random.IntN(n)]
		} else {
			u.records = append(u.records, r)
		}
		r.version++
		r.at = u.w.now
		r.bad = u.failing > 0 && u.random.IntN(12) == 0
	}
}

// respond responds to a request of the run.
func (u *unreliable) respond(req FetchRequest) (fetch.Outcome, error) {
	u.w.now = u.w.now.Add(time.Second)
	if u.random.IntN(10) == 0 {
		u.change()
	}
	if u.random.Float64() < u.failing {
		status := []int{400, 401, 403, 404, 500, 503}[u.random.IntN(6)]
		return failing(status)(req)
	}
	if req.Resource == "children" {
		n, _ := strconv.Atoi(req.ID)
		return pages(fmt.Sprintf(`[{"id":"child of %d","version":%d}]`, n, u.records[n].version))(req)
	}
	if req.Cursor == "" {
		u.lists = append(u.lists, u.list(req))
		req.Cursor = "0"
	}
	return pages(u.lists[len(u.lists)-1]...)(req)
}

// list is what has changed since the time that a request names, oldest first, in pages.
func (u *unreliable) list(req FetchRequest) []string {
	var since time.Time
	if query, ok := req.Query.(*jsonata.Object); ok {
		if v, ok := query.Get("since"); ok && v != jsonata.Value(jsonata.Null{}) {
			var err error
			if since, err = time.Parse(time.RFC3339, fmt.Sprint(v)); err == nil && since.Year() > 1970 {
				*u.narrow++
			}
		}
	}
	var ids []int
	for id, r := range u.records {
		if !r.at.Before(since) {
			ids = append(ids, id)
		}
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(u.records[a].at.UnixNano(), u.records[b].at.UnixNano()) })
	out := []string{}
	for page := range slices.Chunk(ids, 3) {
		list := []map[string]any{}
		for _, id := range page {
			r := u.records[id]
			m := map[string]any{"id": strconv.Itoa(id), "version": r.version, "at": millrace.TimeOf(r.at).String(), "number": 1}
			if r.bad {
				m["number"] = "none"
			}
			list = append(list, m)
		}
		raw, _ := json.Marshal(list)
		out = append(out, string(raw))
	}
	if len(out) == 0 {
		out = []string{"[]"}
	}
	return out
}

// missing names what was in the provider at a time and has not arrived.
func (u *unreliable) missing(at time.Time) []string {
	arrived := map[string]int{}
	for _, d := range u.w.sink.accepted {
		var p struct {
			Records []struct {
				ID      string
				Version int
			}
		}
		if json.Unmarshal(d.envelope.Payload, &p) == nil {
			for _, r := range p.Records {
				arrived[r.ID] = max(arrived[r.ID], r.Version)
			}
		}
	}
	var out []string
	for id, r := range u.records {
		if r.at.After(at) {
			continue // of a change after that, the next run tells
		}
		for _, name := range []string{strconv.Itoa(id), "child of " + strconv.Itoa(id)} {
			if arrived[name] < r.version {
				out = append(out, fmt.Sprintf("%s: version %d, have %d", name, r.version, arrived[name]))
			}
		}
	}
	return out
}

// Nothing is missing at the receiver after a run in which nothing failed, whatever failed in the runs before it.
func TestNoCursorPassesAFailure(t *testing.T) {
	t.Parallel()
	runs := 60
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_RUNS")); err == nil {
		runs = 2 * n
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		failed, partial, clean := 0, 0, 0
		narrow := map[string]*int{}
		for done := 0; done < runs; {
			for name, resources := range incremental {
				if narrow[name] == nil {
					narrow[name] = new(int)
				}
				handling := []millrace.ErrorHandling{millrace.ErrorIgnore, millrace.ErrorBatch, millrace.ErrorFailFast}[random.IntN(3)]
				p := plot{
					resources: resources, errors: handling, edit: func(run *millrace.SyncJobRun) { run.StateKey = string(run.SyncJobID) },
					config: func(c *Config) { c.FetchRetries, c.MaxAuthWait = []time.Duration{}, -1 },
				}
				w := newWorld(t, db, p)
				u := &unreliable{random: random, w: w, failing: random.Float64() * 0.3, narrow: narrow[name]}
				w.api.respond = u.respond
				last := 2 + random.IntN(6)
				for i := range last + 1 {
					if i == last {
						u.failing = 0
						for _, r := range u.records {
							if r.bad {
								r.bad, r.at = false, w.now
								r.version++
							}
						}
					}
					u.change()
					w.now = w.now.Add(time.Minute)
					if i > 0 {
						w.newRun(p)
					}
					w.finish()
					done++
					row := w.row()
					stats, err := evaluate.ReadStats(row.ResourceStats)
					if err != nil {
						t.Fatal(err)
					}
					count := int64(0)
					for _, methods := range stats {
						for _, c := range methods {
							count += c.Failed
						}
					}
					switch {
					case row.ErrorCount != count:
						t.Fatalf("error_count is %d, the stats say %d", row.ErrorCount, count)
					case row.Status == millrace.RunFailed:
						failed++
					case row.IsPartial:
						partial++
					case row.Status == millrace.RunCompleted && count == 0:
						clean++
						if missing := u.missing(row.StartedAt.Std()); len(missing) > 0 {
							t.Fatalf("after run %d of %q with %s, in which nothing failed, these are missing: %v", i+1, name, handling, missing)
						}
					default:
						t.Fatalf("status %s with %d errors, partial %t", row.Status, row.ErrorCount, row.IsPartial)
					}
					if i == last && row.ErrorCount > 0 {
						t.Fatalf("the last run has failed: %s", row.FirstError)
					}
				}
			}
		}
		t.Logf("%d runs failed, %d were partial, %d clean", failed, partial, clean)
		for name, n := range narrow {
			if *n == 0 {
				t.Errorf("%s: every run has asked for everything", name)
			}
		}
		if failed == 0 || partial == 0 {
			t.Error("the provider does not fail enough to show anything")
		}
	})
}
