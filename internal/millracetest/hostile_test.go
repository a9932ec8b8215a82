package millracetest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// What the server has to hold while it is attacked.
const (
	mostResident = 512 // MiB
	mostWait     = 100 * time.Millisecond
)

// TestHostileServer attacks a server in every way that was found to take memory, many at once, while it does its usual
// work. MILLRACE_HOSTILE=1 is the whole of it, alone on the machine; without it there are few at a time, and the times
// are not judged.
func TestHostileServer(t *testing.T) {
	full := os.Getenv("MILLRACE_HOSTILE") != ""
	if !full {
		t.Parallel()
	}
	binary := millracetest.Binary(t)
	for name, open := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			if !full {
				t.Parallel()
			}
			attackServer(t, binary, open(t), full)
		})
	}
}

// hostile is a server under attack.
type hostile struct {
	t       *testing.T
	node    *millracetest.Node
	api     *millracetest.Client
	http    *http.Client
	token   string
	full    bool
	atOnce  int
	every   time.Duration // an event of the usual work
	account string
	peak    atomic.Int64
	slowest atomic.Int64 // response of readyz
	missed  atomic.Int64 // readyz that did not respond with 200
}

func attackServer(t *testing.T, binary, url string, full bool) {
	node := millracetest.NewNode(t, binary, url, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	node.Warm = full
	if full { // who attacks may have any number of accounts, so their limits do not count
		for _, limit := range []string{"MILLRACE_ACCOUNT_LIMIT", "MILLRACE_INBOUND_LIMIT", "MILLRACE_INBOUND_BYTES_LIMIT"} {
			t.Setenv(limit, "0")
		}
	}
	node.Start(t)
	node.WaitReady(t, time.Minute)
	h := &hostile{
		t: t, node: node, token: node.Token(t), full: full, atOnce: 2, every: 200 * time.Millisecond,
		http: &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	if full {
		h.atOnce, h.every = 64, 50*time.Millisecond
	}
	h.api = millracetest.NewClient(node.Base, h.token)
	h.prepare()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var watchers sync.WaitGroup
	watchers.Go(func() { h.watch(ctx) })
	watchers.Go(func() { h.probe(ctx) })
	usual := &usualWork{h: h}
	watchers.Go(func() { usual.run(ctx) })
	idle := h.resident("VmRSS")
	t.Logf("%-44s %5d MiB resident", "before the attacks", idle)
	for _, a := range h.attacks() {
		h.peak.Store(0)
		h.slowest.Store(0)
		began := time.Now()
		responses := h.allAtOnce(a.send)
		t.Logf("%-44s %5d MiB resident, readyz %4d ms, %5.1f s: %v", a.name, h.peak.Load(), h.slowest.Load(), time.Since(began).Seconds(), responses)
		for status := range responses {
			if !strings.Contains(a.allowed, status) {
				t.Errorf("%s: got %s, want one of %s", a.name, status, a.allowed)
			}
		}
		if h.full && h.slowest.Load() > mostWait.Milliseconds() {
			t.Errorf("%s: readyz took %d ms, want at most %s", a.name, h.slowest.Load(), mostWait)
		}
		if h.peak.Load() > mostResident {
			t.Errorf("%s: %d MiB are resident, want at most %d", a.name, h.peak.Load(), mostResident)
		}
	}
	stop()
	watchers.Wait()
	usual.check()
	if n := h.missed.Load(); n > 0 && full {
		t.Errorf("readyz did not respond %d times", n)
	}
	if node.Ended() {
		t.Error("the server has ended")
	}
	t.Logf("%-44s %5d MiB at most", "altogether", h.resident("VmHWM"))
}

// resident reads a figure of the server's memory in MiB.
func (h *hostile) resident(what string) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.node.PID()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n >> 10
		}
	}
	return 0
}

// watch notes the most memory that the server takes.
func (h *hostile) watch(ctx context.Context) {
	for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		n := h.resident("VmRSS")
		h.peak.Store(max(h.peak.Load(), n))
		if n > 3<<10 {
			h.node.Kill() // before it takes the machine with it
			return
		}
	}
}

// probe asks whether the server is ready, again and again, from a process of its own: this one has the attackers' work to do.
func (h *hostile) probe(ctx context.Context) {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), probeOf+"="+h.node.Base)
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		h.t.Error(err)
		return
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		took, err := strconv.ParseInt(lines.Text(), 10, 64)
		switch {
		case err != nil:
			h.missed.Add(1)
		default:
			h.slowest.Store(max(h.slowest.Load(), took))
		}
	}
	_ = cmd.Wait() // it is killed at the end
}

// probeOf is set in the environment of a process that only asks a server whether it is ready.
const probeOf = "MILLRACE_PROBE_OF"

// probeForever prints how many milliseconds each response took; something else when the server was not ready.
func probeForever(base string) {
	c := &http.Client{Timeout: 30 * time.Second}
	for range time.Tick(20 * time.Millisecond) {
		began := time.Now()
		resp, err := c.Get(base + "/readyz")
		switch {
		case err != nil:
			fmt.Println("no response")
		case resp.StatusCode != http.StatusOK:
			fmt.Println("status", resp.StatusCode)
		default:
			fmt.Println(time.Since(began).Milliseconds())
		}
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
}

// allAtOnce makes an attack from many callers and counts the responses.
func (h *hostile) allAtOnce(send func(i int) string) map[string]int {
	var group sync.WaitGroup
	var mu sync.Mutex
	responses := map[string]int{}
	for i := range h.atOnce {
		group.Go(func() {
			response := send(i)
			mu.Lock()
			defer mu.Unlock()
			responses[response]++
		})
	}
	group.Wait()
	return responses
}

// send sends a request and returns the status, or what else came of it.
func (h *hostile) send(method, path, contentType string, body []byte) string {
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.node.Base+path, bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := h.http.Do(req)
	if err != nil {
		return "cut"
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "cut"
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		return "503 without Retry-After"
	}
	return strconv.Itoa(resp.StatusCode)
}

const hostileConfig = `{
	"label": "Hostile", "base_url": %q, "authorization": {"format": "bearer", "config": {"token": "{{api_key}}"}},
	"credentials": {"api_key": {"format": "api_key", "config": {"fields": [{"name": "api_key", "type": "password", "label": "Key"}]}}},
	"resources": {
		"objects": {"list": {"path": "/objects", "response_path": "data"}}, "numbers": {"list": {"path": "/numbers", "response_path": "data"}},
		"records": {"list": {"path": "/records", "response_path": "data"}}, "few": {"list": {"path": "/few", "response_path": "data"}}
	},
	"webhook": {"handle_verification": "body.challenge ? {'type': 'verify', 'verification_response': {'body': body.challenge}}", "payload_transform": "body"}
}`

// prepare makes what attacks and the usual work need.
func (h *hostile) prepare() {
	provider := millracetest.Listen(h.t, packer())
	var integration, install, account struct{ ID string }
	h.must(h.api.Post(h.t.Context(), "/integration", map[string]any{
		"name": "hostile", "config": json.RawMessage(fmt.Sprintf(hostileConfig, provider)),
	}, &integration))
	h.must(h.api.Post(h.t.Context(), "/environment-integration", map[string]any{"integration_id": integration.ID}, &install))
	h.must(h.api.Post(h.t.Context(), "/integrated-account", map[string]any{
		"tenant_id": "acme", "environment_integration_id": install.ID, "authentication_method": "api_key", "context": map[string]any{"api_key": "k"},
	}, &account))
	h.account = account.ID
	payload := `{"event":"custom:large","payload":{"text":"` + strings.Repeat("x", 4<<20-100) + `"}}`
	for range h.atOnce {
		for h.send(http.MethodPost, "/event", "application/json", []byte(payload)) == "503" {
			<-time.After(100 * time.Millisecond) // the loading itself is no attack
		}
	}
}

func (h *hostile) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// packer is a provider that packs much into little, and each page once, so that packing takes no processor from the server.
func packer() http.Handler {
	mux := http.NewServeMux()
	record := `{"id":1,"name":"a record with a name","email":"jane.doe@example.com"}`
	for path, page := range map[string]struct {
		unit  string
		times int
	}{"/objects": {"{}", 9_000_000}, "/numbers": {"1", 14_000_000}, "/records": {record, 200_000}, "/few": {record, 100}} {
		packed := sync.OnceValue(func() []byte { return pack(page.unit, page.times) })
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed())
		})
	}
	return mux
}

// pack compresses a page of so many items.
func pack(unit string, times int) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_, _ = io.WriteString(z, `{"data":[`)
	for chunk := strings.Repeat(unit+",", 100); times > 0; times -= 100 {
		_, _ = io.WriteString(z, chunk)
	}
	_, _ = io.WriteString(z, unit+"]}")
	_ = z.Close()
	return out.Bytes()
}

// attack is one way to take memory; allowed are the correct responses.
type attack struct {
	name    string
	allowed string
	send    func(i int) string
}

func (h *hostile) attacks() []attack {
	const size = 4<<20 - 200
	fill := func(before, unit, after string) []byte {
		return []byte(before + strings.Repeat(unit, (size-len(before)-len(after))/len(unit)) + after)
	}
	post := func(path, contentType string, body []byte) func(int) string {
		return func(int) string { return h.send(http.MethodPost, path, contentType, body) }
	}
	get := func(path string) func(int) string {
		return func(int) string { return h.send(http.MethodGet, path, "", nil) }
	}
	doubling := "($v0:=a;"
	for i := 1; i <= 16; i++ {
		doubling += fmt.Sprintf("$v%d:=[$v%d,$v%d];", i, i-1, i-1)
	}
	workflow := func(runIf string) []byte {
		raw, _ := json.Marshal(map[string]any{"label": "hostile", "trigger_name": "custom:x", "config": map[string]any{"run_if": runIf, "steps": []any{}}})
		return raw
	}
	proxy := func(resource string) func(int) string {
		return get("/proxy/" + resource + "?integrated_account_id=" + h.account)
	}
	hook := "/integrated-account-webhook/" + h.account
	return []attack{
		{"steps: [1,1,...] as YAML", "400 413 503", post("/workflow", "application/yaml", fill("steps: [", "1,", "1]"))},
		{"steps: [1,1,...] as JSON", "400 413 503", post("/workflow", "application/json", fill(`{"config":{"steps":[`, "1,", "1]}}"))},
		{"steps: [1,1,...] as broken JSON", "400 413 503", post("/workflow", "application/json", fill(`{"config":{"steps":[`, "1,", "1]}"))},
		{"empty objects as an event", "400 413 503", post("/event", "application/json", fill(`{"event":"custom:x","payload":{"a":[`, "{},", "{}]}}"))},
		{"empty lines as YAML", "400 413 503", post("/workflow", "application/yaml", fill("a: |\n  x\n", "\n", ""))},
		{"hooks of many values, without a signature", "413 429 503", post(hook, "application/json", fill(`{"list":[`, "1,", "1]}"))},
		{"hooks of many objects, without a signature", "413 429 503", post(hook, "application/json", fill(`{"list":[`, "{},", "{}]}"))},
		{"run_if that doubles", "200 400 503", post("/workflow", "application/json", workflow(doubling+"$v16)"))},
		{"run_if of 200 kB", "200 400 503", post("/workflow", "application/json", workflow("["+strings.Repeat("a,", 100_000)+"a]"))},
		{"a list of large events", "200 503", get("/event?limit=64")},
		{"a list of large events, read slowly", "cut 503", func(int) string { return h.readSlowly("/event?limit=64") }},
		{"bodies that come slowly", "cut 400 408 503", func(int) string { return h.sendSlowly() }},
		{"proxy: a page of empty objects", "502 503 429", proxy("objects")},
		{"proxy: a page of numbers", "502 503 429", proxy("numbers")},
		{"proxy: a page of 14 MB of records", "200 503 429", proxy("records")},
		{"runs over pages of empty objects", "ok", func(int) string { return h.syncs("objects") }},
		{"runs over pages of 14 MB of records", "ok", func(int) string { return h.syncs("records") }},
	}
}

// open opens a connection with a small window and sends the beginning of a request.
func (h *hostile) open(head string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(h.t.Context(), "tcp", strings.TrimPrefix(h.node.Base, "http://"))
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10)
	}
	_, err = io.WriteString(conn, head+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+h.token+"\r\n")
	return conn, err
}

// readSlowly asks for something and takes a kilobyte of the response every now and then.
func (h *hostile) readSlowly(path string) string {
	conn, err := h.open("GET " + path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second)) // after which it gives up by itself
	buf := make([]byte, 1<<10)
	first := ""
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		n, err := conn.Read(buf)
		if first == "" && n > 12 {
			first = string(buf[9:12])
		}
		switch {
		case first != "" && first != "200":
			return first
		case err != nil:
			return "cut"
		}
	}
}

// sendSlowly announces a large body and sends next to nothing of it.
func (h *hostile) sendSlowly() string {
	conn, err := h.open("POST /event")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{")
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	buf := make([]byte, 1<<10)
	n, _ := conn.Read(buf)
	if n > 12 {
		return string(buf[9:12])
	}
	return "cut"
}

// syncs runs a sync job over a resource and waits for its end.
func (h *hostile) syncs(resource string) string {
	hook := millracetest.Listen(h.t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	return startRun(h, resource, hook, 4*time.Minute)
}

// startRun makes a webhook, a job and a run over a resource, and returns "ok" when the run has ended.
func startRun(h *hostile, resource, url string, within time.Duration) string {
	var webhook, job, run struct{ ID string }
	post := func(path string, body map[string]any, into any) error {
		var err error
		for range 600 { // as long as the server says 503, as a client does
			if err = h.api.Post(h.t.Context(), path, body, into); err == nil {
				return nil
			}
			<-time.After(100 * time.Millisecond)
		}
		return err
	}
	err := post("/webhook", map[string]any{"target_url": url, "event_types": []string{"custom:none"}}, &webhook)
	if err == nil {
		err = post("/sync-job", map[string]any{"label": resource, "integration_name": "hostile", "resources": []any{
			map[string]any{"name": "all", "type": "request", "resource": resource, "method": "list", "persist": true},
		}}, &job)
	}
	if err == nil {
		err = post("/sync-job-run", map[string]any{"sync_job_id": job.ID, "webhook_id": webhook.ID, "integrated_account_id": h.account}, &run)
	}
	if err != nil {
		return err.Error()
	}
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		<-time.After(200 * time.Millisecond)
		var shown struct{ Status string }
		if h.api.Get(h.t.Context(), "/sync-job-run/"+run.ID, &shown) != nil {
			continue
		}
		if shown.Status == "completed" || shown.Status == "failed" {
			return "ok"
		}
	}
	return "a run does not end"
}

// usualWork is what goes on while the server is attacked: small events that become deliveries.
type usualWork struct {
	h        *hostile
	sent     atomic.Int64
	rejected atomic.Int64
	received sync.Map
}

func (u *usualWork) run(ctx context.Context) {
	at := millracetest.Listen(u.h.t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Payload struct{ N int64 } }
		if json.NewDecoder(r.Body).Decode(&body) == nil {
			u.received.Store(body.Payload.N, true)
		}
	}))
	if err := u.h.api.Post(ctx, "/webhook", map[string]any{"target_url": at, "event_types": []string{"custom:usual"}}, nil); err != nil {
		u.h.t.Error(err)
		return
	}
	for tick := time.NewTicker(u.h.every); ctx.Err() == nil; <-tick.C {
		n := u.sent.Load() + 1
		status, _, err := u.h.api.Call(ctx, http.MethodPost, "/event", "application/json", fmt.Appendf(nil, `{"event":"custom:usual","payload":{"n":%d}}`, n))
		if err == nil && status < http.StatusBadRequest {
			u.sent.Add(1)
		} else if ctx.Err() == nil {
			u.rejected.Add(1)
		}
	}
}

// check waits until everything that was accepted has been delivered.
func (u *usualWork) check() {
	count := func() int64 {
		n := int64(0)
		u.received.Range(func(any, any) bool { n++; return true })
		return n
	}
	millracetest.Wait(u.h.t, 2*time.Minute, func() (bool, any) { return count() >= u.sent.Load(), count() })
	u.h.t.Logf("usual work: %d events accepted and delivered, %d rejected", u.sent.Load(), u.rejected.Load())
	if u.sent.Load() == 0 {
		u.h.t.Error("no event of the usual work was accepted")
	}
}
