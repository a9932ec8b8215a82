package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob"
	"github.com/millrace/millrace/jsonata"
)

// accountFetcher makes every request to a third party: it finds the account and the merged config of its integration.
// It plugs fetch into sync job runs; accountProxy plugs it into the API.
type accountFetcher struct {
	db       *store.DB
	fetcher  *fetch.Fetcher
	configs  *configCache
	budget   *rateBudget
	accounts *briefly[accountKey, *loadedAccount]
}

// accountKey names an account among those of all environments: its id is unique in its own only.
type accountKey struct {
	env millrace.EnvironmentID
	id  millrace.IntegratedAccountID
}

func newAccountFetcher(db *store.DB, fetcher *fetch.Fetcher, budget *rateBudget, clock func() time.Time) *accountFetcher {
	return &accountFetcher{
		db: db, fetcher: fetcher, configs: newConfigCache(), budget: budget,
		accounts: newBriefly[accountKey, *loadedAccount](clock),
	}
}

// loadedAccount is an account ready for requests.
type loadedAccount struct {
	row     *millrace.IntegratedAccount
	install *millrace.EnvironmentIntegration
	config  *fetch.Config
	full    map[string]any // its context with the credentials
	secrets *fetch.Secrets // of full
}

// errBlocked is of KindUnavailable; it tells an account whose integration was switched off from a database that is down.
var errBlocked error = millrace.Errorf(millrace.KindUnavailable, "the account is blocked: its integration is installed but not enabled")

// usable returns errBlocked for an account whose integration was switched off.
func (a *loadedAccount) usable() error {
	if a.install.IsEnabled {
		return nil
	}
	return errBlocked
}

// Fetch makes one request on behalf of an account.
func (f *accountFetcher) Fetch(ctx context.Context, req syncjob.FetchRequest) (syncjob.FetchResult, error) {
	account, err := f.account(ctx, req.EnvironmentID, req.AccountID)
	if err == nil {
		err = account.usable()
	}
	if err != nil {
		return rejected(err)
	}
	out := fetch.Request{Resource: req.Resource, Method: req.Method, ID: req.ID, Body: req.Body}
	out.Query, _ = req.Query.(*jsonata.Object)
	if len(req.Cursor) > 0 {
		if err := json.Unmarshal(req.Cursor, &out.Cursor); err != nil {
			return syncjob.FetchResult{}, fmt.Errorf("decode cursor: %w", err)
		}
	}
	who := caller{env: req.EnvironmentID, id: req.AccountID, waits: req.Waits, turn: req.Turn}
	blocked, paced, err := f.budget.ask(ctx, who)
	switch {
	case err != nil:
		return syncjob.FetchResult{}, err
	case blocked > 0:
		return syncjob.FetchResult{Outcome: syncjob.FetchRateLimited, RetryAfter: blocked}, nil
	case paced > 0:
		return syncjob.FetchResult{Outcome: syncjob.FetchPaced, RetryAfter: paced}, nil
	}
	got, back, err := f.callFor(ctx, who, account, out)
	got.RetryAfter = back
	if err != nil {
		got.Lease.Release()
		return rejected(err)
	}
	r, err := result(&got)
	if r.Lease == nil {
		got.Lease.Release()
	}
	return r, err
}

// account finds an account, or returns an error of KindNotFound when it is not of the environment.
func (f *accountFetcher) account(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*loadedAccount, error) {
	return f.accounts.get(accountKey{env, id}, func() (*loadedAccount, error) { return f.load(ctx, env, id) })
}

// call makes one request on behalf of an account for somebody who does not wait, and who is told what the third party
// said of when to come back, where it did.
func (f *accountFetcher) call(ctx context.Context, account *loadedAccount, req fetch.Request) (fetch.Outcome, error) {
	req.Echoes = true
	o, back, err := f.callFor(ctx, caller{env: account.row.EnvironmentID, id: account.row.ID}, account, req)
	if o.RetryAfter == 0 {
		o.RetryAfter = back
	}
	return o, err
}

// callFor makes one request on behalf of an account. Whatever asks a third party comes through here, so that whatever
// is answered is learned from. The duration is when the caller shall come back.
func (f *accountFetcher) callFor(ctx context.Context, who caller, account *loadedAccount, req fetch.Request) (fetch.Outcome, time.Duration, error) {
	req.Integration, req.Context, req.Secrets = account.config, account.full, account.secrets
	req.Owner = string(who.env)
	o, err := f.fetcher.Fetch(ctx, req)
	if err != nil {
		return o, 0, err
	}
	return o, f.budget.learn(ctx, who, &o), f.judge(ctx, account, &o)
}

func (f *accountFetcher) load(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*loadedAccount, error) {
	account, install, integration, err := f.rows(ctx, env, id)
	if err != nil {
		return nil, err
	}
	config, err := f.configs.get(account, install, integration)
	if err != nil {
		return nil, err
	}
	full, err := account.FullContext()
	if err != nil {
		return nil, err
	}
	return &loadedAccount{account, install, config, full, config.Secrets(full, nil)}, nil
}

// rows reads an account with what it is a connection of.
func (f *accountFetcher) rows(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (
	*millrace.IntegratedAccount, *millrace.EnvironmentIntegration, *millrace.Integration, error,
) {
	var account *millrace.IntegratedAccount
	var install *millrace.EnvironmentIntegration
	var integration *millrace.Integration
	err := f.db.View(ctx, func(tx *store.Tx) error {
		var err error
		if account, err = tx.IntegratedAccount(ctx, env, id); err != nil {
			return err
		}
		if install, err = tx.EnvironmentIntegration(ctx, env, account.EnvironmentIntegrationID); err != nil {
			return err
		}
		integration, err = tx.Integration(ctx, env, install.IntegrationID)
		return err
	})
	return account, install, integration, err
}

// rejected turns what is wrong with a request, its account or its config into a result: the run's author can mend it,
// repeating cannot. Everything else is our fault.
func rejected(err error) (syncjob.FetchResult, error) {
	var e *millrace.Error
	switch {
	case !errors.As(err, &e):
		return syncjob.FetchResult{}, err
	case errors.Is(err, errBlocked):
		return syncjob.FetchResult{Outcome: syncjob.FetchRejected, Code: "account_blocked", Message: e.Message}, nil
	case e.Kind != millrace.KindInvalid && e.Kind != millrace.KindNotFound:
		return syncjob.FetchResult{}, err
	}
	return syncjob.FetchResult{Outcome: syncjob.FetchRejected, Code: "invalid_request", Message: e.Message}, nil
}

func result(o *fetch.Outcome) (syncjob.FetchResult, error) {
	r := syncjob.FetchResult{RetryAfter: o.RetryAfter, Status: o.Status, Message: o.Message, Request: o.RequestLine}
	switch o.Kind {
	case fetch.KindOK:
		r.Outcome, r.Records, r.Lease = syncjob.FetchOK, o.Records.Items(), o.Lease
		if o.NextCursor != "" {
			var err error
			if r.Next, err = json.Marshal(o.NextCursor); err != nil {
				return r, fmt.Errorf("encode cursor: %w", err)
			}
		}
		return r, nil
	case fetch.KindRateLimited:
		r.Outcome = syncjob.FetchRateLimited
	case fetch.KindUnauthorized, fetch.KindRemoteError, fetch.KindNetworkError:
		r.Outcome = syncjob.FetchRejected
		if o.Temporary() {
			r.Outcome = syncjob.FetchTemporary
		}
	}
	r.Code = o.ErrorClass
	if r.Code == "" {
		r.Code = fmt.Sprintf("http_%d", o.Status)
	}
	if len(o.Raw) > 0 {
		body, err := json.Marshal(string(o.Raw))
		if err != nil {
			return r, fmt.Errorf("encode answer: %w", err)
		}
		r.Body = body
	}
	return r, nil
}

// maxConfigs bounds how many compiled configs are kept.
const maxConfigs = 1000

// configCache keeps compiled configs: compiling one costs more than a request on a fast network.
type configCache struct {
	mu      sync.Mutex
	configs map[configKey]*fetch.Config
}

// configKey changes whenever one of the merged parts does.
type configKey struct {
	environment, account, install, integration string
	accountAt, installAt                       millrace.Time
	version                                    int64
}

func newConfigCache() *configCache { return &configCache{configs: map[configKey]*fetch.Config{}} }

func (c *configCache) get(a *millrace.IntegratedAccount, e *millrace.EnvironmentIntegration, i *millrace.Integration) (*fetch.Config, error) {
	key := configKey{environment: string(e.EnvironmentID), install: string(e.ID), integration: string(i.ID), installAt: e.UpdatedAt, version: i.Version}
	if own := len(a.Override()) > 0 && string(a.Override()) != "null"; own {
		key.account, key.accountAt = string(a.ID), a.UpdatedAt
	}
	c.mu.Lock()
	config := c.configs[key]
	c.mu.Unlock()
	if config != nil {
		return config, nil
	}
	merged := fetch.Merge(i.Config, e.Override, a.Override())
	config, err := fetch.ParseConfig(merged)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.configs) >= maxConfigs {
		clear(c.configs)
	}
	c.configs[key] = config
	return config, nil
}
