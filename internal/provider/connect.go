package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
)

// Connect takes an account whose credentials were stored through the steps of a connection, and emits the event that began it. An
// account whose integration has no post_install and no validation, and which no workflow may reject, is active at once. Those call the
// provider: the account is connecting until the task that is stored with it has run them ([Connector]). A connection that is under way
// ends here.
func Connect(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, began *millrace.Event) error {
	install, integration, err := tx.Installs().Lock(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err != nil {
		return err
	}
	acts, err := config.HasAction([]string{config.ActionPostInstall, config.ActionValidation}, integration.Config, install.Override, v.Override())
	if err != nil {
		return err
	}
	if !acts {
		if acts, err = lacksToken(v, install, integration); err != nil {
			return err
		}
	}
	if !acts {
		if acts, err = tx.Workflows().ExistActive(ctx, v.EnvironmentID, millrace.EventAccountValidating); err != nil {
			return err
		}
	}
	v.LastError, v.LastActionRunResult, v.Connection = "", nil, "" //commit:allow the row was made or read in the same transaction
	if !acts {
		v.Status = millrace.AccountActive //commit:allow the same
		return finish(ctx, tx, v, began, millrace.EventAccountActive)
	}
	v.Status, v.Connection = millrace.AccountConnecting, millrace.NewID[string]() //commit:allow the same
	if err := account.Update(ctx, tx, v); err != nil {
		return err
	}
	if err := tx.Enqueue(ctx, millrace.ConnectTask(v)); err != nil {
		return err
	}
	return event.Emit(ctx, tx, began)
}

// lacksToken reports whether an account has credentials with which an access token must be asked for before it can be used.
func lacksToken(v *millrace.IntegratedAccount, install *millrace.EnvironmentIntegration, integration *millrace.Integration) (bool, error) {
	if !account.HasTokens(v.AuthenticationMethod) || v.AuthenticationMethod == config.FormatOAuth2 {
		return false, nil
	}
	credentials, err := config.Credentials(integration.Config, install.Override, v.Override())
	if err != nil || credentials[v.AuthenticationMethod].OAuth == nil {
		return false, err
	}
	full, err := v.FullContext()
	if err != nil {
		return false, err
	}
	_, access, _ := millrace.OAuthToken(full)
	return access == "", nil
}

// finish writes an account whose connection has ended, and emits the event about its status behind the one that began it.
func finish(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, began *millrace.Event, name string) error {
	if v.Status == millrace.AccountActive {
		if err := account.PlanActions(ctx, tx, v); err != nil {
			return err
		}
	}
	if err := account.Update(ctx, tx, v); err != nil {
		return err
	}
	ended, err := account.NewEvent(ctx, tx, name, v)
	if err != nil {
		return err
	}
	if began == nil {
		return event.Emit(ctx, tx, ended)
	}
	return event.Emit(ctx, tx, began, ended)
}

// ConnectorConfig configures a [Connector].
type ConnectorConfig struct {
	Accounts *Fetcher
	Clock    func() time.Time
	Retries  []time.Duration // pauses before an action whose failure may pass is tried again; nil: 1 s, 5 s, 20 s, 60 s
	Time     time.Duration   // that one try of an action may take; 0: 25 s, which must be less than a task may
}

// Connector takes accounts from connecting on: it runs their post_install, then their validation, each in a task of its own, and then has
// the workflows that listen say whether the account may be active. What an action writes into the context is stored once, with the end of
// the action. After a crash the action runs again from its first step.
type Connector struct {
	proxy   Proxy
	clock   func() time.Time
	retries []time.Duration
	time    time.Duration
}

// maxLimited bounds how long a provider may ask an action to wait for its rate limit.
const maxLimited = 15 * time.Minute

// NewConnector returns a connector.
func NewConnector(cfg ConnectorConfig) *Connector {
	c := &Connector{NewProxy(cfg.Accounts), cfg.Clock, cfg.Retries, cfg.Time}
	if c.retries == nil {
		c.retries = []time.Duration{time.Second, 5 * time.Second, 20 * time.Second, time.Minute}
	}
	if c.time == 0 {
		c.time = 25 * time.Second
	}
	return c
}

// errActionTime ends an action that takes too long.
var errActionTime = errors.New("the action has taken too long")

// connection is a connection under way: the account as it was when the task looked, and what has become of its actions.
type connection struct {
	row    *millrace.IntegratedAccount
	result millrace.ActionRunResult
	action string // the next
	more   bool   // there is another one after it
}

// Handle is the handler of the task.
func (c *Connector) Handle(ctx context.Context, task millrace.Task) error {
	env, id := millrace.ParseTaskKey[millrace.IntegratedAccountID](task.Key)
	under, err := c.underWay(ctx, env, id)
	if err != nil || under == nil {
		return err
	}
	if under.result.Workflows != nil {
		return c.hear(ctx, under)
	}
	if wait := under.result.RetryAt.Std().Sub(c.clock()); under.result.RetryAt > 0 && wait > 0 {
		return millrace.RetryAfter(wait, nil)
	}
	loaded, err := c.proxy.accounts.account(ctx, env, id)
	if err == nil && loaded.row.Connection != under.row.Connection {
		return millrace.RetryAfter(0, nil) // it was connected again since
	}
	if err == nil {
		if done, err := c.token(ctx, under, loaded); err != nil || done {
			return err
		}
	}
	under.choose(loaded)
	run, err := c.run(ctx, loaded, err, under.action)
	if err != nil {
		return err
	}
	return c.store(ctx, under, run)
}

// token sees to it that an account has an access token before its actions run. It reports that this task is done; an error may ask for
// another one.
func (c *Connector) token(ctx context.Context, under *connection, loaded *loadedAccount) (bool, error) {
	next, stop, err := c.proxy.accounts.ensureToken(ctx, loaded)
	switch {
	case err != nil:
		return true, err
	case stop != nil && stop.Kind == fetch.KindUnauthorized:
		return true, c.proxy.accounts.db.Update(ctx, func(tx *store.Tx) error {
			if _, err := account.SecretsOf(ctx, tx, under.row); err != nil { // locks the installation, which comes before its accounts
				return err
			}
			v, err := tx.Accounts().Lock(ctx, under.row.EnvironmentID, under.row.ID)
			if err != nil || v.Connection != under.row.Connection {
				return err
			}
			v.Connection = "" //commit:allow it was read in this transaction
			if err := account.Lose(ctx, tx, v, stop.Message); err != nil {
				return err
			}
			return tx.Finish(ctx)
		})
	case stop != nil:
		return true, millrace.RetryAfter(max(stop.RetryAfter, time.Second), nil)
	case next != loaded:
		return true, millrace.RetryAfter(0, nil) // the account was written
	}
	return false, nil
}

// choose chooses the action that is next. loaded may be nil.
func (u *connection) choose(loaded *loadedAccount) {
	has := func(name string) bool { return loaded != nil && len(loaded.config.Actions[name]) > 0 }
	u.action, u.more = config.ActionPostInstall, has(config.ActionValidation)
	if done := u.result.PostInstall; done != nil && done.Status == millrace.ActionCompleted || loaded != nil && !has(config.ActionPostInstall) {
		u.action, u.more = config.ActionValidation, false
	}
}

// underWay returns the connection that the task is to go on with. Nil: there is none, and the task is done.
func (c *Connector) underWay(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*connection, error) {
	return store.Compute(ctx, c.proxy.accounts.db, func(tx *store.Tx) (*connection, error) {
		v, err := tx.Accounts().Lock(ctx, env, id)
		switch {
		case millrace.KindOf(err) == millrace.KindNotFound && err != nil:
			return nil, tx.Finish(ctx)
		case err != nil:
			return nil, err
		case v.Status != millrace.AccountConnecting || v.Connection == "":
			return nil, tx.Finish(ctx)
		}
		out := &connection{row: v}
		if len(v.LastActionRunResult) > 0 {
			if err := json.Unmarshal(v.LastActionRunResult, &out.result); err != nil {
				return nil, fmt.Errorf("decode last_action_run_result: %w", err)
			}
		}
		return out, nil
	})
}

// ran is one try of an action.
type ran struct {
	result  millrace.ActionRun
	written json.RawMessage // into the context
	passes  bool            // the failure may pass
	after   time.Duration   // when, if the provider says so
}

func (t *ran) failed() bool { return t.result.Status == millrace.ActionFailed }

// run runs an action of an account. wrong says why the account could not be loaded; what is wrong with its config is a failure of the
// action, everything else an error.
func (c *Connector) run(ctx context.Context, a *loadedAccount, wrong error, name string) (*ran, error) {
	t := &ran{result: millrace.ActionRun{StartedAt: millrace.TimeOf(c.clock()), Status: millrace.ActionFailed, Steps: []millrace.ActionStepResult{}}}
	limited, cancel := context.WithTimeoutCause(ctx, c.time, errActionTime)
	defer cancel()
	if wrong == nil {
		wrong = a.usable()
	}
	if wrong == nil {
		wrong = c.steps(limited, a, name, t)
	}
	t.result.FinishedAt = millrace.TimeOf(c.clock())
	switch known, isOurs := errors.AsType[*millrace.Error](wrong); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil && t.failed():
		t.result.Error, t.passes = fmt.Sprintf("%v: more than %s", errActionTime, c.time), true
	case wrong == nil || errors.Is(wrong, errStep):
	case isOurs && isFinding(wrong) || errors.Is(wrong, errBlocked):
		t.result.Error = known.Message
	default:
		return nil, wrong
	}
	return t, nil
}

// store stores the outcome of an action, unless the account was connected again since: then nothing of it counts.
func (c *Connector) store(ctx context.Context, under *connection, t *ran) error {
	again := c.next(under, t)
	goesOn := again > 0 || under.more && !t.failed()
	wait, err := store.Compute(ctx, c.proxy.accounts.db, func(tx *store.Tx) (time.Duration, error) {
		set, err := account.SecretsOf(ctx, tx, under.row) // locks the installation, which comes before its accounts
		if err != nil {
			return 0, err
		}
		v, err := tx.Accounts().Lock(ctx, under.row.EnvironmentID, under.row.ID)
		if err != nil || v.Status != millrace.AccountConnecting || v.Connection != under.row.Connection {
			return again, err
		}
		if len(t.written) > 0 && !t.failed() {
			if err := account.MergeSealed(v, set, t.written); err != nil {
				return 0, err
			}
		}
		if v.LastActionRunResult, err = json.Marshal(under.result); err != nil {
			return 0, fmt.Errorf("encode last_action_run_result: %w", err)
		}
		if goesOn {
			return again, tx.Accounts().Update(ctx, v)
		}
		if !t.failed() {
			if wait, err := ask(ctx, tx, v, under.result); err != nil || wait > 0 {
				return wait, err
			}
		}
		return ended, under.end(ctx, tx, v, t)
	})
	return comeBack(wait, err)
}

// ended says that a connection is no longer under way.
const ended time.Duration = -1

// comeBack has the task come again after a time, unless the connection has ended or the account was deleted.
func comeBack(wait time.Duration, err error) error {
	switch {
	case err != nil && millrace.KindOf(err) == millrace.KindNotFound:
		return nil
	case err != nil:
		return err
	case wait == ended:
		return nil
	}
	return millrace.RetryAfter(wait, nil)
}

// next adds a try to the result. It returns after which time the action is tried again; 0: not at all.
func (c *Connector) next(under *connection, t *ran) time.Duration {
	under.result.Attempt, under.result.RetryAt = under.result.Attempt+1, 0
	if under.action == config.ActionValidation {
		under.result.Validation = &t.result
	} else {
		under.result.PostInstall = &t.result
	}
	tried := int(under.result.Attempt)
	if !t.failed() && under.more {
		under.result.Attempt = 0 // the next action counts its own
	}
	if !t.failed() || !t.passes || tried > len(c.retries) {
		return 0
	}
	pause := c.retries[tried-1]
	pause = max(pause/2+rand.N(pause/2+1), min(t.after, maxLimited), 1) //nolint:gosec // jitter
	under.result.RetryAt = millrace.TimeOf(c.clock().Add(pause))
	return pause
}

// end ends a connection and its task.
func (u *connection) end(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, t *ran) error {
	v.Status, v.LastError, v.Connection = millrace.AccountActive, t.result.Error, "" //commit:allow the row was read in the same transaction
	name := millrace.EventAccountActive
	switch {
	case t.failed() && u.action == config.ActionValidation:
		v.Status, name = millrace.AccountValidationError, millrace.EventValidationError //commit:allow the same
	case t.failed():
		v.Status, name = millrace.AccountPostInstallError, millrace.EventPostInstallError //commit:allow the same
	}
	if err := finish(ctx, tx, v, nil, name); err != nil {
		return err
	}
	return tx.Finish(ctx)
}
