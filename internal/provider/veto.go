package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/store"
)

// vetoTime is how long workflows may take to say whether an account may be active.
const vetoTime = 5 * time.Minute

// ask begins to wait for the workflows that may reject an account whose actions have passed: it stores the account with its event. It returns
// after which time to look; 0: no workflow listens.
func ask(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, result millrace.ActionRunResult) (time.Duration, error) {
	listens, err := tx.Workflows().ExistActive(ctx, v.EnvironmentID, millrace.EventAccountValidating)
	if err != nil || !listens {
		return 0, err
	}
	e, err := account.NewEvent(ctx, tx, millrace.EventAccountValidating, v)
	if err == nil {
		err = event.Emit(ctx, tx, e) // which gives it its id
	}
	if err != nil {
		return 0, err
	}
	now := tx.Now()
	result.Workflows = &millrace.WorkflowCheck{EventID: e.ID, Status: millrace.ActionRunning, StartedAt: now}
	if v.LastActionRunResult, err = json.Marshal(result); err != nil { //commit:allow the row was read in the same transaction
		return 0, fmt.Errorf("encode last_action_run_result: %w", err)
	}
	return event.Patience(now, now, vetoTime), account.Update(ctx, tx, v)
}

// hear ends a connection when the workflows that may reject the account have ended, or have had their time.
func (c *Connector) hear(ctx context.Context, under *connection) error {
	wait, err := store.Compute(ctx, c.proxy.accounts.db, func(tx *store.Tx) (time.Duration, error) {
		if _, err := account.SecretsOf(ctx, tx, under.row); err != nil { // locks the installation, which comes before its accounts
			return 0, err
		}
		v, err := tx.Accounts().Lock(ctx, under.row.EnvironmentID, under.row.ID)
		if err != nil || v.Status != millrace.AccountConnecting || v.Connection != under.row.Connection {
			return 0, err
		}
		check := *under.result.Workflows
		verdict, err := tx.WorkflowRuns().Judge(ctx, v.EnvironmentID, check.EventID)
		if err != nil {
			return 0, err
		}
		now := tx.Now()
		if wait := event.Patience(now, check.StartedAt, vetoTime); verdict.Open && wait > 0 {
			return wait, nil
		}
		check.Status, check.FinishedAt, check.Error = millrace.ActionCompleted, now, vetoOf(verdict)
		name := millrace.EventAccountActive
		v.Status, v.Connection, v.LastError = millrace.AccountActive, "", check.Error
		if check.Error != "" {
			check.Status, name, v.Status = millrace.ActionFailed, millrace.EventValidationError, millrace.AccountValidationError
		}
		result := under.result
		result.Workflows = &check
		if v.LastActionRunResult, err = json.Marshal(result); err != nil {
			return 0, fmt.Errorf("encode last_action_run_result: %w", err)
		}
		if err := finish(ctx, tx, v, nil, name); err != nil {
			return 0, err
		}
		return ended, tx.Finish(ctx)
	})
	return comeBack(wait, err)
}

// vetoOf says in words why workflows have rejected an account; empty: they have not.
func vetoOf(v store.Verdict) string {
	if v.Open {
		return fmt.Sprintf("the workflows on %s have not ended within %d minutes", millrace.EventAccountValidating, int(vetoTime.Minutes()))
	}
	if v.Status == "" {
		return ""
	}
	var f millrace.Failure
	_ = json.Unmarshal([]byte(v.Error), &f) // without a text, the status says enough
	what := "its run has " + v.Status
	switch v.Status {
	case string(millrace.WorkflowRunCancelled):
		what = "its run was cancelled"
	case string(millrace.OutcomeError), string(millrace.OutcomeLimit):
		what = "its condition could not be evaluated"
	}
	text := strings.TrimSuffix(fmt.Sprintf("workflow %s has rejected the account: %s: %s", v.WorkflowID, what, f.Message), ": ")
	return strings.ToValidUTF8(text[:min(len(text), maxShownError)], "")
}
