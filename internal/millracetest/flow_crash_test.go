package millracetest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// turns is a provider that notices how many runs with a key ask it at a time.
type turns struct {
	limit int

	mu     sync.Mutex
	asking map[string]map[string]int // key, run: requests
	asked  map[string]int            // run: requests that got a response
	wrong  []string
}

// ServeHTTP implements http.Handler.
func (s *turns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, run := r.FormValue("key"), r.FormValue("run")
	s.enter(key, run)
	defer s.leave(key, run)
	select {
	case <-time.After(15 * time.Millisecond):
	case <-r.Context().Done():
		return
	}
	s.mu.Lock()
	s.asked[run]++
	s.mu.Unlock()
	_, _ = w.Write([]byte(`[{"id":1}]`))
}

func (s *turns) enter(key, run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking[key] == nil {
		s.asking[key] = map[string]int{}
	}
	s.asking[key][run]++
	if n := len(s.asking[key]); n > s.limit {
		s.wrong = append(s.wrong, fmt.Sprintf("%d runs with the key %s at a time: %v", n, key, s.asking[key]))
	}
}

func (s *turns) leave(key, run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking[key][run]--; s.asking[key][run] == 0 {
		delete(s.asking[key], run)
	}
}

// A server whose workflow lets two runs with a key go at a time is killed at random moments, while every event comes twice. In
// the end each event has had one run, and there were never more at a time.
func TestCrashFlowControl(t *testing.T) {
	t.Parallel()
	binary := millracetest.Binary(t)
	storetest.EachURL(t, func(t *testing.T, url string) {
		random, _ := seeded(t)
		third := &turns{limit: 2, asking: map[string]map[string]int{}, asked: map[string]int{}}
		node := millracetest.NewNode(t, binary, url, newKey())
		node.Start(t)
		startup := node.WaitReady(t, time.Minute)
		client := millracetest.NewClient(node.Base, node.Token(t))
		connectTurns(t, client, millracetest.Listen(t, third))

		kills := min(crashes(t), 15)
		events := 10 * kills
		var sender sync.WaitGroup
		sender.Go(func() {
			for i := range 2 * events {
				body := map[string]any{"event": "custom:turn", "payload": map[string]any{"id": i / 2, "key": "k" + strconv.Itoa(i/2%3)}}
				for client.Post(t.Context(), "/event", body, nil) != nil && t.Context().Err() == nil {
					time.Sleep(5 * time.Millisecond) // as long as the server is down
				}
			}
		})
		for range kills {
			delay, _ := moment(random, startup)
			time.Sleep(delay)
			node.Kill()
			node.Start(t)
		}
		node.WaitReady(t, time.Minute)
		sender.Wait()
		millracetest.Settle(t, millracetest.OpenStore(t, url), 2*time.Minute)

		for _, path := range []string{"/workflow-run", "/sync-job-run"} {
			runs, err := client.List(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range runs {
				if run["status"] != "completed" {
					t.Errorf("%s/%v is %v: %v", path, run["id"], run["status"], run["error"])
				}
			}
			if len(runs) != events {
				t.Errorf("%s: %d runs of %d events, each of which came twice", path, len(runs), events)
			}
		}
		third.mu.Lock()
		defer third.mu.Unlock()
		for i := range events {
			if third.asked[strconv.Itoa(i)] == 0 {
				t.Errorf("the run of event %d has asked nothing", i)
			}
		}
		for _, w := range third.wrong {
			t.Error(w)
		}
		t.Logf("%d events, %d kills", events, kills)
		node.Stop(t)
	})
}

// connectTurns makes an account at a provider and a workflow that starts a sync job run of it.
func connectTurns(t *testing.T, c *millracetest.Client, at string) {
	t.Helper()
	create := func(path string, body map[string]any) string {
		t.Helper()
		var made struct{ ID string }
		post(t, c, path, body, &made)
		return made.ID
	}
	integration := create("/integration", map[string]any{"name": "turns", "config": map[string]any{
		"base_url": at, "resources": map[string]any{"turns": map[string]any{"list": map[string]any{"path": "/turns"}}},
	}})
	install := create("/environment-integration", map[string]any{"integration_id": integration})
	account := create("/integrated-account", map[string]any{
		"tenant_id": "acme", "environment_integration_id": install, "authentication_method": "api_key", "context": map[string]any{"api_key": "k"},
	})
	job := create("/sync-job", map[string]any{
		"integration_name": "turns", "default_runtime_version": 4, "args_schema": map[string]any{"key": map[string]any{"type": "string"}, "run": map[string]any{"type": "number"}},
		"resources": []any{map[string]any{
			"name": "turns", "type": "request", "resource": "turns", "method": "list", "integrated_account_id": "{{args.integrated_account_id}}",
			"query": map[string]any{"key": "{{args.key}}", "run": "{{args.run}}"},
		}},
	})
	create("/workflow", map[string]any{"trigger_name": "custom:turn", "config": map[string]any{
		"idempotency_key": "id", "concurrency": map[string]any{"key": "key", "limit": 2},
		"steps": []any{map[string]any{"type": "run", "action": "run_sync_job", "config": fmt.Sprintf(
			`{ "sync_job_id": %q, "integrated_account_id": %q, "args": { "key": key, "run": id } }`, job, account)}},
	}})
}
