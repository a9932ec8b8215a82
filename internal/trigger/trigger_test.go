package trigger_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/trigger"
)

const env = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")

func update(t *testing.T, db *store.DB, fn func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// batch stores events as one group commit would.
func batch(t *testing.T, db *store.DB, events ...*millrace.Event) millrace.Task {
	t.Helper()
	id := millrace.NewID[millrace.BatchID]()
	update(t, db, func(ctx context.Context, tx *store.Tx) error {
		for _, e := range events {
			e.BatchID = id
			if _, err := tx.Events().Create(ctx, e); err != nil {
				return err
			}
		}
		return tx.Events().CreateBatch(ctx, env, id)
	})
	return millrace.Task{Kind: millrace.TaskMatch, Key: string(id)}
}

func TestDecisionsSayWhy(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		account := &millrace.IntegratedAccount{EnvironmentID: env, Context: json.RawMessage(`{"plan":"pro"}`)}
		conditions := map[string]string{
			"none":    "",
			"holds":   "amount > 10 and context.plan = 'pro'",
			"not":     "amount > 100",
			"missing": "no.such.thing",
			"fails":   "amount > 10 and $number('x') > 1",
			"paused":  "$number('x') > 1",
			"endless": "($f := function($n) { $f($n + 1) }; $f(0))",
		}
		names := map[millrace.WorkflowID]string{}
		update(t, db, func(ctx context.Context, tx *store.Tx) error {
			for name, runIf := range conditions {
				w := &millrace.Workflow{EnvironmentID: env, TriggerName: "custom:x", Event: "custom:x", Config: millrace.WorkflowConfig{RunIf: runIf}, IsPaused: name == "paused"}
				if err := tx.Workflows().Create(ctx, w); err != nil {
					return err
				}
				names[w.ID] = name
			}
			return tx.Accounts().Create(ctx, account)
		})
		e := &millrace.Event{EnvironmentID: env, Name: "custom:x", Payload: json.RawMessage(`{"amount":20,"integrated_account_id":"` + string(account.ID) + `"}`)}
		task := batch(t, db, e)
		m := trigger.NewMatcher(trigger.MatcherConfig{DB: db})
		for range 2 { // a task may run again
			if err := match(t.Context(), m, task); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]millrace.Outcome{}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			decisions, err := tx.Decisions().OfEvent(t.Context(), env, e.ID)
			for _, d := range decisions {
				got[names[d.WorkflowID]] = d.Outcome
				var f millrace.Failure
				if names[d.WorkflowID] == "fails" {
					if err := json.Unmarshal(d.Error, &f); err != nil || f.Path != "config.run_if" || f.Code != "D3030" || f.Line != 1 || f.Column < 17 {
						t.Errorf("got error %s, want the place of $number", d.Error)
					}
				}
				if run, err := tx.WorkflowRuns().ByID(t.Context(), d.WorkflowRunID); err != nil || (run != nil) != (d.Outcome == millrace.OutcomeMatched) {
					t.Errorf("%s: run %v, %v", names[d.WorkflowID], run, err)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]millrace.Outcome{
			"none": millrace.OutcomeMatched, "holds": millrace.OutcomeMatched, "not": millrace.OutcomeNotMatched,
			"missing": millrace.OutcomeNotMatched, "fails": millrace.OutcomeError, "endless": millrace.OutcomeLimit,
			"paused": millrace.OutcomePaused,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("decisions (-want +got):\n%s", diff)
		}
		if got := len(storetest.Tasks(db)); got != 2 {
			t.Errorf("got %d tasks, want one for each of the two runs", got)
		}
	})
}

func TestAChainOfRunsEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		update(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.Workflows().Create(ctx, &millrace.Workflow{EnvironmentID: env, TriggerName: "custom:x", Event: "custom:x"})
		})
		e := &millrace.Event{EnvironmentID: env, Name: "custom:x", Depth: 8, Payload: json.RawMessage(`{}`)}
		if err := match(t.Context(), trigger.NewMatcher(trigger.MatcherConfig{DB: db}), batch(t, db, e)); err != nil {
			t.Fatal(err)
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			decisions, err := tx.Decisions().OfEvent(t.Context(), env, e.ID)
			if len(decisions) != 1 || decisions[0].Outcome != millrace.OutcomeLimit || len(decisions[0].Error) == 0 {
				t.Errorf("got %+v, want a limit that says why", decisions)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
