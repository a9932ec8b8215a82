package realserver

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
)

const (
	hook     = "records"
	patience = 3 * time.Minute // for what takes seconds on a machine that is not busy
)

// world is our binary in a process of its own, with an integration from the catalogue and a connected account.
type world struct {
	node      *millracetest.Node
	client    *millracetest.Client
	collector *millracetest.Collector
	webhook   string
	install   string
	account   string            // that the runs are for
	jobs      map[string]string // ids by the names of their files, without .yaml
}

type named struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// newWorld starts the binary and installs an integration of the catalogue, with its sync job and its examples of others.
func newWorld(t *testing.T, binary, url, provider string) *world {
	t.Helper()
	w := &world{node: millracetest.NewNode(t, binary, url, ""), collector: millracetest.NewCollector(), jobs: map[string]string{}}
	w.node.Start(t)
	w.node.WaitReady(t, patience)
	w.client = millracetest.NewClient(w.node.Base, w.node.Token(t))
	var hooked named
	w.post(t, "/webhook", map[string]any{"target_url": millracetest.Listen(t, w.collector) + "/" + hook, "event_types": []string{"sync_job_run:deleted"}}, &hooked)
	w.webhook = hooked.ID
	w.collector.SetSecret(hook, hooked.Secret)
	w.installFrom(t, binary, provider)
	examples, err := filepath.Glob(filepath.Join("..", "..", "integrations", provider, "sync-job-*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range examples {
		w.addJob(t, file)
	}
	return w
}

// installFrom installs an integration and its sync job on the command line, as its README says.
func (w *world) installFrom(t *testing.T, binary, provider string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "integration", "install", provider, "--with-sync-job", "--server", w.client.Base, "--token", w.client.Token)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("install %s: %v\n%s", provider, err, out)
	}
	printed := func(what string) string {
		found := regexp.MustCompile(`(?m)^` + what + ` +([0-9a-f-]{36}) `).FindSubmatch(out)
		if found == nil {
			t.Fatalf("install %s printed no id of the %s:\n%s", provider, what, out)
		}
		return string(found[1])
	}
	w.install, w.jobs["sync-job"] = printed("environment integration"), printed("sync job")
}

func (w *world) addJob(t *testing.T, file string) {
	t.Helper()
	var job named
	w.postFile(t, "/sync-job", file, &job)
	w.jobs[strings.TrimSuffix(filepath.Base(file), ".yaml")] = job.ID
}

func (w *world) post(t *testing.T, path string, in, out any) {
	t.Helper()
	if err := w.client.Post(t.Context(), path, in, out); err != nil {
		t.Fatal(err)
	}
}

func (w *world) postFile(t *testing.T, path, file string, out any) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.client.Send(t.Context(), http.MethodPost, path, "application/yaml", body, out); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// connect imports an account, which the runs that follow are for.
func (w *world) connect(t *testing.T, tenant string, context map[string]any) {
	t.Helper()
	var account named
	w.post(t, "/integrated-account", map[string]any{
		"tenant_id": tenant, "environment_integration_id": w.install, "authentication_method": "api_key", "context": context,
	}, &account)
	w.account = account.ID
}

// start starts a run of a sync job.
func (w *world) start(t *testing.T, job string) string {
	t.Helper()
	var run named
	w.post(t, "/sync-job-run", map[string]any{
		"sync_job_id": w.jobs[job], "integrated_account_id": w.account, "webhook_id": w.webhook, "error_handling": "ignore",
	}, &run)
	return run.ID
}

// finish waits until a run has completed.
func (w *world) finish(t *testing.T, run string) {
	t.Helper()
	millracetest.Wait(t, patience, func() (bool, any) {
		var row struct {
			Status string          `json:"status"`
			Stats  json.RawMessage `json:"resource_stats"`
			Error  json.RawMessage `json:"error"`
		}
		if err := w.client.Get(t.Context(), "/sync-job-run/"+run, &row); err != nil {
			return false, err
		}
		if row.Status == "failed" || row.Status == "stopped" {
			t.Fatalf("the run is %s: %s", row.Status, row.Error)
		}
		return row.Status == "completed", row
	})
}

// reconnected starts a run with an account whose credentials are wrong, gives it the right ones once the run waits for them, and returns
// the records that the run brings then.
func (w *world) reconnected(t *testing.T, job, key string) records {
	t.Helper()
	run := w.start(t, job)
	millracetest.Wait(t, patience, func() (bool, any) {
		var row map[string]any
		if err := w.client.Get(t.Context(), "/sync-job-run/"+run, &row); err != nil {
			return false, err
		}
		if raw, _ := json.Marshal(row); strings.Contains(string(raw), key) {
			t.Errorf("the run shows the credentials: %s", raw)
		}
		why, _ := row["wait_reason"].(string)
		return strings.Contains(why, "needs re-authentication"), row
	})
	if got := w.received(t, run); got.records.count() > 0 || len(got.problems) > 0 {
		t.Errorf("with wrong credentials %d records came, and as errors %v", got.records.count(), got.problems)
	}
	body, _ := json.Marshal(map[string]any{"context": map[string]string{"api_key": key}})
	if err := w.client.Send(t.Context(), http.MethodPatch, "/integrated-account/"+w.account, "application/json", body, nil); err != nil {
		t.Fatal(err)
	}
	w.finish(t, run)
	return w.received(t, run).records
}

// payload is that of a delivery of records.
type payload struct {
	Records []json.RawMessage `json:"records"`
	Meta    struct {
		Run      string `json:"sync_job_run_id"`
		Node     string `json:"node"`
		Sequence int64  `json:"sequence"`
	} `json:"meta"`
}

// received is what one run has delivered.
type received struct {
	records  records
	pages    int
	repeats  int      // requests that repeat a delivery, byte by byte
	others   []string // events other than records, in order
	problems []string // payloads of record_error
}

// received returns what a run has delivered, and fails the test when a signature was wrong, when a delivery came again
// with other bytes, when a record came in two deliveries or when the deliveries were out of order.
func (w *world) received(t *testing.T, run string) received {
	t.Helper()
	for _, problem := range w.collector.Problems() {
		t.Error(problem)
	}
	got := received{records: records{}}
	last := int64(0)
	for _, r := range w.collector.Received(hook) {
		if r.Event != "sync_job_run:record" {
			if slices.Contains([]string{runOf(t, r.Envelope.Payload, "id"), runOf(t, r.Envelope.Payload, "sync_job_run_id")}, run) && !r.Repeated {
				got.others = append(got.others, r.Event)
				if r.Event == "sync_job_run:record_error" {
					got.problems = append(got.problems, string(r.Envelope.Payload))
				}
			}
			continue
		}
		var p payload
		if err := json.Unmarshal(r.Envelope.Payload, &p); err != nil {
			t.Fatalf("delivery %s: %v", r.ID, err)
		}
		switch {
		case p.Meta.Run != run:
		case r.Repeated:
			got.repeats++
		default:
			if p.Meta.Sequence <= last {
				t.Errorf("delivery %d came after delivery %d", p.Meta.Sequence, last)
			}
			last = p.Meta.Sequence
			got.pages++
			for _, record := range p.Records {
				if err := got.records.add(p.Meta.Node, record); err != nil {
					t.Errorf("delivery %d: %v", p.Meta.Sequence, err)
				}
			}
		}
	}
	return got
}

// runOf returns a member of a payload that is text.
func runOf(t *testing.T, raw json.RawMessage, member string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatalf("a payload is no object: %v", err)
	}
	var text string
	_ = json.Unmarshal(members[member], &text) // anything else is no id
	return text
}

// sync runs a job to its end and returns what it delivered, which must not have met an error.
func (w *world) sync(t *testing.T, job string) received {
	t.Helper()
	run := w.start(t, job)
	w.finish(t, run)
	got := w.received(t, run)
	for _, problem := range got.problems {
		t.Errorf("the run met an error: %s", problem)
	}
	return got
}

// syncKilled runs a job to its end although our process is killed each time that so many more deliveries have come.
func (w *world) syncKilled(t *testing.T, job string, every, kills int) received {
	t.Helper()
	_, over := w.collector.Runs(hook)
	run := w.start(t, job)
	for n := range kills {
		before := len(w.collector.Received(hook))
		millracetest.Wait(t, patience, func() (bool, any) {
			if _, ended := w.collector.Runs(hook); ended > over {
				t.Fatalf("the run ended before kill %d", n+1)
			}
			now := len(w.collector.Received(hook))
			return now >= before+every, now
		})
		w.node.Kill()
		w.node.Start(t)
		w.node.WaitReady(t, patience)
	}
	w.finish(t, run)
	got := w.received(t, run)
	for _, problem := range got.problems {
		t.Errorf("the run met an error: %s", problem)
	}
	t.Logf("kill -9 %d times in one run: %d deliveries, %d repeated with the same bytes", kills, got.pages, got.repeats)
	return got
}
