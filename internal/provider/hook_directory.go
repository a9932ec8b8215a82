package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/cache"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/store"
)

// maxMatching bounds how many accounts of an installation one inbound hook may be about.
const maxMatching = 100

// hookDirectory plugs accounts and the configs of their integrations into inbound hooks.
type hookDirectory struct {
	accounts  *Fetcher
	endpoints *cache.Cache[string, *inbound.Endpoint]
}

func newHookDirectory(accounts *Fetcher, clock func() time.Time) *hookDirectory {
	return &hookDirectory{accounts, cache.New[string, *inbound.Endpoint](maxRemembered, unnoticed, clock)}
}

// accountEndpoint tells the endpoint of an account from that of an installation, which may have any id.
func accountEndpoint(env millrace.EnvironmentID, id millrace.IntegratedAccountID) string {
	return "account " + millrace.TaskKey(env, id)
}

// Account returns the endpoint of an account, or an error of KindNotFound.
func (d *hookDirectory) Account(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*inbound.Endpoint, error) {
	if env == "" {
		err := d.accounts.db.View(ctx, func(tx *store.Tx) error {
			var err error
			env, err = tx.Accounts().EnvironmentOf(ctx, id)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return d.endpoints.Load(accountEndpoint(env, id), func() (*inbound.Endpoint, error) { return d.load(ctx, env, id) })
}

// load reads an account anew. One whose config is broken takes no hooks.
func (d *hookDirectory) load(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*inbound.Endpoint, error) {
	a, integration, err := d.accounts.rows(ctx, env, id)
	if err != nil {
		return nil, err
	}
	e := endpointOf(a.install, integration)
	e.AccountID, e.TenantID = a.row.ID, a.row.TenantID
	full, err := a.row.FullContext()
	if err != nil {
		return nil, err
	}
	return e, d.configure(e, a.row, a.install, integration, full)
}

// Install returns the endpoint of an installation, or an error of KindNotFound.
func (d *hookDirectory) Install(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) (*inbound.Endpoint, error) {
	if env == "" {
		err := d.accounts.db.View(ctx, func(tx *store.Tx) error {
			var err error
			env, err = tx.Installs().EnvironmentOf(ctx, id)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return d.endpoints.Load("install "+millrace.TaskKey(env, id), func() (*inbound.Endpoint, error) {
		var install *millrace.EnvironmentIntegration
		var integration *millrace.Integration
		err := d.accounts.db.View(ctx, func(tx *store.Tx) error {
			var err error
			if install, err = tx.Installs().Get(ctx, env, id); err != nil {
				return err
			}
			integration, err = tx.Integrations().Get(ctx, env, install.IntegrationID)
			return err
		})
		if err != nil {
			return nil, err
		}
		e := endpointOf(install, integration)
		return e, d.configure(e, &millrace.IntegratedAccount{}, install, integration, map[string]any{})
	})
}

// Matching returns the accounts of an installation whose context has a value.
func (d *hookDirectory) Matching(ctx context.Context, install *inbound.Endpoint, field, value string) ([]*inbound.Endpoint, error) {
	query := millrace.Query{Limit: maxMatching, Filters: []millrace.Filter{
		{Field: "environment_integration_id", Op: millrace.OpEq, Values: []string{string(install.InstallID)}},
		{Field: "context." + field, Op: millrace.OpEq, Values: []string{value}},
	}}
	var page millrace.Page[millrace.IntegratedAccount]
	err := d.accounts.db.View(ctx, func(tx *store.Tx) error {
		var err error
		page, err = tx.Accounts().List(ctx, install.EnvironmentID, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []*inbound.Endpoint
	for i := range page.Result {
		e, err := d.Account(ctx, install.EnvironmentID, page.Result[i].ID)
		if err != nil {
			return nil, err
		}
		if e.Closed == "" {
			out = append(out, e)
		}
	}
	return out, nil
}

func endpointOf(install *millrace.EnvironmentIntegration, integration *millrace.Integration) *inbound.Endpoint {
	e := &inbound.Endpoint{
		EnvironmentID: install.EnvironmentID, InstallID: install.ID,
		IntegrationID: integration.ID, IntegrationName: integration.Name,
	}
	if !install.IsEnabled {
		e.Closed = "the integration is installed but not enabled"
	}
	return e
}

// configure adds what the config says about hooks.
func (d *hookDirectory) configure(e *inbound.Endpoint, row *millrace.IntegratedAccount, install *millrace.EnvironmentIntegration,
	integration *millrace.Integration, full map[string]any,
) error {
	config, err := d.accounts.configs.get(row, install, integration)
	switch {
	case millrace.KindOf(err) == millrace.KindInvalid:
		e.Closed = "the config of the integration is not valid: " + err.Error()
		return nil
	case err != nil:
		return err
	case config.Hook == nil:
		e.Closed = "the config of the integration has no webhook"
		return nil
	}
	hook := config.Hook
	e.Transform, e.Handle, e.Credentials = hook.Transform, hook.Handle, hook.Credentials()
	if hook.Lookup != nil {
		e.LookupField, e.LookupValue = hook.Lookup.Field, hook.Lookup.Value
	}
	e.Signature, err = config.HookSignature(full)
	if millrace.KindOf(err) == millrace.KindInvalid {
		e.SignatureErr, err = err, nil
	}
	return err
}

// MergeTx merges a patch into an account's context like a change over the API, and emits the event of that when it
// changes anything.
func (d *hookDirectory) MergeTx(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID,
	patch json.RawMessage,
) (bool, error) {
	row, err := tx.Accounts().Get(ctx, env, id)
	if err != nil {
		return false, err
	}
	before := *row
	if err := account.MergeContext(ctx, tx, row, patch); err != nil {
		return false, err
	}
	if sameDocument(before.Context, row.Context) && sameDocument(before.Secrets, row.Secrets) {
		return false, nil
	}
	moved, err := tx.Accounts().Move(ctx, row, before.Status, before.UpdatedAt)
	if err != nil {
		return false, err
	}
	if !moved {
		return false, millrace.Errorf(millrace.KindConflict, "the account %s was changed at the same time", id)
	}
	updated, err := account.NewEvent(ctx, tx, millrace.EventAccountUpdated, row)
	if err != nil {
		return false, err
	}
	tx.AfterCommit(func() {
		d.endpoints.Delete(accountEndpoint(env, id))
		d.accounts.accounts.Delete(accountKey{env, id})
	})
	return true, event.Emit(ctx, tx, updated)
}

// sameDocument compares objects that encoding/json wrote, which sorts their members.
func sameDocument(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(a, b)
	}
	first, err := json.Marshal(x)
	second, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(first, second)
}

// NewReceiver completes a config with what receivers of every server have.
func NewReceiver(cfg inbound.Config, accounts *Fetcher) (*inbound.Receiver, error) {
	directory := newHookDirectory(accounts, cfg.Clock)
	cfg.Directory, cfg.Contexts = directory, directory
	cfg.DecodeBody, cfg.DecodeQuery = wire.DecodeBody, wire.DecodeQuery
	return inbound.New(cfg)
}
