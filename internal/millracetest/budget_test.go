package millracetest

import (
	"net/http"
	"testing"
	"time"
)

// TestProxyAndRunsShareARateLimit shows that a run waits for a limit that a call of the proxy API has met, without
// asking, and that the run can be stopped meanwhile.
func TestProxyAndRunsShareARateLimit(t *testing.T) {
	t.Parallel()
	Each(t, func(t *testing.T, s *Server) {
		p := newProxied(t, s)
		status, body, err := p.s.Call(t.Context(), http.MethodPost, "/proxy/limited?integrated_account_id="+p.account, "application/json", []byte(`{}`))
		if err != nil || status != http.StatusTooManyRequests {
			t.Fatalf("the proxy API responded %d, %s, %v; want 429", status, body, err)
		}
		p.crm.take()
		job := p.post("/sync-job", map[string]any{
			"label": "Contacts", "integration_name": "crm",
			"resources": []any{map[string]any{"name": "contacts", "type": "request", "resource": "contacts", "method": "list"}},
		})
		run := p.post("/sync-job-run", map[string]any{"sync_job_id": job["id"], "integrated_account_id": p.account})
		path := "/sync-job-run/" + run["id"].(string)
		Wait(t, time.Minute, func() (bool, any) {
			if err := p.s.Get(t.Context(), path, &run); err != nil {
				t.Fatal(err)
			}
			return run["status"] == "rate_limited" && run["retry_at"] != nil, run
		})
		if calls := p.crm.take(); len(calls) > 0 {
			t.Errorf("the provider was called although it had said to wait: %v", calls)
		}
		if err := p.s.Send(t.Context(), http.MethodDelete, path, "", nil, &run); err != nil || run["status"] != "stopped" {
			t.Errorf("got %v, status %v", err, run["status"])
		}
	})
}
