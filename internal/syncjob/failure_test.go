package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// failing is the response of a provider that has a bad day.
func failing(status int) func(FetchRequest) (fetch.Outcome, error) {
	return func(FetchRequest) (fetch.Outcome, error) {
		kind := fetch.KindRemoteError
		if status == 401 {
			kind = fetch.KindUnauthorized
		}
		return fetch.Outcome{Kind: kind, Status: status, Message: fmt.Sprintf("the provider says %d", status), RequestLine: "GET https://x.test/tickets"}, nil
	}
}

// firstOf decodes the first_error of a run.
func firstOf(t *testing.T, run *millrace.SyncJobRun) millrace.FirstError {
	t.Helper()
	var first millrace.FirstError
	if err := json.Unmarshal(run.FirstError, &first); err != nil {
		t.Fatalf("first_error %s: %v", run.FirstError, err)
	}
	return first
}

func TestARunInWhichEveryRequestFailsIsFailedAndNoBase(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 503} {
		for _, handling := range []millrace.ErrorHandling{millrace.ErrorIgnore, millrace.ErrorBatch, millrace.ErrorFailFast} {
			t.Run(fmt.Sprint(status, " ", handling), func(t *testing.T) {
				t.Parallel()
				p := plot{errors: handling, config: func(c *Config) { c.MaxAuthWait = -1 }, resources: strings.TrimSuffix(strings.TrimSpace(plainGraph), "]") + `,
				  {"name":"end","type":"event","config":{"name":"complete"}},
				  {"name":"mark","type":"update_state","depends_on":"end","config":{"key":"done","value":true}},
				  {"name":"bad","type":"event","config":{"name":"error"}},
				  {"name":"log","type":"update_state","depends_on":"bad","config":{"key":"why","value":"{{error.code}}"}},
				  {"name":"how","type":"update_state","depends_on":"bad","config":{"key":"how","value_expression":"sync_job_run.status"}}]`}
				w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), p)
				w.api.respond = pages(`[{"id":1}]`)
				w.finish()
				clean := w.row()
				if clean.IsPartial || clean.ErrorCount != 0 || string(clean.FirstError) != "" && string(clean.FirstError) != "null" {
					t.Errorf("a clean run: got %d errors, partial %t, first %s", clean.ErrorCount, clean.IsPartial, clean.FirstError)
				}
				w.now = w.now.Add(time.Hour)
				w.newRun(p)
				w.api.respond = failing(status)
				w.finish()
				row := w.row()
				code := fmt.Sprintf("http_%d", status)
				if row.Status != millrace.RunFailed || row.IsPartial || row.ErrorCount != 1 || !strings.Contains(string(row.Error), code) {
					t.Errorf("got status %s, partial %t, %d errors, error %s; want failed, 1 and %s", row.Status, row.IsPartial, row.ErrorCount, row.Error, code)
				}
				first := firstOf(t, row)
				if first.Code != code || first.Status != status || first.Node != "tickets" || first.Request != "GET https://x.test/tickets" || first.At == 0 {
					t.Errorf("got first_error %+v", first)
				}
				script := w.script()
				if last := script[len(script)-1]; last != "failed" {
					t.Errorf("got %q as the last delivery, want failed", last)
				}
				if diff := cmp.Diff(map[string]string{"done": "true", "why": `"` + code + `"`, "how": `"failed"`}, w.state()); diff != "" {
					t.Errorf("state (-want +got):\n%s", diff)
				}
				w.now = w.now.Add(time.Hour)
				w.newRun(p)
				w.api.respond, w.api.calls = pages(`[{"id":2}]`), nil
				w.finish()
				want := []string{`list tickets {"updated_at":{"gt":"` + clean.StartedAt.String() + `"},"limit":2}`}
				if diff := cmp.Diff(want, w.api.asked()); diff != "" {
					t.Errorf("requests of the next run (-want +got):\n%s", diff)
				}
			})
		}
	}
}

const partialGraph = `[
  {"name":"tickets","type":"request","resource":"tickets","method":"list","query":{"since":"{{previous_run_date}}"}},
  {"name":"comments","type":"request","resource":"comments","method":"list","depends_on":"tickets","id":"{{resources.tickets.id}}"},
  {"name":"seen","type":"update_state","depends_on":"tickets","config":{"key":"seen","value":"{{resources.tickets.id:num}}"}},
  {"name":"each","type":"update_state","depends_on":"tickets","config":{"key":"ticket-{{resources.tickets.id}}","value":true}},
  {"name":"below","type":"update_state","depends_on":"comments","config":{"key":"comment","value":"{{resources.comments.id}}"}},
  {"name":"end","type":"event","config":{"name":"complete"}},
  {"name":"held","type":"update_state","depends_on":"end","config":{"key":"held","value_expression":"sync_job_run.status = 'completed' ? sync_job_run.started_at.toISOString()"}},
  {"name":"kept","type":"update_state","depends_on":"end","config":{"key":"kept","value_expression":"sync_job_run.is_partial","on_partial":"write"}},
  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["tickets","comments"]}
]`

func TestAPartialRunSaysSoAndHoldsItsState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := plot{resources: partialGraph}
		w := newWorld(t, db, p)
		broken := true
		w.api.respond = func(req FetchRequest) (fetch.Outcome, error) {
			switch {
			case req.Resource == "tickets":
				return pages(`[{"id":1},{"id":2}]`, `[{"id":3}]`)(req)
			case req.ID == "2" && broken:
				return failing(403)(req)
			}
			return pages(`[{"id":"c` + req.ID + `"}]`)(req)
		}
		w.finish()
		row := w.row()
		if row.Status != millrace.RunCompleted || !row.IsPartial || row.ErrorCount != 1 {
			t.Errorf("got %s, partial %t, %d errors; want completed, true, 1", row.Status, row.IsPartial, row.ErrorCount)
		}
		if first := firstOf(t, row); first.Code != "http_403" || first.Node != "comments" || first.Status != 403 {
			t.Errorf("got first_error %+v", first)
		}
		var payload millrace.RunPayload
		last := w.sink.accepted[len(w.sink.accepted)-1]
		if err := json.Unmarshal(last.envelope.Payload, &payload); err != nil || !payload.IsPartial || payload.ErrorCount != 1 || len(payload.FirstError) < 10 {
			t.Errorf("the completed event has %s, %v", last.envelope.Payload, err)
		}
		want := map[string]string{"seen": "1", "ticket-1": "true", "ticket-2": "true", "ticket-3": "true", "comment": `"c1"`, "kept": "true"}
		if diff := cmp.Diff(want, w.state()); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
		held := 0
		for _, line := range w.lines() {
			if strings.Contains(line, "is left unchanged") && (strings.Contains(line, `"held"`) || strings.Contains(line, `"seen"`) || strings.Contains(line, `"comment"`)) {
				held++
			}
		}
		if held != 4 { // seen of 2 and 3, comment of 3, held
			t.Errorf("got %d lines about what was held back, want 4: %v", held, w.lines())
		}
		w.now = w.now.Add(time.Hour)
		broken = false
		w.api.calls = nil
		w.newRun(p)
		w.finish()
		if asked := w.api.asked()[0]; asked != "list tickets {}" && asked != "list tickets" {
			t.Errorf("the run after a partial one asks %q; it must have no base", asked)
		}
		if got := w.state(); got["seen"] != "3" || got["held"] != `"`+w.row().StartedAt.String()+`"` || got["kept"] != "false" {
			t.Errorf("state after a clean run: %v", got)
		}
	})
}

func TestIgnorePreviousRunIgnoresTheState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: cursorGraph})
	w.api.respond = pages(`[{"id":1,"at":"t1"},{"id":2,"at":"t2"}]`)
	w.finish()
	w.newRun(plot{resources: cursorGraph, edit: func(run *millrace.SyncJobRun) { run.IgnorePreviousRun = true }})
	w.api.calls = nil
	w.finish()
	if diff := cmp.Diff([]string{`list tickets {"after":"1970"}`}, w.api.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got := w.state(); got["cursor"] != `"t2"` || got["runs"] != "1" {
		t.Errorf("got state %v; what the run writes counts", got)
	}
}

func TestARunWaitsForItsAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: plainGraph, errors: millrace.ErrorFailFast})
		w.api.respond = failing(401)
		if pause := retryIn(t, w.slice()); pause != time.Minute {
			t.Errorf("got a pause of %s, want a minute", pause)
		}
		row := w.row()
		if row.Status != millrace.RunRunning || !strings.Contains(row.WaitReason, "needs re-authentication") || row.RetryAt != millrace.TimeOf(w.now.Add(time.Minute)) {
			t.Errorf("got %s, %q until %s", row.Status, row.WaitReason, row.RetryAt)
		}
		w.api.respond = pages(`[{"id":1}]`)
		w.update(func(ctx context.Context, tx *store.Tx) error { return tx.Accounts().WakeRuns(ctx, env, w.account.ID) })
		w.finish()
		if row := w.row(); row.Status != millrace.RunCompleted || row.ErrorCount != 0 || row.WaitReason != "" {
			t.Errorf("after the account was connected again: %s, %d errors, %q", row.Status, row.ErrorCount, row.WaitReason)
		}
		if diff := cmp.Diff([]string{"started", "record tickets 1", "completed"}, w.script()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func TestARunWaitsSevenDaysForItsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph})
	w.api.respond = failing(401)
	began := w.now
	w.finish()
	if waited := w.now.Sub(began); waited != 7*24*time.Hour || w.row().Status != millrace.RunFailed {
		t.Errorf("waited for %s, and it is %s", waited, w.row().Status)
	}
}

func TestARunThatWaitsSaysWhy(t *testing.T) {
	t.Parallel()
	limited := func(FetchRequest) (fetch.Outcome, error) {
		return fetch.Outcome{Kind: fetch.KindRateLimited, Status: 429, RetryAfter: 30 * time.Second, Message: "the provider responds 429 (Retry-After: 30)"}, nil
	}
	for _, tc := range []struct {
		name string
		api  func(FetchRequest) (fetch.Outcome, error)
		sink func(received) (deliver.Result, error)
		want string
	}{
		{"503", failing(503), nil, "attempt 1 of 5 to request tickets failed with http_503: the provider says 503"},
		{"429", limited, nil, "the provider limits the rate and asks for 30s: the provider responds 429 (Retry-After: 30)"},
		{"down", nil, func(received) (deliver.Result, error) {
			res := rejected(500)
			res.Status = 500
			return res, nil
		}, "responds 500 to sync_job_run:started"},
		{"inactive", nil, func(received) (deliver.Result, error) {
			return deliver.Result{Outcome: deliver.Outcome{Kind: deliver.Retry}}, nil
		}, "is inactive"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph})
			w.api.respond, w.sink.respond = tc.api, tc.sink
			var retry *millrace.RetryError
			if err := w.slice(); !errors.As(err, &retry) || retry.After == 0 {
				t.Fatalf("got %v, want a pause", err)
			}
			if row := w.row(); !strings.Contains(row.WaitReason, tc.want) || row.RetryAt == 0 {
				t.Errorf("got wait_reason %q until %s, want %q", row.WaitReason, row.RetryAt, tc.want)
			}
			w.api.respond, w.sink.respond = pages(`[]`), nil
			w.now = w.now.Add(retry.After)
			w.finish()
			if row := w.row(); row.WaitReason != "" {
				t.Errorf("got wait_reason %q at the end", row.WaitReason)
			}
		})
	}
}

func TestRecordsWithoutAWebhookFailBeforeTheyAreFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), plot{resources: plainGraph, edit: func(run *millrace.SyncJobRun) { run.WebhookID = "" }})
	w.api.respond = pages(`[{"id":1}]`)
	w.finish()
	row := w.row()
	if row.Status != millrace.RunFailed || !strings.Contains(string(row.Error), evaluate.CodeNoWebhook) || len(w.api.calls) > 0 {
		t.Errorf("got %s, %s after %d requests", row.Status, row.Error, len(w.api.calls))
	}
	if first := firstOf(t, row); first.Code != evaluate.CodeNoWebhook {
		t.Errorf("got first_error %+v", first)
	}
}

// lines returns the log of the run.
func (w *world) lines() []string {
	w.t.Helper()
	var out []string
	w.update(func(ctx context.Context, tx *store.Tx) error {
		page, err := tx.SyncJobRuns().ListLog(ctx, env, millrace.LogQuery{Filters: map[string]string{"sync_job_run_id": string(w.run.ID)}})
		out = nil
		for _, entry := range page.Result {
			for _, line := range entry.Lines {
				out = append(out, line.Message) //commit:allow reset above
			}
		}
		return err
	})
	return out
}
