package integrations_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/integrations"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestEverySyncJobRuns runs the sync job of every contract twice on a whole server: the second run must ask only for
// what changed, where the API can tell.
func TestEverySyncJobRuns(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		hooks := millracetest.NewCollector()
		w := &world{server: millracetest.Start(t, url, nil), hooks: hooks, hooksURL: millracetest.Listen(t, hooks)}
		t.Run("all", func(t *testing.T) { // ends when all of them have ended, before the server stops
			each(t, func(t *testing.T, i *integrations.Integration) {
				if c := readContract(t, i.Name); c.Sync != nil {
					w.sync(t, i, c)
				}
			})
		})
		for _, problem := range hooks.Problems() {
			t.Error(problem)
		}
	})
}

type world struct {
	server   *millracetest.Server
	hooks    *millracetest.Collector
	hooksURL string
}

type created struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// sync connects an account of an integration and runs its sync job.
func (w *world) sync(t *testing.T, i *integrations.Integration, c *contract) {
	t.Helper()
	p := &provider{t: t, headers: c.Headers, anyHost: true}
	url := millracetest.Listen(t, p)
	var integration, install, webhook, job, account created
	w.send(t, "/integration", i.Body, &integration)
	w.post(t, "/environment-integration", map[string]any{"integration_id": integration.ID}, &install)
	w.post(t, "/webhook", map[string]any{"target_url": w.hooksURL + "/" + i.Name, "event_types": []string{millrace.EventRunRecord, millrace.EventRunRecordError}}, &webhook)
	w.hooks.SetSecret(i.Name, webhook.Secret)
	w.send(t, "/sync-job", i.SyncJob, &job)
	w.post(t, "/integrated-account", map[string]any{
		"tenant_id": i.Name, "environment_integration_id": install.ID, "authentication_method": i.Auth[0], "context": c.account(url),
		"integration_override": map[string]any{"base_url": url},
	}, &account)
	run := map[string]any{"sync_job_id": job.ID, "integrated_account_id": account.ID, "webhook_id": webhook.ID}
	seen := 0
	for s := c.Sync; s != nil; s = s.Again {
		p.expect(s.Exchanges)
		w.run(t, run)
		p.settle()
		seen = w.check(t, i.Name, s, c.Sync.ID, seen)
	}
}

func (w *world) send(t *testing.T, path string, body []byte, out *created) {
	t.Helper()
	if err := w.server.Send(t.Context(), http.MethodPost, path, "application/json", body, out); err != nil {
		t.Fatal(err)
	}
}

func (w *world) post(t *testing.T, path string, in any, out *created) {
	t.Helper()
	if err := w.server.Post(t.Context(), path, in, out); err != nil {
		t.Fatal(err)
	}
}

// run runs the job to its end, which must be a good one.
func (w *world) run(t *testing.T, body map[string]any) {
	t.Helper()
	var run struct {
		created
		Status millrace.RunStatus `json:"status"`
		Error  any                `json:"error"`
	}
	if err := w.server.Post(t.Context(), "/sync-job-run", body, &run); err != nil {
		t.Fatal(err)
	}
	millracetest.Wait(t, time.Minute, func() (bool, any) {
		if err := w.server.Get(t.Context(), "/sync-job-run/"+run.ID, &run); err != nil {
			t.Fatal(err)
		}
		return run.Status.Finished(), run
	})
	if run.Status != millrace.RunCompleted {
		t.Errorf("the run is %s: %v", run.Status, run.Error)
	}
}

// check compares the records that were delivered since the last look, and returns how far it looked.
func (w *world) check(t *testing.T, name string, s *syncCase, id string, from int) int {
	t.Helper()
	got := map[string][]any{}
	all := w.hooks.First(name)
	for _, r := range all[from:] {
		var payload struct {
			Resource string `json:"resource"`
			Records  []any  `json:"records"`
		}
		if r.Event == millrace.EventRunRecordError {
			t.Errorf("record error: %s", r.Envelope.Payload)
		}
		if r.Event != millrace.EventRunRecord {
			continue
		}
		if err := json.Unmarshal(r.Envelope.Payload, &payload); err != nil {
			t.Fatal(err)
		}
		for _, record := range payload.Records {
			got[payload.Resource] = append(got[payload.Resource], idOf(record, id))
		}
	}
	if !reflect.DeepEqual(got, s.Want) {
		t.Errorf("got records %v, want %v", got, s.Want)
	}
	return len(all)
}
