package millracetest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// endless is a provider whose list never ends. Its path says which state of the account a request was made with.
type endless struct {
	mu    sync.Mutex
	last  int // state of the last request
	count int // of requests
	stale int // requests of a state before fence
	fence int
}

func (e *endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	state, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/state"))
	e.mu.Lock()
	e.last = state
	e.count++
	if state < e.fence {
		e.stale++
	}
	id := e.count
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"data":[{"id":%d}]}`, id)
}

// raise says that the account has another state now, and returns how many requests of older ones came after the last raise.
func (e *endless) raise(state int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	stale := e.stale
	e.fence, e.stale = state, 0
	return stale
}

func (e *endless) seen() (int, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, e.count
}

// A run is under way on one of two nodes, and its account is changed through both in turn: as soon as the change has its response,
// requests are made with it.
func TestAChangeHoldsOnEveryNode(t *testing.T) {
	t.Parallel()
	url, key := storetest.Postgres(t), newKey()
	shared := func(o *server.Options) { o.EncryptionKey = key }
	first := millracetest.Start(t, url, shared)
	second := millracetest.Start(t, url, shared)
	clients := []*millracetest.Client{first.Client, millracetest.NewClient(second.Base, first.Token)}
	api := &endless{}

	post := func(path string, body map[string]any) string {
		t.Helper()
		var out map[string]any
		if err := first.Post(t.Context(), path, body, &out); err != nil {
			t.Fatalf("POST %s: %v", path, err)
		}
		return out["id"].(string)
	}
	integration := post("/integration", map[string]any{"name": "crm", "config": map[string]any{
		"label": "CRM", "base_url": millracetest.Listen(t, api),
		"credentials": map[string]any{"api_key": map[string]any{"format": "api_key", "config": map[string]any{"fields": []any{map[string]any{"name": "api_key"}}}}},
		"pagination":  map[string]any{"format": "offset", "config": map[string]any{"max_limit": 1}},
		"resources":   map[string]any{"things": map[string]any{"list": map[string]any{"path": "/state0", "response_path": "data"}}},
	}})
	install := post("/environment-integration", map[string]any{"integration_id": integration})
	account := post("/integrated-account", map[string]any{
		"tenant_id": "acme", "environment_integration_id": install, "authentication_method": "api_key", "context": map[string]any{"api_key": "k"},
	})
	job := post("/sync-job", map[string]any{"label": "Things", "integration_name": "crm", "resources": []any{
		map[string]any{"name": "things", "type": "request", "resource": "things", "method": "list"},
	}})
	run := post("/sync-job-run", map[string]any{"sync_job_id": job, "integrated_account_id": account})

	for state := 1; state <= 6; state++ {
		_, before := api.seen()
		millracetest.Wait(t, time.Minute, func() (bool, any) {
			last, count := api.seen()
			return last == state-1 && count > before+5, last
		})
		override := map[string]any{"resources": map[string]any{"things": map[string]any{"list": map[string]any{"path": fmt.Sprintf("/state%d", state)}}}}
		if err := clients[state%2].Patch(t.Context(), "/integrated-account/"+account, map[string]any{"integration_override": override}, nil); err != nil {
			t.Fatal(err)
		}
		// One may have been on its way when the change had its response.
		if stale := api.raise(state); stale > 1 {
			t.Errorf("%d requests were made as before change %d", stale, state-1)
		}
	}
	if err := first.Send(t.Context(), http.MethodDelete, "/sync-job-run/"+run, "", nil, nil); err != nil {
		t.Fatal(err)
	}
	if stale := api.raise(0); stale > 1 {
		t.Errorf("%d requests were made as before the last change", stale)
	}
}
