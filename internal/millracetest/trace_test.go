package millracetest

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestTraceOfARequestIsFoundAtTheEnd sends events, each with a traceparent, and looks for it in the lines about all that follows: the
// match, the workflow run, the sync job run, and the deliveries of both ways.
func TestTraceOfARequestIsFoundAtTheEnd(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		log := &logged{}
		p := startProxied(t, url, func(o *server.Options) {
			o.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		collector := NewCollector()
		hooks := Listen(t, collector)
		webhook := func(name string, events ...string) string {
			v := p.post("/webhook", map[string]any{"target_url": hooks + "/" + name, "event_types": events})
			collector.SetSecret(name, v["secret"].(string))
			return v["id"].(string)
		}
		webhook("audit", "custom:traced")
		records := webhook("records", "sync_job_run:deleted")
		job := p.post("/sync-job", map[string]any{
			"label": "Contacts", "integration_name": "crm",
			"resources": []any{map[string]any{"name": "contacts", "type": "request", "resource": "contacts", "method": "list", "persist": true}},
		})
		p.post("/workflow", map[string]any{"trigger_name": "custom:traced", "config": map[string]any{
			"concurrency": map[string]any{"limit": 1},
			"steps": []any{map[string]any{"type": "run", "action": "run_sync_job", "config": map[string]any{
				"sync_job_id": job["id"], "integrated_account_id": p.account, "webhook_id": records,
			}}},
		}})
		send := func(traceparent string) {
			t.Helper()
			header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + p.s.Token}, "Traceparent": {traceparent}}
			status, body, err := p.s.CallAs(t.Context(), http.MethodPost, "/event", header, []byte(`{"event":"custom:traced"}`))
			if err != nil || status >= 300 {
				t.Fatalf("got %d, %s, %v", status, body, err)
			}
		}
		const first, second = "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737"
		send("00-" + first + "-00f067aa0ba902b7-01")
		send("00-" + second + "-00f067aa0ba902b7-01") // it waits for the slot of the first
		want := []string{
			"delivery attempted custom:traced", "delivery attempted sync_job_run:completed", "delivery attempted sync_job_run:record",
			"request served", "slice done", "task done match", "task done workflow", "task done slice",
		}
		Wait(t, time.Minute, func() (bool, any) {
			got := byTrace(log.String())
			for _, line := range want {
				if !slices.Contains(got[first], line) || !slices.Contains(got[second], line) {
					return false, map[string]any{"want": want, "got": got}
				}
			}
			return true, nil
		})

		// What is malformed is ignored, and the request gets a trace of its own.
		before := byTrace(log.String())
		send("00-" + strings.ToUpper(first) + "-00f067aa0ba902b7-01")
		fresh := regexp.MustCompile(`^[0-9a-f]{32}$`)
		Wait(t, time.Minute, func() (bool, any) {
			got := byTrace(log.String())
			for id, lines := range got {
				if before[id] == nil && fresh.MatchString(id) && slices.Contains(lines, "delivery attempted sync_job_run:completed") {
					return true, nil
				}
			}
			return false, got
		})
		for id := range byTrace(log.String()) {
			if !fresh.MatchString(id) {
				t.Errorf("the trace %q is logged", id)
			}
		}
	})
}

// byTrace returns what the lines of a log are about, by their trace_id.
func byTrace(log string) map[string][]string {
	out := map[string][]string{}
	for s := bufio.NewScanner(strings.NewReader(log)); s.Scan(); {
		var line struct {
			Msg, Task, Event string
			TraceID          string `json:"trace_id"`
		}
		if json.Unmarshal(s.Bytes(), &line) == nil && line.TraceID != "" {
			out[line.TraceID] = append(out[line.TraceID], strings.TrimSpace(line.Msg+" "+line.Task+line.Event))
		}
	}
	return out
}
