package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/trigger"
	"github.com/millrace/millrace/internal/workflow"
)

// listen adds a workflow on integrated_account:validating whose condition and only step are expressions.
func (c *connecting) listen(runIf, step string) millrace.WorkflowID {
	c.t.Helper()
	w := &millrace.Workflow{
		EnvironmentID: c.v.EnvironmentID, TriggerName: millrace.EventAccountValidating, Event: millrace.EventAccountValidating,
		Config: millrace.WorkflowConfig{RunIf: runIf, Steps: []millrace.Step{{Type: "run", Action: millrace.ActionRunSyncJob, RunIf: step, Config: json.RawMessage(`{}`)}}},
	}
	c.update(func(tx *store.Tx) error { return tx.Workflows().Create(c.t.Context(), w) })
	return w.ID
}

// goOn runs the tasks of a connection, its workflows among them, as processes that may die at each, until it has ended.
func (c *connecting) goOn(where string) {
	c.t.Helper()
	matcher, runner := trigger.NewMatcher(trigger.MatcherConfig{DB: c.db}), workflow.NewRunner(c.db, nil)
	for range 200 {
		err := c.connector.Handle(c.t.Context(), millrace.ConnectTask(c.v))
		if v := c.read(); v != nil && v.Connection == "" && v.Status == millrace.AccountConnecting {
			c.t.Fatalf("%s: the account is connecting, and nothing connects it", where)
		}
		if err == nil {
			return
		}
		if retry, ok := errors.AsType[*millrace.RetryError](err); ok && retry.Err == nil && retry.After == 0 {
			continue
		}
		var open []millrace.Task
		err = c.db.View(c.t.Context(), func(tx *store.Tx) error {
			var err error
			open, err = tx.Tasks().Open(c.t.Context())
			return err
		})
		for _, task := range open {
			switch {
			case err != nil:
			case task.Kind == millrace.TaskMatch:
				err = matcher.Match(c.t.Context(), task)
			case task.Kind == millrace.TaskWorkflow:
				err = runner.Run(c.t.Context(), task)
			}
		}
		if err != nil && !storetest.IsFault(err) {
			c.t.Fatal(err)
		}
	}
	c.t.Fatalf("%s: the connection does not end", where)
}

// read returns the account, nil where a fault has struck.
func (c *connecting) read() *millrace.IntegratedAccount {
	var v *millrace.IntegratedAccount
	err := c.db.View(c.t.Context(), func(tx *store.Tx) error {
		var err error
		v, err = tx.Accounts().Get(c.t.Context(), c.v.EnvironmentID, c.v.ID)
		return err
	})
	if err != nil {
		return nil
	}
	return v
}

func TestWorkflowsRejectAConnection(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newConnecting(t, db)
		c.respond = respond(200, minted)
		for _, try := range []struct{ runIf, step, want string }{
			{"context.who = 'ada'", "false", ""},
			{"context.who != 'ada'", "$error('it is not asked')", ""},
			{"$error('only our own customers')", "false", "its condition could not be evaluated: "},
			{"", "$error('ada is not welcome')", "its run has failed: "},
		} {
			id := c.listen(try.runIf, try.step)
			before := c.events()
			c.connect()
			c.goOn("")
			v := c.row()
			happened := strings.TrimSpace(strings.TrimPrefix(c.events(), before))
			var result millrace.ActionRunResult
			if err := json.Unmarshal(v.LastActionRunResult, &result); err != nil || result.Workflows == nil || result.Workflows.FinishedAt == 0 {
				t.Fatalf("the result is %s, %v", v.LastActionRunResult, err)
			}
			if try.want == "" {
				if v.Status != millrace.AccountActive || v.LastError != "" || happened != "updated validating active" || result.Workflows.Status != millrace.ActionCompleted {
					t.Errorf("%v: got %s, %q, events %s, %s", try, v.Status, v.LastError, happened, v.LastActionRunResult)
				}
			} else if v.Status != millrace.AccountValidationError || !strings.Contains(v.LastError, string(id)+" has rejected the account: "+try.want) ||
				happened != "updated validating validation_error" || result.Workflows.Error != v.LastError {
				t.Errorf("%v: got %s, %q, events %s, %s", try, v.Status, v.LastError, happened, v.LastActionRunResult)
			}
			c.update(func(tx *store.Tx) error { return tx.Workflows().Delete(t.Context(), c.v.EnvironmentID, id) })
		}
		c.connect()
		c.goOn("")
		if v := c.row(); v.Status != millrace.AccountActive || strings.Contains(string(v.LastActionRunResult), "workflows") {
			t.Errorf("without a workflow: got %s, %s", v.Status, v.LastActionRunResult)
		}
	})
}

// A process that dies at any place of a connection leaves an account that is not active before its workflows have let it, whose connection goes
// on, and whose events are emitted once.
func TestFaultsAtEveryPlaceOfAConnection(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		c := newConnecting(t, faults.Open(t, url))
		c.listen("context.who = 'ada'", "false")
		c.respond = respond(200, minted)
		faults.At(nil)
		c.goOn("")
		places := faults.Places()
		if len(places) < 40 {
			t.Fatalf("a connection has the places %v, want more", places)
		}
		for _, place := range places {
			faults.At(nil)
			before := c.events()
			c.connect()
			faults.At(&place)
			c.goOn(fmt.Sprintf("%+v", place))
			struck := faults.Struck()
			faults.At(nil)
			v := c.row()
			full, err := v.FullContext()
			if happened := strings.TrimSpace(strings.TrimPrefix(c.events(), before)); v.Status != millrace.AccountActive || happened != "updated validating active" ||
				full["minted"] != "minted-secret" || err != nil || struck != 1 {
				t.Errorf("%+v: got %s, events %s, context %v, %v, %d faults", place, v.Status, happened, full, err, struck)
			}
		}
	})
}
