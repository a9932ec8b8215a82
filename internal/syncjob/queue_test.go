package syncjob

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// TestARunThatWaitsStartsWhenTheOtherEnds lets each way of ending a run wake the next one.
func TestARunThatWaitsStartsWhenTheOtherEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			name    string
			respond func(received) (deliver.Result, error)
			fetch   func(FetchRequest) (fetch.Outcome, error)
			status  millrace.RunStatus
			reason  string
		}{
			{name: "completed", status: millrace.RunCompleted},
			{name: "failed", status: millrace.RunFailed, reason: "http_500", fetch: func(FetchRequest) (fetch.Outcome, error) {
				return fetch.Outcome{Kind: fetch.KindRejected, Status: 500, Message: "no", RequestLine: "GET https://x.example/things"}, nil
			}},
			{name: "rejected", status: millrace.RunStopped, reason: evaluate.CodeRefusedByWebhook, respond: func(r received) (deliver.Result, error) {
				if r.Event == millrace.EventRunStarted {
					return deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Cancel}, Attempts: []millrace.Attempt{{StatusCode: 400}}}, nil
				}
				return delivered(), nil
			}},
			{name: "gone", status: millrace.RunFailed, reason: evaluate.CodeWebhookGone, respond: func(received) (deliver.Result, error) {
				return deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Gone}, Attempts: []millrace.Attempt{{StatusCode: 410}}}, nil
			}},
		} {
			w := newWorld(t, db, plot{resources: plainGraph})
			w.sink.respond, w.api.respond = c.respond, pages(`[{"id":1}]`)
			if c.fetch != nil {
				w.api.respond = c.fetch
			}
			var runs []*millrace.SyncJobRun
			for range 3 {
				run := &millrace.SyncJobRun{
					EnvironmentID: env, SyncJobID: w.job.ID, IntegratedAccountID: w.account.ID, WebhookID: w.webhook.ID, Status: millrace.RunCreated,
					Resources: rawOf(plainGraph), ErrorHandling: millrace.ErrorFailFast, MutexKey: c.name,
				}
				w.update(func(_ context.Context, tx *store.Tx) error {
					run.ID = ""
					return tx.SyncJobRuns().Start(t.Context(), run)
				})
				runs = append(runs, run)
			}
			for i := range runs {
				if i < 2 { // a stray task does nothing to a run that waits
					w.run = runs[i+1]
					if err := w.slice(); err != nil || w.row().StartedAt != 0 || w.row().WaitingFor != runs[i].ID {
						t.Errorf("%s: run %d started before its turn: %v, %+v", c.name, i+1, err, w.row())
					}
				}
				w.run = runs[i]
				w.finish()
				row := w.row()
				if row.Status != c.status || c.reason != "" && !strings.Contains(string(row.Error), fmt.Sprintf(`"code":%q`, c.reason)) {
					t.Errorf("%s: got %s %s, want %s because of %q", c.name, row.Status, row.Error, c.status, c.reason)
				}
				if i == 2 {
					continue
				}
				w.run = runs[i+1]
				tasks := storetest.Tasks(db)
				if last := tasks[len(tasks)-1]; w.row().WaitingFor != "" || last.Key != millrace.TaskKey(w.run.EnvironmentID, w.run.ID) {
					t.Errorf("%s: after run %d the next waits for %q; the last task is for %s", c.name, i, w.row().WaitingFor, last.Key)
				}
			}
		}
	})
}

func TestAPlanErrorNamesItsNode(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	w := newWorld(t, db, plot{resources: `[{"name":"a","type":"spool"},{"name":"b","type":"request","resource":"things","method":"list","query":"1 +"}]`})
	w.finish()
	var reason millrace.RunError
	if err := json.Unmarshal(w.row().Error, &reason); err != nil {
		t.Fatal(err)
	}
	if reason.Code != evaluate.CodePlan || reason.Node != "b" || reason.Resource != "things" || reason.Position == nil || reason.Position.Line != 1 {
		t.Errorf("got %s", w.row().Error)
	}
}
