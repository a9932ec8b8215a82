package syncjob

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/jsonata"
)

var errCrash = errors.New("the process died here")

// fate decides at every call of the store and of the network whether the process dies before or after it.
type fate struct {
	draw    func(label string, n int) int
	left    int // crashes that may still happen
	crashes int
	waits   int // responses that made the run repeat a request
	dead    bool
}

func (f *fate) strikes(label string) bool {
	if f.left == 0 || f.draw(label, 6) != 0 {
		return false
	}
	f.left--
	f.crashes++
	f.dead = true
	return true
}

// mortalDB is a store in whose transactions the process may die.
type mortalDB struct {
	*store.DB
	fate *fate
}

// Update implements database.
func (m mortalDB) Update(ctx context.Context, fn func(*store.Tx) error) error {
	if m.fate.dead || m.fate.strikes("before commit") {
		return errCrash // a dead process writes nothing, whatever the code after the crash tries
	}
	if err := m.DB.Update(ctx, fn); err != nil {
		return err
	}
	if m.fate.strikes("after commit") {
		return errCrash
	}
	return nil
}

// mortalFetcher is a provider; the process may die before its response arrives.
type mortalFetcher struct {
	api  *api
	fate *fate
}

// Fetch implements Fetcher.
func (m mortalFetcher) Fetch(ctx context.Context, req FetchRequest) (fetch.Outcome, error) {
	if m.fate.strikes("before fetch") {
		return fetch.Outcome{}, errCrash
	}
	if m.fate.waits < 3 && m.fate.draw("fetch", 8) == 0 {
		m.fate.waits++
		return fetch.Outcome{Kind: []fetch.Kind{fetch.KindRemoteError, fetch.KindRateLimited}[m.fate.draw("outcome", 2)], Status: 503}, nil
	}
	res, err := m.api.Fetch(ctx, req)
	if m.fate.strikes("after fetch") {
		return fetch.Outcome{}, errCrash
	}
	return res, err
}

// mortalSender is an endpoint that sometimes does not respond; the process may die before its response arrives.
type mortalSender struct {
	sink *sink
	fate *fate
}

// Send implements Destination.
func (m mortalSender) Send(ctx context.Context, req deliver.Request) (deliver.Result, error) {
	if m.fate.strikes("before send") {
		return deliver.Result{}, errCrash
	}
	res, err := m.sink.Send(ctx, req)
	if m.fate.strikes("after send") {
		return deliver.Result{}, errCrash
	}
	return res, err
}

// endure does slices until the run has ended, as often as the process dies.
func (w *world) endure(f *fate) error {
	// Both ways of storing a response, whatever the machine's speed.
	return w.endureWith(f, []time.Duration{-1, time.Hour}[f.draw("soon", 2)])
}

func (w *world) endureWith(f *fate, soon time.Duration) error {
	w.runner.db = mortalDB{DB: w.db, fate: f}
	w.runner.cfg.Fetcher, w.runner.cfg.Destination = mortalFetcher{w.api, f}, mortalSender{w.sink, f}
	w.runner.cfg.Soon = soon
	for range 5000 {
		f.dead = false
		err := w.slice()
		if err == nil && !f.dead {
			return nil
		}
		var retry *millrace.RetryError
		switch {
		case errors.As(err, &retry):
			w.now = w.now.Add(retry.After)
		case !f.dead:
			return err
		}
	}
	return errors.New("the run does not end")
}

// TestCrashesLoseAndInventNothing runs random graphs twice: once without, and once with crashes, rejections and failures
// at random calls. Both must deliver the same, in the same order, and whatever is delivered again must be the same
// bytes with the same id, right after the first time.
func TestCrashesLoseAndInventNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rapid.Check(t, func(rt *rapid.T) {
			p := plot{resources: drawGraph(rt), args: `{"loop":["l1","l2"]}`, edit: func(run *millrace.SyncJobRun) { run.StateKey = millrace.NewID[string]() }}
			calm := newWorld(t, db, p)
			calm.api.respond = growing
			calm.finish()

			w := newWorld(t, db, p)
			w.api.respond = growing
			w.runner.inline = []int{0, 100, checkpoint.MaxInline}[rapid.IntRange(0, 2).Draw(rt, "inline")]
			f := &fate{draw: func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(rt, label) }, left: rapid.IntRange(0, 12).Draw(rt, "crashes")}
			rejections := 0
			w.sink.respond = func(r received) (deliver.Result, error) {
				if rejections < 3 && f.draw("response", 8) == 0 {
					rejections++
					return rejected(500), nil
				}
				return delivered(), nil
			}
			if err := w.endure(f); err != nil {
				rt.Fatalf("%s: %v", p.resources, err)
			}
			if diff := cmp.Diff(calm.script(), firstSeen(rt, w.sink.all)); diff != "" {
				rt.Errorf("%s\nreceived, without (-) and with (+) crashes:\n%s", p.resources, diff)
			}
			if parts := w.parts(); len(parts) > 0 {
				rt.Errorf("%d parts of the checkpoint are left after the end", len(parts))
			}
			if row := w.row(); row.Status != calm.row().Status {
				rt.Errorf("got status %s, want %s", row.Status, calm.row().Status)
			}
			if got, most := len(w.api.calls), len(calm.api.calls)+f.crashes; got > most {
				rt.Errorf("got %d requests with %d crashes, want at most %d: one page for each crash", got, f.crashes, most)
			}
			if diff := cmp.Diff(calm.state(), w.state()); diff != "" {
				rt.Errorf("%s\nstate, without (-) and with (+) crashes:\n%s", p.resources, diff)
			}
			if got, want := string(w.row().ResourceStats), string(calm.row().ResourceStats); got != want {
				rt.Errorf("resource_stats: got %s, want %s", got, want)
			}
		})
	})
}

// firstSeen checks repeated deliveries and returns the lines of the others, without rate_limited, which the calm run
// does not have.
func firstSeen(rt rapid.TB, all []received) []string {
	var lines []string
	var last *received
	seen := map[millrace.DeliveryID]bool{}
	for i := range all {
		r := &all[i]
		if last != nil && r.DeliveryID == last.DeliveryID {
			if !bytes.Equal(r.Body, last.Body) || r.WebhookID != last.WebhookID {
				rt.Errorf("delivery %s was repeated with other bytes", r.DeliveryID)
			}
			continue
		}
		if seen[r.DeliveryID] {
			rt.Errorf("delivery %s was repeated after a later one", r.DeliveryID)
		}
		seen[r.DeliveryID] = true
		last = r
		if r.Event != millrace.EventRunRateLimited {
			lines = append(lines, r.line())
		}
	}
	return lines
}

// growing is a provider whose pages follow from the request alone: up to three pages of up to two records, whose ids
// tell where they come from.
func growing(req FetchRequest) (fetch.Outcome, error) {
	key := req.Resource + req.ID
	if req.Query != nil {
		key += jsonOf(req.Query)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	seed := h.Sum32()
	page, _ := strconv.Atoi(req.Cursor)
	var records []jsonata.Value
	for i := range int(seed>>(3*page)) % 3 {
		record := jsonata.NewObject(2)
		record.Set("id", fmt.Sprintf("%s%x.%d.%d", req.Resource, seed%256, page, i))
		record.Set("more", int(seed>>8)%3 == 0 && !strings.Contains(key, "deeper"))
		records = append(records, record)
	}
	res := fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(records...)}
	if page < int(seed>>4)%3 {
		res.NextCursor = strconv.Itoa(page + 1)
	}
	return res, nil
}

// drawGraph makes a random node graph in which every kind of node may be below every other.
func drawGraph(rt *rapid.T) string {
	type drawn struct{ name, up string } // up: the nearest node above with records
	nodes := []drawn{{}}
	var out []map[string]any
	var sinks []string
	for i := range rapid.IntRange(1, 6).Draw(rt, "nodes") {
		parent := nodes[rapid.IntRange(0, len(nodes)-1).Draw(rt, "parent")]
		n := map[string]any{"name": fmt.Sprintf("n%d", i)}
		self := drawn{name: fmt.Sprintf("n%d", i), up: fmt.Sprintf("n%d", i)}
		if parent.name != "" {
			n["depends_on"] = parent.name
		}
		switch kind := rapid.SampledFrom([]string{"request", "request", "transform", "spool", "add_context", "count", "forget"}).Draw(rt, "type"); {
		case kind == "request" || parent.name == "":
			drawRequest(rt, n, self.name, parent.up)
		case kind == "transform":
			n["type"], n["config"] = kind, map[string]any{"expression": "[resources." + parent.up + `.{"id": id & "'"}]`}
			if parent.up == "" {
				n["config"] = map[string]any{"expression": `[{"id":"k"},{"id":"l"}]`}
			}
		case kind == "add_context":
			n["type"], n["config"] = kind, map[string]any{"expression": `{"seen": "c` + self.name + `" & resources.` + parent.up + `.id}`}
			self.up = parent.up
		case kind == "count":
			// Two nodes: one reads an entry and the other adds to it, so an effect that is lost or doubled shows.
			out = append(out, map[string]any{"name": self.name + "s", "type": "get_state", "depends_on": parent.name, "config": map[string]any{"key": "k", "default": 0}})
			n["type"], n["depends_on"] = "update_state", self.name+"s"
			n["config"] = map[string]any{"key": "k", "value_expression": "resources." + self.name + "s.value * 3 + 1"}
			self.up = parent.up
		case kind == "forget":
			n["type"], n["run_if"] = "delete_state", `$contains(resources.`+parent.up+`.id & "", "0.1")`
			n["config"] = map[string]any{"key": "k{{resources." + self.name + ".nothing?:}}"}
			self.up = parent.up
		default:
			n["type"] = kind
		}
		if self.up == self.name {
			sinks = append(sinks, self.name)
		}
		nodes = append(nodes, self)
		out = append(out, n)
	}
	wanted := rapid.SliceOfNDistinct(rapid.SampledFrom(sinks), 1, -1, rapid.ID[string]).Draw(rt, "sinks")
	out = append(out, map[string]any{"name": "out", "type": "destination", "destination_type": "webhook", "resources_to_persist": wanted})
	raw, err := json.Marshal(out)
	if err != nil {
		rt.Fatal(err)
	}
	return string(raw)
}

func drawRequest(rt *rapid.T, n map[string]any, name, up string) {
	query := map[string]any{"seen": "{{seen?:nothing}}"}
	if up != "" {
		query["of"] = "{{resources." + up + ".id}}"
		if rapid.Bool().Draw(rt, "run_if") {
			n["run_if"] = `$not($contains(resources.` + up + `.id, "1.1"))`
		}
	}
	n["type"], n["resource"], n["method"], n["query"] = "request", "r"+name, "list", query
	if rapid.IntRange(0, 3).Draw(rt, "loop") == 0 {
		n["loop_on"] = "args.loop"
		query["element"] = "{{args.loop}}"
	}
	if rapid.IntRange(0, 3).Draw(rt, "recurse") == 0 {
		n["recurse"] = map[string]any{
			"if":     "{{resources." + name + ".more:bool}}",
			"config": map[string]any{"query": map[string]any{"of": "deeper{{resources." + name + ".id}}"}},
		}
	}
}

// TestRequestTreesAgainstModel compares trees of requests with a model of a few lines: a page is delivered, then every
// request below runs for each of its records.
func TestRequestTreesAgainstModel(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	rapid.Check(t, func(rt *rapid.T) {
		type tree struct {
			name     string
			children []*tree
		}
		root := &tree{}
		all := []*tree{root}
		var list []map[string]any
		for i := range rapid.IntRange(1, 4).Draw(rt, "nodes") {
			parent := all[rapid.IntRange(0, len(all)-1).Draw(rt, "parent")]
			n := &tree{name: fmt.Sprintf("m/n%d", i)}
			element := map[string]any{"resource": n.name, "method": "list"}
			if parent != root {
				element["depends_on"] = parent.name
				element["query"] = map[string]any{"of": "{{resources." + strings.ReplaceAll(parent.name, "/", ".") + ".id}}"}
			}
			parent.children = append(parent.children, n)
			all, list = append(all, n), append(list, element)
		}
		var want []string
		var walk func(n *tree, of string)
		walk = func(n *tree, of string) {
			req := FetchRequest{Resource: n.name}
			if of != "" {
				query := jsonata.NewObject(1)
				query.Set("of", of)
				req.Query = query
			}
			for {
				res, _ := growing(req)
				var ids []string
				for _, r := range res.Records.Items() {
					id, _ := r.(*jsonata.Object).Get("id")
					ids = append(ids, id.(string))
				}
				if len(ids) > 0 {
					want = append(want, "record "+n.name+" "+strings.Join(ids, ","))
				}
				for _, id := range ids {
					for _, child := range n.children {
						walk(child, id)
					}
				}
				if req.Cursor = res.NextCursor; res.NextCursor == "" {
					return
				}
			}
		}
		for _, n := range root.children {
			walk(n, "")
		}
		want = append(append([]string{"started"}, want...), "completed")
		raw, err := json.Marshal(list)
		if err != nil {
			rt.Fatal(err)
		}
		w := newWorld(t, db, plot{resources: string(raw)})
		w.api.respond = growing
		w.runner.cfg.Slice = time.Hour
		w.finish()
		if diff := cmp.Diff(want, w.script()); diff != "" {
			rt.Errorf("%s\ndeliveries (-want +got):\n%s", raw, diff)
		}
	})
}
