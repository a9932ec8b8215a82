package provider

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch/config"
)

// Candidate is an account as it would be stored: a new one, or one that is connected again with other credentials.
type Candidate struct {
	Account     *millrace.IntegratedAccount
	Install     *millrace.EnvironmentIntegration
	Integration *millrace.Integration
	Gate        *egress.Gate // nil: requests go straight
}

// Rejection says why credentials did not pass their test.
type Rejection struct {
	Message string // without secrets; empty: nothing was said
	Passes  bool   // it says nothing about the credentials: the provider is not there, or has no time
}

// Test tries the credentials of an account that is not stored: with the action test_credentials of the integration, or else with its
// validation, unless that comes after a post_install, which may put into the context what it needs. Nil: they work, or there is nothing
// to try them with. It stores nothing.
func (c *Connector) Test(ctx context.Context, v Candidate) (*Rejection, error) {
	compiled, err := c.proxy.accounts.Config(v.Account, v.Install, v.Integration)
	if err != nil {
		return nil, err
	}
	name := config.ActionTest
	if len(compiled.Actions[name]) == 0 {
		name = config.ActionValidation
		if len(compiled.Actions[name]) == 0 || len(compiled.Actions[config.ActionPostInstall]) > 0 {
			return nil, nil //nolint:nilnil // nothing is wrong
		}
	}
	full, err := v.Account.FullContext()
	if err != nil {
		return nil, err
	}
	loaded := &loadedAccount{
		row: v.Account, install: v.Install, config: compiled, full: full, secrets: secretsOf(compiled, full, v.Gate), gate: v.Gate,
		integration: v.Integration.Name, detached: true,
	}
	t, err := c.run(ctx, loaded, nil, name)
	if err != nil || !t.failed() {
		return nil, err
	}
	out := &Rejection{Message: t.result.Error, Passes: t.passes}
	if n := len(t.result.Steps); n > 0 && t.result.Steps[n-1].Error != "" {
		out.Message = t.result.Steps[n-1].Error // the customer knows no steps
	}
	return out, nil
}
