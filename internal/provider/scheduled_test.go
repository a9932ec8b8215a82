package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// scheduled gives the integration of an account an action with a schedule, in the place of those of its connection.
func (c *connecting) scheduled(action string) {
	c.t.Helper()
	c.update(func(tx *store.Tx) error {
		install, err := tx.Installs().Get(c.t.Context(), c.v.EnvironmentID, c.v.EnvironmentIntegrationID)
		if err != nil {
			return err
		}
		install.Override = json.RawMessage(`{"actions":{"post_install":null,"validation":null,"keep_alive":` + action + `}}`)
		return tx.Installs().Update(c.t.Context(), install)
	})
}

// due runs the task of the actions once. It returns after which time it wants to run again, -1: it is done.
func (c *connecting) due() time.Duration {
	c.t.Helper()
	err := c.connector.RunScheduled(c.t.Context(), millrace.Task{Kind: millrace.TaskAction, Key: millrace.TaskKey(c.v.EnvironmentID, c.v.ID)})
	var retry *millrace.RetryError
	switch {
	case errors.As(err, &retry) && retry.Err == nil:
		return retry.After
	case err != nil:
		c.t.Fatal(err)
	}
	return -1
}

func (c *connecting) keptAlive() millrace.ScheduledAction {
	c.t.Helper()
	var result millrace.ActionRunResult
	if err := json.Unmarshal(c.row().LastActionRunResult, &result); err != nil {
		c.t.Fatal(err)
	}
	return result.Scheduled["keep_alive"]
}

const keepAlive = `{"cron_expression":"*/5 * * * *","run_if":"key_kind = 'old' or true","steps":[{"type":"request","config":{"method":"post","path":"/alive"}},
{"type":"update_context","config":{"expression":"{\"seen\":previous.n}"}}]}`

func TestActionsRunByThemselves(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newConnecting(t, db)
		requests, status := 0, http.StatusOK
		c.respond = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/alive" {
				requests++
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"n":7,"key":"secret-key-1"}`))
		}
		c.scheduled(keepAlive)
		c.connect()
		if v := c.row(); v.Status != millrace.AccountActive || v.ActionAt == 0 {
			t.Fatalf("the account is %s, its actions are looked at at %d", v.Status, v.ActionAt)
		}
		if wait := c.due(); wait != 5*time.Minute || requests != 0 {
			t.Fatalf("it waits for %s after %d requests", wait, requests)
		}

		c.now = c.now.Add(17 * time.Minute) // three instants, which one run makes up for
		if wait := c.due(); wait != 3*time.Minute || requests != 1 {
			t.Errorf("it waits for %s after %d requests", wait, requests)
		}
		v, kept := c.row(), c.keptAlive()
		if kept.LastRun == nil || kept.LastRun.Status != millrace.ActionCompleted || !strings.Contains(string(v.Context), `"seen":7`) || v.ActionAt != kept.NextRunAt {
			t.Errorf("got %+v, the context %s, looked at at %d", kept, v.Context, v.ActionAt)
		}
		if strings.Contains(string(v.LastActionRunResult), "secret-key-1") {
			t.Errorf("the result has a secret: %s", v.LastActionRunResult)
		}
		if got := c.events(); got != "updated updated active updated" {
			t.Errorf("got the events %s", got)
		}

		status = http.StatusBadGateway
		c.now = c.now.Add(5 * time.Minute)
		if wait := c.due(); wait != 3*time.Minute || c.keptAlive().LastRun.Status != millrace.ActionFailed {
			t.Errorf("after a failure it waits for %s with %+v", wait, c.keptAlive())
		}
		c.scheduled(strings.Replace(keepAlive, "or true", "or false", 1))
		c.now = c.now.Add(5 * time.Minute)
		if wait := c.due(); wait != 3*time.Minute || requests != 2 || c.keptAlive().LastRun.Status != millrace.ActionSkipped {
			t.Errorf("a condition that does not hold: %d requests, it waits for %s with %+v", requests, wait, c.keptAlive())
		}
		c.scheduled(strings.Replace(keepAlive, "*/5", "0", 1))
		if wait := c.due(); wait != 33*time.Minute {
			t.Errorf("with another schedule it waits for %s", wait)
		}

		c.update(func(tx *store.Tx) error {
			v := c.row()
			v.Status = millrace.AccountNeedsReauth
			return tx.Accounts().Update(t.Context(), v)
		})
		c.now = c.now.Add(time.Hour)
		if wait := c.due(); wait != 15*time.Minute || requests != 2 {
			t.Errorf("an account that is not active waits for %s after %d requests", wait, requests)
		}
		c.update(func(tx *store.Tx) error {
			v := c.row()
			v.Status = millrace.AccountActive
			return tx.Accounts().Update(t.Context(), v)
		})
		status = http.StatusOK
		c.scheduled(keepAlive)
		c.due()
		c.now = c.now.Add(-24 * time.Hour) // the clock was ahead
		if wait := c.due(); wait > 5*time.Minute {
			t.Errorf("after the clock went back it waits for %s", wait)
		}
		c.scheduled("null")
		if wait := c.due(); wait != -1 || c.row().ActionAt != 0 {
			t.Errorf("without a schedule it waits for %s", wait)
		}
		c.update(func(tx *store.Tx) error { return tx.Accounts().Delete(t.Context(), c.v.EnvironmentID, c.v.ID) })
		if wait := c.due(); wait != -1 {
			t.Errorf("a deleted account waits for %s", wait)
		}
	})
}
