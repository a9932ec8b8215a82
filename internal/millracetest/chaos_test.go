package millracetest_test

import (
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/examples"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// chaos is a server with many webhooks, of which some fail in every way, and events for all of them.
type chaos struct {
	t      *testing.T
	random *mathrand.Rand
	node   *millracetest.Node
	client *millracetest.Client
	load   *millracetest.Load
	sick   *millracetest.Sick
	base   string
	hooks  []*hook

	mu   sync.Mutex
	sent []time.Time // when events were accepted, by number
}

// hook is one webhook.
type hook struct {
	name, id string
	strict   bool
	healthy  bool
	first    int // number of the first event that it gets
	moved    bool
}

// chaosSize is how much there is to do: little in a quick run, all of it with MILLRACE_CHAOS=1.
type chaosSize struct{ hooks, sick, calm, ill, killed, kills, runs, perSecond int }

func sizeOfChaos() chaosSize {
	if os.Getenv("MILLRACE_CHAOS") == "" {
		return chaosSize{hooks: 10, sick: 5, calm: 4, ill: 6, killed: 8, kills: 1, runs: 2, perSecond: 4}
	}
	return chaosSize{hooks: 100, sick: 30, calm: 60, ill: 90, killed: 90, kills: 12, runs: 20, perSecond: 3}
}

// Some webhooks fail in every way, and the server is killed at random moments. In the end everything was delivered, in the order
// that was promised, and what came twice came with the same id and the same bytes. The others have not noticed.
func TestChaosSQLite(t *testing.T) { runChaos(t, storetest.SQLite(t)) }

func TestChaosPostgres(t *testing.T) { runChaos(t, storetest.Postgres(t)) }

func runChaos(t *testing.T, url string) {
	t.Helper()
	if os.Getenv("MILLRACE_CHAOS") == "" {
		t.Parallel() // what is measured needs the machine for itself, and is only judged in the long run
	}
	random, seed := seeded(t)
	size := sizeOfChaos()
	c := &chaos{t: t, random: random, sick: millracetest.NewSick(seed)}
	c.node = millracetest.NewNode(t, millracetest.Binary(t), url, "")
	c.node.Start(t)
	startup := c.node.WaitReady(t, time.Minute)
	c.client = millracetest.NewClient(c.node.Base, c.node.Token(t))
	c.load = millracetest.NewLoad(t, 0, seed, c.client)
	c.base = millracetest.Listen(t, c.sick)

	for i := range size.hooks - size.sick {
		c.subscribe(fmt.Sprintf("healthy-%d", i), "", i%5 == 0)
	}
	calm := c.events(size.calm, size.perSecond)
	c.settle(healthyOnly, time.Minute)
	for i := range size.sick {
		manner, share := "", 0.3
		switch i % 10 {
		case 0:
			manner, share = "hang", 1
		case 1:
			manner = "moved" // to a closed port, or to one without TLS
		}
		c.subscribe(fmt.Sprintf("sick-%d", i), manner, i%3 == 0)
		c.sick.Infect(fmt.Sprintf("sick-%d", i), manner, share)
	}
	runs := c.startRuns(size.runs)
	before := c.latencies(calm)
	for try := range 3 {
		ill := c.events(size.ill, size.perSecond)
		c.settle(healthyOnly, time.Minute)
		after := c.latencies(ill)
		t.Logf("event to first attempt at a healthy webhook: without sick ones p50 %s, p99 %s; with sick ones p50 %s, p99 %s",
			quantile(before, 0.5), quantile(before, 0.99), quantile(after, 0.5), quantile(after, 0.99))
		if os.Getenv("MILLRACE_CHAOS") == "" || quantile(after, 0.99) <= 3*max(quantile(before, 0.99), 20*time.Millisecond) {
			break
		}
		if try == 2 { // once or twice, something else may have been at work on this machine
			t.Errorf("sick webhooks made the healthy ones more than three times as slow")
		}
	}

	c.killWhile(size.kills, startup, func() { c.events(size.killed, size.perSecond) })
	began := time.Now()
	c.recover()
	c.settle(func(*hook) bool { return true }, 3*time.Minute)
	t.Logf("all was taken %s after the receivers were well", time.Since(began).Round(time.Millisecond))
	millracetest.Settle(t, millracetest.OpenStore(t, url), 2*time.Minute)
	for _, p := range c.sick.Problems() {
		t.Error(p)
	}
	for _, h := range c.hooks {
		c.checkEvents(h)
	}
	c.checkRuns(runs)
	total, repeated := c.sick.Total()
	t.Logf("%d webhooks, %d events, %d deliveries, %d requests of which %d repeat a delivery with the same bytes; failures: %s",
		len(c.hooks), len(c.sent), c.expected(), total, repeated, c.sick.Failures())
	c.node.Stop(t)
	logErrors(t, c.node)
}

func healthyOnly(h *hook) bool { return h.healthy }

// subscribe creates a webhook that gets all events from now on.
func (c *chaos) subscribe(name, manner string, strict bool) {
	c.t.Helper()
	h := &hook{name: name, strict: strict, healthy: name[0] == 'h', first: len(c.sent), moved: manner == "moved"}
	body := map[string]any{"target_url": c.base + "/" + name, "event_types": []string{"custom:chaos"}}
	if strict {
		body["ordering"] = "strict"
	}
	if h.moved {
		body["target_url"] = []string{"http://127.0.0.1:1/", "https" + c.base[len("http"):] + "/"}[c.random.IntN(2)] + name
	}
	var created struct{ ID, Secret string }
	if err := c.client.Post(c.t.Context(), "/webhook", body, &created); err != nil {
		c.t.Fatal(err)
	}
	h.id = created.ID
	c.sick.SetSecret(name, created.Secret)
	c.hooks = append(c.hooks, h)
}

// events sends events at a steady rate and returns the numbers of the first and the one behind the last.
func (c *chaos) events(n, perSecond int) [2]int {
	c.t.Helper()
	from := len(c.sent)
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	for i := from; i < from+n; i++ {
		body := fmt.Appendf(nil, `{"event":"custom:chaos","idempotency_key":"chaos-%d","payload":{"n":%d}}`, i, i)
		for try := 0; ; try++ {
			status, response, err := c.client.Call(c.t.Context(), http.MethodPost, "/event", "application/json", body)
			if err == nil && status < 300 {
				break
			}
			if err == nil && status < 500 || try > 2000 {
				c.t.Fatalf("event %d: %d %s %v", i, status, response, err)
			}
			time.Sleep(15 * time.Millisecond)
		}
		c.mu.Lock()
		c.sent = append(c.sent, time.Now())
		c.mu.Unlock()
		<-ticker.C
	}
	return [2]int{from, from + n}
}

// startRuns starts sync job runs whose records go to sick webhooks.
func (c *chaos) startRuns(n int) map[string]*hook {
	c.t.Helper()
	runs := map[string]*hook{}
	sick := slices.DeleteFunc(slices.Clone(c.hooks), func(h *hook) bool { return h.healthy || h.moved })
	for i := range n {
		h := sick[i%len(sick)]
		var run struct{ ID string }
		err := c.client.Post(c.t.Context(), "/sync-job-run", map[string]any{
			"sync_job_id": examples.SyncJobID, "integrated_account_id": millrace.DeriveID[string]("account", "0"), "webhook_id": h.id,
		}, &run)
		if err != nil {
			c.t.Fatal(err)
		}
		runs[run.ID] = h
	}
	return runs
}

// latencies returns how long events took from their acceptance to the first attempt at each healthy webhook.
func (c *chaos) latencies(numbers [2]int) []time.Duration {
	var out []time.Duration
	for _, h := range c.hooks {
		if !h.healthy {
			continue
		}
		for _, r := range c.sick.First(h.name) {
			if n := numberOf(r); n >= numbers[0] && n < numbers[1] {
				out = append(out, max(0, r.Requested.Sub(c.sent[n])))
			}
		}
	}
	return out
}

func numberOf(r millracetest.Received) int {
	p := struct{ N int }{-1}
	if r.Event != "custom:chaos" || json.Unmarshal(r.Envelope.Payload, &p) != nil {
		return -1
	}
	return p.N
}

// taken returns the numbers of the events that a webhook accepted with 200.
func (c *chaos) taken(h *hook) map[int]bool {
	out := map[int]bool{}
	for _, r := range c.sick.Received(h.name) {
		if n := numberOf(r); n >= 0 && r.Status == http.StatusOK {
			out[n] = true
		}
	}
	return out
}

// settle waits until some webhooks have taken everything.
func (c *chaos) settle(which func(*hook) bool, within time.Duration) {
	c.t.Helper()
	millracetest.Wait(c.t, within, func() (bool, any) {
		for _, h := range c.hooks {
			if got, want := len(c.taken(h)), len(c.sent)-h.first; which(h) && got < want {
				return false, fmt.Sprintf("%s has taken %d of %d", h.name, got, want)
			}
		}
		return true, ""
	})
}

// killWhile kills the server at random moments while fn runs.
func (c *chaos) killWhile(kills int, startup time.Duration, fn func()) {
	var done sync.WaitGroup
	done.Go(fn)
	for range kills {
		delay, _ := moment(c.random, startup)
		time.Sleep(delay)
		if c.node.Ended() {
			c.t.Errorf("the program ended by itself")
		}
		c.node.Kill()
		c.node.Start(c.t)
	}
	c.node.WaitReady(c.t, time.Minute)
	done.Wait()
}

// recover heals the receivers and tells the server, which would find out by itself, but only after its long retries.
func (c *chaos) recover() {
	c.t.Helper()
	c.sick.Heal()
	for _, h := range c.hooks {
		if h.healthy {
			continue
		}
		for _, body := range []string{`{"is_active":false}`, fmt.Sprintf(`{"is_active":true,"target_url":%q}`, c.base+"/"+h.name)} {
			if err := c.client.Send(c.t.Context(), http.MethodPatch, "/webhook/"+h.id, "application/json", []byte(body), nil); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

func (c *chaos) expected() int {
	sum := 0
	for _, h := range c.hooks {
		sum += len(c.sent) - h.first
	}
	return sum
}

// checkEvents checks that a webhook has taken every event, that it was first asked in order, and with strict ordering only when
// all before had been taken.
func (c *chaos) checkEvents(h *hook) {
	c.t.Helper()
	last, open := h.first-1, -1
	ids := map[int]string{}
	for _, r := range c.sick.Received(h.name) {
		n := numberOf(r)
		if n < 0 {
			continue
		}
		if id, known := ids[n]; known && id != r.ID {
			c.t.Errorf("%s: event %d came as %s and as %s", h.name, n, id, r.ID)
		}
		ids[n] = r.ID
		if h.strict && open >= 0 && n != open && n > last {
			c.t.Errorf("%s: event %d was tried before %d was taken", h.name, n, open)
		}
		if n > last {
			if n != last+1 {
				c.t.Errorf("%s: event %d was first tried after %d", h.name, n, last)
			}
			last, open = n, n
		}
		if n == open && r.Status == http.StatusOK {
			open = -1
		}
	}
	if got, want := len(c.taken(h)), len(c.sent)-h.first; got != want {
		c.t.Errorf("%s has taken %d events, want %d", h.name, got, want)
	}
}

// checkRuns checks that the records of each run came strictly in order, each delivery only when the one before was taken.
func (c *chaos) checkRuns(runs map[string]*hook) {
	c.t.Helper()
	for id, h := range runs {
		var row struct{ Status string }
		if err := c.client.Get(c.t.Context(), "/sync-job-run/"+id, &row); err != nil || row.Status != "completed" {
			c.t.Errorf("run %s is %s: %v", id, row.Status, err)
		}
		next, open := 0, ""
		for _, r := range c.sick.Received(h.name) {
			var p struct {
				Meta struct {
					Run string `json:"sync_job_run_id"`
				} `json:"meta"`
				Records []struct{ N int } `json:"records"`
			}
			if json.Unmarshal(r.Envelope.Payload, &p) != nil || p.Meta.Run != id {
				continue
			}
			if open != "" && open != r.ID {
				c.t.Errorf("run %s: delivery %s was tried before %s was taken", id, r.ID, open)
			}
			if r.Status != http.StatusOK {
				open = r.ID
				continue
			}
			open = ""
			if len(p.Records) > 0 && p.Records[0].N == next {
				next += len(p.Records)
			}
		}
		if next != 120 {
			c.t.Errorf("run %s has delivered %d records in order, want 120", id, next)
		}
	}
}
