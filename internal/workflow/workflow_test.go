package workflow_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/workflow"
)

const (
	env     = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")
	job     = millrace.SyncJobID("51b79ace-a7b4-4077-93ba-8048a06ece2b")
	account = millrace.IntegratedAccountID("3f0c8a55-96c1-4f9f-9d0a-1c1f7f9b8e10")
)

// ran stores a workflow with the steps and an event, runs it, and returns the run.
func ran(t *testing.T, db *store.DB, steps string) (*millrace.WorkflowRun, millrace.WorkflowResult) {
	t.Helper()
	run := created(t, db, steps)
	r := workflow.NewRunner(db, nil)
	for range 2 { // a task may run again
		if err := r.Run(t.Context(), millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), Attempt: 1}); err != nil {
			t.Fatal(err)
		}
	}
	return result(t, db, run.ID)
}

// created stores a workflow with the steps, an event, and a run.
func created(t *testing.T, db *store.DB, steps string) *millrace.WorkflowRun {
	t.Helper()
	ctx := t.Context()
	run := &millrace.WorkflowRun{EnvironmentID: env, WorkflowVersion: 1, Status: millrace.WorkflowRunCreated}
	err := db.Update(ctx, func(tx *store.Tx) error {
		w := &millrace.Workflow{EnvironmentID: env, TriggerName: millrace.EventAccountActive, Event: millrace.EventAccountActive}
		if err := json.Unmarshal([]byte(`{"steps":`+steps+`}`), &w.Config); err != nil {
			return err
		}
		e := &millrace.Event{EnvironmentID: env, Name: millrace.EventAccountActive, Payload: json.RawMessage(
			`{"id":"` + string(account) + `","tenant_id":"acme","context":{"plan":"pro"},"integration":{"name":"zendesk"}}`)}
		if err := tx.Workflows().Create(ctx, w); err != nil {
			return err
		}
		if _, err := tx.Events().Create(ctx, e); err != nil {
			return err
		}
		if _, err := tx.SyncJobs().Get(ctx, env, job); err != nil {
			if err := tx.SyncJobs().Create(ctx, &millrace.SyncJob{ID: job, EnvironmentID: env}); err != nil {
				return err
			}
			if err := tx.Accounts().Create(ctx, &millrace.IntegratedAccount{ID: account, EnvironmentID: env}); err != nil {
				return err
			}
		}
		run.WorkflowID, run.EventID = w.ID, e.ID
		return tx.WorkflowRuns().Create(ctx, run)
	})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// result returns a run as stored, with its result.
func result(t *testing.T, db *store.DB, id millrace.WorkflowRunID) (*millrace.WorkflowRun, millrace.WorkflowResult) {
	t.Helper()
	var run *millrace.WorkflowRun
	var result millrace.WorkflowResult
	err := db.View(t.Context(), func(tx *store.Tx) error {
		var err error
		run, err = tx.WorkflowRuns().Get(t.Context(), env, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(run.Result, &result); err != nil {
		t.Fatalf("result %s: %v", run.Result, err)
	}
	return run, result
}

func TestStepsWaitForTheirBudget(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := time.Now()
		budget := expr.NewBudget(500*time.Millisecond, func() time.Time { return now })
		budget.Use(env, func() { now = now.Add(2 * time.Second) })
		run := &millrace.WorkflowRun{EnvironmentID: env, WorkflowVersion: 1, Status: millrace.WorkflowRunCreated}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			w := &millrace.Workflow{EnvironmentID: env, Event: "custom:x", Config: millrace.WorkflowConfig{Steps: []millrace.Step{{
				Type: "run", Action: millrace.ActionRunSyncJob, RunIf: "false", Config: json.RawMessage(`{}`),
			}}}}
			e := &millrace.Event{EnvironmentID: env, Name: "custom:x", Payload: json.RawMessage(`{}`)}
			_, err := tx.Events().Create(t.Context(), e)
			if err := errors.Join(err, tx.Workflows().Create(t.Context(), w)); err != nil {
				return err
			}
			run.WorkflowID, run.EventID = w.ID, e.ID
			return tx.WorkflowRuns().Create(t.Context(), run)
		})
		if err != nil {
			t.Fatal(err)
		}
		r := workflow.NewRunner(db, budget)
		task := millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), Attempt: 9}
		var again *millrace.RetryError
		if err := r.Run(t.Context(), task); !errors.As(err, &again) || again.After < time.Second {
			t.Fatalf("got %v, want to wait until there is time again", err)
		}
		now = now.Add(again.After)
		if err := r.Run(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			got, err := tx.WorkflowRuns().Get(t.Context(), env, run.ID)
			if err == nil && (got.Status != millrace.WorkflowRunCompleted || got.RetryAttempt != 0) {
				t.Errorf("got %s after %d retries, want completed after none", got.Status, got.RetryAttempt)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func step(config string) string {
	return `[{"type":"run","action":"run_sync_job","config":` + config + `}]`
}

func TestStepsTakeEffectOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		run, result := ran(t, db, `[
			{"type":"run","action":"run_sync_job","config":{"sync_job_id":"`+string(job)+`","integrated_account_id":"{{integrated_account_id}}"}},
			{"type":"run","action":"run_sync_job","run_if":"context.plan = 'free'","config":"{}"},
			{"type":"run","action":"run_sync_job","config":"{\"sync_job_id\":steps[0].sync_job_id,\"args\":{\"first\":steps[0].id,\"integrated_account_id\":integrated_account_id}}"},
			{"type":"run","action":"run_sync_job","config":{"sync_job_id":"`+string(job)+`"}},
			{"type":"run","action":"run_sync_job","cron_expression":"0 */6 * * *","config":{"sync_job_id":"`+string(job)+`"}}]`)
		if run.Status != millrace.WorkflowRunCompleted || !result.Success || len(result.Steps) != 5 || !result.Steps[1].Skipped {
			t.Fatalf("got %s, %s", run.Status, run.Result)
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			runs, err := tx.SyncJobRuns().List(t.Context(), env, millrace.Query{Sort: []millrace.Sort{{Field: "created_at"}}})
			if err != nil {
				return err
			}
			if len(runs.Result) != 3 {
				t.Fatalf("got %d sync job runs, want 3 although the task ran twice", len(runs.Result))
			}
			for _, r := range runs.Result {
				if r.IntegratedAccountID != account || !strings.Contains(string(r.Args), string(account)) {
					t.Errorf("account %q and args %s, want the account in both", r.IntegratedAccountID, r.Args)
				}
			}
			triggers, err := tx.Schedules().List(t.Context(), env, millrace.Query{})
			if len(triggers.Result) != 1 || triggers.Result[0].NextRunAt == 0 {
				t.Errorf("got schedules %+v, want one that is scheduled", triggers.Result)
			} else if got := triggers.Result[0]; got.IntegratedAccountID != account || !strings.Contains(string(got.Args), string(account)) {
				t.Errorf("the schedule has account %q and args %s, want that of the event", got.IntegratedAccountID, got.Args)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestWrongStepsFailWithTheValueAndItsSource(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		steps string
		want  []string
	}{
		"unmapped": {
			step(`"( $id := $mapValues(integration.name, {\"calcom\": \"x\"}); {\"sync_job_id\": $id} )"`),
			[]string{"config.steps[0].config.sync_job_id", `"zendesk" is not an id`, "$mapValues(integration.name"},
		},
		"unknown": {
			step(`{"sync_job_id":"00000000-0000-4000-8000-00000000dead"}`),
			[]string{"config.steps[0].config.sync_job_id", "00000000-0000-4000-8000-00000000dead", "does not exist in this environment"},
		},
		"several": {
			step(`{"sync_job_id":"` + string(job) + `","webhook_id":"{{tenant_id}}","integrated_account_id":"nope"}`),
			[]string{`"acme" is not an id`, `"nope" is not an id`},
		},
		"an unknown member": {
			step(`"{ \"sync_job_id\": \"` + string(job) + `\", \"webhok_id\": tenant_id }"`),
			[]string{"config.steps[0].config.webhok_id", `run_sync_job has no input "webhok_id"; did you mean "webhook_id"?`},
		},
		"absent":     {step(`"{}"`), []string{"config.steps[0].config.sync_job_id", "is required"}},
		"no object":  {step(`"[1]"`), []string{"config.steps[0].config", "must yield an object, yields [1]"}},
		"nothing":    {step(`"no.where"`), []string{"must yield an object, yields nothing"}},
		"expression": {step(`"$number(tenant_id)"`), []string{"config.steps[0].config", "acme"}},
		"condition":  {`[{"type":"run","action":"run_sync_job","run_if":"$number(tenant_id) > 1","config":"{}"}]`, []string{"config.steps[0].run_if"}},
		"action":     {`[{"type":"run","action":"fly","config":"{}"}]`, []string{"config.steps[0].action", `unknown action "fly"`}},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, tc := range cases {
			run, result := ran(t, db, strings.Replace(tc.steps, "}]", `},{"type":"run","action":"run_sync_job","config":"{}"}]`, 1))
			if run.Status != millrace.WorkflowRunFailed || result.Success || result.Error == "" || len(run.Error) == 0 {
				t.Errorf("%s: got %s, %s", name, run.Status, run.Result)
			}
			if len(result.Steps) != 1 {
				t.Errorf("%s: got %d steps, want none after the one that failed", name, len(result.Steps))
			}
			for _, want := range tc.want {
				if !strings.Contains(result.Error, want) {
					t.Errorf("%s: got %q, want it to contain %q", name, result.Error, want)
				}
			}
		}
	})
}

// A step makes a schedule after its workflow was changed: it rests as those do that were there.
func TestAScheduleComesTooLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*millrace.Workflow) // nil: it was deleted
		want string                   // why the schedule rests
	}{
		"unchanged": {func(w *millrace.Workflow) { w.Label = "x" }, ""},
		"deleted":   {nil, "its workflow was deleted"},
		"paused":    {func(w *millrace.Workflow) { w.IsPaused = true }, "its workflow is not active"},
		"removed":   {func(w *millrace.Workflow) { w.Config.Steps[0].CronExpression = "" }, "its step was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				run := created(t, db, `[{"type":"run","action":"run_sync_job","cron_expression":"0 */6 * * *","overlap":"skip","config":{"sync_job_id":"`+string(job)+`","catch_up":"all"}}]`)
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					w, err := tx.Workflows().Get(t.Context(), env, run.WorkflowID)
					if err != nil || c.edit == nil {
						return errors.Join(err, tx.Workflows().Delete(t.Context(), env, run.WorkflowID))
					}
					c.edit(w)
					return tx.Workflows().Update(t.Context(), w)
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := workflow.NewRunner(db, nil).Run(t.Context(), millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), Attempt: 1}); err != nil {
					t.Fatal(err)
				}
				err = db.View(t.Context(), func(tx *store.Tx) error {
					page, err := tx.Schedules().List(t.Context(), env, millrace.Query{})
					if err != nil {
						return err
					}
					if len(page.Result) != 1 {
						t.Fatalf("got %d schedules", len(page.Result))
					}
					got := page.Result[0]
					if !strings.HasPrefix(got.RestReason, c.want) || (got.NextRunAt == 0) != (c.want != "") {
						t.Errorf("the schedule rests because %q and is due at %s; want %q", got.RestReason, got.NextRunAt, c.want)
					}
					if got.CatchUp != millrace.CatchUpAll || got.Overlap != millrace.OverlapSkip {
						t.Errorf("got catch_up %s, overlap %s", got.CatchUp, got.Overlap)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
