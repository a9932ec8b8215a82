package millracetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// standstill is a provider and a webhook that hold up a run until it lets go of them.
type standstill struct {
	asked, posted, left atomic.Int64
}

func (s *standstill) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	switch r.URL.Path {
	case "/trickle":
		s.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[")
		s.until(w, r)
	case "/limited":
		s.asked.Add(1)
		w.Header().Set("Retry-After", "3000")
		w.WriteHeader(http.StatusTooManyRequests)
	case "/records":
		s.asked.Add(1)
		_, _ = io.WriteString(w, `[{"id":1}]`)
	case "/hang":
		if s.posted.Add(1) > 1 { // the first is sync_job_run:started
			<-r.Context().Done() // not even a status: with one, the delivery would count after two seconds
			s.left.Add(1)
		}
	}
}

// until writes a little now and then until the caller goes away.
func (s *standstill) until(w http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			s.left.Add(1)
			return
		case <-ticker.C:
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// TestStop stops runs that stand still for every reason there is, through another node than the one that works on them
// where there is another.
func TestStop(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
		worker := millracetest.Start(t, url, func(o *server.Options) { o.EncryptionKey = key })
		client := worker.Client
		if strings.HasPrefix(url, "postgres") {
			other := millracetest.Start(t, url, func(o *server.Options) { o.EncryptionKey = key })
			client = millracetest.NewClient(other.Base, client.Token)
		}
		db := millracetest.OpenStore(t, url)
		cases := []struct {
			name, resource, hook string
			inactive             bool
			stands               func(*standstill, map[string]any) bool
			lets                 int64 // how many connections the run must let go of
		}{
			{"a provider that trickles", "trickle", "/records", false, func(s *standstill, _ map[string]any) bool { return s.asked.Load() > 0 }, 1},
			{"a webhook that hangs", "records", "/hang", false, func(s *standstill, _ map[string]any) bool { return s.posted.Load() > 1 }, 1},
			{"a rate limit", "limited", "/records", false, func(_ *standstill, run map[string]any) bool { return run["status"] == "rate_limited" }, 0},
			{"parked", "records", "/records", true, func(_ *standstill, run map[string]any) bool { return run["parked_since"] != nil }, 0},
		}
		type stopped struct {
			id    string
			still *standstill
		}
		all := make([]stopped, len(cases))
		for i, c := range cases {
			still := &standstill{}
			all[i] = stopped{standing(t, client, millracetest.Listen(t, still), c.resource, c.hook, c.inactive), still}
		}
		// One that has not begun, because the first stands in its way.
		waiting := another(t, client, all[0].id)
		for i, c := range cases {
			millracetest.Wait(t, time.Minute, func() (bool, any) {
				run := runOf(t, client, all[i].id)
				return c.stands(all[i].still, run), run
			})
		}
		stop := func(name, id string) {
			var run map[string]any
			if err := client.Send(t.Context(), http.MethodDelete, "/sync-job-run/"+id, "", nil, &run); err != nil || run["status"] != "stopped" {
				t.Errorf("%s: got %v, status %v", name, err, run["status"])
			}
		}
		stop("waiting to start", waiting)
		for i, c := range cases {
			began := time.Now()
			stop(c.name, all[i].id)
			millracetest.Wait(t, time.Minute, func() (bool, any) { return all[i].still.left.Load() == c.lets, all[i].still.left.Load() })
			t.Logf("%s: stopped after %s", c.name, time.Since(began))
		}
		millracetest.Settle(t, db, time.Minute)
		checkStopped(t, db, waiting)
		for i, c := range cases {
			checkStopped(t, db, all[i].id)
			if run := runOf(t, client, all[i].id); run["status"] != "stopped" || run["finished_at"] == nil {
				t.Errorf("%s: got status %v, finished at %v", c.name, run["status"], run["finished_at"])
			}
		}
		updated, err := client.List(t.Context(), "/event?event=sync_job_run:updated")
		if err != nil || len(updated) != 1+len(cases) {
			t.Errorf("got %d events sync_job_run:updated, %v; want one for each of %d runs", len(updated), err, 1+len(cases))
		}
	})
}

// standing starts a run of one request.
func standing(t *testing.T, client *millracetest.Client, base, resource, hook string, inactive bool) string {
	t.Helper()
	post := func(path, body string) string {
		var made struct{ ID string }
		if err := client.Post(t.Context(), path, json.RawMessage(body), &made); err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	name := fmt.Sprintf("still-%s-%t-%s", resource, inactive, strings.Trim(hook, "/"))
	integration := post("/integration", fmt.Sprintf(`{"name":%q,"category":"other","config":{"label":"Still","base_url":%q,
	  "resources":{"a":{"list":{"method":"get","path":"/%s"}}}}}`, name, base, resource))
	install := post("/environment-integration", fmt.Sprintf(`{"integration_id":%q}`, integration))
	account := post("/integrated-account", fmt.Sprintf(`{"environment_integration_id":%q,"tenant_id":"t","authentication_method":"api_key","context":{}}`, install))
	webhook := post("/webhook", fmt.Sprintf(`{"name":"hook","target_url":%q,"event_types":["sync_job_run:deleted"],"is_active":%t}`, base+hook, !inactive))
	job := post("/sync-job", fmt.Sprintf(`{"label":"Still","integration_name":%q,"resources":[{"name":"a","type":"request","resource":"a","method":"list","persist":true}]}`, name))
	return post("/sync-job-run", fmt.Sprintf(`{"sync_job_id":%q,"integrated_account_id":%q,"webhook_id":%q,"mutex_key":%q}`, job, account, webhook, name))
}

// another starts a run like one that exists, which waits for it.
func another(t *testing.T, client *millracetest.Client, id string) string {
	t.Helper()
	like := runOf(t, client, id)
	body := map[string]any{}
	for _, name := range []string{"sync_job_id", "integrated_account_id", "webhook_id", "mutex_key"} {
		body[name] = like[name]
	}
	var run map[string]any
	if err := client.Post(t.Context(), "/sync-job-run", body, &run); err != nil {
		t.Fatal(err)
	}
	if run["status"] != "created" || run["waiting_for"] != id {
		t.Errorf("the second run has status %v and waits for %v, want created and %s", run["status"], run["waiting_for"], id)
	}
	return run["id"].(string)
}

func runOf(t *testing.T, client *millracetest.Client, id string) map[string]any {
	t.Helper()
	var run map[string]any
	if err := client.Get(t.Context(), "/sync-job-run/"+id, &run); err != nil {
		t.Fatal(err)
	}
	return run
}

// checkStopped checks that nothing of a run waits to be sent.
func checkStopped(t *testing.T, db *store.DB, id string) {
	t.Helper()
	millracetest.Wait(t, time.Minute, func() (bool, any) {
		var frozen []millrace.FrozenDelivery
		err := db.View(t.Context(), func(tx *store.Tx) error {
			var err error
			frozen, err = tx.Deliveries().Frozen(t.Context(), millrace.FirstEnvironmentID(), millrace.SyncJobRunID(id))
			return err
		})
		return err == nil && len(frozen) == 0, frozen
	})
}
