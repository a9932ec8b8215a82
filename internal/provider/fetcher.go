package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/cache"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob"
	"github.com/millrace/millrace/jsonata"
)

// Fetcher makes every request to a provider: it finds the account and the merged config of its integration.
// Sync job runs call it page by page; [Proxy] calls it for the API.
type Fetcher struct {
	db       *store.DB
	fetcher  *fetch.Fetcher
	configs  *configCache
	budget   *RateBudget
	logger   *slog.Logger
	observe  observe.Observer
	clock    func() time.Time
	accounts *cache.Cache[accountKey, remembered]
	renew    Renew
}

// accountKey names an account among those of all environments: its id is unique in its own only.
type accountKey struct {
	env millrace.EnvironmentID
	id  millrace.IntegratedAccountID
}

// RenewWith plugs in what gets accounts new tokens. It must be called before the first request.
func (f *Fetcher) RenewWith(renew Renew) { f.renew = renew }

// NewFetcher returns a fetcher for the accounts of a database. observe receives its requests; it may be nil.
func NewFetcher(db *store.DB, fetcher *fetch.Fetcher, budget *RateBudget, logger *slog.Logger, observe observe.Observer) *Fetcher {
	return &Fetcher{
		db: db, fetcher: fetcher, configs: newConfigCache(), budget: budget, logger: logger, observe: observe,
		clock: budget.now, accounts: cache.NewLasting[accountKey, remembered](maxRemembered),
	}
}

// loadedAccount is an account ready for requests, as it was at a revision.
type loadedAccount struct {
	revision store.AccountRevision

	row     *millrace.IntegratedAccount
	install *millrace.EnvironmentIntegration
	config  *config.Config
	full    map[string]any // its context with the credentials
	secrets *fetch.Secrets // of full

	integration string // its name

	gate *egress.Gate // nil: requests go straight

	grant    *millrace.Grant // nil: it has no tokens that end
	accepted atomic.Bool     // it is written down that the provider accepts the access token

	over json.RawMessage // what an action has put into the context, which is not stored yet

	detached bool // it differs from the stored account: its requests neither renew its token nor change what is stored
}

// with returns the account with what an action has put into its context.
func (a *loadedAccount) with(over json.RawMessage) (*loadedAccount, error) {
	if len(over) == 0 || string(over) == string(a.over) {
		return a, nil
	}
	row := *a.row
	if err := row.MergeContext(over, nil, account.EnvironmentVariables); err != nil {
		return nil, err
	}
	full, err := row.FullContext()
	if err != nil {
		return nil, err
	}
	return &loadedAccount{
		revision: a.revision, row: a.row, install: a.install, config: a.config, integration: a.integration, grant: a.grant,
		detached: a.detached, full: full, secrets: secretsOf(a.config, full, a.gate), over: over, gate: a.gate,
	}, nil
}

// secretsOf returns what texts about the requests of an account must not show.
func secretsOf(c *config.Config, full map[string]any, gate *egress.Gate) *fetch.Secrets {
	values := c.Secrets(full, nil)
	if gate != nil {
		values = append(values, gate.Token)
	}
	return fetch.NewSecrets(values)
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
func (f *Fetcher) Fetch(ctx context.Context, req syncjob.FetchRequest) (fetch.Outcome, error) {
	a, err := f.accountSince(ctx, req.EnvironmentID, req.AccountID, req.Since)
	if err == nil {
		err = a.usable()
	}
	if err != nil {
		return rejected(err)
	}
	if out, waits := unconnected(a.row); waits {
		return out, nil
	}
	out := fetch.Request{Resource: req.Resource, Method: req.Method, ID: req.ID, Body: req.Body, Cursor: req.Cursor}
	out.Query, _ = req.Query.(*jsonata.Object)
	who := caller{env: req.EnvironmentID, id: req.AccountID, waits: req.Waits, turn: req.Turn}
	blocked, paced, err := f.budget.ask(ctx, who)
	switch {
	case err != nil:
		return fetch.Outcome{}, err
	case blocked > 0:
		return fetch.Outcome{Kind: fetch.KindRateLimited, RetryAfter: blocked}, nil
	case paced > 0:
		return fetch.Outcome{Kind: fetch.KindPaced, RetryAfter: paced}, nil
	}
	got, back, err := f.callFor(ctx, who, a, out)
	got.RetryAfter = back
	if err != nil {
		got.Lease.Release()
		return rejected(err)
	}
	if got.Kind != fetch.KindOK {
		got.Lease.Release() // of what is not used
		got.Lease = nil
	}
	return got, nil
}

// unconnected returns what becomes of the requests of a run while the connection of its account is not complete: they wait as for
// credentials that work. Status says nothing where a client has set it, but for the errors of the actions.
func unconnected(v *millrace.IntegratedAccount) (fetch.Outcome, bool) {
	o := fetch.Outcome{Kind: fetch.KindUnauthorized}
	switch {
	case v.Status == millrace.AccountConnecting && v.Connection != "":
		o.ErrorClass, o.Message = fetch.ClassConnecting, "the account is being connected"
	case v.Status == millrace.AccountPostInstallError || v.Status == millrace.AccountValidationError:
		o.ErrorClass, o.Message = "account_"+string(v.Status), "the connection of the account has failed: "+v.LastError
	default:
		return fetch.Outcome{}, false
	}
	return o, true
}

// call makes one request for a caller that will not retry; RetryAfter is set when the provider sent one.
func (f *Fetcher) call(ctx context.Context, a *loadedAccount, req fetch.Request) (fetch.Outcome, error) {
	req.Echoes = true
	o, back, err := f.callFor(ctx, caller{env: a.row.EnvironmentID, id: a.row.ID}, a, req)
	if o.RetryAfter == 0 {
		o.RetryAfter = back
	}
	return o, err
}

// callFor makes one request on behalf of an account. Every request comes through here, so that every response is learned from.
// The duration says when the caller may try again.
func (f *Fetcher) callFor(ctx context.Context, who caller, a *loadedAccount, req fetch.Request) (fetch.Outcome, time.Duration, error) {
	req.Owner = string(who.env)
	a, o, err := f.exchange(ctx, a, req)
	if err != nil {
		return o, 0, err
	}
	f.report(ctx, a, req, &o)
	if a.detached {
		return o, 0, nil
	}
	back := f.budget.learn(ctx, who, &o)
	f.accept(ctx, a, &o)
	if err := f.judge(ctx, a, &o); err != nil {
		return o, back, err
	}
	return o, back, f.forbid(ctx, a, req, &o)
}

// exchange makes a request, once more if the response was to an access token that has been replaced. It returns the account that the
// outcome is about.
func (f *Fetcher) exchange(ctx context.Context, a *loadedAccount, req fetch.Request) (*loadedAccount, fetch.Outcome, error) {
	over := a.over
	a, stop, err := f.ensureToken(ctx, a)
	if err == nil && stop == nil {
		a, err = a.with(over)
	}
	if err != nil || stop != nil {
		return a, *cmp.Or(stop, &fetch.Outcome{}), err
	}
	o, err := f.fetch(ctx, a, req)
	if err != nil || o.Kind != fetch.KindUnauthorized || o.Foreign || a.detached {
		return a, o, err
	}
	now, changed := f.changed(ctx, a)
	if !changed {
		if !a.mayRenew(f.clock()) {
			return a, o, nil
		}
		var stop *fetch.Outcome
		if now, stop, err = f.renewed(ctx, a); err != nil || stop != nil {
			o.Lease.Release()
			return a, *cmp.Or(stop, &fetch.Outcome{}), err
		}
	}
	o.Lease.Release()
	if now, err = now.with(over); err != nil {
		return a, fetch.Outcome{}, err
	}
	o, err = f.fetch(ctx, now, req)
	return now, o, err
}

func (f *Fetcher) fetch(ctx context.Context, a *loadedAccount, req fetch.Request) (fetch.Outcome, error) {
	req.Integration, req.Context, req.Secrets = a.config, a.full, a.secrets
	if credential, ok := a.config.Credentials[a.row.AuthenticationMethod]; ok {
		req.Credential = &credential
	}
	return f.fetcher.Fetch(egress.Through(ctx, a.gate), req)
}

// report tells of a request, and logs one that failed.
func (f *Fetcher) report(ctx context.Context, a *loadedAccount, req fetch.Request, o *fetch.Outcome) {
	if o.Kind == fetch.KindRejected || o.Kind == fetch.KindPaced {
		return // it was not made
	}
	outcome := "network"
	if o.Status != 0 {
		outcome = strconv.Itoa(o.Status/100) + "xx"
	}
	f.observe.Tell(ctx, observe.Fact{Kind: observe.Request, Name: a.integration, Outcome: outcome, Took: o.Duration})
	if o.Kind == fetch.KindOK || o.Kind == fetch.KindRateLimited {
		return
	}
	f.logger.LogAttrs(ctx, slog.LevelWarn, "provider request failed",
		slog.String("environment_id", string(a.row.EnvironmentID)), slog.String("integrated_account_id", string(a.row.ID)),
		slog.String("integration", a.integration), slog.String("resource", req.Resource), slog.String("method", req.Method),
		slog.Int("status", o.Status), slog.String("error", o.Message), slog.Int64("duration_ms", o.Duration.Milliseconds()))
}

// changed returns the current account, and whether it or its integration was changed since: then a response to the old one says
// nothing.
func (f *Fetcher) changed(ctx context.Context, seen *loadedAccount) (*loadedAccount, bool) {
	now, err := f.account(ctx, seen.row.EnvironmentID, seen.row.ID)
	if err != nil || now.usable() != nil {
		return seen, false
	}
	return now, now.revision != seen.revision
}

func (f *Fetcher) load(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*loadedAccount, error) {
	a, integration, err := f.rows(ctx, env, id)
	if err != nil {
		return nil, err
	}
	if a.config, err = f.configs.get(a.row, a.install, integration); err != nil {
		return nil, err
	}
	if a.full, err = a.row.FullContext(); err != nil {
		return nil, err
	}
	a.secrets, a.integration = secretsOf(a.config, a.full, a.gate), integration.Name
	return a, nil
}

// rows reads an account with what it is a connection of.
func (f *Fetcher) rows(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*loadedAccount, *millrace.Integration, error) {
	var a *loadedAccount
	var integration *millrace.Integration
	err := f.db.View(ctx, func(tx *store.Tx) error {
		a = &loadedAccount{}
		var err error
		if a.row, err = tx.Accounts().Get(ctx, env, id); err != nil {
			return err
		}
		if a.install, err = tx.Installs().Get(ctx, env, a.row.EnvironmentIntegrationID); err != nil {
			return err
		}
		if a.gate, err = account.GateOf(ctx, tx, env, a.row.StaticGateID); err != nil {
			return err
		}
		if integration, err = tx.Integrations().Get(ctx, env, a.install.IntegrationID); err != nil || !account.HasTokens(a.row.AuthenticationMethod) {
			return err
		}
		if a.grant, err = tx.Accounts().Grants().Get(ctx, env, id); err == nil && a.grant == nil {
			a.grant = &millrace.Grant{ID: id, EnvironmentID: env} // it was connected by an older version
		}
		return err
	})
	return a, integration, err
}

// rejected turns what is wrong with a request, its account or its config into an outcome: the run's author can fix it,
// repeating cannot. Everything else is our fault.
func rejected(err error) (fetch.Outcome, error) {
	var e *millrace.Error
	switch {
	case !errors.As(err, &e):
		return fetch.Outcome{}, err
	case errors.Is(err, errBlocked):
		return fetch.Outcome{Kind: fetch.KindRejected, ErrorClass: "account_blocked", Message: e.Message}, nil
	case e.Kind != millrace.KindInvalid && e.Kind != millrace.KindNotFound:
		return fetch.Outcome{}, err
	}
	return fetch.Outcome{Kind: fetch.KindRejected, ErrorClass: "invalid_request", Message: e.Message}, nil
}

const (
	// unnoticed is how long a change may go unnoticed by what providers send to an inbound hook, and by a rate limit.
	unnoticed = time.Second
	// maxRemembered bounds how many accounts, endpoints and rate limits are remembered.
	maxRemembered = 10_000
	// maxConfigs bounds how many compiled configs are kept.
	maxConfigs = 1000
)

// configCache keeps compiled configs: compiling one costs more than a request on a fast network.
type configCache struct {
	kept *cache.Cache[configKey, *config.Config]
}

// configKey changes whenever one of the merged parts does.
type configKey struct {
	environment, account, install, integration string
	accountAt, installAt                       millrace.Time
	version                                    int64
}

// Config returns the compiled config of an account.
func (f *Fetcher) Config(a *millrace.IntegratedAccount, e *millrace.EnvironmentIntegration, i *millrace.Integration) (*config.Config, error) {
	return f.configs.get(a, e, i)
}

func newConfigCache() *configCache {
	return &configCache{cache.NewLasting[configKey, *config.Config](maxConfigs)}
}

func (c *configCache) get(a *millrace.IntegratedAccount, e *millrace.EnvironmentIntegration, i *millrace.Integration) (*config.Config, error) {
	key := configKey{environment: string(e.EnvironmentID), install: string(e.ID), integration: string(i.ID), installAt: e.UpdatedAt, version: i.Version}
	if own := len(a.Override()) > 0 && string(a.Override()) != "null"; own {
		key.account, key.accountAt = string(a.ID), a.UpdatedAt
	}
	return c.kept.Load(key, func() (*config.Config, error) {
		return config.Load(config.Merge(i.Config, e.Override, a.Override()))
	})
}
