package millracetest_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// Prometheus sees what was done and what waits, and neither secrets nor personal data.
func TestMetrics(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var fast atomic.Int64
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		_ = l.Close()
		s := millracetest.Start(t, url, func(o *server.Options) {
			o.MetricsAddr = addr
			clock := time.Now
			o.Clock = func() time.Time { return clock().Add(time.Duration(fast.Add(int64(time.Second)))) } // figures are kept for 15 s
		})
		receiver := millracetest.Listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		if err := s.Post(t.Context(), "/webhook", map[string]any{"target_url": receiver + "/hook", "event_types": []string{"custom:x"}}, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Post(t.Context(), "/event", map[string]any{"event": "custom:x"}, nil); err != nil {
			t.Fatal(err)
		}
		_ = s.Get(t.Context(), "/nothing-here", nil)
		wanted := []string{
			`millrace_http_request_duration_seconds_count{route="POST /event",status="200"} 1`,
			`millrace_http_request_duration_seconds_count{route="",status="404"} 1`,
			`millrace_delivery_attempts_total{error_class="",outcome="retry"}`,
			`millrace_webhook_backlog_deliveries 1`, `millrace_webhooks{state="failing"} 1`, `millrace_webhooks{state="inactive"} 0`,
			`millrace_workers_busy{kind="slice"} 0`, `millrace_workers_busy_largest_environment{kind="match"}`, `millrace_environments_waiting{kind="pump"} 0`,
			`millrace_table_rows{table="event"}`, `millrace_database_bytes`, `millrace_sync_job_runs_open{status="running"} 0`, `millrace_build_info{go="go1.`, "go_goroutines",
		}
		var text string
		millracetest.Wait(t, time.Minute, func() (bool, any) {
			text = scrape(t, "http://"+addr+"/metrics")
			for _, line := range wanted {
				if !strings.Contains(text, line) {
					return false, "no " + line + " in " + text
				}
			}
			return true, ""
		})
		for _, hidden := range []string{receiver, "Bearer", "secret"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%q is in the metrics", hidden)
			}
		}
	})
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
