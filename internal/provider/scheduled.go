package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
)

// restTime is how often it is looked whether an account that is not active is again.
const restTime = 15 * time.Minute

// RunScheduled is the handler of the task that runs the actions of an account that have a schedule: one that is due in each task. What
// an action writes into the context is stored once, with its end, like that of the actions of a connection; after a crash it runs again from its
// first step. Instants that have passed meanwhile are made up for by one run. An action that fails is run at its next instant.
func (c *Connector) RunScheduled(ctx context.Context, task millrace.Task) error {
	env, id := millrace.ParseTaskKey[millrace.IntegratedAccountID](task.Key)
	loaded, err := c.proxy.accounts.account(ctx, env, id)
	switch {
	case err != nil && millrace.KindOf(err) == millrace.KindNotFound:
		return nil // it was deleted
	case err != nil && !isFinding(err):
		return err
	case err != nil, loaded.usable() != nil, loaded.row.Status != millrace.AccountActive:
		return c.plan(ctx, env, id, nil) // its config is broken, or it rests
	}
	p, err := planOf(loaded.row, loaded.config, c.clock())
	if err != nil {
		return err
	}
	if p.due == "" {
		return c.plan(ctx, env, id, loaded.config)
	}
	t, err := c.runIf(ctx, loaded, p.due)
	if err == nil && t == nil {
		t, err = c.run(ctx, loaded, nil, p.due)
	}
	if err != nil {
		return err
	}
	return c.storeScheduled(ctx, loaded, p.due, t)
}

// runIf evaluates the condition of an action. It returns nil when the action is to run.
func (c *Connector) runIf(ctx context.Context, loaded *loadedAccount, name string) (*ran, error) {
	condition := loaded.config.Schedules[name].RunIf
	if condition == nil {
		return nil, nil //nolint:nilnil // it always runs
	}
	a, err := c.proxy.begin(loaded, &Call{EnvironmentID: loaded.row.EnvironmentID, AccountID: loaded.row.ID})
	if err != nil {
		return nil, err
	}
	now := millrace.TimeOf(c.clock())
	t := &ran{result: millrace.ActionRun{StartedAt: now, FinishedAt: now, Status: millrace.ActionSkipped, Steps: []millrace.ActionStepResult{}}}
	v, err := a.eval(ctx, config.RootPath+".actions."+name+".run_if", condition)
	switch {
	case err != nil && !isFinding(err):
		return nil, err
	case err != nil:
		t.result.Status, t.result.Error = millrace.ActionFailed, loaded.secrets.Say(err.Error(), maxShownError)
	case expr.Truthy(v):
		return nil, nil //nolint:nilnil // it runs
	}
	return t, nil
}

// plan is when the actions of an account run next.
type plan struct {
	result millrace.ActionRunResult
	due    string        // the first action that is due; empty: none
	next   millrace.Time // the earliest instant of all; 0: there are none
}

// planOf brings the instants of an account's actions up to date with the config of its integration.
func planOf(v *millrace.IntegratedAccount, c *config.Config, now time.Time) (*plan, error) {
	p := &plan{}
	if len(v.LastActionRunResult) > 0 {
		if err := json.Unmarshal(v.LastActionRunResult, &p.result); err != nil {
			return nil, fmt.Errorf("decode last_action_run_result: %w", err)
		}
	}
	before := p.result.Scheduled
	p.result.Scheduled = map[string]millrace.ScheduledAction{}
	for _, name := range slices.Sorted(maps.Keys(c.Schedules)) {
		wanted := c.Schedules[name]
		cron, err := schedule.ParseCron(wanted.Cron, wanted.Timezone)
		if err != nil {
			continue // which is rejected when it is saved
		}
		s, next := before[name], at(cron, now)
		if s.Cron != wanted.Cron || s.Timezone != wanted.Timezone || s.NextRunAt > next { // the last: the clock was ahead
			s.Cron, s.Timezone, s.NextRunAt = wanted.Cron, wanted.Timezone, next
		}
		p.result.Scheduled[name] = s
		if s.NextRunAt == 0 {
			continue
		}
		if p.due == "" && s.NextRunAt <= millrace.TimeOf(now) {
			p.due = name
		}
		if p.next == 0 || s.NextRunAt < p.next {
			p.next = s.NextRunAt
		}
	}
	return p, nil
}

// at is the next instant of a schedule; 0: there is none.
func at(cron *schedule.Cron, now time.Time) millrace.Time {
	if next := cron.Next(now); !next.IsZero() {
		return millrace.TimeOf(next)
	}
	return 0
}

// ended has an action run at its next instant after now.
func (p *plan) ended(name string, run *millrace.ActionRun, c *config.Config, now time.Time) (*plan, error) {
	s := p.result.Scheduled[name]
	s.LastRun, s.NextRunAt, s.Cron = run, 0, "" // it is planned again
	p.result.Scheduled[name] = s
	raw, err := json.Marshal(p.result)
	if err != nil {
		return nil, fmt.Errorf("encode last_action_run_result: %w", err)
	}
	return planOf(&millrace.IntegratedAccount{LastActionRunResult: raw}, c, now)
}

// put puts a plan into an account.
func (p *plan) put(v *millrace.IntegratedAccount) error {
	raw, err := json.Marshal(p.result)
	if err != nil {
		return fmt.Errorf("encode last_action_run_result: %w", err)
	}
	if v.ActionAt = p.next; len(p.result.Scheduled) > 0 || len(v.LastActionRunResult) > 0 {
		v.LastActionRunResult = raw
	}
	return nil
}

// plan stores when the actions of an account run next, and has the task wait for that. Without a config the account rests.
func (c *Connector) plan(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, compiled *config.Config) error {
	now := c.clock()
	next, err := store.Compute(ctx, c.proxy.accounts.db, func(tx *store.Tx) (millrace.Time, error) {
		v, err := tx.Accounts().Get(ctx, env, id)
		if err != nil {
			return 0, err
		}
		if _, err := account.SecretsOf(ctx, tx, v); err != nil { // locks the installation, which comes before its accounts
			return 0, err
		}
		if v, err = tx.Accounts().Lock(ctx, env, id); err != nil {
			return 0, err
		}
		if compiled == nil {
			at := millrace.TimeOf(now.Add(restTime))
			return at, tx.Accounts().MoveActions(ctx, env, id, at)
		}
		before := *v
		p, err := planOf(v, compiled, now)
		if err == nil {
			err = p.put(v)
		}
		if err == nil && p.next == 0 {
			err = tx.Finish(ctx)
		}
		if err != nil || v.ActionAt == before.ActionAt && bytes.Equal(v.LastActionRunResult, before.LastActionRunResult) {
			return v.ActionAt, err
		}
		return v.ActionAt, tx.Accounts().Update(ctx, v)
	})
	return goOn(next, now, err)
}

// storeScheduled stores the result of an action, unless the account rests since: then nothing of it counts.
func (c *Connector) storeScheduled(ctx context.Context, loaded *loadedAccount, name string, t *ran) error {
	now, row := c.clock(), loaded.row
	next, err := store.Compute(ctx, c.proxy.accounts.db, func(tx *store.Tx) (millrace.Time, error) {
		set, err := account.SecretsOf(ctx, tx, row)
		if err != nil {
			return 0, err
		}
		v, err := tx.Accounts().Lock(ctx, row.EnvironmentID, row.ID)
		if err != nil || v.Status != millrace.AccountActive {
			return millrace.TimeOf(now), err
		}
		p, err := planOf(v, loaded.config, now)
		if err == nil {
			p, err = p.ended(name, &t.result, loaded.config, now)
		}
		if err == nil {
			err = p.put(v)
		}
		if err != nil {
			return 0, err
		}
		if len(t.written) == 0 || t.failed() {
			return p.next, tx.Accounts().Update(ctx, v)
		}
		if err := account.MergeSealed(v, set, t.written); err != nil {
			return 0, err
		}
		if err := account.Update(ctx, tx, v); err != nil {
			return 0, err
		}
		updated, err := account.NewEvent(ctx, tx, millrace.EventAccountUpdated, v)
		if err != nil {
			return 0, err
		}
		return p.next, event.Emit(ctx, tx, updated)
	})
	return goOn(max(next, 1), now, err)
}

// goOn has the task come back at a time; 0: it is done.
func goOn(next millrace.Time, now time.Time, err error) error {
	var known *millrace.Error
	switch {
	case errors.As(err, &known) && known.Kind == millrace.KindNotFound:
		return nil // the account was deleted
	case err != nil:
		return err
	case next == 0:
		return nil
	}
	return millrace.RetryAfter(max(next.Std().Sub(now), 0), nil)
}
